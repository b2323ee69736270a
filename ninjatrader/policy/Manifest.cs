// What a bundle says of itself. A manifest that is not understood to the last word is refused: a strategy
// that guesses trades something else than what was trained.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text;

namespace RLTrader
{
    /// <summary>One layer of an MLP: name, numbers in, numbers out.</summary>
    public sealed class LayerShape
    {
        public string Name;
        public int In, Out;
    }

    /// <summary>Which bars of a day a policy knows.</summary>
    public enum SessionKind { Regular, All }

    /// <summary>What stands between two layers of a network.</summary>
    public enum Activation { Relu, Tanh }

    /// <summary>The numbers and names of manifest.json that this code needs.</summary>
    public sealed class Manifest
    {
        public const string Kind = "rltrader bundle";
        public const int Version = 1;

        /// <summary>A trade of more contracts is taken for a mistake.</summary>
        public const int MostContracts = 100;

        /// <summary>So is a distance of more average true ranges, or a target of more stops.</summary>
        public const double MostMultiple = 100;

        /// <summary>From this minute on an open trade is closed; a day ends, so there is one.</summary>
        public const int LastFlatBy = 1439;

        /// <summary>Verdicts of a certificate that is a proof, as jax_port/runs/lineage.py has them.</summary>
        public static readonly string[] Proofs =
        {
            "same", "same, minibatches by group", "same, but under changed code",
            "same, but under changed code, minibatches by group"
        };

        public static readonly string[] KnownFeatures =
        {
            "close", "volume", "sma_5", "sma_20", "rsi", "macd", "momentum", "atr", "hour_decimal", "min_from_open",
            "min_to_close"
        };

        public static readonly string[] KnownPosition =
        {
            "position", "entry_ratio", "stop_distance", "target_distance", "time_in_position", "can_enter",
            "at_break_even", "trailing"
        };

        public static readonly string[] KnownActions = { "hold", "buy", "sell", "break_even", "trail_on", "trail_off" };

        // In the order of the enumerations SessionKind and Activation.
        private static readonly string[] Sessions = { "rth", "all" }, Activations = { "relu", "tanh" };

        public string Folder, Symbol, Certificate, PolicyDigest;
        public SessionKind Session;
        public Activation Activation;

        /// <summary>Whether the port that trained the policy was proved to be the reference.</summary>
        public bool Proved;
        public int Phase, Size, Window, PositionFeatures, Actions;
        public double Epsilon, Clip, ForbiddenLogit;
        public double[] Mean, Var;

        /// <summary>Whether observations are normalised and clipped; else the networks see them raw.</summary>
        public bool Normalised;
        public LayerShape[] Policy, Value;
        public double TickSize, TickValue, Commission, StopMultiple, TargetRatio, TrailMultiple;

        /// <summary>Dollars: distance of the drawdown floor below the highest equity, and where it stops
        /// rising.</summary>
        public double TrailingDrawdown, FloorLock;
        public int Contracts, Slippage, WarmupBars, EntryOpen, EntryClose, FlatBy, MaxEpisodeBars;

        /// <summary>How decisions are fused with a service's advice; null where they are the policy's own.</summary>
        public FusionSettings Fusion;

        /// <summary>Read and check a bundle's manifest, and that its policy is the one it was written for.</summary>
        public static Manifest Load(string folder)
        {
            string path = Path.Combine(folder, "manifest.json");
            if (!File.Exists(path))
                throw new BundleException(path + ": no bundle here; give a folder that `rltrader export` wrote");
            object root = Json.Parse(File.ReadAllText(path, Encoding.UTF8));
            Require(Json.Text(root, "kind") == Kind && Json.Whole(root, "version") == Version,
                path, "it is not \"" + Kind + "\" version " + Version.ToString(CultureInfo.InvariantCulture));
            Manifest m = new Manifest();
            m.Folder = folder;
            m.Phase = Json.Whole(root, "phase");
            Require(m.Phase == 1 || m.Phase == 2, path, "phase " + m.Phase.ToString(CultureInfo.InvariantCulture)
                + " is not known");
            m.PositionFeatures = m.Phase == 1 ? 5 : 8;
            m.Actions = m.Phase == 1 ? 3 : 6;
            ReadObservation(m, Json.Get(root, "observation"), path);
            RequireNames(Json.Texts(root, "actions"), KnownActions.Take(m.Actions), path, "actions");
            ReadNetwork(m, root, path);
            ReadRules(m, root, path);
            object certificate = Json.Get(root, "certificate");
            m.Certificate = certificate as string ?? Json.Text(certificate, "verdict");
            m.Proved = !(certificate is string) && Proofs.Contains(m.Certificate); // a bare word proves nothing
            if (Json.Has(root, "fusion")) m.Fusion = FusionSettings.Of(Json.Get(root, "fusion"));
            object trained = Json.Has(root, "trained_with_advice") ? Json.Get(root, "trained_with_advice") : null;
            Require(trained == null || (Json.Text(trained, "as") == "prior" && m.Fusion != null), path,
                "its policy was trained with advice, and its fusion is not there");
            m.PolicyDigest = Json.Text(Json.Get(root, "files"), "policy.safetensors");
            Require(Digest(Path.Combine(folder, "policy.safetensors")) == m.PolicyDigest, path,
                "policy.safetensors is not the file it was written for");
            return m;
        }

        private static void ReadObservation(Manifest m, object part, string path)
        {
            m.Size = Json.Whole(part, "size");
            m.Window = Json.Whole(part, "window");
            RequireNames(Json.Texts(part, "features"), KnownFeatures, path, "feature order");
            RequireNames(Json.Texts(part, "position"), KnownPosition.Take(m.PositionFeatures), path,
                "position features");
            Require(m.Window > 0 && m.Size == m.Window * KnownFeatures.Length + m.PositionFeatures, path,
                "the observation's size does not add up");
        }

        private static void ReadNetwork(Manifest m, object root, string path)
        {
            object normalizer = Json.Get(root, "normalizer"), network = Json.Get(root, "network");
            m.Normalised = normalizer != null;
            if (m.Normalised) ReadNormalizer(m, normalizer, path);
            m.Activation = (Activation)Known(Activations, Json.Text(network, "activation"), "activation", path);
            m.ForbiddenLogit = Json.Number(Json.Get(root, "masks"), "forbidden_logit");
            m.Policy = Mlp(network, "policy", m.Size, m.Actions, path);
            m.Value = Mlp(network, "value", m.Size, 1, path);
        }

        private static void ReadNormalizer(Manifest m, object normalizer, string path)
        {
            m.Epsilon = Json.Number(normalizer, "epsilon");
            m.Clip = Json.Number(normalizer, "clip");
            m.Mean = Json.Numbers(normalizer, "mean");
            m.Var = Json.Numbers(normalizer, "var");
            Require(m.Mean.Length == m.Size && m.Var.Length == m.Size, path,
                "statistics are not as long as the observation");
            Require(m.Epsilon > 0 && m.Clip > 0, path, "epsilon and clip must be above zero");
        }

        private static LayerShape[] Mlp(object network, string name, int size, int last, string path)
        {
            List<LayerShape> layers = new List<LayerShape>();
            foreach (object entry in Json.Array(network, name))
            {
                LayerShape layer =
                    new LayerShape { Name = Json.Text(entry, "name"), In = Json.Whole(entry, "in"),
                        Out = Json.Whole(entry, "out") };
                Require(layer.In == size, path, "layer " + layer.Name + " does not follow the one before it");
                size = layer.Out;
                layers.Add(layer);
            }
            Require(layers.Count > 0 && size == last, path, "the " + name + " MLP ends in another size");
            return layers.ToArray();
        }

        private static void ReadRules(Manifest m, object root, string path)
        {
            object config = Json.Get(root, "env_config"), contract = Json.Get(root, "contract");
            Require(Json.Whole(config, "phase") == m.Phase, path, "phase and env_config differ");
            Require(Json.Whole(config, "window_size") == m.Window, path, "window and env_config differ");
            m.Session = (SessionKind)Known(Sessions, Json.Text(config, "session"), "session", path);
            m.WarmupBars = Json.Whole(config, "warmup_bars");
            m.EntryOpen = Json.Whole(config, "entry_open_minute");
            m.EntryClose = Json.Whole(config, "entry_close_minute");
            m.FlatBy = Json.Whole(config, "flat_by_minute");
            m.MaxEpisodeBars = Json.Whole(config, "max_episode_bars");
            m.StopMultiple = Json.Number(config, "sl_atr_mult");
            m.TargetRatio = Json.Number(config, "tp_sl_ratio");
            m.TrailMultiple = Json.Number(config, "trail_atr_mult");
            object account = Json.Get(config, "account");
            m.Contracts = Json.Whole(account, "contracts");
            m.TrailingDrawdown = Json.Number(account, "trailing_drawdown_dollars");
            m.FloorLock = Json.Number(account, "floor_lock_dollars");
            m.Symbol = Json.Text(contract, "symbol");
            m.TickSize = Json.Number(contract, "tick_size");
            m.TickValue = Json.Whole(contract, "tick_value_cents") / 100.0;
            m.Slippage = Json.Whole(contract, "slippage_ticks");
            m.Commission = Json.Whole(contract, "commission_cents") / 100.0;
            Require(m.TickSize > 0 && m.TickValue > 0, path, "tick_size and tick_value must be above zero");
            Require(m.Contracts >= 1 && m.Contracts <= MostContracts, path, "contracts must be 1 to "
                + MostContracts.ToString(CultureInfo.InvariantCulture));
            Require(m.StopMultiple > 0 && m.TargetRatio > 0 && m.TrailMultiple > 0, path,
                "sl_atr_mult, tp_sl_ratio and trail_atr_mult must be above zero");
            Require(Math.Max(m.StopMultiple, Math.Max(m.TargetRatio, m.TrailMultiple)) <= MostMultiple, path,
                "sl_atr_mult, tp_sl_ratio and trail_atr_mult must not be above "
                + MostMultiple.ToString(CultureInfo.InvariantCulture));
            Require(m.EntryOpen >= 0 && m.FlatBy <= LastFlatBy && m.EntryClose <= 1440, path,
                "a minute lies outside the day");
            Require(m.Slippage >= 0 && m.Commission >= 0, path, "slippage and commission must not be below zero");
            Require(m.WarmupBars >= 0 && m.MaxEpisodeBars > 0, path, "warmup_bars or max_episode_bars is too small");
        }

        private static void Require(bool ok, string path, string what)
        {
            if (!ok)
                throw new BundleException(path + ": " + what
                    + "; use the version of this code that fits, or export the policy anew");
        }

        private static int Known(string[] names, string name, string what, string path)
        {
            int found = System.Array.IndexOf(names, name);
            Require(found >= 0, path, what + " " + name + " is not known");
            return found;
        }

        /// <summary>The session's name in manifests and logs.</summary>
        public string SessionName { get { return Sessions[(int)Session]; } }

        private static void RequireNames(string[] found, IEnumerable<string> known, string path, string what)
        {
            Require(found.SequenceEqual(known), path, what + " is " + string.Join(", ", found) + " and not "
                + string.Join(", ", known));
        }

        private static string Digest(string path)
        {
            if (!File.Exists(path)) throw new BundleException(path + ": no such file; copy the whole bundle");
            using (SHA256 hash = SHA256.Create())
            using (FileStream file = File.OpenRead(path))
                return string.Concat(hash.ComputeHash(file).Select(b => b.ToString("x2",
                    CultureInfo.InvariantCulture)));
        }
    }
}

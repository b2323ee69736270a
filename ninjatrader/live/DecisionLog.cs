// The decision log: JSON lines, one for a bar and what was decided on it, one for a fill, the first for what
// made them. `rltrader replay` reads it. Numbers come back as the same bits under any culture. A log that
// can't be written says so once and then stays silent: it never throws into a strategy.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;

namespace RLTrader
{
    /// <summary>A file of decisions; a new one each time a strategy is loaded.</summary>
    public sealed class DecisionLog : IDisposable
    {
        public const string Kind = "rltrader decisions";
        public const int Version = 2;

        // In the order of the enumerations Mode, Skip, Withheld and Trouble.
        private static readonly string[] ModeNames = { "historical", "backtest", "virtual", "live" };
        private static readonly string[] SkipNames =
        {
            null, "historical", "warming up", "flat by", "closed on this bar", "an entry is on its way",
            "an exit is on its way", "the account holds another position", "halted"
        };
        private static readonly string[] WithheldNames =
            { null, "flat by", "blocked", "platform", "account", "not connected", "off the clock" };
        private static readonly string[] TroubleNames = { "none", "rejected", "change refused" };

        private readonly object gate = new object();
        private readonly Action<string> tell;
        private TextWriter file;

        /// <summary>Open a new file in a folder, made if need be.</summary>
        /// <param name="folder">Null for a log that is kept nowhere.</param>
        /// <param name="tell">Hears, once, why nothing can be written; no lock is held meanwhile.</param>
        public DecisionLog(string folder, string symbol, DateTime utc, Action<string> tell)
        {
            this.tell = tell;
            if (folder == null) return;
            Try(() =>
            {
                Directory.CreateDirectory(folder);
                string stamp = utc.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture);
                file = Create(Path.Combine(folder, symbol + "-" + stamp));
            });
        }

        /// <summary>Write to something that is open already; it is disposed of with the log.</summary>
        public DecisionLog(TextWriter open, Action<string> tell)
        {
            file = open;
            this.tell = tell;
        }

        /// <summary>Where it is written; null where nothing is.</summary>
        public string Place { get; private set; }

        /// <summary>Write the first line: what decides, and in which order its numbers come.</summary>
        public void Header(Manifest manifest, string instrument, string provider, DateTime utc)
        {
            Write(() => Fusion(new JsonLine()
                .Add("kind", Kind).Add("version", Version).Add("opened", JsonLine.Time(utc))
                .Add("bundle", manifest.Folder).Add("policy_sha256", manifest.PolicyDigest)
                .Add("certificate", manifest.Certificate).Add("symbol", manifest.Symbol)
                .Add("instrument", instrument).Add("provider", provider)
                .Add("phase", manifest.Phase).Add("session", manifest.SessionName).Add("window", manifest.Window)
                .Add("tick_size", manifest.TickSize).Add("contracts", manifest.Contracts)
                .Add("preload", FeatureStream.Preload)
                .Add("features", Manifest.KnownFeatures).Add("position",
                    Some(Manifest.KnownPosition, manifest.PositionFeatures))
                .Add("actions", Some(Manifest.KnownActions, manifest.Actions)), manifest.Fusion));
        }

        private static JsonLine Fusion(JsonLine line, FusionSettings fusion)
        {
            if (fusion == null) return line;
            return line.Add("fusion", fusion.RuleName)
                .Add("fusion_numbers", new double[] { fusion.Weight, fusion.Threshold, fusion.Fade, fusion.MostAge });
        }

        /// <summary>Write a bar of the session, and what was decided at its close from the position at it.</summary>
        /// <param name="ohlcv">Open, high, low, close and volume as the host gave them.</param>
        /// <param name="flatMinute">New York minute of the first bar at whose close everything is flat.</param>
        public void Bar(Agent agent, DateTime openUtc, double[] ohlcv, Mode mode, int action, Skip skip,
            Withheld withheld,
            int flatMinute)
        {
            Write(() =>
            {
                FeatureStream stream = agent.Stream;
                PositionTracker held = agent.Position;
                JsonLine line = new JsonLine()
                    .Add("event", "bar").Add("time", JsonLine.Time(openUtc)).Add("number", stream.Count - 1)
                    .Add("minute", stream.Minute).Add("mode", ModeNames[(int)mode]).Add("flat_by", flatMinute)
                    .Add("ohlcv", ohlcv).Add("features", stream.Newest)
                    .Add("distances", new double[] { stream.StopTicks, stream.TargetTicks, stream.TrailTicks })
                    .Add("side", held.Side).Add("entry", held.Entry).Add("stop", held.Stop).Add("target", held.Target)
                    .Add("entry_bar", held.EntryBar).Add("trailing", held.Trailing);
                if (skip != Skip.None) return line.Add("skipped", SkipNames[(int)skip]);
                line.Add("observed", Tail(agent.Observation, agent.Policy.Manifest.PositionFeatures))
                    .Add("mask", agent.Mask).Add("logits", agent.Policy.Logits).Add("action", action);
                AdvisedPolicy advised = agent.Policy as AdvisedPolicy;
                if (advised != null)
                    line.Add("advice", Array.ConvertAll(advised.Given.Advice, x => (double)x))
                        .Add("confidence", (double)advised.Given.Confidence).Add("asked", advised.GivenMinute);
                return withheld == Withheld.None ? line : line.Add("withheld", WithheldNames[(int)withheld]);
            });
        }

        /// <summary>Write a fill: side 1 bought, -1 sold; the reason is the order's own name.</summary>
        /// <param name="latency">Milliseconds since the order was sent; NaN where it waited at the broker.</param>
        public void Fill(Func<DateTime> utc, Mode mode, int side, int quantity, double price, string order,
            double latency)
        {
            Write(() => FillLine(utc(), mode, side, quantity, price, order, latency));
        }

        private static JsonLine FillLine(DateTime utc, Mode mode, int side, int quantity, double price, string order,
            double latency)
        {
            return new JsonLine().Add("event", "fill").Add("time", JsonLine.Time(utc))
                .Add("mode", ModeNames[(int)mode])
                .Add("side", side).Add("quantity", quantity).Add("price", price).Add("order", order)
                .Add("latency_ms", latency);
        }

        /// <summary>Write a fill that no execution has told of.</summary>
        public void Inferred(DateTime utc, Mode mode, int side, int quantity, double price, string order)
        {
            Write(() => FillLine(utc, mode, side, quantity, price, order, double.NaN).Add("inferred", true));
        }

        /// <summary>Write that an order ended, or was refused, without being wholly filled.</summary>
        /// <param name="unfilled">Whether it was an entry and not a contract of it was filled.</param>
        public void Ended(string order, bool unfilled, Trouble trouble)
        {
            Write(() => new JsonLine().Add("event", "ended").Add("order", order).Add("unfilled", unfilled)
                .Add("trouble", TroubleNames[(int)trouble]));
        }

        /// <summary>Write that the strategy is alive, and what it and the account hold.</summary>
        public void Alive(DateTime utc, Mode mode, int net, int account, bool halted)
        {
            Write(() => new JsonLine().Add("event", "alive").Add("time", JsonLine.Time(utc)).Add("mode",
                ModeNames[(int)mode])
                .Add("net", net).Add("account", account).Add("halted", halted));
        }

        public void Dispose() { Try(Close); }

        private void Write(Func<JsonLine> make)
        {
            Try(() => { if (file != null) file.Write(make() + "\n"); });
        }

        private void Try(Action work)
        {
            string why = null;
            lock (gate)
            {
                try { work(); }
                catch (Exception error)
                {
                    // Whatever is wrong with a log, a position must not be left alone for it.
                    Abandon();
                    why = error.Message;
                }
            }
            if (why != null) tell("the decision log can't be written (" + why + "); trading goes on without it");
        }

        private StreamWriter Create(string stem)
        {
            for (int number = 1; ; number++)
            {
                string more = number == 1 ? "" : "-" + number.ToString(CultureInfo.InvariantCulture);
                string path = stem + more + ".jsonl";
                FileStream made;
                try { made = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read); }
                catch (IOException)
                {
                    if (!File.Exists(path)) throw;
                    continue; // two charts loaded in one second
                }
                Place = path;
                return new StreamWriter(made, new UTF8Encoding(false)) { AutoFlush = true };
            }
        }

        private void Close()
        {
            if (file != null) file.Dispose();
            file = null;
        }

        private void Abandon()
        {
            TextWriter broken = file;
            file = null;
            Place = null;
            try { if (broken != null) broken.Dispose(); }
            catch (IOException) { } // what it still held can't be written either
        }

        private static string[] Some(string[] names, int count)
        {
            string[] first = new string[count];
            Array.Copy(names, first, count);
            return first;
        }

        private static double[] Tail(float[] values, int count)
        {
            double[] last = new double[count];
            for (int i = 0; i < count; i++) last[i] = values[values.Length - count + i];
            return last;
        }
    }
}

// A policy fused with the advice of a service on this machine. It never waits: the newest answer that has come by
// the close of a bar counts, less with age, and without one the bare policy decides.
using System;
using System.Collections.Generic;
using System.Text;

namespace RLTrader
{
    /// <summary>A policy that is told of every bar of the session, before it is asked to decide on it.</summary>
    public interface IWatchesBars
    {
        void Bar(DateTime openUtc, double high, double low, double close, double[] features);
    }

    /// <summary>The policy of a bundle whose manifest holds fusion settings.</summary>
    public sealed class AdvisedPolicy : IPolicy, IWatchesBars, IDisposable
    {
        public const string DefaultAddress = "http://127.0.0.1:8711/ask";

        /// <summary>Environment variable with another address of the service.</summary>
        public const string AddressVariable = "RLTRADER_ADVICE";

        // What the service is sent: an hour for its usual ATR, and a window before that.
        private const int Sent = 80;
        private const int Deadline = 55000;

        // Position features of an observation that both phases have.
        private const int Told = 5;

        private readonly IPolicy inner;
        private readonly AdviceClient client;
        private readonly Queue<string> bars = new Queue<string>();
        private readonly double[] chances;
        private long bar, minute, lastAsked = long.MinValue / 2;
        private bool silent;

        public readonly FusionSettings Settings;

        public AdvisedPolicy(IPolicy inner, FusionSettings settings, AdviceClient client)
        {
            this.inner = inner;
            this.client = client;
            Settings = settings;
            chances = new double[inner.Manifest.Actions];
        }

        /// <summary>Read a bundle; a plain policy where its manifest holds no fusion.</summary>
        public static IPolicy Load(string folder)
        {
            PolicyRunner policy = new PolicyRunner(folder);
            FusionSettings settings = policy.Manifest.Fusion;
            if (settings == null) return policy;
            if (settings.Rule == FusionRule.Veto)
                throw new BundleException("fusion rule veto is for evaluation; export the policy with another");
            string address = Environment.GetEnvironmentVariable(AddressVariable);
            return new AdvisedPolicy(policy, settings,
                new AdviceClient(string.IsNullOrEmpty(address) ? DefaultAddress : address, Deadline));
        }

        public Manifest Manifest { get { return inner.Manifest; } }

        /// <summary>The bare policy's logits of the last decision.</summary>
        public double[] Logits { get { return inner.Logits; } }

        /// <summary>The bare policy's action of the last decision.</summary>
        public int Bare { get; private set; }

        /// <summary>What the last decision was made on.</summary>
        public Situation Given { get; private set; }

        /// <summary>Open of the bar that its advice was asked about, in minutes since 1970; -1 for none.</summary>
        public long GivenMinute { get; private set; }

        public AdviceClient Client { get { return client; } }

        /// <summary>Ask no more, so that the bare policy decides: bars of the past go by faster than any answer
        /// comes.</summary>
        public void Silence() { silent = true; }

        /// <summary>Give up the question under way, and ask no more.</summary>
        public void Dispose() { client.Dispose(); }

        public void Bar(DateTime openUtc, double high, double low, double close, double[] features)
        {
            bar++;
            minute = (long)Math.Floor((openUtc - BarFile.Epoch).TotalMinutes);
            StringBuilder text = new StringBuilder("[").Append(minute);
            foreach (double x in new[] { high, low, close }) Append(text, x);
            foreach (double x in features) Append(text, x);
            bars.Enqueue(text.Append(']').ToString());
            if (bars.Count > Sent) bars.Dequeue();
        }

        public int Decide(float[] observation, bool[] mask)
        {
            Bare = inner.Decide(observation, mask);
            LiveAdvice advice = client.Newest;
            Situation given = new Situation { Advice = new float[] { 1, 0, 0 }, Left = 1 };
            GivenMinute = -1;
            if (advice != null && advice.Minute < minute)
            {
                GivenMinute = advice.Minute;
                given.Advice = advice.Chances;
                given.Confidence = advice.Confidence;
                given.Fresh = Settings.Freshness((int)Math.Min(minute - advice.Minute - 1, int.MaxValue));
            }
            Given = given;
            int action = Fusion.Fuse(inner.Logits, mask, given, Settings, chances);
            bool entry = Bare == PositionTracker.Buy || Bare == PositionTracker.Sell;
            bool due = bar % Settings.Every == 0 || (Settings.AtEntries && entry);
            due = due && bar - lastAsked > Settings.Cooldown;
            if (due && !silent && client.Ask(minute, Question(observation))) lastAsked = bar;
            return action;
        }

        private string Question(float[] observation)
        {
            StringBuilder held = new StringBuilder();
            for (int i = 0; i < Told; i++)
                Append(held, observation[observation.Length - inner.Manifest.PositionFeatures + i]);
            return "{\"symbol\":" + JsonLine.Quote(inner.Manifest.Symbol) + ",\"tick\":"
                + JsonLine.Digits(inner.Manifest.TickSize)
                + ",\"bars\":[" + string.Join(",", bars) + "],\"position\":[" + held.ToString(1, held.Length - 1)
                + "]}";
        }

        private static void Append(StringBuilder text, double x)
        {
            bool finite = !double.IsNaN(x) && !double.IsInfinity(x);
            text.Append(',').Append(finite ? JsonLine.Digits(x) : "0");
        }
    }
}

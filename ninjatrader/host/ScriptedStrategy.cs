// The strategy itself, with a policy that wishes what a scenario says in place of a network, and with a clock of the
// simulated platform's. Nothing of its order handling is replaced.
using System;
using System.Collections.Generic;
using System.IO;
using NinjaTrader.Cbi;
using NinjaTrader.NinjaScript;
using NinjaTrader.NinjaScript.Strategies;

namespace RLTrader.Host
{
    /// <summary>Wishes an action of a scenario at a bar, where the mask allows it; holds otherwise.</summary>
    public sealed class Script : IPolicy, IDisposable
    {
        private readonly Func<int> wish;
        private readonly double[] logits;
        private bool disposed;

        /// <param name="wish">Return the action that is wished for now.</param>
        public Script(Manifest manifest, Func<int> wish)
        {
            Manifest = manifest;
            this.wish = wish;
            logits = new double[manifest.Actions];
        }

        public Manifest Manifest { get; private set; }

        public double[] Logits { get { return logits; } }

        /// <summary>Whether a request for advice is under way; every decision asks, and no answer comes.</summary>
        public bool Asks { get; private set; }

        public void Dispose()
        {
            disposed = true;
            Asks = false;
        }

        public int Decide(float[] observation, bool[] mask)
        {
            Asks = !disposed;
            int action = wish();
            return action < mask.Length && mask[action] ? action : PositionTracker.Hold;
        }

        /// <summary>Return rules for a scenario: those of the environment, but for few bars before the first
        /// decision.</summary>
        public static Manifest Rules(Scenario scenario)
        {
            int phase = scenario.Phase;
            Manifest rules = new Manifest();
            rules.Folder = rules.PolicyDigest = "";
            rules.Certificate = "same";
            rules.Proved = true;
            rules.Symbol = "ES";
            rules.Session = SessionKind.All;
            rules.Phase = phase;
            rules.PositionFeatures = phase == 1 ? 5 : 8;
            rules.Actions = phase == 1 ? 3 : 6;
            rules.Window = 1;
            rules.Size = FeatureStream.Features + rules.PositionFeatures;
            rules.TickSize = scenario.TickSize;
            rules.TickValue = 12.5;
            rules.Slippage = 1;
            rules.StopMultiple = 1.5;
            rules.TargetRatio = 3;
            rules.TrailMultiple = 1;
            rules.Contracts = scenario.Contracts;
            rules.Commission = scenario.Commission;
            rules.WarmupBars = 14;
            rules.EntryOpen = 0;
            rules.EntryClose = 1019;
            rules.FlatBy = scenario.NoSessions ? scenario.SessionEnd - 3 : 1019; // the same time without sessions
            rules.MaxEpisodeBars = 390;
            rules.TrailingDrawdown = scenario.Drawdown;
            rules.FloorLock = scenario.Lock;
            return rules;
        }
    }

    /// <summary>The strategy under a simulated platform, whose clock is the platform's.</summary>
    public class HostedStrategy : RLTraderStrategy
    {
        internal Action<int, Action> Delay = (seconds, work) => { };

        /// <summary>Clocks that run.</summary>
        internal int Clocks;

        private sealed class Clock : IDisposable
        {
            public HostedStrategy Owner;
            public void Dispose() { Owner.Clocks--; }
        }

        protected override IDisposable EverySecond(Action work)
        {
            Clocks++;
            return new Clock { Owner = this };
        }
        protected override void Later(int seconds, Action work) { Delay(seconds, work); }

        internal void Second() { Tick(); }
    }

    /// <summary>The strategy with a script in place of a bundle, and a log that is kept nowhere.</summary>
    public sealed class ScriptedStrategy : HostedStrategy
    {
        private static readonly DateTime UtcStart = new DateTime(2026, 6, 9, 0, 0, 0, DateTimeKind.Utc);

        internal Agent Agent;

        internal Script Script { get { return Agent == null ? null : (Script)Agent.Policy; } }
        internal Func<Agent> MakeAgent;
        internal Action<Exception> Faulted = error => { };

        /// <summary>Gets each line of the log; null for a log that is kept nowhere.</summary>
        internal Action<string> Logged;

        protected override void OnFault(Exception error) { Faulted(error); }

        protected override Agent LoadAgent() { return Agent = MakeAgent(); }
        protected override DecisionLog OpenLog(Manifest manifest)
        {
            if (Logged == null) return new DecisionLog(null, "", UtcStart, why => { });
            LogFile = new LineReader(Logged);
            return new DecisionLog(LogFile, why => Faulted(new IOException(why)));
        }

        /// <summary>The log that is read line by line; null where none is.</summary>
        internal LineReader LogFile;
    }

    /// <summary>A platform on which nothing happens.</summary>
    internal sealed class Silent : IPlatform
    {
        public double Bid { get { return 0; } }
        public double Ask { get { return 0; } }
        public Order Enter(int side, int quantity, string signal) { return null; }
        public Order Exit(int side, int quantity, string signal, string fromEntry) { return null; }
        public void SetStop(string entry, CalculationMode mode, double value, bool simulated) { }
        public void SetTarget(string entry, CalculationMode mode, double value) { }
        public void Cancel(Order order) { }
        public void Log(string message, LogLevel level) { }
        public void Stop() { }
        public void CloseStrategy(string signal) { }
        public void Sound(string file) { }
        public void Mail(string to, string subject, string text) { }
    }
}

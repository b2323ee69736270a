// Bars in, decisions out: stream, tracker and policy put together, the same for a strategy and for a check.
using System;

namespace RLTrader
{
    /// <summary>What chooses an action: a bundle's network, or a script where only orders are looked at.</summary>
    public interface IPolicy
    {
        Manifest Manifest { get; }

        /// <summary>Logits of the last decision, one an action.</summary>
        double[] Logits { get; }

        int Decide(float[] observation, bool[] mask);
    }

    /// <summary>A policy that follows a market and its own position.</summary>
    public sealed class Agent
    {
        public readonly IPolicy Policy;
        public readonly FeatureStream Stream;
        public readonly PositionTracker Position;
        public readonly float[] Observation;
        private readonly int preload;

        /// <summary>Read a bundle's folder; throws BundleException where anything in it is not understood.</summary>
        public Agent(string folder) : this(AdvisedPolicy.Load(folder), FeatureStream.Preload) { }

        /// <param name="preload">Bars of the session before the first decision of a strategy.</param>
        public Agent(IPolicy policy, int preload)
        {
            Policy = policy;
            this.preload = preload;
            Stream = new FeatureStream(policy.Manifest);
            Position = new PositionTracker(policy.Manifest);
            Observation = new float[policy.Manifest.Size];
        }

        /// <summary>Whether a strategy may decide on the newest bar.</summary>
        public bool Ready { get { return Stream.Ready && Stream.Count >= preload; } }

        /// <summary>The mask of the last decision.</summary>
        public bool[] Mask { get; private set; }

        /// <summary>The bar of the last decision and that bar's distances in ticks: a fill may come later.</summary>
        public int DecisionBar { get; private set; }
        public int StopTicks { get; private set; }
        public int TargetTicks { get; private set; }

        /// <summary>Take a finished bar; false where the session does not keep it.</summary>
        public bool OnBar(DateTime openUtc, double high, double low, double close, double volume)
        {
            bool kept = Stream.Add(openUtc, high, low, close, volume);
            IWatchesBars watcher = Policy as IWatchesBars;
            if (kept && watcher != null)
                watcher.Bar(openUtc, Stream.Snap(high), Stream.Snap(low), Stream.Snap(close), Stream.Newest);
            return kept;
        }

        /// <summary>Return the action at the close of the newest bar, from the bars before it and the position at
        /// it.</summary>
        public int Decide()
        {
            if (!Stream.Ready)
                throw new InvalidOperationException("too few bars to decide on; load at least "
                    + FeatureStream.Preload);
            Stream.CopyWindow(Observation);
            Position.Write(Observation, Stream);
            Mask = Position.Mask(Stream);
            DecisionBar = Stream.Count - 1;
            StopTicks = Stream.StopTicks;
            TargetTicks = Stream.TargetTicks;
            return Policy.Decide(Observation, Mask);
        }

        /// <summary>The entry of the last decision was filled at a price in points.</summary>
        public void Entered(int side, double points)
        {
            Position.Entered(side, Stream.ToTicks(points), DecisionBar, StopTicks, TargetTicks);
        }

        /// <summary>Take an action on the open trade and return where its stop should stand, in ticks.</summary>
        public long Manage(int action) { return Position.Manage(action, Stream.CloseTicks, Stream.TrailTicks); }
    }
}

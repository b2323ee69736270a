// Bars in, decisions out: stream, tracker and policy put together, the same for a strategy and for a check.
using System;

namespace RLTrader
{
    /// <summary>A policy that follows a market and its own position.</summary>
    public sealed class Agent
    {
        public readonly PolicyRunner Policy;
        public readonly FeatureStream Stream;
        public readonly PositionTracker Position;
        public readonly float[] Observation;

        public Agent(string folder)
        {
            Policy = new PolicyRunner(folder);
            Stream = new FeatureStream(Policy.Manifest);
            Position = new PositionTracker(Policy.Manifest);
            Observation = new float[Policy.Manifest.Size];
        }

        /// <summary>The mask of the last decision.</summary>
        public bool[] Mask { get; private set; }

        /// <summary>The bar of the last decision and that bar's distances in ticks: a fill may come later.</summary>
        public int DecisionBar { get; private set; }
        public int StopTicks { get; private set; }
        public int TargetTicks { get; private set; }

        /// <summary>Take a finished bar; false where the session does not keep it.</summary>
        public bool OnBar(DateTime openUtc, double high, double low, double close, double volume)
        {
            return Stream.Add(openUtc, high, low, close, volume);
        }

        /// <summary>Return the action at the close of the newest bar, from the bars before it and the position at it.</summary>
        public int Decide()
        {
            if (!Stream.Ready) throw new InvalidOperationException("too few bars to decide on; load at least " + FeatureStream.Preload);
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

        /// <summary>Carry out an action on the open trade and move a trailing stop.</summary>
        public void Manage(int action) { Position.Manage(action, Stream.CloseTicks, Stream.TrailTicks); }
    }
}

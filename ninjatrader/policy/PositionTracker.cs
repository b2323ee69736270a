// The open position from its fills: the features and masks of both phases (section 5 of docs/environment.md),
// and where stop and target stand. Prices are whole ticks; features are divided in 64 bits and rounded to 32 once, by
// an ATR of 32 bits, so that they have the bits of training.
using System;

namespace RLTrader
{
    /// <summary>What is held, and since when.</summary>
    public sealed class PositionTracker
    {
        public const int Hold = 0, Buy = 1, Sell = 2, BreakEven = 3, TrailOn = 4, TrailOff = 5;

        private readonly Manifest manifest;

        public PositionTracker(Manifest manifest) { this.manifest = manifest; }

        /// <summary>-1 short, 0 flat, 1 long.</summary>
        public int Side { get; private set; }

        /// <summary>Fill, stop and target in ticks; 0 when flat.</summary>
        public long Entry { get; private set; }
        public long Stop { get; private set; }
        public long Target { get; private set; }

        /// <summary>Number of the bar that opened the trade.</summary>
        public int EntryBar { get; private set; }

        public bool Trailing { get; private set; }

        /// <summary>A trade was opened: its fill, the bar it was decided on and that bar's distances.</summary>
        public void Entered(int side, long fillTicks, int bar, int stopTicks, int targetTicks)
        {
            if (side != 1 && side != -1) throw new ArgumentException("side is 1 or -1");
            Side = side;
            Entry = fillTicks;
            Stop = fillTicks - side * stopTicks;
            Target = fillTicks + side * targetTicks;
            EntryBar = bar;
            Trailing = false;
        }

        /// <summary>The trade was closed, whatever closed it.</summary>
        public void Exited()
        {
            Side = 0;
            Entry = Stop = Target = 0;
            EntryBar = 0;
            Trailing = false;
        }

        /// <summary>Stop and target stand elsewhere: what a broker has accepted, in ticks.</summary>
        public void Stands(long stop, long target)
        {
            if (Side == 0) return;
            Stop = stop;
            Target = target;
        }

        /// <summary>Take Phase 2's actions on an open trade and return where the stop should stand: at the entry and
        /// one tick, or behind the close where it trails. The stop itself is not moved.</summary>
        public long Manage(int action, long closeTicks, int trailTicks)
        {
            if (Side == 0) return 0;
            long wanted = Stop;
            if (action == BreakEven) wanted = Entry + Side;
            else if (action == TrailOn) Trailing = true;
            else if (action == TrailOff) Trailing = false;
            if (!Trailing) return wanted;
            long candidate = closeTicks - Side * trailTicks;
            return Side > 0 ? Math.Max(wanted, candidate) : Math.Min(wanted, candidate);
        }

        /// <summary>Whether a trade may be opened on a bar of that New York minute.</summary>
        public bool InEntryWindow(int minute) { return minute >= manifest.EntryOpen && minute < manifest.EntryClose; }

        /// <summary>Whether an open trade's stop is at its entry or past it.</summary>
        public bool AtBreakEven { get { return Side != 0 && Side * (Stop - Entry) >= 0; } }

        /// <summary>Write the position's part of an observation at the newest bar.</summary>
        public void Write(float[] observation, FeatureStream stream)
        {
            int at = manifest.Window * FeatureStream.Features;
            bool open = Side != 0;
            double close = stream.CloseTicks, atr = (float)stream.AtrTicks;
            observation[at] = Side;
            observation[at + 1] = open ? (float)(Entry / close) : 1f;
            observation[at + 2] = open ? (float)(Math.Abs(Stop - stream.CloseTicks) / atr) : 0f;
            observation[at + 3] = open ? (float)(Math.Abs(Target - stream.CloseTicks) / atr) : 0f;
            observation[at + 4] = open ? (float)((stream.Count - 1 - EntryBar) / (double)manifest.MaxEpisodeBars) : 0f;
            if (manifest.Phase == 1) return;
            observation[at + 5] = !open && InEntryWindow(stream.Minute) ? 1f : 0f;
            observation[at + 6] = AtBreakEven ? 1f : 0f;
            observation[at + 7] = Trailing ? 1f : 0f;
        }

        /// <summary>Return which actions are allowed at the newest bar.</summary>
        public bool[] Mask(FeatureStream stream)
        {
            bool flat = Side == 0;
            if (manifest.Phase == 1) return new[] { true, flat, flat };
            bool enter = flat && InEntryWindow(stream.Minute);
            bool profit = !flat && Side * (stream.CloseTicks - Entry) > 0;
            return new[] { true, enter, enter, profit && !AtBreakEven, profit && AtBreakEven && !Trailing, !flat
                && Trailing };
        }
    }
}

// The eleven features, bar by bar, from raw prices (section 3 of docs/environment.md). The host's own RSI,
// ATR and Momentum are other formulas, so none of them is used. Windows are summed afresh, oldest first: a
// sliding sum would carry the rounding of one bad print for ever.
using System;

namespace RLTrader
{
    /// <summary>Features of one-minute bars stamped by their open in UTC.</summary>
    public sealed class FeatureStream
    {
        public const int Features = 11;

        /// <summary>Bars of the session to load before trading: MACD remembers its first bar until then.</summary>
        public const int Preload = 300;

        private const int SessionOpen = 570, SessionClose = 1019, FarthestTicks = 1000000;

        private readonly Manifest manifest;
        private readonly Ring closes = new Ring(20), gains = new Ring(14), losses = new Ring(14), ranges = new Ring(14);
        private readonly Ring wholeRanges = new Ring(14);  // in ticks, whose sum is exact
        private readonly float[][] rows;  // the last window + 1 bars' features, a ring
        private double fast, slow, previousClose;

        /// <summary>Features of the newest bar, in the order of docs/environment.md; NaN until a window is
        /// full.</summary>
        public readonly double[] Newest = new double[Features];

        public FeatureStream(Manifest manifest)
        {
            this.manifest = manifest;
            rows = new float[manifest.Window + 1][];
            for (int i = 0; i < rows.Length; i++) rows[i] = new float[Features];
        }

        /// <summary>Bars of the session so far; the newest one's number is Count - 1.</summary>
        public int Count { get; private set; }

        /// <summary>New York minute of the newest bar's open.</summary>
        public int Minute { get; private set; }

        /// <summary>Close of the newest bar in ticks.</summary>
        public long CloseTicks { get; private set; }

        /// <summary>ATR of the newest bar in ticks, at least 1.</summary>
        public double AtrTicks { get; private set; }

        /// <summary>Distances in ticks for an entry on the newest bar.</summary>
        public int StopTicks { get; private set; }
        public int TargetTicks { get; private set; }
        public int TrailTicks { get; private set; }

        /// <summary>Whether an observation can be made: its oldest bar lies after the warm-up.</summary>
        public bool Ready { get { return Count > manifest.WarmupBars + manifest.Window; } }

        /// <summary>Take a bar; false where the session does not keep it. NinjaTrader stamps bars by their end: take
        /// off a minute.</summary>
        public bool Add(DateTime openUtc, double high, double low, double close, double volume)
        {
            int minute = NewYork.Minute(openUtc);
            bool inside = minute >= SessionOpen && minute <= SessionClose;
            if (manifest.Session == SessionKind.Regular && !inside) return false;
            high = Snap(high);
            low = Snap(low);
            close = Snap(close);
            double range = high - low;
            if (Count > 0)
            {
                range = Math.Max(range, Math.Max(Math.Abs(high - previousClose), Math.Abs(low - previousClose)));
                double change = close - previousClose;
                gains.Push(Math.Max(change, 0.0));
                losses.Push(Math.Max(-change, 0.0));
            }
            closes.Push(close);
            ranges.Push(range);
            wholeRanges.Push(Math.Round(range / manifest.TickSize));
            fast = Count == 0 ? close : Average(fast, close, 12);
            slow = Count == 0 ? close : Average(slow, close, 26);
            previousClose = close;
            Minute = minute;
            CloseTicks = ToTicks(close);
            Fill(close, volume);
            Count++;
            Distances();
            float[] row = rows[(Count - 1) % rows.Length];
            for (int i = 0; i < Features; i++) row[i] = (float)Newest[i];
            return true;
        }

        /// <summary>Write the window of bars before the newest one, oldest first, to the head of an
        /// observation.</summary>
        public void CopyWindow(float[] observation)
        {
            for (int n = 0; n < manifest.Window; n++)
            {
                float[] row = rows[(Count - 1 - manifest.Window + n) % rows.Length];
                Array.Copy(row, 0, observation, n * Features, Features);
            }
        }

        /// <summary>Return a price in points as whole ticks.</summary>
        public long ToTicks(double points) { return (long)Math.Round(points / manifest.TickSize); }

        /// <summary>Return a price in points on its nearest tick.</summary>
        public double Snap(double points) { return ToTicks(points) * manifest.TickSize; }

        private static double Average(double before, double x, int span)
        {
            double alpha = 2.0 / (span + 1.0);
            return alpha * x + (1.0 - alpha) * before;
        }

        private void Fill(double close, double volume)
        {
            double gain = gains.Mean(14), loss = losses.Mean(14), span = SessionClose - SessionOpen;
            Newest[0] = close;
            Newest[1] = volume;
            Newest[2] = closes.Mean(5);
            Newest[3] = closes.Mean(20);
            Newest[4] = 100.0 - 100.0 / (1.0 + gain / (loss + 1e-8));
            Newest[5] = fast - slow;
            Newest[6] = close / closes.Back(10);
            Newest[7] = ranges.Mean(14);
            Newest[8] = Minute / 60.0;
            Newest[9] = (Minute - SessionOpen) / span;
            Newest[10] = (SessionClose - Minute) / span;
        }

        private void Distances()
        {
            double atr = wholeRanges.Mean(14);
            if (double.IsNaN(atr)) return;
            AtrTicks = Math.Max(atr, 1.0);
            StopTicks = Whole(manifest.StopMultiple * AtrTicks);
            TargetTicks = Whole(manifest.TargetRatio * StopTicks);
            TrailTicks = Whole(manifest.TrailMultiple * AtrTicks);
        }

        // No distance is negative or overflows, whatever the prices are.
        private static int Whole(double x) { return (int)Math.Min(FarthestTicks, Math.Max(1.0, Math.Floor(x + 0.5))); }

        /// <summary>The last numbers of a series.</summary>
        private sealed class Ring
        {
            private readonly double[] values;
            private int count;

            public Ring(int size) { values = new double[size]; }

            public void Push(double x) { values[count++ % values.Length] = x; }

            /// <summary>The number that many steps before the newest; NaN where there is none.</summary>
            public double Back(int steps)
            {
                return steps < Math.Min(count, values.Length) ? values[(count - 1 - steps) % values.Length]
                    : double.NaN;
            }

            /// <summary>Mean of the last numbers, oldest first; NaN where there are fewer.</summary>
            public double Mean(int length)
            {
                if (count < length) return double.NaN;
                double sum = 0;
                for (int steps = length - 1; steps >= 0; steps--) sum += Back(steps);
                return sum / length;
            }
        }
    }
}

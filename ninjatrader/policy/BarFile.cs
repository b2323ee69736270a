// Raw one-minute bars from a CSV with the header timestamp,open,high,low,close,volume, stamped by their open in UTC.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;

namespace RLTrader
{
    /// <summary>One bar: its open in UTC, and in seconds since 1970; prices in points.</summary>
    public struct Bar
    {
        public long Time;
        public DateTime Open;
        public double First, High, Low, Close, Volume; // First is the price of its open
    }

    /// <summary>Reads bars; what it can't read it names by file and line.</summary>
    public static class BarFile
    {
        public static readonly DateTime Epoch = new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        private static readonly string[] Forms =
            { "yyyy-MM-dd HH:mm:ss", "yyyy-MM-ddTHH:mm:ss", "yyyy-MM-dd HH:mm:sszzz", "yyyy-MM-ddTHH:mm:sszzz",
                "yyyy-MM-ddTHH:mm:ssZ" };
        private static readonly string[] Needed = { "timestamp", "open", "high", "low", "close", "volume" };

        public static List<Bar> Read(string path)
        {
            string[] lines = File.ReadAllLines(path);
            string[] names = lines.Length == 0 ? new string[0] : lines[0].Trim().Split(',');
            int[] at = Array.ConvertAll(Needed, name => Array.IndexOf(names, name));
            if (Array.IndexOf(at, -1) >= 0)
                throw new BundleException(path
                    + ": its first line is not timestamp,open,high,low,close,volume; "
                    + "give bars as a CSV with that header");
            List<Bar> bars = new List<Bar>(lines.Length);
            for (int n = 1; n < lines.Length; n++)
            {
                if (lines[n].Length == 0) continue;
                Bar bar;
                if (!Parse(lines[n].Split(','), at, names.Length, out bar))
                    throw new BundleException(path + ": line " + (n + 1).ToString(CultureInfo.InvariantCulture)
                        + " is no bar: " + lines[n] + "; mend it, or write the file again");
                if (bars.Count > 0 && bar.Time <= bars[bars.Count - 1].Time)
                    throw new BundleException(path + ": line " + (n + 1).ToString(CultureInfo.InvariantCulture)
                        + " is not later than the one before it; sort the bars by time");
                bars.Add(bar);
            }
            if (bars.Count == 0) throw new BundleException(path + ": no bar in it; give a file of one-minute bars");
            return bars;
        }

        private static bool Parse(string[] parts, int[] at, int count, out Bar bar)
        {
            bar = new Bar();
            DateTime open;
            if (parts.Length != count || !DateTime.TryParseExact(parts[at[0]], Forms, CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out open)) return false;
            bar.Open = open;
            bar.Time = (long)(open - Epoch).TotalSeconds;
            return Number(parts[at[1]], out bar.First) && Number(parts[at[2]], out bar.High)
                && Number(parts[at[3]], out bar.Low) && Number(parts[at[4]], out bar.Close)
                && Number(parts[at[5]], out bar.Volume);
        }

        private static bool Number(string text, out double x)
        {
            return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out x) && !double.IsNaN(x)
                && !double.IsInfinity(x);
        }
    }
}

// When nothing may be opened and what is open must be closed: the end of the session, a kill switch, a loss limit for
// the day and the environment's own drawdown floor on the live account. All of it is decided here, nothing is sent.
using System;
using System.Globalization;
using System.IO;

namespace RLTrader
{
    /// <summary>Why nothing is opened; what is open is closed.</summary>
    public enum Block { None, KillSwitch, DailyLoss, DrawdownFloor }

    /// <summary>The limits that a user has set; zero or an empty text is none.</summary>
    public sealed class GuardSettings
    {
        /// <summary>Minutes before the end of the session by which everything is closed.</summary>
        public int MinutesBeforeEnd = 2;

        /// <summary>Dollars that a trading day may lose, open trade included.</summary>
        public double DailyLoss;

        /// <summary>A file whose existence stops trading.</summary>
        public string KillFile = "";

        /// <summary>Balance in dollars with which the account began; the floor trails above it as in
        /// training.</summary>
        public double FloorStart;

        /// <summary>Where the account's highest equity is remembered.</summary>
        public string FloorFile = "";
    }

    /// <summary>Looks at clock, files and money; the day's money starts afresh with each session.</summary>
    public sealed class Guard
    {
        private static readonly TimeSpan FilePause = TimeSpan.FromSeconds(1);

        private readonly GuardSettings settings;
        private readonly Manifest manifest;
        private DateTime looked = DateTime.MinValue, dayEnds = DateTime.MinValue;
        private double dayStart, high = double.NaN;
        private bool killed, lost, breached;

        public Guard(GuardSettings settings, Manifest manifest)
        {
            this.settings = settings;
            this.manifest = manifest;
            if (settings.FloorStart <= 0) return;
            high = Math.Max(settings.FloorStart, ReadHigh(settings.FloorFile));
            WriteHigh(settings.FloorFile, high);
        }

        /// <summary>Why nothing may be opened at the moment.</summary>
        public Block Block
        {
            get
            {
                if (killed) return Block.KillSwitch;
                if (lost) return Block.DailyLoss;
                return breached ? Block.DrawdownFloor : Block.None;
            }
        }

        /// <summary>The floor in dollars; NaN where none is kept.</summary>
        public double Floor
        {
            get { return Math.Min(high - manifest.TrailingDrawdown, settings.FloorStart + manifest.FloorLock); }
        }

        /// <summary>From when on everything is flat, in UTC, on the New York day of a time: after the rules' last bar,
        /// or some minutes before the session ends where that is earlier.</summary>
        /// <param name="sessionEnd">In UTC; DateTime.MaxValue where it is not known.</param>
        public DateTime FlatAt(DateTime utc, DateTime sessionEnd)
        {
            DateTime local = NewYork.Local(utc);
            DateTime byRule = utc.AddTicks(local.Date.AddMinutes(manifest.FlatBy + 1).Ticks - local.Ticks);
            if (sessionEnd == DateTime.MaxValue) return byRule;
            DateTime byEnd = sessionEnd.AddMinutes(-settings.MinutesBeforeEnd);
            return byEnd < byRule ? byEnd : byRule;
        }

        /// <summary>Look at the kill switch, the day's money and the account's.</summary>
        /// <param name="made">Dollars made since the run began, open trade included.</param>
        /// <param name="equity">Dollars of the account, open trade included; NaN where the account does not
        /// say.</param>
        public void Look(DateTime utc, DateTime sessionEnd, double made, double equity)
        {
            if (utc - looked >= FilePause || utc < looked)
            {
                looked = utc;
                killed = settings.KillFile.Length > 0 && File.Exists(settings.KillFile);
            }
            if (utc >= dayEnds)
            {
                dayEnds = sessionEnd == DateTime.MaxValue ? NextDay(utc) : sessionEnd;
                dayStart = made;
                lost = false;
            }
            if (settings.DailyLoss > 0 && made - dayStart <= -settings.DailyLoss) lost = true;
            if (double.IsNaN(high) || double.IsNaN(equity)) return;
            if (equity > high)
            {
                high = equity;
                WriteHigh(settings.FloorFile, high);
            }
            if (equity < Floor) breached = true;
        }

        // A trading day begins at 18:00 in New York.
        private static DateTime NextDay(DateTime utc)
        {
            DateTime local = NewYork.Local(utc), begin = local.Date.AddHours(18);
            if (local >= begin) begin = begin.AddDays(1);
            return utc + (begin - local);
        }

        private static double ReadHigh(string path)
        {
            double high;
            if (path.Length == 0 || !File.Exists(path)) return 0;
            if (!double.TryParse(File.ReadAllText(path), NumberStyles.Float, CultureInfo.InvariantCulture, out high))
                throw new BundleException(path
                    + ": no number; write the account's highest equity in dollars, or delete it");
            return high;
        }

        private static void WriteHigh(string path, double high)
        {
            if (path.Length == 0) return;
            try { File.WriteAllText(path, high.ToString("R", CultureInfo.InvariantCulture)); }
            catch (IOException) { } // the floor in memory still holds; the next high is written again
            catch (UnauthorizedAccessException) { }
        }
    }
}

// When nothing may be opened and what is open must be closed: the end of the session, a kill switch, a loss limit for
// the day and the environment's own drawdown floor on the live account. All of it is decided here, nothing is sent.
using System;
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

        /// <summary>Where the account's highest equity is remembered, and what the day has made so far, each with
        /// whether its limit was reached: enabling a strategy again must not lift a limit. Several instances may share
        /// them.</summary>
        public string FloorFile = "", DayFile = "";
    }

    /// <summary>Looks at clock, files and money; the day's money starts afresh with each session.</summary>
    public sealed class Guard
    {
        private static readonly TimeSpan PlatformsOwn = TimeSpan.FromSeconds(30); // ExitOnSessionCloseSeconds
        private const double Rounding = 0.005; // dollars: sums of ticks of a hundredth are not exact
        private static readonly TimeSpan FilePause = TimeSpan.FromSeconds(1);

        private readonly GuardSettings settings;
        private readonly Manifest manifest;
        private Remembered earlier;
        private DateTime looked = DateTime.MinValue, dayEnds = DateTime.MinValue, writtenEnd;
        private double dayStart, written = double.NaN, high = double.NaN;
        private double risen;                // the least equity of a spell above the highest
        private readonly SteadyClock clock = new SteadyClock();
        private DateTime? aboveSince, belowSince;
        private bool killed, stopped, lost, writtenLost, breached;

        public Guard(GuardSettings settings, Manifest manifest)
        {
            this.settings = settings;
            this.manifest = manifest;
            if (settings.DailyLoss > 0)
                earlier = Remembered.Read(settings.DayFile, 2, "the day's end in ticks and the dollars made");
            if (settings.FloorStart <= 0) return;
            high = settings.FloorStart;
            Remembered.Read(settings.FloorFile, 1, "the account's highest equity in dollars"); // throws if it is not
            KeepFloor();
        }

        /// <summary>Why nothing may be opened at the moment.</summary>
        public Block Block
        {
            get
            {
                if (killed || stopped) return Block.KillSwitch;
                if (lost) return Block.DailyLoss;
                return breached ? Block.DrawdownFloor : Block.None;
            }
        }

        /// <summary>The block in words, with the file that keeps it where the account may have been begun
        /// anew.</summary>
        public string Why
        {
            get
            {
                if (Block != Block.DrawdownFloor || settings.FloorFile.Length == 0) return Block.ToString();
                return Block + "; this and the account's highest equity are remembered in " + settings.FloorFile
                    + ": where the account was begun anew, disable its strategies, delete that file and enable them "
                    + "again";
            }
        }

        /// <summary>Block until the strategy is enabled again.</summary>
        public void StopByHand() { stopped = true; }

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
            DateTime byRule = NewYork.Utc(NewYork.Local(utc).Date.AddMinutes(manifest.FlatBy + 1));
            if (sessionEnd == DateTime.MaxValue) return byRule;
            DateTime byEnd = sessionEnd.AddMinutes(-settings.MinutesBeforeEnd);
            return byEnd < byRule ? byEnd : byRule;
        }

        /// <summary>Whether the platform is closing everything itself, as it does before a session's end.</summary>
        public bool SessionCloses { get; private set; }

        /// <summary>Look at the kill switch, the day's money and the account's.</summary>
        /// <param name="made">Dollars made since the run began, open trade included.</param>
        /// <param name="equity">Dollars of the account, open trade included; NaN where the account does not
        /// say.</param>
        public void Look(DateTime utc, DateTime sessionEnd, double made, double equity)
        {
            TimeSpan left = sessionEnd - utc;
            SessionCloses = left <= PlatformsOwn && left > PlatformsOwn - Patience.Platform;
            DateTime now = clock.At(utc);
            bool due = false;
            if (now - looked >= FilePause)
            {
                looked = now;
                due = true;
                killed = settings.KillFile.Length > 0 && File.Exists(settings.KillFile);
            }
            if (utc >= dayEnds)
            {
                dayEnds = sessionEnd == DateTime.MaxValue ? NextDay(utc) : sessionEnd;
                lost = false;
                dayStart = made - TakeUpDay(utc);
            }
            if (settings.DailyLoss > 0)
            {
                if (made - dayStart <= Rounding - settings.DailyLoss) lost = true;
                KeepDay(utc, made - dayStart, due);
            }
            if (double.IsNaN(high)) return;
            double highBefore = high;
            bool breachedBefore = breached;
            LookAtFloor(now, equity);
            if (due || high != highBefore || breached != breachedBefore) KeepFloor();
        }

        // An account's cash and the news of a fill come apart, and until both are there a trade that was closed counts
        // twice or not at all: the floor goes by what holds for some seconds together.
        private void LookAtFloor(DateTime now, double equity)
        {
            if (!(equity > high)) aboveSince = null;
            else if (aboveSince == null)
            {
                aboveSince = now;
                risen = equity;
            }
            else
            {
                risen = Math.Min(risen, equity);
                if (now - aboveSince.Value >= Patience.Settling)
                {
                    high = risen;
                    aboveSince = null;
                }
            }
            if (!(equity < Floor - Rounding)) belowSince = null;
            else if (belowSince == null) belowSince = now;
            else breached |= now - belowSince.Value >= Patience.Settling;
        }

        // A trading day begins at 18:00 in New York.
        private static DateTime NextDay(DateTime utc)
        {
            DateTime local = NewYork.Local(utc), begin = local.Date.AddHours(18);
            return NewYork.Utc(local >= begin ? begin.AddDays(1) : begin);
        }

        // Take up a day of an earlier run's that is not over yet, once, and whenever this run's own ends: its chart may
        // have other trading hours, or the end may not be known. Its limit holds where it was reached; returned is what
        // it made. A note of days ahead is of a market played back.
        private double TakeUpDay(DateTime utc)
        {
            if (earlier == null || dayEnds <= utc) return 0; // at a session's very end that one is still told of
            if (!IsOfToday(earlier, utc)) return 0;
            double made = earlier.Numbers[1];
            lost = earlier.Blocked;
            earlier = null;
            return made;
        }

        private bool IsOfToday(Remembered day, DateTime utc)
        {
            double left = day.Numbers[0] - utc.Ticks;
            return left > 0 && (left <= TimeSpan.TicksPerDay || day.Numbers[0] == dayEnds.Ticks);
        }

        // A limit that was reached, whoever wrote it, holds for the day; the money is this instance's own.
        private void KeepDay(DateTime utc, double made, bool due)
        {
            bool changed = made != written || dayEnds != writtenEnd;
            if (dayEnds <= utc || !(changed || due || lost != writtenLost)) return;
            bool done = Remembered.Update(settings.DayFile, 2, before =>
            {
                bool known = before != null && IsOfToday(before, utc);
                lost |= known && before.Blocked;
                return known && !changed && before.Blocked == lost ? null : new Remembered(lost, dayEnds.Ticks, made);
            });
            if (!done) return;
            written = made;
            writtenEnd = dayEnds;
            writtenLost = lost;
        }

        // The highest equity that any instance on the account saw, and a breach, which ends the account for all.
        private void KeepFloor()
        {
            Remembered.Update(settings.FloorFile, 1, before =>
            {
                if (before != null)
                {
                    high = Math.Max(high, before.Numbers[0]);
                    breached |= before.Blocked;
                }
                bool same = before != null && before.Numbers[0] == high && before.Blocked == breached;
                return same ? null : new Remembered(breached, high);
            });
        }
    }
}

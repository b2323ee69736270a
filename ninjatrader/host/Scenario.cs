// What happens in one interleaving: a market, a policy's wishes, and the unkindnesses of a platform and a broker, each
// at a time. Made from a seed; each step can be left out, which is how a failing scenario is made small.
using System;
using System.Collections.Generic;
using System.Globalization;
using NinjaTrader.Cbi;

namespace RLTrader.Host
{
    /// <summary>How the platform tells of events.</summary>
    public enum Manner
    {
        /// <summary>In order, after the order call has returned.</summary>
        Default,

        /// <summary>Executions, orders and positions apart, permuted, twice, or a position not at all.</summary>
        Rithmic,

        /// <summary>In the middle of the order call.</summary>
        Playback
    }

    /// <summary>What may happen at a time of a scenario.</summary>
    public enum Event
    {
        Wish, RejectEntry, RejectStop, RejectTarget, RejectExit, RefuseChange, IgnoreEntry, IgnoreExit, NoBracket,
            PartialEntry,
        StuckEntry, PartialStop, SlowOrders, LoseExecution, StopAndExit, OrdersDown, AllDown, PricesDown, Foreign,
            CloseByHand,
        Disable, Crash, Kill, Quiet, Jump, BadBar, BadSound, BadQuote, LoseStop, OtherDown, PartialTarget,
            LateExecution, LoseCancel, SaysAgain, LoseFlatten, HalfBracket, Press, Swing, NoTarget, SplitEntry,
            KeepOrders, BadFlatten, StuckExit, SetBack, SlowChange
    }

    /// <summary>One thing that happens.</summary>
    public struct Step
    {
        public Event Event;

        /// <summary>Milliseconds from the beginning of real time.</summary>
        public long At;

        /// <summary>An action, seconds, ticks or contracts.</summary>
        public int Amount;

        public override string ToString()
        {
            return string.Format(CultureInfo.InvariantCulture, "{0:0.000}s {1} {2}", At / 1000.0, Event, Amount);
        }
    }

    /// <summary>One interleaving.</summary>
    public sealed class Scenario
    {
        /// <summary>Bars of the past, before real time.</summary>
        public const int Past = 18;

        public ulong Seed;
        public Manner Manner;
        public int Contracts, Phase, Minutes;

        /// <summary>New York minute at which real time begins, and at which the session ends.</summary>
        public int FirstMinute, SessionEnd;

        /// <summary>Hours that the platform's time zone is ahead of UTC.</summary>
        public int Zone;

        /// <summary>Dollars: the day's loss limit, and the balance above which the floor trails; 0 is none.</summary>
        public int DailyLoss, FloorStart;

        /// <summary>Dollars: how far the floor trails, where above the start it stops, and a contract's
        /// commission.</summary>
        public int Drawdown, Lock, Commission;

        public bool HoldsAtStart, FlattenOnStart, FlattenOnStop, Shadow, ChangedSettings, KeepsExits, OnChart, Analyzer,
            Translated, LateAccount, Logs, SharesIds, NoSessions, NextDay;
        /// <summary>What a stop at the broker is said to be, and how many points a tick is.</summary>
        public OrderState StopState = OrderState.Working;
        public double TickSize = 0.25;

        /// <summary>Seconds for which orders' connection is lost already at the start.</summary>
        public int StartsDown;

        /// <summary>An instance beside: 1 on another instrument, 2 in shadow mode, 3 in the Strategy
        /// Analyzer, 4 on the next month of the same contract.</summary>
        public int Beside;

        public List<Step> Steps = new List<Step>();

        /// <summary>Make a scenario from a seed.</summary>
        public static Scenario Make(ulong seed)
        {
            Chance chance = new Chance(seed, 1);
            Scenario made = new Scenario { Seed = seed, Manner = (Manner)chance.Below(3) };
            made.Contracts = chance.OneIn(2) ? 1 : chance.Between(2, 3);
            made.Phase = chance.OneIn(3) ? 1 : 2;
            made.Minutes = chance.Between(8, 26);
            int day = chance.Below(4);
            made.SessionEnd = day == 0 ? 780 : 1020; // a half day ends at 13:00
            bool atEnd = day < 2;
            made.FirstMinute = atEnd ? made.SessionEnd - chance.Between(4, made.Minutes) : chance.Between(600, 700);
            made.HoldsAtStart = chance.OneIn(12);
            made.FlattenOnStart = chance.OneIn(2);
            made.FlattenOnStop = !chance.OneIn(4);
            made.Shadow = chance.OneIn(14);
            made.ChangedSettings = chance.OneIn(6);
            made.KeepsExits = chance.OneIn(3);
            made.OnChart = chance.OneIn(2);
            made.Analyzer = chance.OneIn(20);
            if (chance.OneIn(3)) made.StopState = OrderState.Accepted;
            made.Zone = chance.OneIn(3) ? 0 : chance.Between(-8, 9);
            if (chance.OneIn(8)) made.DailyLoss = 25 * chance.Between(4, 12) * made.Contracts;
            else if (chance.OneIn(4)) made.FloorStart = 50000; // what the account begins with
            made.Drawdown = 25 * chance.Between(4, 12) * made.Contracts;
            made.Lock = 25 * chance.Between(1, 4);
            made.Commission = chance.OneIn(2) ? 0 : 10;
            made.Logs = chance.OneIn(6);
            made.SharesIds = chance.OneIn(3);
            made.NoSessions = chance.OneIn(10);
            for (int minute = 1; minute <= made.Minutes; minute++)
                if (chance.OneIn(2))
                    made.Add(Event.Wish, minute * 60000L - 30000, chance.Between(1, made.Phase == 1 ? 2 : 5));
            for (int left = chance.Below(9); left > 0; left--) made.AddUnkind(chance);
            for (int n = made.Shadow ? 4 : 0; n > 0; n--) // paper is moved by bars alone
                made.Add(Event.BadBar, chance.Below(made.Minutes) * 60000L + chance.Below(60000), 1);
            for (int n = made.Shadow ? 4 : 0; n > 0; n--) // through stop and target within one bar
                made.Add(Event.Swing, chance.Below(made.Minutes) * 60000L + chance.Below(60000),
                    chance.Between(20, 60));
            made.AddAimed(chance);
            made.AddCircumstances(chance);
            made.AddLost(chance);
            made.AddLongLoss(new Chance(seed, 6));
            made.AddLater(new Chance(seed, 7));
            made.Steps.Sort((a, b) => a.At.CompareTo(b.At));
            return made;
        }

        // What chance alone would bring together too seldom.
        private void AddAimed(Chance chance)
        {
            if (HoldsAtStart && FlattenOnStart && chance.OneIn(2)) // it ends while it flattens, which came to nothing
            {
                Add(Event.LoseFlatten, 0, 2);
                Add(Event.Disable, chance.OneIn(2) ? chance.Between(1, 3000) : chance.Between(3000, 18000), 1);
            }
            if (chance.OneIn(12)) // it ends without a connection
            {
                long at = Moment(chance);
                Add(Event.AllDown, at, chance.Between(30, 100));
                Add(Event.Disable, at + chance.Between(1, 2000), 1);
            }
            if (Contracts > 1 && chance.OneIn(4))
            {
                Add(Event.HalfBracket, 0, 1);
                Add(Event.PartialEntry, 0, 1);
            }
            if (Contracts > 1 && Manner == Manner.Rithmic && chance.OneIn(3)) Add(Event.SplitEntry, 0, 1);
            if (chance.OneIn(10)) Add(Event.NoTarget, 0, 1);
            if (chance.OneIn(25)) // it ends while an exit is on its way
            {
                long at = Moment(chance);
                Add(Event.SlowOrders, at, 1);
                Add(Event.Kill, at + 1, 1);
                Add(Event.Disable, (at + chance.Between(1200, 4000)) | 1, 1);
            }
            if (chance.OneIn(20)) // a trade is closed by hand, and nobody cancels its stop
            {
                long at = Moment(chance);
                Add(Event.CloseByHand, at, 1);
                Add(Event.Crash, at + chance.Between(300, 9000), 1);
                Add(Event.KeepOrders, at, 1);
            }
            NextDay = FirstMinute + Minutes > SessionEnd && !Analyzer && DailyLoss == 0 && chance.OneIn(6);
            for (int minute = 1; NextDay && minute <= NextMinutes; minute++)
                if (chance.OneIn(2)) Add(Event.Wish, Reopens + minute * 60000L - 30000, chance.Between(1, 2));
        }

        // What is unlike the usual from the start, and what has to meet in time.
        private void AddCircumstances(Chance chance)
        {
            OrderState[] keeps = { OrderState.TriggerPending, OrderState.Suspended, OrderState.AcceptedByRisk };
            if (StopState == OrderState.Working && chance.OneIn(6)) StopState = keeps[chance.Below(keeps.Length)];
            if (chance.OneIn(4)) TickSize = chance.OneIn(2) ? 0.01 : 0.1;
            if (chance.OneIn(6)) Beside = chance.Between(1, 3);
            if (Beside == 1 && Seed % 2 == 0) Beside = 4;
            if (chance.OneIn(15) && !Analyzer) StartsDown = chance.Between(40, 150);
            Translated = chance.OneIn(6);
            LateAccount = chance.OneIn(6)
                && !Steps.Exists(step => step.Event == Event.CloseByHand || step.Event == Event.Foreign);
            if (chance.OneIn(15)) Add(Event.BadFlatten, Moment(chance), chance.Between(1, 3));
            if (chance.OneIn(15)) Add(Event.StuckExit, Moment(chance), chance.Between(1, 2));
            if (Beside > 0 || chance.OneIn(20)) // what is to close everything at the end fails, or is lost
            {
                long at = chance.Between(1, Minutes) * 60000L;
                Add(Event.Wish, at - 20000, chance.Between(1, 2));
                if (Beside > 0 && chance.OneIn(2)) Add(Event.LoseFlatten, at, 2);
                else Add(Event.BadFlatten, at, chance.Between(1, 3));
                Add(Event.Disable, at + chance.Between(1, 40000), 1);
            }
            if (chance.OneIn(15)) // bars close while an exit is on its way
            {
                long at = chance.Between(2, Minutes) * 60000L;
                Add(Event.Wish, at - 80000, chance.Between(1, 2));
                Add(Event.StuckExit, at - 20000, 1);
                Add(Event.Kill, at - chance.Between(1000, 1900), 1);
                Add(Event.Wish, at - 500, 3);
            }
            if (chance.OneIn(15)) // a bar closes late, and the next soon after it, while orders are slow
            {
                long at = chance.Between(1, Minutes - 1) * 60000L;
                Add(Event.Wish, at - 20000, chance.Between(1, 2));
                Add(Event.Quiet, at, chance.Between(50, 57));
                Add(Event.SlowOrders, at + 49000, 1);
                Add(Event.Wish, at + 59500, chance.Between(3, 4));
            }
            if (chance.OneIn(12)) // a stop is changed, or filled in parts, while orders are slow
            {
                long at = chance.Between(1, Minutes) * 60000L;
                bool parts = Contracts > 1 && chance.OneIn(2);
                Add(Event.Wish, at - 20000, chance.Between(1, 2));
                if (parts) Add(Event.PartialStop, at, 1);
                else Add(Event.Wish, at + 59000, 3);
                Add(Event.SlowOrders, at + (parts ? 30000 : 59500), 1);
                if (parts) Add(Event.Jump, at + 30001, chance.OneIn(2) ? 30 : -30);
            }
            if (Contracts > 1 && chance.OneIn(10)) // a part of an entry is stopped out, and the rest may come yet
            {
                long at = chance.Between(1, Minutes - 1) * 60000L;
                Add(Event.Wish, at - 20000, chance.Between(1, 2));
                Add(Event.StuckEntry, at, 1);
                Add(Event.Jump, at + chance.Between(8000, 20000), chance.OneIn(2) ? 30 : -30);
            }
            long flat = (SessionEnd - FirstMinute - 2) * 60000L;
            if (flat > 0 && flat < Minutes * 60000L && chance.OneIn(5)) // the last bar closes when the market reopens
            {
                Steps.RemoveAll(step => step.Event == Event.Wish && step.At > flat - 480000); // flat, if it can be
                Add(Event.Wish, flat - 50000, chance.Between(1, 2));
                Add(Event.Quiet, flat - chance.Between(1, 40000), 300);
            }
        }

        // News that is lost or late where nothing else tells of it.
        private void AddLost(Chance chance)
        {
            long end = (SessionEnd - FirstMinute) * 60000L;
            if (end > 300000 && end <= Minutes * 60000L && chance.OneIn(10)) // the platform's own exit, at the end
            {
                long down = end - chance.Between(125000, 140000);
                Add(Event.Wish, end - chance.Between(150000, 240000), chance.Between(1, 2));
                Add(Event.OrdersDown, down, (int)((end - 30500 - down) / 1000) - chance.Below(3));
                Add(chance.OneIn(2) ? Event.LoseExecution : Event.LateExecution, down + 5000, 1);
                LateAccount = chance.OneIn(2)
                    && !Steps.Exists(step => step.Event == Event.CloseByHand || step.Event == Event.Foreign);
            }
            if (chance.OneIn(15)) // a close by hand meets an exit on its way
            {
                long at = chance.Between(1, Minutes) * 60000L;
                Add(Event.Wish, at - 20000, chance.Between(1, 2));
                Add(Event.LoseExecution, at + 5000, 2);
                Add(Event.SlowOrders, at + 28000, 1);
                Add(Event.Kill, at + 29000, 1);
                Add(Event.CloseByHand, at + 31000 + chance.Below(4000), 1);
                if (chance.OneIn(2)) Add(Event.Crash, at + chance.Between(33000, 50000), 1);
                Add(Event.Jump, at + chance.Between(36000, 55000), chance.OneIn(2) ? 30 : -30);
                LateAccount = false;
            }
            bool near = SessionEnd - FirstMinute < Minutes + 6; // by then all is flat on the computer's clock
            if (!near && !Analyzer && chance.OneIn(10)) Add(Event.SetBack, Moment(chance), chance.Between(5, 3600));
        }

        // It ends while the connection is lost for ten minutes, and is not enabled again before that is back.
        private void AddLongLoss(Chance chance)
        {
            if (Minutes < 20 || SessionEnd - FirstMinute <= Minutes || Analyzer || !chance.OneIn(8)) return;
            long at = chance.Between(2, 4) * 60000L;
            int seconds = chance.Between(520, 700);
            Add(Event.Wish, at - 70000, chance.Between(1, 2));
            Add(Event.AllDown, at - chance.Between(5000, 30000), seconds);
            if (chance.OneIn(2)) Add(Event.Quiet, at - 4000, seconds); // the stop is not met meanwhile
            Add(Event.Disable, (at + chance.Between(1, 2000)) | 1, 2);
        }

        // The broker answers a trailing stop bars later; a limit is reached by a mark, not by the fill, before an end.
        private void AddLater(Chance chance)
        {
            if (Shadow || Analyzer || Minutes < 8 || !chance.OneIn(DailyLoss > 0 ? 2 : 6)) return;
            int side = chance.OneIn(2) ? 1 : -1, ticks = chance.Between(8, 18);
            long at = chance.Between(1, Minutes - 6) * 60000L;
            Add(Event.Wish, at - 20000, side > 0 ? 1 : 2);
            bool limited = DailyLoss > 0 || FloorStart > 0;
            if (limited) Add(Event.StuckExit, at, 1);
            Add(Event.Jump, at + chance.Between(18000, 30000), limited ? -side * ticks : side * ticks);
            if (limited)
            {
                Add(Event.Jump, at + chance.Between(35000, 55000), side * ticks);
                Add(Event.Disable, (at + 90000) | 1, 1);
                for (int bar = 3; bar < 9; bar++) Add(Event.Wish, at + bar * 60000, 1);
                return;
            }
            for (int bar = 0; bar < 3; bar++) Add(Event.Wish, at + 50000 + bar * 60000, bar == 0 ? 3 : 4);
            Add(Event.SlowChange, at + 70000, 3);
        }

        /// <summary>Minutes of prices after the reopening.</summary>
        public const int NextMinutes = 26;

        /// <summary>Milliseconds from the start to the market's first price after the end of the session.</summary>
        public long Reopens
        {
            get { return ((NextDay ? 1440 + 600 : SessionEnd + 60) - FirstMinute) * 60000L; }
        }

        private void AddUnkind(Chance chance)
        {
            Event what = (Event)chance.Between((int)Event.RejectEntry, (int)Event.Press);
            bool rare = what == Event.Disable || what == Event.Crash || what == Event.Kill || what == Event.CloseByHand
                || what == Event.Press || what == Event.BadQuote;
            if (rare && !chance.OneIn(2)) return;
            int amount = 1;
            if (what == Event.OrdersDown || what == Event.AllDown || what == Event.PricesDown)
                amount = chance.Between(2, chance.OneIn(4) ? 100 : 40);
            if (what == Event.Quiet) amount = chance.Between(60, 240);
            if (what == Event.LoseFlatten && chance.OneIn(2))
            {
                Add(what, 0, 2); // where it is done at the start
                return;
            }
            if (what == Event.LoseExecution) amount = chance.Between(1, 2); // 2: of an order that closes
            if (what == Event.Kill && chance.OneIn(2)) amount = chance.Between(20, 120); // then the file is gone
            if (what == Event.Jump || what == Event.Foreign) amount = chance.OneIn(2) ? 1 : -1;
            if (what == Event.Foreign && chance.OneIn(3)) amount *= 4; // which turns the account
            if (what == Event.Jump) amount *= chance.Between(4, 40);
            bool down = what == Event.OrdersDown || what == Event.AllDown; // before the chart has shown the button
            bool atOnce = (down || what == Event.Disable) && chance.OneIn(6);
            Add(what, atOnce ? chance.Below(300) : Moment(chance), amount);
        }

        // Anywhere, or where much is going on: after a bar's close, after another step, when all is to be flat.
        private long Moment(Chance chance)
        {
            long flat = (SessionEnd - FirstMinute - 2) * 60000L;
            switch (chance.Below(4))
            {
                case 0: return chance.Between(1, Minutes) * 60000L + chance.Below(3000);
                case 1: return Steps.Count == 0 ? 60000 : Steps[chance.Below(Steps.Count)].At + chance.Below(15000);
                case 2: return flat < Minutes * 60000L ? Math.Max(0, flat - 12000) + chance.Below(14000)
                    : chance.Below(60000);
                default: return chance.Below(Minutes * 60) * 1000L + chance.Below(1000);
            }
        }

        private void Add(Event what, long at, int amount)
        {
            Steps.Add(new Step { Event = what, At = at, Amount = amount });
        }

        /// <summary>Return the scenario without one of its steps.</summary>
        public Scenario Without(int step)
        {
            Scenario copy = (Scenario)MemberwiseClone();
            copy.Steps = new List<Step>(Steps);
            copy.Steps.RemoveAt(step);
            return copy;
        }

        /// <summary>Return the scenario with something else about it.</summary>
        public Scenario With(Action<Scenario> change)
        {
            Scenario copy = (Scenario)MemberwiseClone();
            change(copy);
            return copy;
        }

        public override string ToString()
        {
            List<string> parts = new List<string>();
            foreach (Step step in Steps) parts.Add(step.ToString());
            return string.Format(CultureInfo.InvariantCulture,
                "seed {0}, {1}, phase {2}, {3} contracts, {4} minutes from {5}, session ends {6}"
                + "{7}{8}{9}{10}{11}{12}{13}{14}{15}{16}{17}{18}{19}{20}{21}{22}{23}{24}{25}{26}{27}{28}: {29}",
                Seed, Manner, Phase, Contracts, Minutes, FirstMinute, SessionEnd, HoldsAtStart ? ", account not flat"
                    : "",
                FlattenOnStart ? ", flattens at start" : "", FlattenOnStop ? ", flattens at stop" : "",
                Shadow ? ", shadow" : "", ChangedSettings ? ", settings changed" : "", KeepsExits ? ", exits kept" : "",
                OnChart ? ", on a chart" : "", StopState == OrderState.Working ? "" : ", stops are " + StopState,
                Zone == 0 ? "" : ", zone " + Zone, DailyLoss == 0 ? "" : ", may lose " + DailyLoss,
                FloorStart == 0 ? "" : ", floor trails by " + Drawdown + " to " + Lock,
                Commission == 0 ? "" : ", commission " + Commission, Logs ? ", log read" : "",
                SharesIds ? ", ids shared" : "", NoSessions ? ", sessions unknown" : "",
                Analyzer ? ", in the Strategy Analyzer" : "", NextDay ? ", goes on the next day" : "",
                TickSize == 0.25 ? "" : ", ticks of " + TickSize, Translated ? ", not in English" : "",
                StartsDown == 0 ? "" : ", without a connection for " + StartsDown + " s",
                Beside == 0 ? "" : ", another instance beside (" + Beside + ")",
                LateAccount ? ", news of the account late" : "", string.Join("; ", parts.ToArray()));
        }
    }
}

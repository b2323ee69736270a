// A run: bars and orders' news in, orders out. The agent decides; Custody sees to it that whatever is held is
// protected, closed in time, and never held by accident; this file brings the two together and writes the log.
using System;

namespace RLTrader
{
    /// <summary>Why nothing was decided on a bar.</summary>
    public enum Skip { None, Historical, Warming, Late, Closed, Opening, Leaving, Disagrees, Halted }

    /// <summary>Why a decision to enter was not carried out.</summary>
    public enum Withheld { None, Late, Blocked, Platform, Account, Disconnected, OffTheClock }

    /// <summary>The strategy without NinjaTrader. One instance is one run; its methods are called one at a
    /// time.</summary>
    public sealed class LiveTrader
    {
        public readonly Agent Agent;
        public readonly Custody Custody;
        private readonly IOrders orders;
        private readonly DecisionLog log;
        private readonly TimeSpan heartbeat;
        private readonly SteadyClock clock = new SteadyClock();
        private static readonly TimeSpan Hole = TimeSpan.FromMinutes(6);
        private DateTime lastBar = DateTime.MinValue, lastBeat = DateTime.MinValue, lastKept = DateTime.MinValue;
        private bool toldDisorder, written; // the last: the newest bar's line

        public LiveTrader(Agent agent, IOrders orders, Guard guard, DecisionLog log, TimeSpan heartbeat)
        {
            Agent = agent;
            this.orders = orders;
            this.log = log;
            this.heartbeat = heartbeat;
            Mode = Mode.Historical;
            Custody = new Custody(agent, orders, guard);
            Custody.Trade.Untold = (name, side, quantity, price) =>
                log.Inferred(orders.Now, Mode, side, quantity, price, name);
        }

        /// <summary>Whose fills the run goes by; historical until <see cref="Begin"/>.</summary>
        public Mode Mode { get; private set; }

        /// <summary>Orders may be sent from now on. What the account already holds is not the run's.</summary>
        public void Begin(Mode mode, bool flattenFirst)
        {
            Mode = mode;
            AdvisedPolicy advised = Agent.Policy as AdvisedPolicy;
            if (mode == Mode.Backtest && advised != null)
            {
                advised.Silence();
                orders.Tell("the bundle fuses advice, and a backtest asks for none: these trades are the bare policy's;"
                    + " measure the fusion with rltrader evaluate --advice", false);
            }
            Custody.Begin(mode == Mode.Live, flattenFirst);
        }

        /// <summary>Take a finished bar, decide on it and act.</summary>
        /// <param name="ohlcv">Open, high, low, close in points, and volume.</param>
        public void Bar(DateTime openUtc, double[] ohlcv)
        {
            if (!InOrder(openUtc, ohlcv)) return;
            int before = Agent.Stream.Count;
            written = false;
            try { Take(openUtc, ohlcv); }
            catch (Exception)
            {
                // The bar counts all the same, and without its line nobody could replay what comes after it.
                Skip skip = Mode == Mode.Historical ? Skip.Historical : Skip.Halted;
                if (Agent.Stream.Count > before && !written)
                    Write(openUtc, ohlcv, skip, Withheld.None, PositionTracker.Hold);
                throw;
            }
        }

        private void Take(DateTime openUtc, double[] ohlcv)
        {
            bool kept = Agent.OnBar(openUtc, ohlcv[1], ohlcv[2], ohlcv[3], ohlcv[4]);
            if (kept) TellOfGap(openUtc);
            if (Mode == Mode.Historical)
            {
                if (kept) Write(openUtc, ohlcv, Skip.Historical, Withheld.None, PositionTracker.Hold);
                return;
            }
            Custody.BarClosed(openUtc);
            if (kept) Decide(openUtc, ohlcv);
            Custody.Look();
        }

        /// <summary>Time has passed, or a price has changed.</summary>
        public void Clock()
        {
            if (Mode == Mode.Historical) return;
            Custody.Look();
            DateTime now = clock.At(orders.Now);
            if (heartbeat <= TimeSpan.Zero || now - lastBeat < heartbeat) return;
            lastBeat = now;
            log.Alive(orders.Now, Mode, Custody.Trade.Net, Mode == Mode.Live ? orders.AccountNet : 0, Custody.Halted);
        }

        /// <summary>An order of the strategy's was filled; an execution that comes twice counts once.</summary>
        /// <param name="name">Of the order, which goes into the log.</param>
        /// <param name="order">Null where the platform names none.</param>
        public void Filled(string id, string name, OwnOrder order, Role role, int side, int quantity, double price,
            Func<DateTime> utc)
        {
            double latency = Custody.Latency(role);
            if (!Custody.Filled(id, name, order, role, side, quantity, price)) return;
            // Contracts of it that were counted before it came have their line already.
            if (Custody.Trade.Newly > 0) log.Fill(utc, Mode, side, Custody.Trade.Newly, price, name, latency);
            Custody.Look();
        }

        /// <summary>An order's state has changed, or something was wrong with it.</summary>
        public void Ordered(OwnOrder order, string name, Trouble trouble)
        {
            orders.Refresh(order);
            bool sent = order.Role == Role.Entry || order.Role == Role.Exit;
            if (trouble != Trouble.None || (sent && !order.Live && order.Left > 0))
                log.Ended(name, order.Role == Role.Entry && order.Filled == 0, trouble);
            Custody.Ordered(order, trouble);
            Custody.Look();
        }

        /// <summary>The user has pressed the button that stops trading: close all, and open nothing more.</summary>
        public void StopByHand()
        {
            Custody.StopByHand();
            Custody.Look();
        }

        /// <summary>Close the log, and end a request for advice that is under way.</summary>
        public void Close()
        {
            log.Dispose();
            IDisposable policy = Agent.Policy as IDisposable;
            if (policy != null) policy.Dispose();
        }

        /// <summary>Whether a bar comes after the last one that was taken, and has prices; any other is left
        /// out.</summary>
        public bool Follows(DateTime openUtc, double[] ohlcv)
        {
            bool sound = openUtc > lastBar;
            foreach (double number in ohlcv) sound &= !double.IsNaN(number) && !double.IsInfinity(number);
            return sound && ohlcv[1] >= ohlcv[2] && ohlcv[2] > 0;
        }

        private bool InOrder(DateTime openUtc, double[] ohlcv)
        {
            if (Follows(openUtc, ohlcv))
            {
                lastBar = openUtc;
                return true;
            }
            if (!toldDisorder) orders.Tell("a bar came twice, out of order or without prices, and was left out: "
                + JsonLine.Time(openUtc) + "; reload the chart's data", false);
            toldDisorder = true;
            return false;
        }

        // A minute without a trade has no bar, in training too; a longer hole within a day is a lost feed's.
        private void TellOfGap(DateTime openUtc)
        {
            DateTime before = lastKept;
            lastKept = openUtc;
            if (before == DateTime.MinValue || openUtc - before < Hole) return;
            if (TradingDay(before) != TradingDay(openUtc)) return;
            orders.Tell("no bar came between " + JsonLine.Time(before) + " and " + JsonLine.Time(openUtc)
                + "; decisions differ from those on a whole series until the chart's data are reloaded", false);
        }

        // A trading day begins at 18:00 in New York.
        private static DateTime TradingDay(DateTime utc) { return NewYork.Local(utc).AddHours(6).Date; }

        private void Decide(DateTime openUtc, double[] ohlcv)
        {
            Skip skip = Agent.Ready ? Custody.WhyNot() : Skip.Warming;
            int action = skip == Skip.None ? Agent.Decide() : PositionTracker.Hold;
            int side = action == PositionTracker.Buy ? 1 : action == PositionTracker.Sell ? -1 : 0;
            bool enters = skip == Skip.None && side != 0 && Agent.Position.Side == 0
                && Agent.Position.InEntryWindow(Agent.Stream.Minute);
            Withheld withheld = enters ? Custody.WhyNoEntry() : Withheld.None;
            Write(openUtc, ohlcv, skip, withheld, action);
            Custody.BarDone(skip == Skip.Late);
            if (enters && withheld == Withheld.None)
            {
                bool sent = Custody.Enter(side, Agent.StopTicks, Agent.TargetTicks);
                // Without a line it would be on its way for ever in a replay.
                if (!sent) log.Ended(OrderNames.Entry, true, Trouble.None);
            }
            else if (skip == Skip.None && Agent.Position.Side != 0) Custody.Guide(Agent.Manage(action));
        }

        private void Write(DateTime openUtc, double[] ohlcv, Skip skip, Withheld withheld, int action)
        {
            log.Bar(Agent, openUtc, ohlcv, Mode, action, skip, withheld, Custody.FlatMinute);
            written = true;
        }
    }
}

// What must hold in every interleaving, looked at after every event. Times are those that the strategy is given by its
// own patience and a little more, while the broker can be reached and the market is open.
using System;
using NinjaTrader.Cbi;
using NinjaTrader.NinjaScript;

namespace RLTrader.Host
{
    /// <summary>Holds a simulation to its invariants; keeps the first that is broken.</summary>
    public sealed partial class Watchdog
    {
        private const long Never = long.MaxValue / 4, BareLimit = 25000, FlatLimit = 30000, OrphanLimit = 32000,
            HandLimit = 30000, StartLimit = 40000, EntryLimit = 45000, Fresh = 3000;

        private readonly Simulation simulation;
        private long looked, bare, late, turnedAt = -60000, lastHeld, entryWaits, restWaits, otherSide,
            killedAt = Never, pressedAt = Never, startHeld, handAt = Never, threwAt = Never,
            unkindAt = -600000, lostAt = -60000, endedAt, launchedAt, earlierLeft;
        private long slow, blockedHeld, flattenLeft, unsureUntil, downAt = -60000, entryAt = -60000, lessAt = -60000;
        private int throws, lateBars, flatBars; // the last: bars closed since a trade, whose own may be the first
        private bool wasUp = true, unseenAtEnd, disturbed, doubled, over, crashed, told, orphanTold, lasting, touched;

        public Watchdog(Simulation simulation) { this.simulation = simulation; }

        /// <summary>The first thing that was wrong; null where nothing is.</summary>
        public string Problem { get; private set; }

        private Exchange Exchange { get { return simulation.exchange; } }

        // Milliseconds since the orders' connection is there; below zero since it is lost.
        private long SinceUp { get { return wasUp ? Now - turnedAt : turnedAt - Now; } }

        private long Now { get { return simulation.clockwork.Now; } }

        /// <summary>Whether someone else has closed or turned the strategy's trade.</summary>
        public bool ByHand { get { return handAt != Never; } }

        /// <summary>Whether a trade of an earlier instance is on the account.</summary>
        public bool Orphaned { get; private set; }

        public void Wrong(string what)
        {
            if (Problem == null) Problem = what;
            simulation.Say("WRONG: " + what);
        }

        /// <summary>The strategy raises an alert.</summary>
        /// <param name="loud">Whether sound and mail belong to it.</param>
        public void Alerted(bool loud)
        {
            told = orphanTold = true;
            if (loud) alerts++;
        }

        public void Sounded() { sounds++; }
        public void Mailed() { mails++; }

        public void Launched()
        {
            over = crashed = false;
            launchedAt = Now;
            pressedAt = closedAt = threwAt = Never;
            LookAtSettings(simulation.strategy);
            flattens = false;
            crossedUntil = 0;
            telling.Clear();
            exitsAsked = 0;
            startHeld = earlierLeft = 0;
            bare = late = loggedNet = loggedEntry = paperNet = 0;
            paperPoints = paperDollars = 0;
            if (Exchange.Own + Exchange.Foreign == 0)
            {
                Exchange.Own = Exchange.Foreign = 0; // an account only knows their sum
                handAt = Never;
            }
            if (Exchange.Own != 0 && !ByHand && !simulation.Scenario.Shadow)
            {
                if (!told) Wrong("a trade was left on the account, and nobody was told");
                Orphaned = true;
            }
            else Orphaned = false;
            if (EarlierOrder && !told && !simulation.Scenario.Shadow)
                Wrong("an earlier run's order was left on the account, and nobody was told");
        }

        private bool EarlierOrder { get { return Exchange.Orders.Exists(order => order.Earlier && !order.Over); } }

        /// <summary>What an earlier instance had asked for leaves a position that this one did not open.</summary>
        public void LeftByEarlier() { Orphaned = true; }

        public void Ended()
        {
            over = true;
            endedAt = Now;
            tainted |= simulation.strategy.Position.Net != 0; // what it makes now, nobody counts
            unseenAtEnd = simulation.AccountNet == 0;
            asked = 0;
            givenUp = false;
            bare = startHeld = earlierLeft = 0;
            told = false;
        }

        public void Crashed()
        {
            crashed = true;
            if (Now < crossedUntil) crossedUntil = Never; // nobody cancels until the next start
            told = false;
            bare = earlierLeft = 0;
        }

        /// <summary>The platform throws in a property that the strategy asks for.</summary>
        public void Throwing() { throws++; }

        /// <summary>Something threw in the strategy's own work, because of the platform or by itself.</summary>
        public void Faulted(Exception error)
        {
            threwAt = Math.Min(threwAt, Now);
            if (--throws < 0) Wrong("the strategy throws: " + error.GetType().Name + ": " + error.Message);
        }

        /// <summary>Whether nothing stands against an entry at this bar's close.</summary>
        public bool MustEnter
        {
            get
            {
                // What was unkind is over, and nothing of it stops the strategy for good.
                bool calm = !lasting && !ByHand && Now - unkindAt > 150000 && Now - launchedAt > 60000 && !over
                    && simulation.realtime && !simulation.Scenario.Shadow
                    && simulation.AccountNet == 0 && Exchange.Foreign == 0 && Now - lastHeld > 180000
                    && brokenSince == Never;
                calm &= simulation.Behind < 50 && Now - simulation.ClosedAt < 170000; // else bars are off the clock
                calm &= flatBars > 1 && threwAt == Never && pressedAt == Never && killedAt == Never && SinceUp > 60000;
                calm &= Room > 75 * simulation.Scenario.Contracts; // a limit may be near
                calm &= Now < simulation.Scenario.Reopens || Now > simulation.Scenario.Reopens + 20 * 60000;
                return calm && Now > 180000 && Now < simulation.EndOfSession - 120000;
            }
        }

        /// <summary>An execution is lost, or comes late. What its order counts is booked after 5 seconds, and where it
        /// names no order, it is found among the account's.</summary>
        public void Lost()
        {
            lostAt = Now;
            unsureUntil = Now + 9000;
        }

        public void Happened(Event what)
        {
            if (what == Event.Wish || what == Event.SaysAgain || what == Event.NoTarget) return;
            touched |= what != Event.LoseFlatten && what != Event.OrdersDown && what != Event.AllDown
                && what != Event.Disable;
            disturbed = true;
            unkindAt = Now;
            lasting |= !Passes(what);
            doubled |= what == Event.StopAndExit;
            if (what == Event.Kill) killedAt = Now;
        }

        /// <summary>A bar of real time has closed; on the first after a trade nothing is decided.</summary>
        public void BarClosed() { flatBars++; }

        /// <summary>What the strategy asked for, to close everything, did not happen.</summary>
        public void FlattenLost()
        {
            flattenLeft = 36000; // it is asked for again after 20 seconds, and may be slow
            startHeld = 0; // it is asked for once more
            if (over) bare = Math.Min(bare, OrphanLimit - 18000); // after 5 seconds once more, which may take 12
        }

        public void Unkilled()
        {
            killedAt = Never;
            unkindAt = Now;
        }

        /// <summary>The user presses the button that stops trading.</summary>
        public void Pressed()
        {
            if (!over) pressedAt = Math.Min(pressedAt, Now);
        }

        public void ClosedByHand()
        {
            handAt = Math.Min(handAt, Now);
            // The exit turns the account, and the stop or the target may add to that, until the strategy sees the
            // account (15 seconds) and the broker has cancelled them (9). A flattening is an exit as well, and is asked
            // for again after 20 seconds.
            bool flattening = Now < FlattensUntil;
            bool closing = flattening || simulation.stopping || Covered(false) > 0;
            if (closing) crossedUntil = crashed ? Never : Now + (flattening ? 36000 : 24000);
            LiveTrader trader = simulation.strategy.Trader;
            bool known = simulation.strategy.Position.Net != 0 || (trader != null && trader.Custody.Trade.Net != 0);
            if (!Orphaned && known) closedAt = Math.Min(closedAt, Now);
        }

        /// <summary>After every event.</summary>
        public void Look()
        {
            long passed = Now - looked;
            looked = Now;
            if (simulation.ordersUp != wasUp) turnedAt = Now;
            if (wasUp && !simulation.ordersUp) downAt = Now;
            wasUp = simulation.ordersUp;
            bool reachable = simulation.ordersUp && Exchange.Open;
            // A close by hand while stop and exit are both being filled is beyond anyone's reach.
            bool left = over && !simulation.Scenario.FlattenOnStop;
            LookAtCrossed(passed);
            int most = Math.Max(crossed, simulation.Scenario.Contracts);
            // An exit that the broker holds back is filled beside the flattening after all, which closes that, too.
            if (over && Now < Exchange.StuckUntil + 20000) most += simulation.Scenario.Contracts;
            if (Math.Abs(Exchange.Own) > most && !(ByHand && doubled) && !left)
                Wrong("more contracts than the policy trades");
            // A foreign trade that makes the account flat, or turns it, is as good as a close by hand.
            if (Exchange.Own != 0 && (Exchange.Own + Exchange.Foreign) * Exchange.Own <= 0)
                handAt = Math.Min(handAt, Now);
            if (Exchange.Own * Exchange.Foreign < 0) lessAt = Now; // someone else has closed a part
            bool answerable = reachable && !simulation.stopping && !crashed && !ByHand && SinceUp > 4000;
            if (Exchange.Own != 0)
            {
                lastHeld = Now;
                flatBars = 0;
            }
            if (Exchange.Own == 0 || Covered(true) >= Math.Abs(Exchange.Own)) bare = 0;
            else if (answerable || (over && reachable)) bare += passed;
            if (!Exchange.Open) bare = 0;
            if (answerable || (over && reachable)) flattenLeft -= passed; // in time in which it can be asked for
            bool flattening = flattenLeft > 0;
            flattening |= Now < FlattensUntil + 2000; // it works
            flattening |= Now < Exchange.StuckUntil + 6000; // stop and exit may both have been filled meanwhile
            if (over)
            {
                if (bare > OrphanLimit && simulation.Scenario.FlattenOnStop && !ByHand && !Orphaned && !givenUp)
                    Wrong("a position is left behind after the end");
            }
            else if (Orphaned)
            {
                bool tried = answerable && SinceUp > 6000 && !flattening;
                if (tried && bare > OrphanLimit && simulation.Scenario.FlattenOnStart)
                    Wrong("a position from before the start is left");
                if (bare > OrphanLimit && !orphanTold) Wrong("nobody was told of a position from before the start");
            }
            else if (bare > BareLimit && !flattening && !ByHand) Wrong("a position without a working stop");
            bool mustBeFlat = Now >= simulation.EndOfSession - 120000 && !over && !Orphaned && Exchange.Own != 0;
            late = mustBeFlat && answerable && Now < simulation.EndOfSession + 7200000 ? late + passed : mustBeFlat
                ? late : 0;
            if (late > FlatLimit && !flattening) Wrong("a position after the time when everything is to be flat");
            if (Exchange.Own == 0 && Orphaned) Orphaned = false;
            bool flattens = simulation.Scenario.HoldsAtStart && simulation.Scenario.FlattenOnStart
                && !simulation.Scenario.Shadow;
            flattens &= !over || (simulation.Scenario.FlattenOnStop && !unseenAtEnd);
            startHeld = flattens && answerable && !touched && Exchange.Foreign != 0 ? startHeld + passed : 0;
            if (startHeld > StartLimit)
                Wrong("what the account held at the start is left");
            bool clears = simulation.Scenario.FlattenOnStart && answerable && !flattening && !over && EarlierOrder;
            earlierLeft = clears && !simulation.Scenario.Shadow ? earlierLeft + passed : 0;
            if (earlierLeft > OrphanLimit) Wrong("an earlier run's order is left at the start");
            bool waiting = answerable && !over && simulation.Waiting(Role.Entry);
            entryWaits = waiting ? entryWaits + passed : 0;
            if (waiting) entryAt = Now;
            if (entryWaits > EntryLimit) Wrong("an entry is left waiting");
            bool rest = waiting && Exchange.Own == 0 && Exchange.Orders.Exists(order => !order.Over && order.Filled > 0
                && order.Order.Name == OrderNames.Entry && order.CancelAsked < order.Sent);
            restWaits = rest ? restWaits + passed : 0;
            if (restWaits > 15000) Wrong("the rest of an entry is left whose trade is gone");
            // Someone else bought at once what was closed by hand: an account only knows the sum.
            // While the connection was lost, or so shortly before that there was no time to be sure.
            bool unseen = closedAt >= downAt - 14000 && closedAt <= turnedAt;
            bool fresh = Now - closedAt < 14000 || (unseen && SinceUp > 4000 && SinceUp < 18000);
            if (closedAt != Never && fresh && simulation.AccountNet != 0) closedAt = Never;
            bool past = handAt < launchedAt && Now > launchedAt + 20000; // of an earlier instance's trade
            if (past && Exchange.Own == 0 && Exchange.Foreign == 0) handAt = Never;
            LookAtMoney();
            if (over && Now > endedAt + 1000 && simulation.strategy.Clocks > 0) Wrong("a clock goes on after the end");
            Script script = simulation.strategy.Script;
            LineReader file = simulation.strategy.LogFile;
            if (over && file != null && !file.Closed) Wrong("the log is not closed at the end");
            if (sounds < alerts || mails < alerts) Wrong("an alert without sound or mail");
            LookAtSlowExit(answerable && !over);
            if (over && script != null && script.Asks) Wrong("a request for advice is under way after the end");
            int buttons = simulation.Buttons;
            if (over && Now > endedAt + 1000 && buttons > 0) Wrong("a button is left on the chart");
            if (!over && !crashed && buttons != (simulation.Scenario.OnChart ? 1 : 0) && Now > launchedAt + 1000)
                Wrong(buttons + " buttons on the chart");
            LookAtPaper();
            LookAtOtherSide(reachable ? passed : 0);
            long stoppedAt = Math.Min(Math.Min(brokeAt, threwAt), Math.Min(killedAt, pressedAt));
            bool blocked = Now > stoppedAt + FlatLimit && answerable && !flattening && !over && !Orphaned
                && Now > flattenedAt + 34000; // once more after 20 seconds, and it may take 12
            // A target whose cancel was lost may yet open a trade; it is closed at once.
            blockedHeld = blocked && Exchange.Own != 0 && SinceUp > FlatLimit && !Exiting() ? blockedHeld + passed : 0;
            if (blockedHeld > (Now - lostAt < 20000 ? 8000 : 4000))
                Wrong("a position while the kill switch is on, or after the loss limit");
        }

        /// <summary>When nothing is on its way: what the strategy believes is what is there.</summary>
        public void Compare()
        {
            ScriptedStrategy strategy = simulation.strategy;
            bool quiet = simulation.enabled && simulation.ordersUp && simulation.outstanding == 0
                && !simulation.stopping
                && SinceUp > 5000 && !ByHand && !Orphaned && Now > unsureUntil && !simulation.Scenario.Shadow;
            // Bought, by someone else or by the rest of an entry, before the strategy saw that it was flat: it goes on
            // flattening. Meanwhile what it believes follows the account, of which news may be on its way.
            LiveTrader trader = strategy.Trader;
            bool flat = simulation.AccountNet == 0 && Exchange.Own + Exchange.Foreign == 0;
            quiet &= flat || trader == null || !trader.Custody.Flattens
                || Now - flattenedAt > 45000;
            if (!quiet || strategy.Trader == null || !strategy.Agent.Stream.Ready) return;
            Resting stop = null, target = null;
            int stops = 0;
            foreach (Resting order in Exchange.Orders)
            {
                if (order.Over || order.Earlier) continue;
                if (order.Type == OrderType.Market || !order.There) return;
                if (order.Order.OrderState == OrderState.CancelPending) return;
                if (order.Type == OrderType.Limit) target = order;
                if (order.Type != OrderType.StopMarket) continue;
                stop = order;
                stops++;
            }
            int own = Exchange.Own;
            if (strategy.Trader.Custody.Trade.Net != own)
                Wrong("the strategy believes in " + strategy.Trader.Custody.Trade.Net + " contracts and has " + own);
            PositionTracker held = strategy.Agent.Position;
            if (held.Side != Math.Sign(own))
                Wrong("the tracker is on side " + held.Side + " and the position on " + Math.Sign(own));
            if (stops > 1) Wrong("more than one stop");
            if (own * entrySide > 0 && !Exchange.Mixed && Math.Abs(held.Entry - Exchange.Entry) > 0.6)
                Wrong("the tracker's entry is at " + held.Entry + " and the exchange's at " + Exchange.Entry);
            if (own != 0 && stop != null && stop.Side == -held.Side && held.Stop != stop.Price)
                Wrong("the tracker's stop is at " + held.Stop + " and the order's at " + stop.Price);
            if (own != 0 && stop != null && !disturbed) CompareDistance(stop, held);
            CompareLog(own);
            if (own != 0 || Now - Math.Max(lastHeld, entryAt) <= 9000 || SinceUp <= 15000) return;
            // A bracket may come long after its trade is gone, where the news of the entry was late.
            if (stop != null && Now - Math.Max(stop.Sent, stop.CancelAsked) > 15000) Wrong("a stop without a position");
            if (target != null && Now - Math.Max(flattenedAt, Math.Max(target.Sent, target.CancelAsked)) > 25000)
                Wrong("a target without a position");
        }

        /// <summary>After a bar of the past in the Strategy Analyzer.</summary>
        public void PastBar()
        {
            ScriptedStrategy strategy = simulation.strategy;
            int net = strategy.Position.Net;
            if (Math.Abs(net) > simulation.Scenario.Contracts) Wrong("more contracts than the policy trades");
            if (Exchange.Own != 0 || strategy.Account.Orders.Count > 1) Wrong("a backtest touches the account");
            // An exit is sent at the first bar's close that is late, and filled in the bar after it.
            if (net != 0 && lateBars > 0) Wrong("a position after the time when everything is to be flat");
            bool isLate = Now >= simulation.EndOfSession - 120000 && Now <= simulation.EndOfSession;
            lateBars = isLate ? lateBars + 1 : 0;
            if (strategy.Trader == null) Wrong("a backtest does not run");
            else if (strategy.Trader.Custody.Trade.Net != net || strategy.Agent.Position.Side != Math.Sign(net))
                Wrong("the strategy believes in " + strategy.Trader.Custody.Trade.Net + " contracts and has " + net);
            foreach (Resting order in Exchange.Orders)
                if (!order.Over && order.Type == OrderType.StopMarket && order.Price != strategy.Agent.Position.Stop)
                    Wrong("the tracker's stop is at " + strategy.Agent.Position.Stop + " and the order's at "
                        + order.Price);
        }

        public void AtEnd()
        {
            if (!ByHand || Now < handAt + HandLimit || Exchange.Own != 0 || Exchange.Foreign != 0 || over || crashed)
                return;
            foreach (Resting order in Exchange.Orders)
                if (!order.Over && !order.Earlier && simulation.ordersUp && SinceUp > HandLimit)
                    Wrong("orders are left after a close by hand");
        }

        // An exit that takes too long is told of.
        private void LookAtSlowExit(bool watched)
        {
            slow = watched && simulation.Waiting(Role.Exit) && Exchange.Own != 0 ? Math.Max(slow, exitedAt) : Now;
            if (Now - slow > 23000 && slowToldAt < slow) Wrong("nobody is told of an exit that takes long");
        }

        private bool Exiting()
        {
            foreach (Resting order in Exchange.Orders)
                if (!order.Over && order.Type == OrderType.Market) return true;
            return false;
        }

        // Contracts that a market order on its way would close, and a working stop.
        private int Covered(bool alsoByStop)
        {
            int sum = 0, side = -Math.Sign(Exchange.Own);
            foreach (Resting order in Exchange.Orders)
            {
                if (order.Over || order.Side != side) continue;
                if (order.Type == OrderType.Market || (alsoByStop && order.Type == OrderType.StopMarket && order.There))
                    sum += order.Left;
            }
            return sum;
        }
    }
}

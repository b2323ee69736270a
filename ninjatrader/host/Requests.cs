// What the strategy asks of the platform, held against what it may ask at that moment.
using System;
using System.Collections.Generic;
using NinjaTrader.Cbi;
using NinjaTrader.NinjaScript;

namespace RLTrader.Host
{
    public sealed partial class Watchdog
    {
        private long closedAt = Never, brokenSince = Never, brokeAt = Never;
        private long flattenedAt = -60000;
        private Resting moved;
        private bool tainted, rejects, flattens;
        private int exitsAsked;
        private long slowToldAt;
        private bool limitTold; // whatever becomes of the instance
        private int sounds, mails, alerts;
        private readonly List<KeyValuePair<long, string>> telling = new List<KeyValuePair<long, string>>();
        private int flattenedBy, asked; // the last: flattenings after the end
        private bool givenUp;
        private double high, top; // dollars made at most: seen by the strategy for certain, and at any moment
        private long crossedUntil;
        private int crossed; // contracts at most, after a close by hand has met an exit on its way
        private int entrySide, stopTicks, targetTicks; // of the last entry's decision

        // Something has happened that gives cause for an exit, a cancel or a flattening: the platform's doing, an
        // account that is not the strategy's alone, a limit, or the end of the session.
        private bool Trouble
        {
            get
            {
                Scenario scenario = simulation.Scenario;
                return disturbed || scenario.HoldsAtStart || scenario.ChangedSettings || Orphaned || ByHand
                    || scenario.DailyLoss > 0 || scenario.FloorStart > 0 || Now >= simulation.EndOfSession - 121000;
            }
        }

        /// <summary>The strategy sends an entry.</summary>
        public void Entering(int side)
        {
            entrySide = side;
            exitsAsked = 0;
            ExpectLine(side);
            TooSoon("entry");
            stopTicks = simulation.strategy.Agent.StopTicks;
            targetTicks = simulation.strategy.Agent.TargetTicks;
            if (simulation.Scenario.Analyzer)
            {
                EnteringPast();
                return;
            }
            if (simulation.strategy.State != State.Realtime) Wrong("an order on a bar of the past");
            if (simulation.Scenario.Shadow) Wrong("an order in shadow mode");
            if (Exchange.Own != 0 && !ByHand) Wrong("an entry while a trade is open");
            if (Now > Math.Min(killedAt, pressedAt) + Fresh) Wrong("an entry while the kill switch is on");
            if (Now > brokeAt + Fresh) Wrong("an entry after the loss limit");
            if (limitTold) Wrong("an entry after a limit that the strategy told of");
            if (threwAt != Never) Wrong("an entry after the strategy threw");
            if (simulation.strategy.Position.Net != 0) Wrong("an entry while the platform believes in a position");
            if (Now > closedAt + 20000 && Now - launchedAt > 20000)
                Wrong("an entry after the trade was closed by hand");
            if (Now >= simulation.EndOfSession - 120000 && Now < simulation.EndOfSession + 7200000)
                Wrong("an entry when everything is to be flat");
            Scenario scenario = simulation.Scenario;
            long flat = (scenario.SessionEnd - scenario.FirstMinute - 2) * 60000L;
            if (simulation.ClosedAt >= flat && simulation.ClosedAt < scenario.Reopens)
                Wrong("an entry on a bar at whose close everything is to be flat, told later");
            if (simulation.AccountNet != 0) Wrong("an entry while the account holds something");
            if (EarlierOrder) Wrong("an entry beside an earlier run's order");
            if (!simulation.ordersUp && SinceUp < -1000) Wrong("an entry without a connection");
        }

        /// <summary>The strategy sends an exit.</summary>
        public void Exiting(bool another, string signal, int side, int quantity)
        {
            if (Now - exitedAt < 900 && exitsAsked > 0) Wrong("an exit is asked for again at once");
            exitsAsked++;
            exitedAt = lastHeld = Now;
            TooSoon("exit");
            bool known = simulation.enabled && simulation.outstanding == 0 && SinceUp > 5000 && Now > unsureUntil
                && !ByHand && !simulation.stopping;
            int held = Math.Max(Math.Abs(simulation.strategy.Position.Net), Math.Abs(Exchange.Own));
            if (known && quantity > held) Wrong("an exit of " + quantity + " contracts of " + held);
            if (side * simulation.Shown < quantity && !ByHand && !Orphaned && !tainted)
                Wrong("an exit of " + side * quantity + " contracts where orders show " + simulation.Shown);
            if (!Trouble && (signal == OrderNames.Exit(ExitReason.Unprotected)
                || signal == OrderNames.Exit(ExitReason.Overshot) || signal == OrderNames.Exit(ExitReason.Halted)))
                Wrong("an exit that nothing gave cause for: " + signal);
            if (known && signal == OrderNames.Exit(ExitReason.Unprotected) && StopWorks())
                Wrong("an exit for want of a stop that works");
            if (another) Wrong("an exit while another is on its way");
            if (known && !Orphaned && signal == OrderNames.Exit(ExitReason.Unprotected)
                && Exchange.Own * entrySide < 0)
                Wrong("the other side is held as if it were a trade");
            foreach (Resting order in Exchange.Orders)
                if (!order.Over && !order.Past && order.Owner == simulation.instance && order.CancelAsked < order.Sent
                    && order.Order.Name == OrderNames.Entry)
                    Wrong("an exit leaves the rest of the entry");
            if (ByHand && Now > handAt + Fresh && SinceUp > Fresh && Exchange.Own == 0 && Exchange.Foreign == 0)
                Wrong("an exit of a trade that is gone");
            if (otherSide > Fresh && simulation.AccountNet * side < 0)
                Wrong("an exit that adds to what the account holds");
            if (simulation.rejection) Wrong("an exit while the platform closes the position after a rejection");
            if (simulation.strategy.State != State.Realtime && simulation.enabled && !simulation.Scenario.Analyzer)
                Wrong("an order on a bar of the past");
        }

        // Whether a stop for all that is held has been at the broker for a while.
        private bool StopWorks()
        {
            int sum = 0;
            foreach (Resting order in Exchange.Orders)
                if (order.Type == OrderType.StopMarket && order.There && !order.Over && order.Sent < Now - 15000
                    && order.Order.OrderState != OrderState.CancelPending
                    && order.Owner == simulation.instance && order.Side * Exchange.Own < 0) sum += order.Left;
            return sum > 0 && sum >= Math.Abs(Exchange.Own);
        }

        /// <summary>The strategy asks for a stop at a price in ticks.</summary>
        /// <param name="quoted">Whether the strategy sees where the market is.</param>
        public void MovingStop(long price, bool quoted)
        {
            int side = Math.Sign(simulation.strategy.Position.Net);
            if (simulation.Waiting(Role.Exit)) Wrong("a stop is moved while an exit is on its way");
            foreach (Resting order in Exchange.Orders)
            {
                if (order.Over || order.Type != OrderType.StopMarket || order.Owner != simulation.instance) continue;
                if (!order.There) Wrong("a stop is moved that the broker does not have yet");
                if (side * (price - (order.Asked ?? price)) < 0) Wrong("a stop is loosened that was asked for");
                if (order.Changing == 0 && side * (price - order.Price) < 0) Wrong("a stop is loosened");
                if (order.Changing == 0 && price == order.Price) Wrong("a stop is asked for where it stands");
                moved = order;
                order.Asked = price;
            }
            TooSoon("change");
            if (!quoted) return;
            if (side > 0 && price >= Exchange.Bid || side < 0 && price <= Exchange.Ask)
                Wrong("a stop asked for at the market");
        }

        /// <summary>The strategy cancels an order.</summary>
        public void Cancelling(Resting order, Role role)
        {
            if (Now - order.CancelAsked < 5000) Wrong("an order is cancelled again and again");
            order.CancelAsked = Now;
            bool young = role == Role.Entry && Now - order.Sent < 25000 && order.Filled == 0;
            if (young && !Trouble)
                Wrong("an entry is cancelled that nothing gave cause for");
        }

        /// <summary>A cancel that the strategy asked for is lost. It asks again after 20 seconds, and the broker may
        /// take 9.</summary>
        public void CancelLost()
        {
            if (Now < crossedUntil && crossedUntil < Never) crossedUntil = Math.Max(crossedUntil, Now + 31000);
        }

        /// <summary>An order is rejected. A stop at the right distance may be, if the market is there first.</summary>
        public void Rejected(Resting order)
        {
            double distance = Math.Abs(order.Price - simulation.strategy.Position.AveragePrice / Simulation.Tick);
            rejects = true;
            if (order.Type == OrderType.StopMarket && Math.Abs(distance - stopTicks) <= 1) return;
            if (!Trouble && !over) Wrong("an order is rejected that nothing gave cause for");
        }

        /// <summary>A change is refused, which the user is told of.</summary>
        public void Refused() { rejects = true; }

        /// <summary>When the last flattening has worked.</summary>
        public long FlattensUntil = -60000;

        /// <summary>The strategy asks that the account's position be closed.</summary>
        /// <param name="alone">Whether of its own instrument alone.</param>
        public void Flattening(bool alone)
        {
            if (Now - flattenedAt < 4000 && flattenedBy == simulation.instance)
                Wrong("the account is flattened again before it can be flat");
            if (Now < FlattensUntil) Wrong("the account is flattened while it is being flattened");
            flattenedAt = Now;
            flattenedBy = simulation.instance;
            asked++;
            tainted = true;
            if (over && Now - endedAt < 18000 && Covered(false) > 0)
                Wrong("the account is flattened beside an order that closes it");
            LiveTrader newer = simulation.enabled && simulation.realtime ? simulation.strategy.Trader : null;
            if (newer != null && !newer.Custody.Flattens) Wrong("an ended instance flattens a newer one's account");
            // At the start what it closes is not its own.
            bool first = !over && !flattens && newer != null && newer.Custody.Trade.Net != 0;
            bool taken = Now - lessAt < 25000; // such an account is flattened at once, and for good
            lasting |= first && taken;
            if (first && exitsAsked < 2 && !taken) Wrong("the account is flattened after " + exitsAsked + " exits");
            flattens |= first;
            if (!alone) Wrong("another instrument is flattened");
            // At the start the strategy asks for the connection itself; later it is told of its loss.
            if (!simulation.ordersUp && (Now == 0 || SinceUp < -1000))
                Wrong("the account is flattened without a connection");
            if (over && !simulation.enabled && !simulation.Scenario.FlattenOnStop)
                Wrong("the account is flattened after the end, against the setting");
            bool nothing = simulation.AccountNet == 0 && Exchange.Own + Exchange.Foreign == 0
                && !Exchange.Orders.Exists(order => !order.Over) && !simulation.OrdersKnown;
            if (over && !simulation.enabled && Now > endedAt + 4000 && nothing) Wrong("a flat account is flattened");
            if (!Trouble && !over) Wrong("the account is flattened and nothing gave cause for it");
        }

        // A stop is where the policy wants it, until it is asked to move.
        private void CompareDistance(Resting stop, PositionTracker held)
        {
            if (stop == moved || stop.Changing > 0 || stop.Side != -held.Side) return;
            if (Math.Abs(held.Side * (held.Entry - stop.Price) - stopTicks) > 1)
                Wrong("a stop at another distance than the policy's");
            foreach (Resting order in Exchange.Orders)
                if (order.There && !order.Over && order.Type == OrderType.Limit && order.Changing == 0
                    && Math.Abs(held.Side * (order.Price - held.Entry) - targetTicks) > 1)
                    Wrong("a target at another distance than the policy's");
        }

        // Since when the day's loss, or the distance to the floor, has been used up, and for three seconds together.
        private void LookAtMoney()
        {
            Scenario scenario = simulation.Scenario;
            bool limited = scenario.DailyLoss > 0 || scenario.FloorStart > 0;
            tainted |= ByHand || Orphaned || Exchange.Foreign != 0 || simulation.AccountNet != Exchange.Own && crashed;
            tainted |= (over || crashed) && Exchange.Own != 0; // what it makes now, nobody counts
            if (over || crashed) brokenSince = Never;
            top = Math.Max(top, Dollars);
            if (!limited || tainted || over || crashed || brokeAt != Never) return;
            bool seen = Exchange.Own == 0 && Now - Math.Max(lastHeld, launchedAt) > 12000 && SinceUp > 5000;
            if (seen) high = Math.Max(high, Dollars);
            // What an open trade is worth may be seen a moment later; what was lost is lost.
            double least = Exchange.Own == 0 ? 0 : -25 * scenario.Contracts;
            bool broken = scenario.DailyLoss > 0 ? Dollars - Costs <= least - scenario.DailyLoss
                : Dollars < least + Math.Min(high - scenario.Drawdown, scenario.Lock);
            broken &= simulation.pricesUp && SinceUp > 4000;
            if (!broken) brokenSince = Never;
            else if (brokenSince == Never) brokenSince = Now;
            if (Now - brokenSince > 5000) brokeAt = Now;
        }

        // Dollars made, open trade included; commissions, which the account's cash leaves out; dollars to a limit.
        private double Dollars
        {
            get
            {
                long mark = Exchange.Own > 0 ? Exchange.Bid : Exchange.Ask;
                return (Exchange.Paid + Exchange.Own * mark) * Simulation.DollarsOfTick;
            }
        }

        private double Costs { get { return Exchange.Traded * simulation.Scenario.Commission; } }

        private double Room
        {
            get
            {
                Scenario scenario = simulation.Scenario;
                if (scenario.DailyLoss > 0) return Dollars - Costs + scenario.DailyLoss;
                if (scenario.FloorStart == 0) return double.MaxValue;
                return Dollars - Math.Min(top - scenario.Drawdown, scenario.Lock);
            }
        }

        /// <summary>The ended strategy leaves it to the user to close what is left.</summary>
        public void GivesUp()
        {
            if (asked < 6) Wrong("an account is given up after " + asked + " flattenings");
            givenUp = true;
        }

        /// <summary>The strategy tells the user of trouble.</summary>
        public void Told(string message)
        {
            if (message == Notices.Line(Notices.ExitSlow)) slowToldAt = Now;
            limitTold |= message.Contains(Block.DailyLoss.ToString());
            limitTold |= message.Contains(Block.DrawdownFloor.ToString());
            bool bare = message == Notices.Line(Notices.Unprotected)
                || message == Notices.Line(Notices.Overshot);
            if (bare && simulation.Scenario.Shadow) Wrong("paper is closed for want of a stop");
            telling.RemoveAll(old => old.Key < Now - 15000);
            telling.Add(new KeyValuePair<long, string>(Now, message));
            if (telling.FindAll(old => old.Value == message).Count > 5)
                Wrong("the user is told again and again: " + message);
            if (!Trouble && !over && !rejects && pressedAt == Never)
                Wrong("a warning that nothing gave cause for: " + message);
        }

        // Someone else's trades have made the account flat, or turned it: the strategy's orders would open another.
        private void LookAtOtherSide(long passed)
        {
            bool other = Exchange.Own != 0 && simulation.AccountNet * Exchange.Own <= 0;
            otherSide = other && !over && !crashed && !simulation.stopping && SinceUp > 15000 ? otherSide + passed : 0;
            if (otherSide < 30000 || Orphaned) return;
            foreach (Resting order in Exchange.Orders)
                if (!order.Over && !order.Lost && order.Owner == simulation.instance)
                    Wrong("orders are left after someone else has turned the account");
        }

        // A close by hand and an exit on its way have both worked, and so may a stop or a target: once each.
        private void LookAtCrossed(long passed)
        {
            if (Exchange.Own == 0) crossed = 0;
            bool reached = simulation.ordersUp && SinceUp > 4000; // else nobody cancels, and the platform may close
            if (!reached && Now - passed < crossedUntil && crossedUntil < Never) crossedUntil += passed;
            // The connection is lost before stop and target are cancelled of a trade whose exit's execution was lost,
            // which takes 5 seconds; once it is back, a cancel takes 3 and the broker's 9.
            bool cutOff = downAt >= lostAt && downAt - lostAt < 7000 && SinceUp < 13000;
            if (cutOff || (ByHand && Now < crossedUntil))
                crossed = Math.Max(crossed, Math.Min(Math.Abs(Exchange.Own), 2 * simulation.Scenario.Contracts));
        }

        /// <summary>The platform closes, at the session's end, what it wrongly believes in, since an execution was
        /// lost or the trade was closed by hand: no program inside it can keep that from adding to what is
        /// held.</summary>
        public void ClosesWrongly(int believed)
        {
            if (ByHand) crossedUntil = Math.Max(crossedUntil, Now + 24000);
            if (Exchange.Own * believed < 0) crossed = Math.Max(crossed, Math.Abs(Exchange.Own) + Math.Abs(believed));
        }

        // Whatever the user has made of them, these are the strategy's.
        private void LookAtSettings(ScriptedStrategy strategy)
        {
            if (strategy.RealtimeErrorHandling != RealtimeErrorHandling.StopCancelClose
                || strategy.ConnectionLossHandling != ConnectionLossHandling.KeepRunning
                || strategy.StopTargetHandling != StopTargetHandling.ByStrategyPosition
                || strategy.Calculate != Calculate.OnBarClose || strategy.EntriesPerDirection != 1
                || !strategy.IsExitOnSessionCloseStrategy || strategy.ExitOnSessionCloseSeconds != 30
                || strategy.TimeInForce != TimeInForce.Gtc || strategy.StartBehavior != StartBehavior.WaitUntilFlat
                || strategy.EntryHandling != EntryHandling.AllEntries || strategy.IsUnmanaged)
                Wrong("a setting is the user's that has to be the strategy's");
        }

        // What is unkind for a while, and then over.
        private static bool Passes(Event what)
        {
            switch (what)
            {
                case Event.PricesDown:
                case Event.OrdersDown:
                case Event.AllDown:
                case Event.OtherDown:
                case Event.Quiet:
                case Event.Jump:
                case Event.BadBar:
                case Event.SetBack:
                case Event.Swing:
                case Event.NoTarget:
                case Event.BadSound:
                case Event.PartialEntry:
                case Event.PartialStop:
                case Event.PartialTarget:
                case Event.SlowOrders:
                case Event.SlowChange:
                case Event.Foreign:
                case Event.Kill:
                    return true;
                default:
                    return false;
            }
        }

        // After a connection is back, news of what happened meanwhile comes first.
        private void TooSoon(string what)
        {
            bool back = wasUp && simulation.enabled && turnedAt > launchedAt && Now - turnedAt < 3000;
            if (back && !over && !simulation.Scenario.Shadow)
                Wrong("an " + what + " as soon as the connection is back");
        }

        private void EnteringPast()
        {
            if (simulation.strategy.Position.Net != 0) Wrong("an entry while a trade is open");
            if (Now >= simulation.EndOfSession - 120000 && Now < simulation.EndOfSession + 3600000)
                Wrong("an entry when everything is to be flat");
        }
    }
}

// What comes from outside: the platform throws, bars come late, someone else closes a trade or a part of it, or the
// platform believes in one that is not there; and at which price it is then closed in the ledger.
using System;
using System.Collections.Generic;

namespace RLTrader
{
    public sealed partial class Custody
    {
        private bool toldOffTheClock;
        private Exception failure; // the first since it was told of one

        // The platform may throw whatever it is asked for, again and again: nothing is opened any more, what is held is
        // closed without the answer, and only then is the exception handed on.
        private T Asked<T>(Func<T> ask, T otherwise)
        {
            try { return ask(); }
            catch (Exception error)
            {
                halted = true;
                failure = failure ?? error;
                return otherwise;
            }
        }

        private void TellOfFailure()
        {
            Exception first = failure;
            failure = null;
            if (first != null) throw first;
        }

        // Whether the newest bar ended too long ago to trade on, since prices had stopped or come late, or has not yet
        // ended by the clock, which is then wrong or in another zone than the bars.
        private bool OffTheClock()
        {
            if (barEnds == null) return false;
            TimeSpan age = wall - barEnds.Value;
            if (age <= Patience.OldBar && age >= -Patience.EarlyBar) return false;
            if (!toldOffTheClock)
                orders.Tell("no entry is sent on a bar that ended at " + JsonLine.Time(barEnds.Value)
                    + " and was told at " + JsonLine.Time(wall) + "; look whether prices come at once, and at the clock"
                    + " and the time zone of machine and platform", false);
            toldOffTheClock = true;
            return true;
        }

        // Whether someone else has closed a part of the trade, and no exit is on its way that may yet close the rest.
        private bool PartTaken
        {
            get { return account.Less && !Leaving && !guard.SessionCloses && !account.Leaving(now); }
        }

        // Stop and target are for more than is left, and so would an exit be: filled, they would turn the account.
        private void CloseRest()
        {
            halted = true;
            flattening.Begin("someone else has closed a part of the trade; the rest is being closed", now);
        }

        // Someone else has closed the trade: the orders left behind would open another.
        private void LetGo()
        {
            halted = true;
            foreach (OwnOrder order in Trade.Orders)
                if (order.Live) Cancel(order);
            Abandon();
        }

        // Nothing is held any more; executions that are still on their way count as told where their orders show them.
        private void Abandon()
        {
            foreach (OwnOrder order in new List<OwnOrder>(Trade.Orders))
                Trade.Infer(order, orders.FilledAt(order), now, TimeSpan.Zero);
            Trade.Abandon(Quote(Trade.Net) * manifest.TickSize);
            Follow();
        }

        // The platform believes in a position that is not there, and would close it at the end of the session.
        private bool Phantom()
        {
            if (Trade.Foreseen != 0 || entrySent != null || orders.PlatformNet == 0) phantomSince = null;
            else if (phantomSince == null) phantomSince = now;
            if (phantomSince == null || now - phantomSince.Value < Patience.Account) return false;
            phantomSince = now;
            halted = true;
            orders.Tell("the platform believes in a position that is not there; the strategy stops itself", true);
            orders.Stop();
            return true;
        }

        // A stop to sell has to lie below the bid, one to buy above the ask.
        private bool AtMarket(long stop) { return Trade.Side * (Quote(Trade.Net) - stop) < orders.StopRoom; }

        // The price in ticks at which a position could be left; the newest close where nothing is quoted.
        private long Quote(int net)
        {
            double points = Asked(() => net > 0 ? orders.Bid : orders.Ask, 0);
            return points > 0 ? agent.Stream.ToTicks(points) : agent.Stream.CloseTicks;
        }
    }
}

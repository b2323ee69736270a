// The account's own position against the strategy's executions. They differ for moments while news is on its way; for
// longer only if someone else trades the instrument, or if something was left there by an earlier run.
using System;

namespace RLTrader
{
    /// <summary>Says whether the account holds what the strategy holds.</summary>
    public sealed class AccountCheck
    {
        private readonly IOrders orders;
        private bool watched, wasYoung, unknown = true; // the last: not heard of for long enough with a connection
        private DateTime begun;
        private DateTime? since, goneSince, lessSince, calmSince, leavingSince, compared;
        private int held, told, netBefore; // the account's, what of it the user was told last, the strategy's

        public AccountCheck(IOrders orders) { this.orders = orders; }

        /// <summary>Whether the two have differed for too long, or the account was not flat at the start.</summary>
        public bool Disagrees { get; private set; }

        /// <summary>Whether the account holds the strategy's trade at this moment, as far as it can be known.</summary>
        public bool Holds(int net) { return !watched || net == 0 || orders.AccountNet * net > 0; }

        /// <summary>Whether the strategy's trade has been gone from the account for too long: someone else closed it,
        /// so that the strategy's own orders would open another.</summary>
        public bool Gone { get; private set; }

        /// <summary>Whether the account has held less than the strategy's trade, on its side, for too long: someone
        /// else closed a part of it, so that the strategy's own orders would turn it.</summary>
        public bool Less { get; private set; }

        /// <summary>Whether an account is traded.</summary>
        public bool Watched { get { return watched; } }

        /// <summary>Whether the account holds something, or an order that may yet open or turn a trade: one left over,
        /// of this run or an earlier one.</summary>
        public bool Occupied { get { return watched && (orders.AccountNet != 0 || orders.OrdersLeft); } }

        /// <summary>The account's connection was lost, or is there; without it nothing is heard of what it
        /// holds.</summary>
        public void Connection(bool up, DateTime now)
        {
            if (!up) unknown |= Young(now);
            else if (unknown)
            {
                BecomeYoung(now);
                unknown = false;
            }
        }

        /// <summary>Whether the run began, or first had a connection, so short a while ago that the account
        /// may not yet show what it holds.</summary>
        public bool Young(DateTime now) { return watched && now - begun < Patience.News; }

        /// <summary>Whether it holds something, or an order, that may have been there at the start: there is no
        /// connection yet, or it was still young at the look before the newest, and looks may be seconds
        /// apart.</summary>
        public bool ShowsLate { get { return (wasYoung || unknown) && Occupied; } }

        /// <summary>Whether an exit is on its way that nobody has told of, such as the platform's own at the end of the
        /// session; one that is not filled is not waited for for ever.</summary>
        public bool Leaving(DateTime now)
        {
            if (!watched || !orders.ExitLeft) leavingSince = null;
            else if (leavingSince == null) leavingSince = now;
            return leavingSince != null && now - leavingSince.Value < Patience.Exit;
        }

        /// <summary>Whether the account has held nothing, and no order, for as long as news of it may take. Ask again
        /// and again from when it is to be so.</summary>
        public bool Calm(DateTime now)
        {
            if (orders.AccountNet != 0 || orders.OrdersLeft) calmSince = null;
            else if (calmSince == null) calmSince = now;
            bool calm = calmSince != null && now - calmSince.Value >= Patience.News;
            if (calm) calmSince = null; // of this time
            return calm;
        }

        // The run may end before the next look.
        private void BecomeYoung(DateTime now)
        {
            begun = now;
            wasYoung = watched;
        }

        /// <summary>Begin to watch; true where an earlier run, or someone else, has left something.</summary>
        public bool Begin(bool onAccount, DateTime now)
        {
            watched = onAccount;
            BecomeYoung(now);
            held = onAccount ? orders.AccountNet : 0;
            told = held;
            Disagrees = held != 0;
            if (Disagrees)
                orders.Tell("the account holds " + held + " of the instrument at the start, which are not the "
                + "strategy's; nothing is opened until they are gone", true);
            bool left = onAccount && orders.OrdersLeft;
            if (left) orders.Tell("an order of an earlier run is on the account at the start; nothing is opened until "
                + "it is gone", true);
            return Disagrees || left;
        }

        /// <summary>Compare; say when the two begin to differ, when the account then changes, and when they agree
        /// again.</summary>
        /// <param name="unsure">Whether a difference says nothing: without a connection, or while all is
        /// flattened.</param>
        public void Compare(int net, DateTime now, bool unsure)
        {
            if (!watched) return;
            wasYoung = Young(compared ?? now);
            compared = now;
            held = orders.AccountNet;
            bool gone = net != 0 && held * net <= 0 && !unsure;
            if (!gone) goneSince = null;
            else if (goneSince == null) goneSince = now;
            Gone = gone && now - goneSince.Value >= Patience.Account;
            bool less = held * net > 0 && Math.Abs(held) < Math.Abs(net) && !unsure;
            // While an entry fills, news of each part may come late, and say less than the executions all along.
            if (!less || net != netBefore) lessSince = null;
            netBefore = net;
            if (less && lessSince == null) lessSince = now;
            Less = less && now - lessSince.Value >= Patience.Account;
            if (held == net || unsure)
            {
                since = null;
                if (Disagrees && !unsure) orders.Tell("account and strategy agree again", false);
                Disagrees &= unsure;
                return;
            }
            bool known = Disagrees && held == told;
            if (since == null || known) since = now;
            if (known || now - since.Value < Patience.Account) return;
            Disagrees = true;
            told = held;
            orders.Tell("the account holds " + held + " and the strategy " + net
                + "; nothing is opened until they agree",
                true);
        }
    }
}

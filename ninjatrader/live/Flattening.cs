// The account being flattened: whatever it holds of the instrument is closed and every order cancelled, whoever's they
// are. It is asked for again until nothing has been left for as long as news of the account may take.
using System;

namespace RLTrader
{
    /// <summary>A flattening of the account, from its request to a calm account.</summary>
    public sealed class Flattening
    {
        private readonly IOrders orders;
        private readonly AccountCheck account;
        private DateTime? sent;
        private int repeated;

        public Flattening(IOrders orders, AccountCheck account)
        {
            this.orders = orders;
            this.account = account;
        }

        /// <summary>Whether one is under way.</summary>
        public bool Runs { get { return sent != null; } }

        /// <summary>Ask for it, and say why. It counts as under way even if the platform throws.</summary>
        public void Begin(string why, DateTime now)
        {
            orders.Tell(why, true);
            repeated = 0;
            sent = now;
            orders.FlattenAccount();
        }

        /// <summary>Look whether it is over, and ask for it again where it has had its time.</summary>
        public void Look(DateTime now)
        {
            bool flat = orders.AccountNet == 0;
            if (account.Calm(now)) sent = null;
            else if ((!flat || orders.OrdersLeft) && now - sent.Value >= (flat ? Patience.Stop : Patience.Exit))
            {
                sent = now;
                bool loud = (++repeated & (repeated - 1)) == 0; // the market may be closed for a weekend
                orders.Tell((flat ? "an order is left on the account" : "the account is still not flat")
                    + "; it is flattened again", loud);
                orders.FlattenAccount();
            }
        }
    }
}

// What a live run asks of the world: the strategy's order methods in NinjaTrader, or paper in shadow mode.
using System;
using System.Collections.Generic;

namespace RLTrader
{
    /// <summary>Whose fills a run goes by.</summary>
    public enum Mode
    {
        /// <summary>Bars of the past on a live chart: they feed the stream and nothing else.</summary>
        Historical,

        /// <summary>The Strategy Analyzer, which fills by rules of its own.</summary>
        Backtest,

        /// <summary>Shadow mode: fills by the environment's rules, on paper.</summary>
        Virtual,

        /// <summary>Orders go to an account, simulated or real.</summary>
        Live
    }

    /// <summary>Why a trade is closed at the market.</summary>
    public enum ExitReason { Late, StopAtMarket, Unprotected, Overshot, Blocked, Halted }

    /// <summary>What orders are called, by the strategy and by the platform; a name says what an order is
    /// for.</summary>
    public static class OrderNames
    {
        public const string Entry = "RLTrader", Stop = "Stop loss", Target = "Profit target";

        /// <summary>Stands in the log for the order, whoever's it was, that closed a trade on the account.</summary>
        public const string Gone = "gone from the account";

        // In the order of the enumeration ExitReason.
        private static readonly string[] Exits =
        {
            "RLTrader flat", "RLTrader stop", "RLTrader no stop", "RLTrader overshot", "RLTrader blocked",
                "RLTrader halted"
        };

        private static readonly Dictionary<string, Role> Roles = MakeRoles();

        public static string Exit(ExitReason reason) { return Exits[(int)reason]; }

        /// <summary>Return what an order of a name is for.</summary>
        public static Role RoleOf(string name)
        {
            Role role;
            return name != null && Roles.TryGetValue(name, out role) ? role : Role.Other;
        }

        /// <summary>Return the name of a stop or a target in English, whatever the platform's language; other orders
        /// keep theirs.</summary>
        public static string Of(Role role, string name)
        {
            return role == Role.Stop ? Stop : role == Role.Target ? Target : name;
        }

        private static Dictionary<string, Role> MakeRoles()
        {
            Dictionary<string, Role> roles = new Dictionary<string, Role>();
            roles.Add(Entry, Role.Entry);
            roles.Add(Stop, Role.Stop);
            roles.Add(Target, Role.Target);
            roles.Add("Exit on session close", Role.Exit); // the platform's own, as the next
            roles.Add("Close", Role.Exit);
            foreach (string exit in Exits) roles.Add(exit, Role.Exit);
            return roles;
        }
    }

    /// <summary>Orders, quotes, clock and account of a run. Any order method may call back before it returns.</summary>
    public interface IOrders
    {
        /// <summary>UTC.</summary>
        DateTime Now { get; }

        /// <summary>Best prices in points; 0 where there is none.</summary>
        double Bid { get; }
        double Ask { get; }

        /// <summary>Ticks that a stop has to lie behind the price at which the position could be left.</summary>
        int StopRoom { get; }

        /// <summary>Contracts that the account holds of the instrument, whoever bought them.</summary>
        int AccountNet { get; }

        /// <summary>Whether an order by one of the strategy's names is still alive on the account, whichever run sent
        /// it.</summary>
        bool OrdersLeft { get; }

        /// <summary>Whether an exit, or an order at the market that is no entry, is alive on the account.</summary>
        bool ExitLeft { get; }

        /// <summary>Look through the account's orders; return the platform's own exit where one has come that no event
        /// tells of.</summary>
        /// <param name="closing">Whether the platform is closing everything, so that a new exit is its own.</param>
        OwnOrder PlatformExit(bool closing);

        /// <summary>Contracts that the platform believes the strategy to hold; an entry the other way would reverse
        /// them.</summary>
        int PlatformNet { get; }

        /// <summary>The account's cash in dollars, open trades left out; NaN where it does not say.</summary>
        double AccountCash { get; }

        /// <summary>End of the session that a time belongs to, in UTC; DateTime.MaxValue where it is not
        /// known.</summary>
        DateTime SessionEnd(DateTime utc);

        /// <summary>Send a market entry with its stop and target; false where the platform ignored it.</summary>
        bool Enter(int side, int quantity, int stopTicks, int targetTicks);

        /// <summary>Close that many contracts of a long (1) or short (-1) position; false where it was
        /// ignored.</summary>
        bool Exit(int side, int quantity, ExitReason reason);

        /// <summary>Ask for the open trade's stop to stand at a price in ticks.</summary>
        void MoveStop(long ticks);

        void Cancel(OwnOrder order);

        /// <summary>Bring an order's fields up to date.</summary>
        void Refresh(OwnOrder order);

        /// <summary>Average price in points at which an order was filled.</summary>
        double FilledAt(OwnOrder order);

        /// <summary>Cancel every order and close every position of the instrument on the account.</summary>
        void FlattenAccount();

        /// <summary>Stop the strategy, which nothing but the user starts again.</summary>
        void Stop();

        /// <summary>Tell the user; loud ones also by pop-up, sound and mail.</summary>
        void Tell(string text, bool loud);
    }
}

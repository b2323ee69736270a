// How long the care for a trade waits for what, in one place.
using System;

namespace RLTrader
{
    /// <summary>Times that are given to a platform and a broker.</summary>
    public static class Patience
    {
        /// <summary>An entry may stay unfilled so long, and is cancelled.</summary>
        public static readonly TimeSpan Entry = TimeSpan.FromSeconds(30);

        /// <summary>An exit may stay unanswered so long before the user is told; flattening is asked for
        /// again.</summary>
        public static readonly TimeSpan Exit = TimeSpan.FromSeconds(20);

        /// <summary>A position may lack a working stop so long, and is closed.</summary>
        public static readonly TimeSpan Stop = TimeSpan.FromSeconds(5);

        /// <summary>An order may count more contracts than executions told so long; then they are booked.</summary>
        public static readonly TimeSpan Fill = TimeSpan.FromSeconds(5);

        /// <summary>The account may differ from the executions so long.</summary>
        public static readonly TimeSpan Account = TimeSpan.FromSeconds(12);

        /// <summary>After a connection is back, news may come so long before anything is sent; an account's cash and
        /// the fill that changed it may come so far apart.</summary>
        public static readonly TimeSpan Settling = TimeSpan.FromSeconds(3);

        /// <summary>The platform, which closes a position after a rejection, has so long for it.</summary>
        public static readonly TimeSpan Platform = TimeSpan.FromSeconds(10);

        /// <summary>News of the account's position may come so long after the fill that changed it.</summary>
        public static readonly TimeSpan News = TimeSpan.FromSeconds(10);

        /// <summary>A bar may have ended so long ago and still be traded on: it is told by the next one's first price,
        /// and some minutes have none.</summary>
        public static readonly TimeSpan OldBar = TimeSpan.FromMinutes(3);

        /// <summary>A bar may end so long after the machine's clock, which may be a little slow.</summary>
        public static readonly TimeSpan EarlyBar = TimeSpan.FromMinutes(1);

        /// <summary>Between two tries of an exit.</summary>
        public static readonly TimeSpan Again = TimeSpan.FromSeconds(1);
    }
}

// What the user is told where something is left to them, or a trade is closed for them: whole sentences, each once.
using System.Collections.Generic;

namespace RLTrader
{
    /// <summary>Sentences for the user that others go by: the simulated platform compares them whole.</summary>
    public static class Notices
    {
        public const string ExitSlow = "an exit is still not filled; look at the account";
        public const string GivenUp = "the account is still not flat; close it by hand";
        public const string Unprotected = "the trade is closed at the market: it has had no working stop";
        public const string Overshot = "the trade is closed at the market: a stop and an exit were both filled";

        /// <summary>Return the line of NinjaTrader's log that a sentence is told in.</summary>
        public static string Line(string sentence) { return "RLTrader: " + sentence; }
    }

    /// <summary>Sentences that may come every second: each is told the first, the second, the fourth, the eighth time
    /// and so on.</summary>
    public sealed class Repeats
    {
        private readonly Dictionary<string, int> counts = new Dictionary<string, int>();

        /// <summary>Whether a sentence that has come once more is told.</summary>
        public bool Due(string sentence)
        {
            int count;
            counts.TryGetValue(sentence, out count);
            counts[sentence] = ++count;
            return (count & (count - 1)) == 0;
        }
    }
}

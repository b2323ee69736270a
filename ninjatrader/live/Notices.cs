// What the user is told where something is left to them, or a trade is closed for them: whole sentences, each once.
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
}

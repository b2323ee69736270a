// Fusion of a policy with advice at the action; the equations are those of docs/advice.md. Inputs and settings
// are 32-bit floats, sums are 64-bit.
using System;

namespace RLTrader
{
    /// <summary>Rules by which advice and policy meet; a bundle has their names in small letters.</summary>
    public enum FusionRule { Weighted, Gated, Agreement, Veto, Alone }

    /// <summary>How advice and policy are brought together; a weight of 0 is the bare policy.</summary>
    public sealed class FusionSettings
    {
        public FusionRule Rule = FusionRule.Gated;
        public float Weight = 0.3f, Threshold = 0.7f, LeastLeft = 0.2f, Fade = 0.1f;
        public int MostLosses = 3, Every = 5, Cooldown = 3, MostAge = 10;
        public bool AtEntries = true;
        private const int Most = 1000; // bars, minutes or trades

        /// <summary>Read a bundle's settings of fusion; throws BundleException where one makes no sense.</summary>
        public static FusionSettings Of(object values)
        {
            FusionSettings made = new FusionSettings();
            made.Rule = RuleOf(Json.Text(values, "rule"));
            made.Weight = Between(values, "weight", 100);
            made.Threshold = Between(values, "threshold", 1);
            made.LeastLeft = Between(values, "least_left", 1);
            made.Fade = Between(values, "fade", 1);
            made.MostLosses = WholeFrom(values, "most_losses", 1);
            made.Every = WholeFrom(values, "every", 1);
            made.Cooldown = WholeFrom(values, "cooldown", 0);
            made.MostAge = WholeFrom(values, "most_age", 0);
            made.AtEntries = Json.Cast<bool>(Json.Get(values, "at_entries"), "at_entries");
            return made;
        }

        /// <summary>The rule as a bundle has it.</summary>
        public string RuleName { get { return NameOf(Rule); } }

        /// <summary>What is left of advice that could have acted so many minutes ago; 0 where too old.</summary>
        public float Freshness(int minutes)
        {
            return minutes < 0 || minutes > MostAge ? 0f : (float)Math.Pow(1.0 - (double)Fade, minutes);
        }

        private static FusionRule RuleOf(string name)
        {
            foreach (FusionRule rule in Enum.GetValues(typeof(FusionRule)))
                if (NameOf(rule) == name) return rule;
            throw new BundleException("fusion rule " + name + " is not known; use a newer strategy");
        }

        private static string NameOf(FusionRule rule) { return rule.ToString().ToLowerInvariant(); }

        private static float Between(object values, string name, double most)
        {
            return (float)Within(name, Json.Number(values, name), 0, most);
        }

        private static int WholeFrom(object values, string name, int least)
        {
            return (int)Within(name, Json.Whole(values, name), least, Most);
        }

        private static double Within(string name, double number, double least, double most)
        {
            if (!(number >= least && number <= most))
                throw new BundleException("fusion setting " + name + " is not from " + least + " to " + most
                    + "; export the policy anew");
            return number;
        }
    }

    /// <summary>What a decision is made on, beside the policy's logits and the mask.</summary>
    public struct Situation
    {
        /// <summary>Chances of hold, buy and sell.</summary>
        public float[] Advice;
        public float Confidence;

        /// <summary>1 for advice that could not be newer, less with age, 0 for none.</summary>
        public float Fresh;

        /// <summary>Losing trades in a row.</summary>
        public int Losses;

        /// <summary>Share of the trailing drawdown between equity and its floor.</summary>
        public float Left;
    }

    public static class Fusion
    {
        // Part of the advice that is spread evenly over hold, buy and sell.
        private const double Floor = 0.03;
        private const double Forbidden = -1e8;
        private const int Hold = 0, Buy = 1, Sell = 2;

        /// <summary>Return the chance of each action and the likeliest, the first of equals.</summary>
        public static int Fuse(double[] logits, bool[] mask, Situation given, FusionSettings settings,
            double[] chances)
        {
            int count = logits.Length;
            double[] scores = new double[count];
            bool[] allowed = (bool[])mask.Clone();
            double total = PolicyRunner.LogSumExp(logits);
            for (int a = 0; a < count; a++) scores[a] = logits[a] - total;
            if (settings.Weight > 0) Apply(given, settings, scores, allowed);
            for (int a = 0; a < count; a++) if (!allowed[a]) scores[a] = Forbidden;
            double again = PolicyRunner.LogSumExp(scores);
            int best = 0;
            for (int a = 0; a < count; a++)
            {
                chances[a] = Math.Exp(scores[a] - again);
                if (chances[a] > chances[best]) best = a;
            }
            return best;
        }

        private static void Apply(Situation given, FusionSettings settings, double[] scores, bool[] allowed)
        {
            int count = scores.Length;
            double[] advice = new double[count];
            // What is not advised on, the actions on an open trade, shares hold's chance.
            for (int a = 0; a < count; a++)
                advice[a] = Math.Log((1 - Floor) * given.Advice[a <= Sell ? a : Hold] + Floor / 3);
            bool has = given.Fresh > 0;
            double strength = (double)settings.Weight * given.Fresh;
            switch (settings.Rule)
            {
                case FusionRule.Alone:
                    Array.Copy(advice, scores, count);
                    for (int a = 1; a < count; a++) allowed[a] &= has;
                    return;
                case FusionRule.Agreement:
                    if (has) AllowWhatIsAdvised(advice, allowed);
                    return;
                case FusionRule.Gated:
                    if (!(given.Confidence >= settings.Threshold)) return;
                    break;
                case FusionRule.Veto:
                    if (given.Losses >= settings.MostLosses || given.Left < settings.LeastLeft)
                        allowed[Buy] = allowed[Sell] = false;
                    break;
            }
            if (strength > 0)
                for (int a = 0; a < count; a++) scores[a] += strength * advice[a];
        }

        private static void AllowWhatIsAdvised(double[] advice, bool[] allowed)
        {
            int wish = -1;
            for (int a = 0; a < advice.Length; a++)
                if (allowed[a] && (wish < 0 || advice[a] > advice[wish])) wish = a;
            allowed[Buy] &= wish == Buy;
            allowed[Sell] &= wish == Sell;
        }
    }
}

// Fusion of a policy with advice at the action; the equations are those of docs/advice.md. Inputs and settings
// are 32-bit floats, sums are 64-bit.
using System;

namespace RLTrader
{
    /// <summary>How advice and policy are brought together; a weight of 0 is the bare policy.</summary>
    public sealed class FusionSettings
    {
        public string Rule = "gated";
        public float Weight = 0.3f, Threshold = 0.7f, LeastLeft = 0.2f, Fade = 0.1f;
        public int MostLosses = 3, Every = 5, Cooldown = 3, MostAge = 10;
        public bool AtEntries = true;

        /// <summary>Read a bundle's settings of fusion; throws BundleException where one makes no sense.</summary>
        public static FusionSettings Of(object values)
        {
            FusionSettings made = new FusionSettings();
            made.Rule = Json.Text(values, "rule");
            if (Array.IndexOf(Fusion.Rules, made.Rule) < 0)
                throw new BundleException("fusion rule " + made.Rule + " is not known; use a newer strategy");
            made.Weight = Between(values, "weight", 100);
            made.Threshold = Between(values, "threshold", 1);
            made.LeastLeft = Between(values, "least_left", 1);
            made.Fade = Between(values, "fade", 1);
            made.MostLosses = Json.Whole(values, "most_losses");
            made.Every = Math.Max(1, Json.Whole(values, "every"));
            made.Cooldown = Json.Whole(values, "cooldown");
            made.MostAge = Json.Whole(values, "most_age");
            made.AtEntries = Json.Cast<bool>(Json.Get(values, "at_entries"), "at_entries");
            return made;
        }

        /// <summary>What is left of advice that could have acted so many minutes ago; 0 where too old.</summary>
        public float Freshness(int minutes)
        {
            return minutes < 0 || minutes > MostAge ? 0f : (float)Math.Pow(1.0 - (double)Fade, minutes);
        }

        private static float Between(object values, string name, double most)
        {
            double number = Json.Number(values, name);
            if (!(number >= 0 && number <= most))
                throw new BundleException("fusion setting " + name + " is not from 0 to " + most
                    + "; export the policy anew");
            return (float)number;
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
        public static readonly string[] Rules = { "weighted", "gated", "agreement", "veto", "alone" };

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
            double total = LogSumExp(logits);
            for (int a = 0; a < count; a++) scores[a] = logits[a] - total;
            if (settings.Weight > 0) Apply(given, settings, scores, allowed);
            for (int a = 0; a < count; a++) if (!allowed[a]) scores[a] = Forbidden;
            double again = LogSumExp(scores);
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
            string rule = settings.Rule;
            double strength = (double)settings.Weight * given.Fresh;
            if (rule == "gated" && !(given.Confidence >= settings.Threshold)) strength = 0;
            if (rule == "agreement") strength = 0;
            if (rule == "alone")
            {
                Array.Copy(advice, scores, count);
                for (int a = 1; a < count; a++) allowed[a] &= has;
                return;
            }
            if (strength > 0)
                for (int a = 0; a < count; a++) scores[a] += strength * advice[a];
            if (rule == "agreement" && has)
            {
                int wish = -1;
                for (int a = 0; a < count; a++)
                    if (allowed[a] && (wish < 0 || advice[a] > advice[wish])) wish = a;
                allowed[Buy] &= wish == Buy;
                allowed[Sell] &= wish == Sell;
            }
            if (rule == "veto" && (given.Losses >= settings.MostLosses || given.Left < settings.LeastLeft))
                allowed[Buy] = allowed[Sell] = false;
        }

        private static double LogSumExp(double[] x)
        {
            double most = x[0], sum = 0;
            foreach (double number in x) most = Math.Max(most, number);
            foreach (double number in x) sum += Math.Exp(number - most);
            return most + Math.Log(sum);
        }
    }
}

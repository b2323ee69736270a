// Goes from raw bars to actions and compares every stage with what golden.json, or a day's file, says.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;

namespace RLTrader
{
    /// <summary>Expected values of a bundle, held against this code.</summary>
    public sealed class Golden
    {
        private const double FeatureLimit = 1e-9, ObservationLimit = 1e-6, LogitLimit = 1e-6;

        private readonly string folder;
        private readonly object said;
        private readonly List<Bar> bars;
        private readonly Tally tally = new Tally();

        private Golden(string folder, object said, List<Bar> bars)
        {
            this.folder = folder;
            this.said = said;
            this.bars = bars;
        }

        /// <summary>Check a bundle's golden.json, which holds its own bars; 0 where all agrees, else 1.</summary>
        public static int OfBundle(string folder)
        {
            object said = Json.Parse(File.ReadAllText(Path.Combine(folder, "golden.json"), Encoding.UTF8));
            if (Json.Array(said, "far").Count == 0)
                throw new BundleException("golden.json says nothing beyond the clip; export the policy anew");
            return new Golden(folder, said, OwnBars(said)).Check();
        }

        /// <summary>Check what a file says of a whole day, on a file of raw bars.</summary>
        public static int OfDay(string folder, string bars, string day)
        {
            return new Golden(folder, Json.Parse(File.ReadAllText(day, Encoding.UTF8)), BarFile.Read(bars)).Check();
        }

        private int Check()
        {
            CheckFeatures();
            List<object> episodes = Json.Array(said, "episodes");
            Dictionary<long, object> cases = new Dictionary<long, object>();
            foreach (object entry in Json.Array(said, "cases"))
                cases[Json.Whole(entry, "episode") * 1000000L + Json.Whole(entry, "step")] = entry;
            long steps = 0;
            for (int number = 0; number < episodes.Count; number++)
            {
                List<object> episode = Json.Cast<List<object>>(episodes[number], "episodes");
                steps += episode.Count;
                CheckEpisode(episode, number, cases);
            }
            if (Json.Has(said, "far")) CheckFar();
            Console.WriteLine(tally.ToJson());
            bool good = tally.Worst("features") <= 1 && tally.Worst("observation") <= 1 && tally.Worst("logits") <= 1
                && tally.Worst("far_logits") <= 1
                && tally.Counts["distances_differ"] == 0 && tally.Counts["masks_differ"] == 0
                    && tally.Counts["actions_differ"] == 0
                && tally.Counts["cases"] == cases.Count && cases.Count > 0 && tally.Counts["decisions"] == steps
                && tally.Counts["features"] == Json.Array(said, "features").Count && tally.Counts["features"] > 0;
            return good ? 0 : 1;
        }

        private void CheckFeatures()
        {
            Dictionary<long, object> wanted = new Dictionary<long, object>();
            foreach (object entry in Json.Array(said, "features")) wanted[(long)Json.Number(entry, "time")] = entry;
            FeatureStream stream = new FeatureStream(Manifest.Load(folder));
            foreach (Bar bar in bars)
            {
                object entry;
                if (!stream.Add(bar.Open, bar.High, bar.Low, bar.Close, bar.Volume)
                    || !wanted.TryGetValue(bar.Time, out entry))
                    continue;
                double[] values = Numbers(entry, "values", FeatureStream.Features);
                for (int i = 0; i < values.Length; i++)
                    tally.Measure("features", Manifest.KnownFeatures[i], values[i], stream.Newest[i], FeatureLimit,
                        FeatureLimit);
                bool same = stream.StopTicks == Json.Whole(entry, "stop_ticks")
                    && stream.TargetTicks == Json.Whole(entry, "target_ticks")
                    && stream.TrailTicks == Json.Whole(entry, "trail_ticks");
                tally.Count("distances_differ", same ? 0 : 1);
                tally.Count("features", 1);
            }
        }

        private void CheckEpisode(List<object> steps, int number, Dictionary<long, object> cases)
        {
            Agent agent = new Agent(folder);
            int step = 0;
            foreach (Bar bar in bars)
            {
                if (step == steps.Count) break;
                if (!agent.OnBar(bar.Open, bar.High, bar.Low, bar.Close, bar.Volume)) continue;
                object entry = steps[step];
                if (bar.Time != (long)Json.Number(entry, "time")) continue;
                if (!agent.Stream.Ready)
                    throw new BundleException("too few bars before the first decision; give at least "
                        + FeatureStream.Preload + " of the session");
                int action = agent.Decide(), taken = Json.Whole(entry, "taken");
                tally.Count("decisions", 1);
                tally.Count("actions_differ", action == Json.Whole(entry, "wanted") ? 0 : 1);
                object expected;
                if (cases.TryGetValue(number * 1000000L + step, out expected)) Compare(agent, expected);
                Follow(agent, entry, taken);
                step++;
            }
        }

        // In training's order: an exit of an older trade, the action, an entry, and an exit of that one.
        private static void Follow(Agent agent, object entry, int taken)
        {
            bool exited = Json.Has(entry, "exited"), entered = Json.Has(entry, "entered");
            if (exited && agent.Position.Side != 0) agent.Position.Exited();
            agent.Position.Stands(agent.Manage(taken), agent.Position.Target);
            if (!entered) return;
            object fill = Json.Get(entry, "entered");
            int side = Json.Whole(fill, "side");
            if (side != 1 && side != -1) throw new BundleException("\"side\" is neither 1 nor -1; make the file anew");
            agent.Entered(side, Json.Number(fill, "price"));
            if (exited) agent.Position.Exited();
        }

        private void Compare(Agent agent, object expected)
        {
            Manifest m = agent.Policy.Manifest;
            double[] observation = Numbers(expected, "observation", m.Size),
                logits = Numbers(expected, "logits", m.Actions);
            bool same = Json.Flags(expected, "mask").SequenceEqual(agent.Mask);
            for (int i = 0; i < observation.Length; i++)
                tally.Measure("observation", "number " + i.ToString(CultureInfo.InvariantCulture),
                    (float)observation[i], agent.Observation[i], 1e-9, ObservationLimit);
            for (int i = 0; i < logits.Length; i++)
                tally.Measure("logits", Manifest.KnownActions[i], logits[i], agent.Policy.Logits[i], LogitLimit,
                    LogitLimit);
            tally.Count("masks_differ", same ? 0 : 1);
            tally.Count("cases", 1);
        }

        // Market data rarely reaches the clip; these observations are made to.
        private void CheckFar()
        {
            PolicyRunner runner = new PolicyRunner(folder);
            foreach (object entry in Json.Array(said, "far"))
            {
                float[] observation =
                    Array.ConvertAll(Numbers(entry, "observation", runner.Manifest.Size), x => (float)x);
                int action = runner.Decide(observation, Mask(entry, runner.Manifest));
                double[] logits = Numbers(entry, "logits", runner.Manifest.Actions);
                for (int i = 0; i < logits.Length; i++)
                    tally.Measure("far_logits", Manifest.KnownActions[i], logits[i], runner.Logits[i], LogitLimit,
                        LogitLimit);
                tally.Count("far", 1);
                tally.Count("actions_differ", action == Json.Whole(entry, "action") ? 0 : 1);
            }
        }

        /// <summary>A case's mask, of the policy's length.</summary>
        public static bool[] Mask(object entry, Manifest m)
        {
            bool[] mask = Json.Flags(entry, "mask");
            if (mask.Length != m.Actions) throw WrongLength("mask", m.Actions);
            return mask;
        }

        /// <summary>Numbers of which there must be that many.</summary>
        public static double[] Numbers(object entry, string name, int count)
        {
            double[] found = Json.Numbers(entry, name);
            if (found.Length != count) throw WrongLength(name, count);
            return found;
        }

        private static BundleException WrongLength(string name, int count)
        {
            return new BundleException("\"" + name + "\" does not hold " + count.ToString(CultureInfo.InvariantCulture)
                + " values; the file is not of this bundle, so make it anew");
        }

        private static List<Bar> OwnBars(object said)
        {
            object columns = Json.Get(said, "bars");
            double[] time = Json.Numbers(columns, "time");
            double[] high = Numbers(columns, "high", time.Length), low = Numbers(columns, "low", time.Length);
            double[] close = Numbers(columns, "close", time.Length), volume = Numbers(columns, "volume", time.Length);
            List<Bar> bars = new List<Bar>(time.Length);
            for (int i = 0; i < time.Length; i++)
                bars.Add(new Bar { Time = (long)time[i], Open = BarFile.Epoch.AddSeconds(time[i]), High = high[i],
                    Low = low[i], Close = close[i], Volume = volume[i] });
            return bars;
        }

        /// <summary>Largest differences by stage, and counts.</summary>
        private sealed class Tally
        {
            public readonly Dictionary<string, long> Counts = new Dictionary<string, long>
            {
                { "features", 0 }, { "distances_differ", 0 }, { "decisions", 0 }, { "actions_differ", 0 },
                    { "cases", 0 }, { "masks_differ", 0 }, { "far", 0 }
            };
            private readonly Dictionary<string, double> apart = new Dictionary<string, double>();
            private readonly Dictionary<string, double> shares = new Dictionary<string, double>();
            private readonly Dictionary<string, string> first = new Dictionary<string, string>();

            public void Count(string name, int more) { Counts[name] += more; }

            public double Worst(string stage) { return shares.ContainsKey(stage) ? shares[stage] : 0; }

            public void Measure(string stage, string place, double expected, double found, double absolute,
                double relative)
            {
                double distance = Math.Abs(found - expected),
                    share = distance / (absolute + relative * Math.Abs(expected));
                if (double.IsNaN(share)) distance = share = double.PositiveInfinity;
                if (!apart.ContainsKey(stage)) { apart[stage] = 0; shares[stage] = 0; }
                if (share > 1 && !first.ContainsKey(stage)) first[stage] = place;
                apart[stage] = Math.Max(apart[stage], distance);
                shares[stage] = Math.Max(shares[stage], share);
            }

            public string ToJson()
            {
                List<string> parts = new List<string>();
                foreach (KeyValuePair<string, long> count in Counts)
                    parts.Add("\"" + count.Key + "\": " + count.Value.ToString(CultureInfo.InvariantCulture));
                foreach (KeyValuePair<string, double> stage in apart)
                    parts.Add("\"" + stage.Key + "_difference\": " + Number(stage.Value) + ", \"" + stage.Key
                        + "_share_of_limit\": " + Number(shares[stage.Key]));
                foreach (KeyValuePair<string, string> place in first)
                    parts.Add("\"" + place.Key + "_first\": \"" + place.Value + "\"");
                return "{" + string.Join(", ", parts) + "}";
            }

            private static string Number(double x)
            {
                return double.IsInfinity(x) ? "1e999" : JsonLine.Digits(x);
            }
        }
    }
}

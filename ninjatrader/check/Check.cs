// Checks a bundle from the command line, without NinjaTrader:
//   mono check.exe golden BUNDLE             golden.json from raw bars to action, as JSON; exit code 1 beyond limits
//   mono check.exe decide BUNDLE IN OUT      every stage of decisions on given observations, in binary
//   mono check.exe features BUNDLE IN OUT    features of a file of bars, in binary
//   mono check.exe clock BUNDLE IN OUT       New York minutes of UTC times, in binary
//   mono check.exe latency BUNDLE COUNT      microseconds of single decisions, as JSON
// A first argument --culture=de-DE does it under that culture, which must not change a number.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;

namespace RLTrader
{
    public static class Check
    {
        private const double FeatureLimit = 1e-9, ObservationLimit = 1e-6, LogitLimit = 1e-6;
        private const string CultureFlag = "--culture=";
        private static readonly DateTime Epoch = new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc);

        public static int Main(string[] args)
        {
            try
            {
                if (args.Length > 0 && args[0].StartsWith(CultureFlag, StringComparison.Ordinal))
                {
                    Thread.CurrentThread.CurrentCulture = new CultureInfo(args[0].Substring(CultureFlag.Length));
                    Console.Error.WriteLine((1.5).ToString()); // the culture's own spelling, to show that it is in force
                    args = args.Skip(1).ToArray();
                }
                if (args.Length >= 2 && args[0] == "golden") return Golden(args[1]);
                if (args.Length == 4 && args[0] == "decide") return Decide(args[1], args[2], args[3]);
                if (args.Length == 4 && args[0] == "features") return StreamFile(args[1], args[2], args[3]);
                if (args.Length == 4 && args[0] == "clock") return Clock(args[2], args[3]);
                if (args.Length == 3 && args[0] == "latency") return Latency(args[1], int.Parse(args[2], CultureInfo.InvariantCulture));
                Console.Error.WriteLine("usage: check golden|decide|features|clock|latency BUNDLE ...");
                return 2;
            }
            catch (BundleException error)
            {
                Console.Error.WriteLine("error: " + error.Message);
                return 2;
            }
        }

        private static int Golden(string folder)
        {
            object golden = Json.Parse(File.ReadAllText(Path.Combine(folder, "golden.json"), Encoding.UTF8));
            Tally tally = new Tally();
            CheckFeatures(folder, golden, tally);
            List<object> episodes = Json.Array(golden, "episodes");
            Dictionary<long, object> cases = new Dictionary<long, object>();
            foreach (object entry in Json.Array(golden, "cases"))
                cases[Json.Whole(entry, "episode") * 1000000L + Json.Whole(entry, "step")] = entry;
            for (int number = 0; number < episodes.Count; number++)
                CheckEpisode(folder, golden, (List<object>)episodes[number], number, cases, tally);
            CheckFar(folder, golden, tally);
            Console.WriteLine(tally.ToJson());
            bool good = tally.Worst("features") <= 1 && tally.Worst("observation") <= 1 && tally.Worst("logits") <= 1 && tally.Worst("far_logits") <= 1 && tally.Counts["far"] > 0
                && tally.Counts["distances_differ"] == 0 && tally.Counts["masks_differ"] == 0 && tally.Counts["actions_differ"] == 0
                && tally.Counts["cases"] == cases.Count && tally.Counts["features"] > 0;
            return good ? 0 : 1;
        }

        private static void CheckFeatures(string folder, object golden, Tally tally)
        {
            Dictionary<long, object> wanted = new Dictionary<long, object>();
            foreach (object entry in Json.Array(golden, "features")) wanted[(long)Json.Number(entry, "time")] = entry;
            FeatureStream stream = new FeatureStream(Manifest.Load(folder));
            foreach (Bar bar in Bars(golden))
            {
                object entry;
                if (!stream.Add(bar.Open, bar.High, bar.Low, bar.Close, bar.Volume) || !wanted.TryGetValue(bar.Time, out entry)) continue;
                double[] values = Json.Numbers(entry, "values");
                for (int i = 0; i < values.Length; i++) tally.Measure("features", Manifest.KnownFeatures[i], values[i], stream.Newest[i], FeatureLimit, FeatureLimit);
                bool same = stream.StopTicks == Json.Whole(entry, "stop_ticks") && stream.TargetTicks == Json.Whole(entry, "target_ticks")
                    && stream.TrailTicks == Json.Whole(entry, "trail_ticks");
                tally.Count("distances_differ", same ? 0 : 1);
                tally.Count("features", 1);
            }
        }

        private static void CheckEpisode(string folder, object golden, List<object> steps, int number, Dictionary<long, object> cases, Tally tally)
        {
            Agent agent = new Agent(folder);
            int step = 0;
            foreach (Bar bar in Bars(golden))
            {
                if (step == steps.Count) break;
                if (!agent.OnBar(bar.Open, bar.High, bar.Low, bar.Close, bar.Volume)) continue;
                object entry = steps[step];
                if (bar.Time != (long)Json.Number(entry, "time")) continue;
                int action = agent.Decide(), taken = Json.Whole(entry, "taken");
                tally.Count("decisions", 1);
                tally.Count("actions_differ", action == Json.Whole(entry, "wanted") ? 0 : 1);
                object expected;
                if (cases.TryGetValue(number * 1000000L + step, out expected)) Compare(agent, expected, tally);
                Follow(agent, entry, taken);
                step++;
            }
        }

        // In training's order: an exit of an older trade, the action, an entry, and an exit of that one.
        private static void Follow(Agent agent, object entry, int taken)
        {
            bool exited = Json.Has(entry, "exited"), entered = Json.Has(entry, "entered");
            if (exited && agent.Position.Side != 0) agent.Position.Exited();
            agent.Manage(taken);
            if (!entered) return;
            object fill = Json.Get(entry, "entered");
            agent.Entered(Json.Whole(fill, "side"), Json.Number(fill, "price"));
            if (exited) agent.Position.Exited();
        }

        private static void Compare(Agent agent, object expected, Tally tally)
        {
            double[] observation = Json.Numbers(expected, "observation"), logits = Json.Numbers(expected, "logits");
            List<object> mask = Json.Array(expected, "mask");
            bool same = mask.Count == agent.Mask.Length;
            for (int i = 0; same && i < mask.Count; i++) same = (bool)mask[i] == agent.Mask[i];
            for (int i = 0; i < observation.Length; i++)
                tally.Measure("observation", "number " + i.ToString(CultureInfo.InvariantCulture), (float)observation[i], agent.Observation[i], 1e-9, ObservationLimit);
            for (int i = 0; i < logits.Length; i++)
                tally.Measure("logits", Manifest.KnownActions[i], logits[i], agent.Policy.Logits[i], LogitLimit, LogitLimit);
            tally.Count("masks_differ", same ? 0 : 1);
            tally.Count("cases", 1);
        }

        // Market data rarely reaches the clip; these observations are made to.
        private static void CheckFar(string folder, object golden, Tally tally)
        {
            PolicyRunner runner = new PolicyRunner(folder);
            foreach (object entry in Json.Array(golden, "far"))
            {
                float[] observation = Array.ConvertAll(Json.Numbers(entry, "observation"), x => (float)x);
                bool[] mask = Json.Array(entry, "mask").ConvertAll(x => (bool)x).ToArray();
                int action = runner.Decide(observation, mask);
                double[] logits = Json.Numbers(entry, "logits");
                for (int i = 0; i < logits.Length; i++)
                    tally.Measure("far_logits", Manifest.KnownActions[i], logits[i], runner.Logits[i], LogitLimit, LogitLimit);
                tally.Count("far", 1);
                tally.Count("actions_differ", action == Json.Whole(entry, "action") ? 0 : 1);
            }
        }

        private static int Decide(string folder, string input, string output)
        {
            PolicyRunner runner = new PolicyRunner(folder);
            Manifest m = runner.Manifest;
            using (BinaryReader reader = new BinaryReader(File.OpenRead(input)))
            using (BinaryWriter writer = new BinaryWriter(new BufferedStream(File.Create(output), 1 << 16)))
            {
                int rows = reader.ReadInt32();
                for (int row = 0; row < rows; row++)
                {
                    float[] observation = new float[m.Size];
                    bool[] mask = new bool[m.Actions];
                    for (int i = 0; i < m.Size; i++) observation[i] = reader.ReadSingle();
                    for (int i = 0; i < m.Actions; i++) mask[i] = reader.ReadByte() != 0;
                    int action = runner.Decide(observation, mask);
                    runner.Value();
                    Write(writer, runner.Standardised);
                    Write(writer, runner.Clipped);
                    foreach (LayerShape layer in m.Policy) Write(writer, runner.Output(layer.Name));
                    foreach (LayerShape layer in m.Value) Write(writer, runner.Output(layer.Name));
                    writer.Write((double)action);
                }
            }
            return 0;
        }

        private static int StreamFile(string folder, string input, string output)
        {
            FeatureStream stream = new FeatureStream(Manifest.Load(folder));
            using (StreamReader reader = new StreamReader(input))
            using (BinaryWriter writer = new BinaryWriter(new BufferedStream(File.Create(output), 1 << 16)))
                for (string line = reader.ReadLine(); line != null; line = reader.ReadLine())
                {
                    double[] x = Array.ConvertAll(line.Split(','), part => double.Parse(part, NumberStyles.Float, CultureInfo.InvariantCulture));
                    if (!stream.Add(Epoch.AddSeconds(x[0]), x[1], x[2], x[3], x[4])) continue;
                    Write(writer, stream.Newest);
                    Write(writer, new double[] { stream.StopTicks, stream.TargetTicks, stream.TrailTicks });
                }
            return 0;
        }

        private static int Clock(string input, string output)
        {
            using (BinaryReader reader = new BinaryReader(File.OpenRead(input)))
            using (BinaryWriter writer = new BinaryWriter(File.Create(output)))
                for (int left = reader.ReadInt32(); left > 0; left--)
                    writer.Write(NewYork.Minute(Epoch.AddSeconds(reader.ReadInt64())));
            return 0;
        }

        private static int Latency(string folder, int count)
        {
            PolicyRunner runner = new PolicyRunner(folder);
            List<object> cases = Json.Array(Json.Parse(File.ReadAllText(Path.Combine(folder, "golden.json"), Encoding.UTF8)), "cases");
            List<float[]> seen = cases.ConvertAll(entry => Array.ConvertAll(Json.Numbers(entry, "observation"), x => (float)x));
            List<bool[]> masks = cases.ConvertAll(entry => Json.Array(entry, "mask").ConvertAll(x => (bool)x).ToArray());
            for (int i = 0; i < count; i++) runner.Decide(seen[i % seen.Count], masks[i % seen.Count]);
            StringBuilder text = new StringBuilder("[");
            Stopwatch watch = new Stopwatch();
            for (int i = 0; i < count; i++)
            {
                watch.Restart();
                runner.Decide(seen[i % seen.Count], masks[i % seen.Count]);
                watch.Stop();
                text.Append(i == 0 ? "" : ",").Append((watch.ElapsedTicks * 1e6 / Stopwatch.Frequency).ToString("R", CultureInfo.InvariantCulture));
            }
            Console.WriteLine(text.Append("]"));
            return 0;
        }

        private static void Write(BinaryWriter writer, double[] values)
        {
            foreach (double value in values) writer.Write(value);
        }

        private struct Bar
        {
            public long Time;
            public DateTime Open;
            public double High, Low, Close, Volume;
        }

        private static IEnumerable<Bar> Bars(object golden)
        {
            object bars = Json.Get(golden, "bars");
            double[] time = Json.Numbers(bars, "time"), high = Json.Numbers(bars, "high"), low = Json.Numbers(bars, "low");
            double[] close = Json.Numbers(bars, "close"), volume = Json.Numbers(bars, "volume");
            for (int i = 0; i < time.Length; i++)
                yield return new Bar { Time = (long)time[i], Open = Epoch.AddSeconds(time[i]), High = high[i], Low = low[i], Close = close[i], Volume = volume[i] };
        }

        /// <summary>Largest differences by stage, and counts.</summary>
        private sealed class Tally
        {
            public readonly Dictionary<string, long> Counts = new Dictionary<string, long>
            {
                { "features", 0 }, { "distances_differ", 0 }, { "decisions", 0 }, { "actions_differ", 0 }, { "cases", 0 }, { "masks_differ", 0 }, { "far", 0 }
            };
            private readonly Dictionary<string, double> apart = new Dictionary<string, double>();
            private readonly Dictionary<string, double> shares = new Dictionary<string, double>();
            private readonly Dictionary<string, string> first = new Dictionary<string, string>();

            public void Count(string name, int more) { Counts[name] += more; }

            public double Worst(string stage) { return shares.ContainsKey(stage) ? shares[stage] : 0; }

            public void Measure(string stage, string place, double expected, double found, double absolute, double relative)
            {
                double distance = Math.Abs(found - expected), share = distance / (absolute + relative * Math.Abs(expected));
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
                    parts.Add("\"" + stage.Key + "_difference\": " + Number(stage.Value) + ", \"" + stage.Key + "_share_of_limit\": " + Number(shares[stage.Key]));
                foreach (KeyValuePair<string, string> place in first)
                    parts.Add("\"" + place.Key + "_first\": \"" + place.Value + "\"");
                return "{" + string.Join(", ", parts) + "}";
            }

            private static string Number(double x)
            {
                return double.IsInfinity(x) ? "1e999" : x.ToString("R", CultureInfo.InvariantCulture);
            }
        }
    }
}

// Checks a bundle from the command line, without NinjaTrader:
//   mono ParityCheck.exe golden BUNDLE              golden.json from raw bars to action: differences as JSON
//   mono ParityCheck.exe golden BUNDLE BARS DAY     the same on a raw bar file (CSV), over a whole day of it
//   mono ParityCheck.exe features BUNDLE BARS OUT   features of a raw bar file, in binary
//   mono ParityCheck.exe decide BUNDLE IN OUT       every stage of decisions on given observations, in binary
//   mono ParityCheck.exe clock BUNDLE IN OUT        New York minutes of UTC times, in binary
//   mono ParityCheck.exe fuse SETTINGS IN OUT       fused decisions on given ones, in binary
//   mono ParityCheck.exe advised BUNDLE BARS MS OUT decisions with a service's advice, MS apart, in binary
//   mono ParityCheck.exe latency BUNDLE COUNT       microseconds of single decisions, as JSON
// Exit code 0 means the same, 1 something beyond a limit, 2 bad input.
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
    public static class ParityCheck
    {
        private const string CultureFlag = "--culture=";

        public static int Main(string[] args)
        {
            try
            {
                if (args.Length > 0 && args[0].StartsWith(CultureFlag, StringComparison.Ordinal))
                {
                    Thread.CurrentThread.CurrentCulture = new CultureInfo(args[0].Substring(CultureFlag.Length));
                    // The culture's own spelling, to show that it is in force.
                    Console.Error.WriteLine((1.5).ToString());
                    args = args.Skip(1).ToArray();
                }
                if (args.Length == 2 && args[0] == "golden") return Golden.OfBundle(args[1]);
                if (args.Length == 4 && args[0] == "golden") return Golden.OfDay(args[1], args[2], args[3]);
                if (args.Length == 4 && args[0] == "decide") return Decide(args[1], args[2], args[3]);
                if (args.Length == 4 && args[0] == "features") return StreamFile(args[1], args[2], args[3]);
                if (args.Length == 4 && args[0] == "clock") return Clock(args[2], args[3]);
                if (args.Length == 4 && args[0] == "fuse") return FusionCheck.Run(args[1], args[2], args[3]);
                int count;
                if (args.Length == 3 && args[0] == "latency" && Whole(args[2], out count))
                    return Latency(args[1], count);
                if (args.Length == 5 && args[0] == "advised" && Whole(args[3], out count))
                    return AdviceCheck.Run(args[1], args[2], count, args[4]);
                return Refuse("usage: ParityCheck golden BUNDLE | golden BUNDLE BARS DAY | features BUNDLE BARS OUT"
                    + " | decide BUNDLE IN OUT | clock BUNDLE IN OUT | fuse SETTINGS IN OUT"
                    + " | advised BUNDLE BARS MS OUT | latency BUNDLE COUNT");
            }
            catch (BundleException error) { return Refuse("error: " + error.Message); }
            catch (IOException error)
            {
                return Refuse("error: " + error.Message.TrimEnd('.') + "; give files that are there");
            }
            catch (UnauthorizedAccessException error)
            {
                return Refuse("error: " + error.Message.TrimEnd('.') + "; give files that may be read");
            }
            catch (CultureNotFoundException)
            {
                return Refuse("error: " + args[0] + " names no culture; give one such as de-DE");
            }
        }

        private static bool Whole(string text, out int number)
        {
            return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
        }

        private static int Refuse(string why)
        {
            Console.Error.WriteLine(why);
            return 2;
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
            List<Bar> bars = BarFile.Read(input);
            using (BinaryWriter writer = new BinaryWriter(new BufferedStream(File.Create(output), 1 << 16)))
                foreach (Bar bar in bars)
                {
                    if (!stream.Add(bar.Open, bar.High, bar.Low, bar.Close, bar.Volume)) continue;
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
                    writer.Write(NewYork.Minute(BarFile.Epoch.AddSeconds(reader.ReadInt64())));
            return 0;
        }

        private static int Latency(string folder, int count)
        {
            PolicyRunner runner = new PolicyRunner(folder);
            string golden = File.ReadAllText(Path.Combine(folder, "golden.json"), Encoding.UTF8);
            List<object> cases = Json.Array(Json.Parse(golden), "cases");
            int size = runner.Manifest.Size;
            List<float[]> seen = cases.ConvertAll(
                entry => Array.ConvertAll(Golden.Numbers(entry, "observation", size), x => (float)x));
            List<bool[]> masks = cases.ConvertAll(entry => Golden.Mask(entry, runner.Manifest));
            if (seen.Count == 0) throw new BundleException("golden.json holds no case; export the policy anew");
            for (int i = 0; i < count; i++) runner.Decide(seen[i % seen.Count], masks[i % seen.Count]);
            StringBuilder text = new StringBuilder("[");
            Stopwatch watch = new Stopwatch();
            for (int i = 0; i < count; i++)
            {
                watch.Restart();
                runner.Decide(seen[i % seen.Count], masks[i % seen.Count]);
                watch.Stop();
                double microseconds = watch.ElapsedTicks * 1e6 / Stopwatch.Frequency;
                text.Append(i == 0 ? "" : ",").Append(JsonLine.Digits(microseconds));
            }
            Console.WriteLine(text.Append("]"));
            return 0;
        }

        private static void Write(BinaryWriter writer, double[] values)
        {
            foreach (double value in values) writer.Write(value);
        }
    }
}

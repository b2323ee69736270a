// The decision log: JSON lines, one for a bar and what was decided on it, one for a fill, the first for what
// made them. `rltrader replay` reads it. Numbers come back as the same bits under any culture. A log that
// can't be written says so once and then stays silent: it never throws into a strategy.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;

namespace RLTrader
{
    /// <summary>One JSON object, member by member.</summary>
    public sealed class JsonLine
    {
        private readonly StringBuilder text = new StringBuilder("{");

        public JsonLine Add(string name, string value) { return Raw(name, Quote(value)); }
        public JsonLine Add(string name, bool value) { return Raw(name, value ? "true" : "false"); }
        public JsonLine Add(string name, long value) { return Raw(name, value.ToString(CultureInfo.InvariantCulture)); }
        public JsonLine Add(string name, double value) { return Raw(name, Number(value)); }
        public JsonLine Add(string name, IEnumerable<string> values) { return Items(name, values, Quote); }
        public JsonLine Add(string name, IEnumerable<bool> values) { return Items(name, values, x => x ? "true" : "false"); }
        public JsonLine Add(string name, IEnumerable<double> values) { return Items(name, values, Number); }

        public override string ToString() { return text + "}"; }

        /// <summary>Return a number with as many digits as bring it back; what JSON can't write is null.</summary>
        public static string Number(double value)
        {
            if (double.IsNaN(value) || double.IsInfinity(value)) return "null";
            return value.ToString("G17", CultureInfo.InvariantCulture); // "R" loses a bit on some 64-bit runtimes
        }

        /// <summary>Return a UTC time by the second, or the millisecond where it has any.</summary>
        public static string Time(DateTime utc)
        {
            string form = utc.Millisecond == 0 ? "yyyy-MM-ddTHH:mm:ssZ" : "yyyy-MM-ddTHH:mm:ss.fffZ";
            return utc.ToString(form.Replace("T", "'T'").Replace("Z", "'Z'"), CultureInfo.InvariantCulture);
        }

        private JsonLine Items<T>(string name, IEnumerable<T> values, Func<T, string> spell)
        {
            List<string> parts = new List<string>();
            foreach (T value in values) parts.Add(spell(value));
            return Raw(name, "[" + string.Join(",", parts) + "]");
        }

        private JsonLine Raw(string name, string value)
        {
            text.Append(text.Length == 1 ? "" : ",").Append(Quote(name)).Append(':').Append(value);
            return this;
        }

        private static string Quote(string value)
        {
            if (value == null) return "null";
            StringBuilder quoted = new StringBuilder("\"");
            foreach (char c in value)
            {
                if (c == '"' || c == '\\') quoted.Append('\\').Append(c);
                else if (c < ' ') quoted.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
                else quoted.Append(c);
            }
            return quoted.Append('"').ToString();
        }
    }

    /// <summary>A file of decisions; a new one each time a strategy is loaded.</summary>
    public sealed class DecisionLog : IDisposable
    {
        public const string Kind = "rltrader decisions";
        public const int Version = 1;

        private readonly object gate = new object();
        private readonly Action<string> tell;
        private StreamWriter file;

        /// <summary>Open a new file in a folder, made if need be.</summary>
        /// <param name="tell">Hears, once, why nothing can be written.</param>
        public DecisionLog(string folder, string symbol, DateTime utc, Action<string> tell)
        {
            this.tell = tell;
            Try(() =>
            {
                Directory.CreateDirectory(folder);
                file = Create(Path.Combine(folder, symbol + "-" + utc.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture)));
            });
        }

        /// <summary>Where it is written; null where nothing is.</summary>
        public string Place { get; private set; }

        /// <summary>Write the first line: what decides, and in which order its numbers come.</summary>
        public void Header(Manifest manifest, string instrument, string provider, DateTime utc)
        {
            Write(() => new JsonLine()
                .Add("kind", Kind).Add("version", Version).Add("opened", JsonLine.Time(utc))
                .Add("bundle", manifest.Folder).Add("policy_sha256", manifest.PolicyDigest).Add("certificate", manifest.Certificate)
                .Add("symbol", manifest.Symbol).Add("instrument", instrument).Add("provider", provider)
                .Add("phase", manifest.Phase).Add("session", manifest.Session).Add("window", manifest.Window)
                .Add("tick_size", manifest.TickSize).Add("contracts", manifest.Contracts).Add("preload", FeatureStream.Preload)
                .Add("features", Manifest.KnownFeatures).Add("position", Some(Manifest.KnownPosition, manifest.PositionFeatures))
                .Add("actions", Some(Manifest.KnownActions, manifest.Actions)));
        }

        /// <summary>Write a bar of the session, and what was decided at its close from the position at it.</summary>
        /// <param name="ohlcv">Open, high, low, close and volume as the host gave them.</param>
        /// <param name="skipped">Why nothing was decided; null where something was.</param>
        public void Bar(Agent agent, DateTime openUtc, double[] ohlcv, string state, int action, string skipped)
        {
            Write(() =>
            {
                FeatureStream stream = agent.Stream;
                PositionTracker held = agent.Position;
                JsonLine line = new JsonLine()
                    .Add("event", "bar").Add("time", JsonLine.Time(openUtc)).Add("number", stream.Count - 1).Add("minute", stream.Minute)
                    .Add("state", state).Add("ohlcv", ohlcv).Add("features", stream.Newest)
                    .Add("distances", new double[] { stream.StopTicks, stream.TargetTicks, stream.TrailTicks })
                    .Add("side", held.Side).Add("entry", held.Entry).Add("stop", held.Stop).Add("target", held.Target)
                    .Add("entry_bar", held.EntryBar).Add("trailing", held.Trailing);
                if (skipped != null) return line.Add("skipped", skipped);
                return line.Add("observed", Tail(agent.Observation, agent.Policy.Manifest.PositionFeatures))
                    .Add("mask", agent.Mask).Add("logits", agent.Policy.Logits).Add("action", action);
            });
        }

        /// <summary>Write a fill: side 1 bought, -1 sold; the reason is the order's own name.</summary>
        public void Fill(Func<DateTime> utc, int side, int quantity, double price, string order)
        {
            Write(() => new JsonLine().Add("event", "fill").Add("time", JsonLine.Time(utc())).Add("side", side)
                .Add("quantity", quantity).Add("price", price).Add("order", order));
        }

        /// <summary>Write that an order ended without being filled.</summary>
        public void Ended(string order, string state)
        {
            Write(() => new JsonLine().Add("event", "ended").Add("order", order).Add("state", state));
        }

        public void Dispose() { Try(Close); }

        private void Write(Func<JsonLine> make)
        {
            Try(() => { if (file != null) file.Write(make() + "\n"); });
        }

        private void Try(Action work)
        {
            lock (gate)
            {
                try { work(); }
                catch (Exception error)
                {
                    // Whatever is wrong with a log, a position must not be left alone for it.
                    Abandon();
                    tell("the decision log can't be written (" + error.Message + "); trading goes on without it");
                }
            }
        }

        private StreamWriter Create(string stem)
        {
            for (int number = 1; ; number++)
            {
                string path = stem + (number == 1 ? "" : "-" + number.ToString(CultureInfo.InvariantCulture)) + ".jsonl";
                if (File.Exists(path)) continue; // two charts loaded in one second
                FileStream made = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
                Place = path;
                return new StreamWriter(made, new UTF8Encoding(false)) { AutoFlush = true };
            }
        }

        private void Close()
        {
            if (file != null) file.Dispose();
            file = null;
        }

        private void Abandon()
        {
            StreamWriter broken = file;
            file = null;
            Place = null;
            try { if (broken != null) broken.Dispose(); }
            catch (IOException) { } // what it still held can't be written either
        }

        private static string[] Some(string[] names, int count)
        {
            string[] first = new string[count];
            Array.Copy(names, first, count);
            return first;
        }

        private static double[] Tail(float[] values, int count)
        {
            double[] last = new double[count];
            for (int i = 0; i < count; i++) last[i] = values[values.Length - count + i];
            return last;
        }
    }
}

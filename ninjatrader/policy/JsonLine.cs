// JSON written by hand, line by line: numbers come back as the same bits under any culture.
using System;
using System.Collections.Generic;
using System.Globalization;
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
        public JsonLine Add(string name,
            IEnumerable<bool> values) { return Items(name, values, x => x ? "true" : "false"); }
        public JsonLine Add(string name, IEnumerable<double> values) { return Items(name, values, Number); }

        public override string ToString() { return text + "}"; }

        /// <summary>Return a number with as many digits as bring it back; what JSON can't write is null.</summary>
        public static string Number(double value)
        {
            if (double.IsNaN(value) || double.IsInfinity(value)) return "null";
            return Digits(value);
        }

        /// <summary>Return as many digits as bring a number back; "R" loses a bit on some 64-bit runtimes.</summary>
        public static string Digits(double value) { return value.ToString("G17", CultureInfo.InvariantCulture); }

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

        /// <summary>Return a text in quotes, or null.</summary>
        public static string Quote(string value)
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
}

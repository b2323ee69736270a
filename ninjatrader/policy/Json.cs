// A JSON reader: objects become dictionaries, arrays lists, numbers doubles. Invariant culture: under a
// German one, double.Parse("10.0") is 100.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace RLTrader
{
    /// <summary>Something in a bundle that cannot be used; the message says what, where, and what to do.</summary>
    public sealed class BundleException : Exception
    {
        public BundleException(string message) : base(message) { }
    }

    /// <summary>Reads JSON text; no library of the host is needed.</summary>
    public sealed class Json
    {
        /// <summary>Brackets within brackets; more of them would end the process by its stack.</summary>
        private const int Deepest = 64;

        private static readonly Regex Written = new Regex(@"\A-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\z");

        private readonly string text;
        private int at, depth;

        private Json(string text) { this.text = text; }

        /// <summary>Return a text's value: Dictionary, List, string, double, bool or null.</summary>
        public static object Parse(string text)
        {
            Json reader = new Json(text);
            object value = reader.Value();
            reader.Space();
            if (reader.at != text.Length) throw reader.Error("something follows the value");
            return value;
        }

        /// <summary>Return a member of an object, or throw with its name.</summary>
        public static object Get(object owner, string name)
        {
            Dictionary<string, object> members = owner as Dictionary<string, object>;
            object value;
            if (members == null || !members.TryGetValue(name, out value))
                throw new BundleException("no \"" + name + "\" where one is needed; export the policy anew");
            return value;
        }

        public static bool Has(object owner, string name)
        {
            return Cast<Dictionary<string, object>>(owner, "the owner of " + name).ContainsKey(name);
        }

        public static string Text(object owner, string name) { return Cast<string>(Get(owner, name), name); }

        public static double Number(object owner, string name) { return Cast<double>(Get(owner, name), name); }

        public static int Whole(object owner, string name)
        {
            double number = Number(owner, name);
            if (number != Math.Floor(number) || Math.Abs(number) > int.MaxValue)
                throw new BundleException("\"" + name + "\" is not a whole number; export the policy anew");
            return (int)number;
        }

        public static List<object> Array(object owner, string name)
        {
            return Cast<List<object>>(Get(owner, name), name);
        }

        public static string[] Texts(object owner, string name)
        {
            return Array(owner, name).ConvertAll(x => Cast<string>(x, name)).ToArray();
        }

        public static bool[] Flags(object owner, string name)
        {
            return Array(owner, name).ConvertAll(x => Cast<bool>(x, name)).ToArray();
        }

        public static double[] Numbers(object owner, string name)
        {
            return Array(owner, name).ConvertAll(x => Cast<double>(x, name)).ToArray();
        }

        /// <summary>Return a value as what it must be, or throw with its name.</summary>
        public static T Cast<T>(object value, string name)
        {
            if (!(value is T))
                throw new BundleException("\"" + name + "\" is of another kind than expected; export the policy anew");
            return (T)value;
        }

        private object Value()
        {
            Space();
            if (at >= text.Length) throw Error("it ends too soon");
            char c = text[at];
            if (c == '{' || c == '[')
            {
                if (++depth > Deepest) throw Error("more than 64 brackets within brackets");
                object inner = c == '{' ? (object)Members() : Items();
                depth--;
                return inner;
            }
            if (c == '"') return String();
            if (Word("true")) return true;
            if (Word("false")) return false;
            if (Word("null")) return null;
            return Number();
        }

        private Dictionary<string, object> Members()
        {
            Dictionary<string, object> members = new Dictionary<string, object>();
            at++;
            Space();
            if (Take('}')) return members;
            do
            {
                Space();
                string name = String();
                Space();
                Expect(':');
                if (members.ContainsKey(name)) throw Error("\"" + name + "\" is there twice");
                members[name] = Value();
                Space();
            } while (Take(','));
            Expect('}');
            return members;
        }

        private List<object> Items()
        {
            List<object> items = new List<object>();
            at++;
            Space();
            if (Take(']')) return items;
            do
            {
                items.Add(Value());
                Space();
            } while (Take(','));
            Expect(']');
            return items;
        }

        private string String()
        {
            Expect('"');
            StringBuilder found = new StringBuilder();
            while (at < text.Length && text[at] != '"')
            {
                char c = text[at++];
                if (c == '\\')
                {
                    if (at >= text.Length) break;
                    c = text[at++];
                    int known = "nrtbf".IndexOf(c);
                    if (known >= 0) c = "\n\r\t\b\f"[known];
                    else if (c == 'u')
                    {
                        int code;
                        if (at + 4 > text.Length) break;
                        if (!int.TryParse(text.Substring(at, 4), NumberStyles.AllowHexSpecifier,
                            CultureInfo.InvariantCulture, out code))
                            throw Error("no character code");
                        c = (char)code;
                        at += 4;
                    }
                    else if (c != '"' && c != '\\' && c != '/') throw Error("no character is written so");
                }
                found.Append(c);
            }
            Expect('"');
            return found.ToString();
        }

        private double Number()
        {
            int from = at;
            while (at < text.Length && "+-.0123456789eE".IndexOf(text[at]) >= 0) at++;
            double number;
            string part = text.Substring(from, at - from);
            if (!Written.IsMatch(part)
                || !double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out number)
                || double.IsInfinity(number))
                throw Error("no value");
            return number;
        }

        private void Space() { while (at < text.Length && " \t\r\n".IndexOf(text[at]) >= 0) at++; }

        private bool Take(char c)
        {
            if (at >= text.Length || text[at] != c) return false;
            at++;
            return true;
        }

        private bool Word(string word)
        {
            if (string.CompareOrdinal(text, at, word, 0, word.Length) != 0) return false;
            at += word.Length;
            return true;
        }

        private void Expect(char c) { if (!Take(c)) throw Error("no " + c); }

        private BundleException Error(string what)
        {
            return new BundleException("JSON at character " + at.ToString(CultureInfo.InvariantCulture) + ": " + what
                + "; copy the file again");
        }
    }
}

// What limits remember from one run to the next, in a file of one line: numbers, and whether trading is blocked.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;

namespace RLTrader
{
    /// <summary>Numbers of a file, and whether the word "blocked" follows them.</summary>
    public sealed class Remembered
    {
        private const string Word = "blocked";
        private static readonly object Files = new object(); // all instances of a process share an account's files

        public readonly double[] Numbers;
        public readonly bool Blocked;

        public Remembered(bool blocked, params double[] numbers)
        {
            Numbers = numbers;
            Blocked = blocked;
        }

        /// <summary>Return what a file remembers; null where there is none. Throws where it is something
        /// else.</summary>
        /// <param name="count">Of numbers.</param>
        /// <param name="what">The numbers in words.</param>
        public static Remembered Read(string path, int count, string what)
        {
            if (path.Length == 0 || !File.Exists(path)) return null;
            List<string> parts = new List<string>(File.ReadAllText(path).Trim().Split(' '));
            bool blocked = parts.Count == count + 1 && parts[count] == Word;
            double[] numbers = new double[count];
            bool sound = blocked || parts.Count == count;
            for (int n = 0; sound && n < count; n++)
                sound = double.TryParse(parts[n], NumberStyles.Float, CultureInfo.InvariantCulture, out numbers[n])
                    && !double.IsNaN(numbers[n]) && !double.IsInfinity(numbers[n]);
            if (!sound) throw new BundleException(path + ": not " + what + "; correct it, or delete the file");
            return new Remembered(blocked, numbers);
        }

        /// <summary>Read a file anew and write what follows from it, with no other instance in between. False where
        /// that failed; the limit in memory still holds, and the next look tries again.</summary>
        /// <param name="follows">Gives what is to be written; null leaves the file as it is.</param>
        public static bool Update(string path, int count, Func<Remembered, Remembered> follows)
        {
            if (path.Length == 0) return true;
            lock (Files)
                try
                {
                    Remembered before = null;
                    try { before = Read(path, count, ""); }
                    catch (BundleException) { } // spoilt by hand meanwhile
                    Remembered after = follows(before);
                    if (after != null) after.Write(path);
                    return true;
                }
                catch (IOException) { return false; }
                catch (UnauthorizedAccessException) { return false; }
        }

        // In place of the old file at once: the machine may go down at any time.
        private void Write(string path)
        {
            string made = path + ".new", line = string.Join(" ", Array.ConvertAll(Numbers, JsonLine.Digits));
            File.WriteAllText(made, Blocked ? line + " " + Word : line);
            if (File.Exists(path)) File.Replace(made, path, null);
            else File.Move(made, path);
        }
    }
}

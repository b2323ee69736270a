// Scenarios by the thousand, and a failing one made small: steps are left out one by one as long as it still fails in
// the same way.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;

namespace RLTrader.Host
{
    /// <summary>Runs random interleavings.</summary>
    public static class Interleavings
    {
        // Of this process alone: others may play the same seeds.
        private static readonly string scratch = Path.Combine(Path.GetTempPath(), string.Format(
            CultureInfo.InvariantCulture, "rltrader-host-{0}", Process.GetCurrentProcess().Id));

        /// <summary>Run some; 0 where every invariant held, 1 after the first that did not.</summary>
        public static int Run(int count, ulong first, TextWriter said)
        {
            for (int n = 0; n < count; n++)
            {
                Scenario scenario = Scenario.Make(first + (ulong)n);
                string problem = new Simulation(scenario, false, scratch).Play();
                if (problem == null) continue;
                said.WriteLine(string.Format(CultureInfo.InvariantCulture, "broken after {0}: {1}", n + 1, problem));
                return Show(Shrink(scenario, problem), said);
            }
            said.WriteLine(string.Format(CultureInfo.InvariantCulture, "{0} interleavings, no invariant broken",
                count));
            return 0;
        }

        /// <summary>Play one and show it; 0 where every invariant held, 1 where one did not.</summary>
        public static int Show(Scenario scenario, TextWriter said)
        {
            said.WriteLine(scenario);
            Simulation played = new Simulation(scenario, true, scratch);
            string problem = played.Play();
            foreach (string line in played.Trace) said.WriteLine("  " + line);
            return problem == null ? 0 : 1;
        }

        private static Scenario Shrink(Scenario scenario, string problem)
        {
            bool smaller = true;
            while (smaller)
            {
                smaller = false;
                foreach (Scenario candidate in Candidates(scenario))
                {
                    if (Kind(new Simulation(candidate, false, scratch).Play()) != Kind(problem)) continue;
                    scenario = candidate;
                    smaller = true;
                    break;
                }
            }
            return scenario;
        }

        private static IEnumerable<Scenario> Candidates(Scenario from)
        {
            for (int n = from.Steps.Count - 1; n >= 0; n--) yield return from.Without(n);
            if (from.Manner != Manner.Default) yield return from.With(s => s.Manner = Manner.Default);
            if (from.Contracts > 1) yield return from.With(s => s.Contracts = 1);
            if (from.HoldsAtStart) yield return from.With(s => s.HoldsAtStart = false);
            if (from.ChangedSettings) yield return from.With(s => s.ChangedSettings = false);
            if (from.KeepsExits) yield return from.With(s => s.KeepsExits = false);
        }

        // Numbers apart, so that a failure stays the same one while its scenario shrinks.
        private static string Kind(string problem)
        {
            if (problem == null) return "";
            List<char> letters = new List<char>();
            foreach (char c in problem)
                if (!char.IsDigit(c) && c != '-') letters.Add(c);
            return new string(letters.ToArray());
        }
    }
}

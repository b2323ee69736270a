// Several threads at once: callbacks of all kinds, and the strategy's end in the midst of them. What is done is done
// one at a time, nothing is lost, and nothing is thrown.
using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using NinjaTrader.Cbi;
using NinjaTrader.Data;
using NinjaTrader.NinjaScript;

namespace RLTrader.Host
{
    /// <summary>Calls the line of work and the strategy from several threads.</summary>
    public static class Threads
    {
        private const int Writers = 4, Each = 500;

        /// <summary>Run some rounds; 0 where all went well.</summary>
        public static int Run(int rounds, TextWriter said)
        {
            for (int n = 0; n < rounds; n++)
            {
                string problem = Line() ?? End() ?? Telling();
                if (problem == null) continue;
                said.WriteLine(problem);
                return 1;
            }
            said.WriteLine(rounds + " rounds, nothing overlapped, nothing was lost and nothing was thrown");
            return 0;
        }

        // Work from several threads, some of which gives more work and some of which fails.
        private static string Line()
        {
            int inside = 0, done = 0, failed = 0;
            bool overlapped = false;
            int[] last = new int[Writers];
            bool disordered = false;
            Inbox inbox = new Inbox(error => failed++);
            Together(Writers, writer =>
            {
                for (int n = 1; n <= Each; n++)
                {
                    int number = n;
                    inbox.Do(() =>
                    {
                        overlapped |= Interlocked.Increment(ref inside) != 1;
                        disordered |= number != last[writer] + 1;
                        last[writer] = number;
                        inbox.Do(() => done++);
                        Interlocked.Decrement(ref inside);
                        if (number % 7 == 0) throw new InvalidOperationException("as planned");
                    });
                }
            });
            if (overlapped) return "two things were worked on at once";
            if (disordered) return "a thread's work was done in another order";
            if (done != Writers * Each || failed != Writers * (Each / 7))
                return "work was lost: " + done + " done, " + failed + " failed";
            return null;
        }

        // Bars, prices and the clock from their own threads; after a while the end from another.
        private static string End()
        {
            Scenario scenario = Scenario.Make(1).With(s => s.Steps = new List<Step>());
            string scratch = Path.Combine(Path.GetTempPath(), "rltrader-threads");
            Simulation simulation = new Simulation(scenario, false, scratch);
            simulation.LaunchOnly();
            ScriptedStrategy strategy = simulation.strategy;
            Exception thrown = null;
            Together(4, thread =>
            {
                try
                {
                    for (int n = 1; n < 200; n++)
                    {
                        if (thread == 0) strategy.Show(simulation.Start.AddMinutes(n), 5000, 5001, 4999, 5000, 10);
                        else if (thread == 1) strategy.Second();
                        else if (thread == 2) strategy.Tell(new MarketDataEventArgs { Price = 5000 });
                        else if (n == 100) strategy.Become(State.Terminated);
                    }
                }
                catch (Exception error) { thrown = error; }
            });
            return thrown == null ? null : thrown.ToString();
        }

        // An alert may end in a window that waits for another thread, so no lock is held while it is given.
        private static string Telling()
        {
            string folder = Path.Combine(Path.GetTempPath(), "rltrader-threads-" + Guid.NewGuid().ToString("N"));
            DecisionLog log = null;
            bool stuck = false;
            log = new DecisionLog(folder, "ES", DateTime.UtcNow, why =>
            {
                Thread other = new Thread(() => log.Ended("RLTrader", true, Trouble.None));
                other.Start();
                stuck = !other.Join(2000);
            });
            log.Fill(() => { throw new InvalidOperationException("as planned"); }, Mode.Live, 1, 1, 1, "", 0);
            log.Dispose();
            Directory.Delete(folder, true);
            return stuck ? "an alert is given inside a lock" : null;
        }

        private static void Together(int count, Action<int> work)
        {
            List<Thread> threads = new List<Thread>();
            for (int n = 0; n < count; n++)
            {
                int number = n;
                threads.Add(new Thread(() => work(number)));
            }
            foreach (Thread thread in threads) thread.Start();
            foreach (Thread thread in threads) thread.Join();
        }
    }
}

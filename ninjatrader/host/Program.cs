// The simulated platforms as a program, without NinjaTrader:
//
//   mono host.exe interleavings COUNT [FIRST_SEED]
//       random interleavings of events; the first that breaks a rule is made small and shown.
//
//   mono host.exe play SEED
//       one of them, event by event.
//
//   mono host.exe threads ROUNDS
//       callbacks and the strategy's end from several threads at once.
//
//   mono host.exe rules BUNDLE SYMBOL MANNERS USER_FOLDER [BARS] [--set=NAME=VALUE ...]
//       the strategy on a bundle's golden bars or on a CSV file, orders filled by the environment's rules.
//       MANNERS are those of RulesPlatform.cs, such as fill; USER_FOLDER stands for NinjaTrader's own and gets the log;
//       NAME is a setting as the strategy's source spells it, such as DailyLossLimit; --chart=RegularHours and
//       others of RulesPlatform.cs put it on a chart that it refuses or warns of.
//
// Exit code 0 means that all is well, 1 a broken rule, 2 bad input.
// A first argument --culture=de-DE does it under that culture, which must not change a number.
using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;

namespace RLTrader.Host
{
    public static class Program
    {
        private const string CultureFlag = "--culture=", SetFlag = "--set=", ChartFlag = "--chart=";

        public static int Main(string[] args)
        {
            try
            {
                if (args.Length > 0 && args[0].StartsWith(CultureFlag, StringComparison.Ordinal))
                {
                    Thread.CurrentThread.CurrentCulture = new CultureInfo(args[0].Substring(CultureFlag.Length));
                    args = args.Skip(1).ToArray();
                }
                string[] settings = args.Where(arg => arg.StartsWith(SetFlag, StringComparison.Ordinal)).ToArray();
                string[] charts = args.Where(arg => arg.StartsWith(ChartFlag, StringComparison.Ordinal)).ToArray();
                args = args.Except(settings).Except(charts).ToArray();
                int count;
                ulong seed = 1;
                if (args.Length >= 2 && args.Length <= 3 && args[0] == "interleavings" && Whole(args[1], out count)
                    && (args.Length == 2
                        || ulong.TryParse(args[2], NumberStyles.None, CultureInfo.InvariantCulture, out seed)))
                    return Interleavings.Run(count, seed, Console.Out);
                if (args.Length == 2 && args[0] == "play"
                    && ulong.TryParse(args[1], NumberStyles.None, CultureInfo.InvariantCulture, out seed))
                    return Interleavings.Show(Scenario.Make(seed), Console.Out);
                if (args.Length == 2 && args[0] == "threads" && Whole(args[1], out count))
                    return Threads.Run(count, Console.Out);
                Manners manners;
                if (args.Length >= 5 && args.Length <= 6 && args[0] == "rules")
                {
                    if (!Enum.TryParse(args[3], true, out manners) || !Enum.IsDefined(typeof(Manners), manners))
                        return Refuse("error: " + args[3] + ": no manners that are known; give one of "
                            + string.Join(", ", Enum.GetNames(typeof(Manners))));
                    return Rules(args, manners, settings, charts);
                }
                return Refuse("usage: host interleavings COUNT [FIRST_SEED] | host play SEED | host threads ROUNDS | "
                    + "host rules BUNDLE SYMBOL MANNERS USER_FOLDER [BARS] [--set=NAME=VALUE ...]");
            }
            catch (BundleException error) { return Refuse("error: " + error.Message); }
            catch (IOException error)
                { return Refuse("error: " + error.Message.TrimEnd('.') + "; give files that are there"); }
            catch (CultureNotFoundException)
                { return Refuse("error: " + args[0] + " names no culture; give one such as de-DE"); }
        }

        private static int Rules(string[] args, Manners manners, string[] settings, string[] charts)
        {
            RulesPlatform platform = new RulesPlatform(args[1], args[2], manners, args[4], Console.Out, Console.Error);
            foreach (string setting in settings) platform.Set(setting.Substring(SetFlag.Length));
            foreach (string chart in charts) platform.Chart(chart.Substring(ChartFlag.Length));
            platform.Play(args.Length == 5 ? RulesPlatform.Golden(args[1]) : RulesPlatform.FromFile(args[5]));
            return 0;
        }

        private static bool Whole(string text, out int number)
        {
            return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number > 0;
        }

        private static int Refuse(string why)
        {
            Console.Error.WriteLine(why);
            return 2;
        }
    }
}

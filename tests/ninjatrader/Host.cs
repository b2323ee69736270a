// Plays NinjaTrader for the strategy on a bundle's golden bars, filling orders by the rules of section 6 of
// docs/environment.md, and prints every closed trade: side, entry and exit with time and price.
//   mono host.exe BUNDLE CHART_SYMBOL fill USER_FOLDER [BARS]   every order is filled
//   mono host.exe BUNDLE CHART_SYMBOL slip ...      entries are filled one tick worse than that
//   mono host.exe BUNDLE CHART_SYMBOL parts ...     two contracts come one tick too high and one tick too low
//   mono host.exe BUNDLE CHART_SYMBOL early ...     what is open at 16:59 is closed by the host, in that minute
//   mono host.exe BUNDLE CHART_SYMBOL live ...      the account is a broker's; live-allowed lets it trade
//   mono host.exe BUNDLE CHART_SYMBOL reject ...    every entry is rejected; prints how many were sent
//   mono host.exe BUNDLE CHART_SYMBOL foreign ...   the account holds a position of someone else; likewise
// BARS is a file of time (seconds since 1970, UTC), open, high, low, close, volume, comma-separated, without a
// header. A first argument --culture=de-DE does it under that culture, which must not change a number.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using NinjaTrader.Cbi;
using NinjaTrader.NinjaScript;
using NinjaTrader.NinjaScript.Strategies;

namespace RLTrader
{
    public static class Host
    {
        private static readonly DateTime Epoch = new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        private static double tick, slippage, entry, stop, target;
        private static int side, flatBy;
        private static DateTime entered;
        private static string mode;
        private static int entries, quantity;

        public static int Main(string[] args)
        {
            if (args[0].StartsWith("--culture=", StringComparison.Ordinal))
            {
                Thread.CurrentThread.CurrentCulture = new CultureInfo(args[0].Substring("--culture=".Length));
                args = args.Skip(1).ToArray();
            }
            mode = args[2];
            object manifest = Json.Parse(File.ReadAllText(Path.Combine(args[0], "manifest.json")));
            object contract = Json.Get(manifest, "contract");
            flatBy = Json.Whole(Json.Get(manifest, "env_config"), "flat_by_minute");
            tick = Json.Number(contract, "tick_size");
            slippage = Json.Number(contract, "slippage_ticks") * tick;
            RLTraderStrategy strategy = new RLTraderStrategy();
            strategy.ToState(State.SetDefaults);
            strategy.BundleFolder = args[0];
            NinjaTrader.Core.Globals.UserDataDir = args[3]; // the log's default place is below it
            strategy.TickSize = tick;
            strategy.Instrument.MasterInstrument.Name = args[1];
            if (mode.StartsWith("live", StringComparison.Ordinal)) strategy.Account.Provider = Provider.Rithmic;
            strategy.AllowLiveAccounts |= mode == "live-allowed";
            strategy.ToState(State.DataLoaded);
            if (mode == "foreign") strategy.Position.MarketPosition = MarketPosition.Long;
            strategy.ToState(State.Historical);
            foreach (double[] bar in args.Length > 4 ? FromFile(args[4]) : FromGolden(args[0]))
            {
                DateTime opened = Epoch.AddSeconds(bar[0]);
                Hit(strategy, opened, bar[2], bar[3]);
                if (mode == "early" && side != 0 && NewYork.Minute(opened) == flatBy)
                    Close(strategy, opened.AddSeconds(30), bar[4], "Exit on session close");
                int seen = strategy.Calls.Count;
                strategy.Show(opened.AddSeconds(60), bar[1], bar[2], bar[3], bar[4], bar[5]); // stamped by its end
                for (int n = seen; n < strategy.Calls.Count; n++) Obey(strategy, strategy.Calls[n], opened, bar[4]);
            }
            strategy.ToState(State.Terminated);
            if (mode == "reject" || mode == "foreign") Console.WriteLine(entries);
            foreach (string call in strategy.Calls)
                if (call.StartsWith("log", StringComparison.Ordinal)) Console.Error.WriteLine(call);
            return 0;
        }

        // Within a bar the stop is looked at first.
        private static void Hit(RLTraderStrategy strategy, DateTime opened, double high, double low)
        {
            if (side == 0) return;
            bool stopped = side > 0 ? low <= stop : high >= stop, reached = side > 0 ? high >= target : low <= target;
            if (stopped || reached) Close(strategy, opened.AddSeconds(30), stopped ? stop : target, stopped ? "Stop loss" : "Profit target");
        }

        private static void Obey(RLTraderStrategy strategy, string call, DateTime opened, double close)
        {
            string[] words = call.Split(new[] { ' ' }, 3);
            if (words[0] == "stop" && words[1] == "Price") stop = Number(words[2]);
            if (words[0] == "exit") Close(strategy, opened.AddSeconds(60), close - side * slippage, words[2]);
            if (words[0] != "enter") return;
            entries++;
            if (mode == "reject")
            {
                strategy.Ordered("RLTrader", OrderState.Rejected);
                return;
            }
            if (side != 0) throw new InvalidOperationException("an entry while a trade is open would reverse it");
            side = words[1] == "long" ? 1 : -1;
            entry = close + side * (slippage + (mode == "slip" ? tick : 0));
            entered = opened.AddSeconds(60);
            stop = entry - side * Last(strategy.Calls, "stop Ticks ") * tick;
            target = entry + side * Last(strategy.Calls, "target Ticks ") * tick;
            MarketPosition held = side > 0 ? MarketPosition.Long : MarketPosition.Short;
            quantity = int.Parse(words[2], CultureInfo.InvariantCulture);
            if (mode == "parts")
            {
                strategy.Executed("RLTrader", entry + tick, 1, held, entered);
                strategy.Moved(entry + tick, 1, held);
                strategy.Executed("RLTrader", entry - tick, 1, held, entered);
            }
            else strategy.Executed("RLTrader", entry, quantity, held, entered);
            strategy.Moved(entry, quantity, held);
        }

        private static void Close(RLTraderStrategy strategy, DateTime time, double price, string order)
        {
            Console.WriteLine(string.Format(CultureInfo.InvariantCulture, "{0},{1},{2:R},{3},{4:R}", side, Minute(entered), entry, Minute(time), price));
            strategy.Executed(order, price, quantity, side > 0 ? MarketPosition.Short : MarketPosition.Long, time);
            side = 0;
            strategy.Moved(0, 0, MarketPosition.Flat);
        }

        // The open of the bar that a fill belongs to, in seconds; one at a bar's very end belongs to that bar.
        private static long Minute(DateTime fill) { return (long)Math.Ceiling((fill - Epoch).TotalMinutes - 1) * 60; }

        private static IEnumerable<double[]> FromGolden(string bundle)
        {
            object bars = Json.Get(Json.Parse(File.ReadAllText(Path.Combine(bundle, "golden.json"))), "bars");
            string[] names = { "time", "open", "high", "low", "close", "volume" };
            double[][] columns = Array.ConvertAll(names, name => Json.Numbers(bars, name));
            for (int i = 0; i < columns[0].Length; i++) yield return Array.ConvertAll(columns, column => column[i]);
        }

        private static IEnumerable<double[]> FromFile(string path)
        {
            foreach (string line in File.ReadLines(path)) yield return Array.ConvertAll(line.Split(','), Number);
        }

        // The distances set last, which must have come before the entry.
        private static double Last(List<string> calls, string head)
        {
            for (int n = calls.Count - 1; n >= 0; n--)
            {
                if (calls[n].StartsWith(head, StringComparison.Ordinal)) return Number(calls[n].Substring(head.Length));
                if (n < calls.Count - 1 && calls[n].StartsWith("enter", StringComparison.Ordinal)) break;
            }
            throw new InvalidOperationException("no \"" + head + "\" before the entry");
        }

        private static double Number(string text) { return double.Parse(text, CultureInfo.InvariantCulture); }
    }
}

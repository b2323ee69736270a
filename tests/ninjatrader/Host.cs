// Plays NinjaTrader for the strategy on a bundle's golden bars, filling orders by the rules of section 6 of
// docs/environment.md, and prints every closed trade: side, entry and exit with time and price.
//   mono host.exe BUNDLE CHART_SYMBOL fill       every order is filled
//   mono host.exe BUNDLE CHART_SYMBOL reject     every entry is rejected; prints how many were sent
//   mono host.exe BUNDLE CHART_SYMBOL foreign    the account holds a position of someone else; likewise
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using NinjaTrader.Cbi;
using NinjaTrader.NinjaScript;
using NinjaTrader.NinjaScript.Strategies;

namespace RLTrader
{
    public static class Host
    {
        private static readonly DateTime Epoch = new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        private static double tick, slippage, entry, stop, target;
        private static int side;
        private static long entered;
        private static string mode;
        private static int entries;

        public static int Main(string[] args)
        {
            mode = args[2];
            object manifest = Json.Parse(File.ReadAllText(Path.Combine(args[0], "manifest.json")));
            object bars = Json.Get(Json.Parse(File.ReadAllText(Path.Combine(args[0], "golden.json"))), "bars");
            object contract = Json.Get(manifest, "contract");
            tick = Json.Number(contract, "tick_size");
            slippage = Json.Number(contract, "slippage_ticks") * tick;
            RLTraderStrategy strategy = new RLTraderStrategy();
            strategy.ToState(State.SetDefaults);
            strategy.BundleFolder = args[0];
            strategy.TickSize = tick;
            strategy.Instrument.MasterInstrument.Name = args[1];
            strategy.ToState(State.DataLoaded);
            if (mode == "foreign") strategy.Position.MarketPosition = MarketPosition.Long;
            double[] time = Json.Numbers(bars, "time"), high = Json.Numbers(bars, "high"), low = Json.Numbers(bars, "low");
            double[] close = Json.Numbers(bars, "close"), volume = Json.Numbers(bars, "volume");
            for (int i = 0; i < time.Length; i++)
            {
                Hit(strategy, (long)time[i], high[i], low[i]);
                int seen = strategy.Calls.Count;
                strategy.Show(Epoch.AddSeconds(time[i] + 60), high[i], low[i], close[i], volume[i]); // stamped by its end
                for (int n = seen; n < strategy.Calls.Count; n++) Obey(strategy, strategy.Calls[n], (long)time[i], close[i]);
            }
            if (mode != "fill") Console.WriteLine(entries);
            foreach (string call in strategy.Calls)
                if (call.StartsWith("log", StringComparison.Ordinal)) Console.Error.WriteLine(call);
            return 0;
        }

        // Within a bar the stop is looked at first.
        private static void Hit(RLTraderStrategy strategy, long time, double high, double low)
        {
            if (side == 0) return;
            bool stopped = side > 0 ? low <= stop : high >= stop, reached = side > 0 ? high >= target : low <= target;
            if (stopped || reached) Close(strategy, time, stopped ? stop : target);
        }

        private static void Obey(RLTraderStrategy strategy, string call, long time, double close)
        {
            string[] words = call.Split(' ');
            if (words[0] == "stop" && words[1] == "Price") stop = Number(words[2]);
            if (words[0] == "exit") Close(strategy, time, close - side * slippage);
            if (words[0] != "enter") return;
            entries++;
            if (mode == "reject")
            {
                strategy.Ordered("RLTrader", OrderState.Rejected);
                return;
            }
            if (side != 0) throw new InvalidOperationException("an entry while a trade is open would reverse it");
            side = words[1] == "long" ? 1 : -1;
            entry = close + side * slippage;
            entered = time;
            stop = entry - side * Last(strategy.Calls, "stop Ticks ") * tick;
            target = entry + side * Last(strategy.Calls, "target Ticks ") * tick;
            strategy.Moved(entry, int.Parse(words[2], CultureInfo.InvariantCulture), side > 0 ? MarketPosition.Long : MarketPosition.Short);
        }

        private static void Close(RLTraderStrategy strategy, long time, double price)
        {
            Console.WriteLine(string.Format(CultureInfo.InvariantCulture, "{0},{1},{2:R},{3},{4:R}", side, entered, entry, time, price));
            side = 0;
            strategy.Moved(0, 0, MarketPosition.Flat);
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

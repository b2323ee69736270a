// Plays the platform on bars of a bundle or of a file and fills orders by the environment's rules (section 6 of
// docs/environment.md), in the kindest order of events: what the strategy trades is then what the port trades. Prints
// every closed trade: side, entry and exit with time and price.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Reflection;
using System.Text;
using NinjaTrader.Cbi;
using NinjaTrader.Data;
using NinjaTrader.NinjaScript;
using NinjaTrader.NinjaScript.Strategies;

namespace RLTrader.Host
{
    /// <summary>What is unlike the rules.</summary>
    public enum Manners
    {
        /// <summary>Nothing.</summary>
        Fill,

        /// <summary>Entries are filled one tick worse.</summary>
        Slip,

        /// <summary>Two contracts come one tick too high and one too low.</summary>
        Parts,

        /// <summary>What is open in the last minute is closed by the platform, in that minute.</summary>
        Early,

        /// <summary>The account is a broker's; allowed lets it trade, if its name is listed.</summary>
        Live,
        LiveAllowed,

        /// <summary>Every entry is rejected, and the platform stops the strategy; prints how many were sent.</summary>
        Reject,

        /// <summary>The account holds a position of someone else; likewise.</summary>
        Foreign,

        /// <summary>Shadow mode: no order may come.</summary>
        Shadow,

        /// <summary>The Strategy Analyzer.</summary>
        Backtest
    }

    /// <summary>One instance of the strategy on one series of bars.</summary>
    public sealed class RulesPlatform : IPlatform
    {
        private readonly Manners manners;
        private readonly double tick, slippage;
        private readonly int flatBy;
        private readonly HostedStrategy strategy = new HostedStrategy();
        private readonly Position account = new Position();
        private readonly Queue<Action> todo = new Queue<Action>();
        private readonly TextWriter trades, log;
        private Order stop, target;
        private CalculationMode stopMode;
        private double stopValue, targetValue, entry, close;
        private int side, quantity, entries, executions;
        private DateTime opened, entered, now = new DateTime(2026, 1, 1);

        public RulesPlatform(string bundle, string symbol, Manners manners, string userFolder, TextWriter trades,
            TextWriter log)
        {
            this.manners = manners;
            this.trades = trades;
            this.log = log;
            object manifest = Json.Parse(File.ReadAllText(Path.Combine(bundle, "manifest.json"), Encoding.UTF8));
            object contract = Json.Get(manifest, "contract");
            flatBy = Json.Whole(Json.Get(manifest, "env_config"), "flat_by_minute");
            tick = Json.Number(contract, "tick_size");
            slippage = Json.Whole(contract, "slippage_ticks") * tick;
            NinjaTrader.Core.Globals.UserDataDir = userFolder;
            NinjaTrader.Core.Globals.Clock = () => now;
            strategy.Platform = this;
            strategy.Become(State.SetDefaults);
            strategy.BundleFolder = bundle;
            strategy.LogBacktests = true;
            strategy.HeartbeatMinutes = manners == Manners.Shadow ? 5 : 0;
            strategy.Shadow = manners == Manners.Shadow;
            bool live = manners == Manners.Live || manners == Manners.LiveAllowed;
            strategy.Account =
                new Account { Name = "Account 1", Provider = live ? Provider.Rithmic : Provider.Simulator };
            strategy.AllowLiveAccounts = manners == Manners.LiveAllowed;
            strategy.AllowedAccounts = live ? "Account 2, Account 1" : "";
            strategy.Instrument = new Instrument();
            strategy.Instrument.MasterInstrument.Name = symbol;
            strategy.Instrument.MasterInstrument.TickSize = tick;
            strategy.Instrument.MasterInstrument.PointValue = Json.Whole(contract, "tick_value_cents") / 100.0 / tick;
            strategy.Position = new Position();
            strategy.PositionAccount = account;
            strategy.Bars = new Bars { Calendar = SessionOf };
            strategy.BarsPeriod = new BarsPeriod { BarsPeriodType = BarsPeriodType.Minute, Value = 1 };
            strategy.BarsPeriod.MarketDataType = MarketDataType.Last;
            strategy.IsInStrategyAnalyzer = manners == Manners.Backtest;
        }

        // The rules let a stop stand at the close itself, so the bid lies above it and the ask below.
        public double Bid { get { return close + tick; } }
        public double Ask { get { return close - tick; } }

        // A session of every day, from 18:00 to 17:00 in New York; the platform's zone is UTC.
        private static DateTime[] SessionOf(DateTime utc)
        {
            DateTime day = NewYork.Local(utc).AddHours(6).Date;
            return new[] { NewYork.Utc(day.AddHours(-6)), NewYork.Utc(day.AddHours(17)) };
        }

        /// <summary>Put the strategy on another chart than it needs: one of Bid, FiveMinutes, RegularHours, AllHours,
        /// BackAdjusted.</summary>
        public void Chart(string what)
        {
            switch (what)
            {
                case "Bid": strategy.BarsPeriod.MarketDataType = MarketDataType.Bid; break;
                case "FiveMinutes": strategy.BarsPeriod.Value = 5; break;
                case "RegularHours": strategy.Bars.TradingHours = TradingHours.Daily("RTH", 930, 1600); break;
                case "AllHours": strategy.Bars.TradingHours = TradingHours.Always("Default 24 x 7"); break;
                case "BackAdjusted":
                    strategy.Instrument.MasterInstrument.MergePolicy = MergePolicy.MergeBackAdjusted;
                    break;
                default: throw new BundleException(what + ": no chart that is known; see RulesPlatform.cs");
            }
        }

        /// <summary>Set one of the strategy's settings: NAME=VALUE.</summary>
        public void Set(string setting)
        {
            string[] parts = setting.Split(new[] { '=' }, 2);
            PropertyInfo property = typeof(RLTraderStrategy).GetProperty(parts[0]);
            if (parts.Length < 2 || property == null || property.DeclaringType != typeof(RLTraderStrategy))
                throw new BundleException(setting
                    + ": no setting of the strategy; give NAME=VALUE, such as Shadow=true");
            try
            {
                property.SetValue(strategy,
                    Convert.ChangeType(parts[1], property.PropertyType, CultureInfo.InvariantCulture), null);
            }
            catch (FormatException)
            {
                throw new BundleException(setting + ": no " + property.PropertyType.Name + "; give another value");
            }
        }

        /// <summary>Play bars: time (seconds since 1970, UTC), open, high, low, close, volume.</summary>
        public void Play(IEnumerable<double[]> bars)
        {
            if (manners == Manners.Foreign) account.Net = 1;
            strategy.Become(State.Configure);
            strategy.Become(State.DataLoaded);
            strategy.Become(State.Historical);
            if (manners != Manners.Backtest) strategy.Become(State.Realtime);
            foreach (double[] bar in bars)
            {
                opened = BarFile.Epoch.AddSeconds(bar[0]);
                close = bar[4];
                now = opened.AddSeconds(30);
                Hit(bar[2], bar[3]);
                if (manners == Manners.Early && side != 0 && NewYork.Minute(opened) == flatBy)
                    Close(now, close, "Exit on session close", null);
                now = opened.AddSeconds(60);
                strategy.Show(now, bar[1], bar[2], bar[3], close, bar[5]); // stamped by its end
                while (todo.Count > 0) todo.Dequeue()();
                strategy.Second();
                while (todo.Count > 0) todo.Dequeue()();
            }
            strategy.Become(State.Terminated);
            if (manners == Manners.Reject || manners == Manners.Foreign) trades.WriteLine(entries);
        }

        public Order Enter(int side, int quantity, string signal)
        {
            entries++;
            if (this.side != 0) throw new InvalidOperationException("an entry while a trade is open would reverse it");
            Order order = Make(signal, OrderType.Market, side, quantity);
            todo.Enqueue(() => Fill(order, side, quantity));
            return order;
        }

        public Order Exit(int side, int quantity, string signal, string fromEntry)
        {
            if (this.side != side) return null;
            Order order = Make(signal, OrderType.Market, -side, quantity);
            todo.Enqueue(() => Close(opened.AddSeconds(60), close - side * slippage, signal, order));
            return order;
        }

        public void SetStop(string entry, CalculationMode mode, double value, bool simulated)
        {
            stopMode = mode;
            stopValue = value;
            if (side != 0) todo.Enqueue(() =>
            {
                stop.StopPrice = value;
                Tell(stop, OrderState.Working);
            });
        }

        public void SetTarget(string entry, CalculationMode mode, double value) { targetValue = value; }
        public void Cancel(Order order) { }
        public void Stop() { }
        public void CloseStrategy(string signal) { }
        public void Sound(string file) { }
        public void Mail(string to, string subject, string text) { }
        public void Log(string message, LogLevel level) { log.WriteLine("log " + level + " " + message); }

        // Within a bar the stop is looked at first.
        private void Hit(double high, double low)
        {
            if (side == 0) return;
            bool stopped = side > 0 ? low <= stop.StopPrice : high >= stop.StopPrice;
            bool reached = side > 0 ? high >= target.LimitPrice : low <= target.LimitPrice;
            if (stopped) Close(now, stop.StopPrice, OrderNames.Stop, stop);
            else if (reached) Close(now, target.LimitPrice, OrderNames.Target, target);
        }

        private void Fill(Order order, int side, int quantity)
        {
            if (manners == Manners.Reject)
            {
                Tell(order, OrderState.Rejected);
                strategy.Become(State.Terminated);
                return;
            }
            if (stopMode != CalculationMode.Ticks)
                throw new InvalidOperationException("the last trade's stop was not undone");
            this.side = side;
            this.quantity = quantity;
            entry = close + side * (slippage + (manners == Manners.Slip ? tick : 0));
            entered = opened.AddSeconds(60);
            stop = Make(OrderNames.Stop, OrderType.StopMarket, -side, quantity);
            target = Make(OrderNames.Target, OrderType.Limit, -side, quantity);
            stop.StopPrice = entry - side * stopValue * tick;
            target.LimitPrice = entry + side * targetValue * tick;
            if (manners == Manners.Parts)
            {
                Execute(order, order.Name, entry + tick, 1, side, entered, OrderState.PartFilled);
                Execute(order, order.Name, entry - tick, 1, side, entered, OrderState.Filled);
            }
            else Execute(order, order.Name, entry, quantity, side, entered, OrderState.Filled);
            Tell(stop, OrderState.Working);
            Tell(target, OrderState.Working);
        }

        private void Close(DateTime time, double price, string name, Order order)
        {
            trades.WriteLine(string.Format(CultureInfo.InvariantCulture, "{0},{1},{2:R},{3},{4:R}",
                side, Minute(entered), entry, Minute(time), price));
            int closes = -side;
            double dollars = strategy.Instrument.MasterInstrument.PointValue;
            strategy.Account.Cash += side * (price - entry) * quantity * dollars;
            side = 0;
            Execute(order, name, price, quantity, closes, time, OrderState.Filled);
            foreach (Order other in new[] { stop, target })
                if (other != order) Tell(other, OrderState.Cancelled);
        }

        private void Execute(Order order, string name, double price, int filled, int side, DateTime time,
            OrderState state)
        {
            account.Net += side * filled;
            strategy.Position.Net += side * filled;
            if (order != null)
            {
                order.Filled += filled;
                order.AverageFillPrice = price;
                Tell(order, state);
            }
            Execution execution =
                new Execution { Name = name, Order = order, Price = price, Quantity = filled, Time = time };
            execution.ExecutionId = "execution " + ++executions;
            execution.MarketPosition = side > 0 ? MarketPosition.Long : MarketPosition.Short;
            strategy.Tell(execution);
            strategy.Tell(strategy.Position, strategy.Position.Net, price);
        }

        private void Tell(Order order, OrderState state)
        {
            order.OrderState = state;
            strategy.Tell(order, state, order.Filled, order.AverageFillPrice, now, ErrorCode.NoError);
        }

        private static Order Make(string name, OrderType type, int side, int quantity)
        {
            Order made = new Order { Name = name, OrderType = type, Quantity = quantity };
            made.OrderAction = side > 0 ? OrderAction.Buy : OrderAction.Sell;
            return made;
        }

        // The open of the bar that a fill belongs to, in seconds; one at a bar's very end belongs to that bar.
        private static long Minute(DateTime fill)
        {
            return (long)Math.Ceiling((fill - BarFile.Epoch).TotalMinutes - 1) * 60;
        }

        /// <summary>Return the raw bars of a bundle's golden.json.</summary>
        public static IEnumerable<double[]> Golden(string bundle)
        {
            object bars =
                Json.Get(Json.Parse(File.ReadAllText(Path.Combine(bundle, "golden.json"), Encoding.UTF8)), "bars");
            string[] names = { "time", "open", "high", "low", "close", "volume" };
            double[][] columns = Array.ConvertAll(names, name => Json.Numbers(bars, name));
            for (int i = 0; i < columns[0].Length; i++) yield return Array.ConvertAll(columns, column => column[i]);
        }

        /// <summary>Return the bars of a CSV file, see BarFile.cs.</summary>
        public static IEnumerable<double[]> FromFile(string path)
        {
            foreach (Bar bar in BarFile.Read(path))
                yield return new[] { bar.Time, bar.First, bar.High, bar.Low, bar.Close, bar.Volume };
        }
    }
}

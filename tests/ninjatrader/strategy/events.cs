// The strategy on a platform that does nothing of itself: news by lines, and what the platform is asked for on each.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text.RegularExpressions;
using System.Threading;
using NinjaTrader.Cbi;
using NinjaTrader.Data;
using NinjaTrader.Gui.Chart;
using NinjaTrader.NinjaScript;
using NinjaTrader.NinjaScript.Strategies;
using RLTrader;
using RLTrader.Host;

public sealed class Wishes : IPolicy, IDisposable
{
    public int Next;
    public Platform Platform;
    public Manifest Manifest { get; set; }
    public double[] Logits { get { return new double[6]; } }
    public int Decide(float[] observation, bool[] mask)
    {
        if (Next > 5) throw new InvalidOperationException("a policy that fails");
        return Next;
    }
    public void Dispose() { Platform.Told.Add("no more advice"); }
}

// What is asked of it is told; what it answers is set by words.
public sealed class Platform : IPlatform
{
    public readonly List<string> Told = new List<string>();
    public Order Answer;
    public bool Fails;
    public string Folder;
    public bool Mute;
    private double bid;
    public double Bid { get { if (Mute) throw new IOException("no quote"); return bid; } set { bid = value; } }
    public double Ask { get; set; }
    public Order Enter(int side, int quantity, string signal) { return Send("enter", side, quantity, signal); }
    public Order Exit(int side, int quantity, string signal, string fromEntry)
    {
        return Send("exit", side, quantity, signal, "'" + fromEntry + "'");
    }
    public void SetStop(string entry, CalculationMode mode, double value, bool simulated)
    {
        Note("stop", entry, mode, value, simulated);
    }
    public void SetTarget(string entry, CalculationMode mode, double value) { Note("target", entry, mode, value); }
    public void Cancel(Order order) { Note("cancel", order.OrderId); }
    public void Log(string message, LogLevel level)
    {
        Match file = Regex.Match(message, "^RLTrader: decisions are logged in (.+)/ES-[0-9]{8}-[0-9]{6}\\.jsonl$");
        Note(level, file.Success && file.Groups[1].Value == Folder ? "a log" : message);
    }
    public void Stop() { Note("terminate"); }
    public void CloseStrategy(string signal) { Note("close", signal); }
    public void Sound(string file) { Note("sound", file); if (Fails) throw new IOException("none of " + file); }
    public void Mail(string to, string subject, string text)
    {
        Note("mail", to, "'" + subject + "'", text);
        if (Fails) throw new IOException("no post");
    }

    // An order that nobody knew of becomes one that is sent.
    private Order Send(params object[] words)
    {
        Note(words);
        if (Answer != null && Answer.OrderState == OrderState.Unknown) Answer.OrderState = OrderState.Submitted;
        return Answer;
    }

    private void Note(params object[] words)
    {
        Told.Add(string.Join(" ", words.Select(x => Convert.ToString(x, CultureInfo.InvariantCulture))));
    }
}

public sealed class Heard : RLTraderStrategy, IDisposable
{
    public Wishes Wishes;
    public Platform Told;
    public Action Every;
    public readonly Queue<Action> Waiting = new Queue<Action>();
    public void Dispose() { Told.Told.Add("no more clock"); }
    public IDisposable Clock(Action work) { return base.EverySecond(work); }
    public void Once(int seconds, Action work) { base.Later(seconds, work); }
    protected override IDisposable EverySecond(Action work)
    {
        Told.Told.Add("a clock");
        Every = work;
        return this;
    }
    protected override void Later(int seconds, Action work)
    {
        Told.Told.Add("later " + seconds);
        Waiting.Enqueue(work);
    }
    protected override void OnFault(Exception error) { Told.Told.Add("fault: " + error.Message); }
    protected override Agent LoadAgent()
    {
        if (BundleFolder == "bad") throw new FormatException("no bundle at all");
        return new Agent(Wishes, 0);
    }
}

public static class Show
{
    // 11:00 in New York, and 18:00 by the platform's own clock.
    private static readonly DateTime Begin = new DateTime(2025, 3, 10, 15, 0, 0, DateTimeKind.Utc);
    private static readonly Dictionary<string, Order> orders = new Dictionary<string, Order>();
    private static readonly Instrument other = new Instrument();
    private static Platform platform;
    private static Heard strategy, former;
    private static string folder;
    private static bool broken, asking;
    private static double now;
    private static double[] session;
    private static readonly System.Diagnostics.Stopwatch watch = System.Diagnostics.Stopwatch.StartNew();
    private static readonly List<double> clocksAt = new List<double>();
    private static volatile int ticks, once;
    private static IDisposable clock;

    public static void Main(string[] args)
    {
        NinjaTrader.Core.Globals.GeneralOptions.TimeZoneInfo = TimeZoneInfo.CreateCustomTimeZone("own",
            TimeSpan.FromHours(3), "own", "own");
        NinjaTrader.Core.Globals.Clock = () => Local(now);
        StartClocks();
        int number = 0;
        for (string line; (line = Console.ReadLine()) != null;)
        {
            if (line.StartsWith("new") && !line.StartsWith("news") || line.StartsWith("again"))
                folder = Path.Combine(args[0], (++number).ToString());
            string told = Do(line.Split(' '), line);
            string all = string.Join("; ", platform.Told);
            platform.Told.Clear();
            Console.WriteLine(told == null ? all : all == "" ? told : told + "; " + all);
        }
    }

    private static DateTime Utc(double seconds) { return Begin.AddSeconds(seconds); }

    private static DateTime Local(double seconds)
    {
        return DateTime.SpecifyKind(Utc(seconds).AddHours(3), DateTimeKind.Local);
    }

    private static double Seconds(DateTime utc)
    {
        return utc == DateTime.MaxValue ? double.PositiveInfinity : (utc - Begin).TotalSeconds;
    }

    private static T Of<T>(string name) { return (T)Enum.Parse(typeof(T), name); }

    private static void New(string[] settings, bool again)
    {
        former = !again ? null : former ?? strategy;
        broken = false;
        if (!again) platform = new Platform { Bid = 5000, Ask = 5000.25 };
        platform.Folder = folder;
        if (!again) orders.Clear();
        if (!again) now = 0;
        session = new[] { -1e5, 1e5 };
        Manifest manifest = new Manifest { Symbol = "ES", TickSize = 0.25, TickValue = 12.5, Window = 1,
            WarmupBars = 14, Size = 19, Phase = 2, PositionFeatures = 8, Actions = 6, Certificate = "same",
            Proved = true, Session = SessionKind.All, StopMultiple = 1.5, TargetRatio = 3, TrailMultiple = 1,
            Contracts = 3, Commission = 2, EntryOpen = 0, EntryClose = 1019, FlatBy = 1019, MaxEpisodeBars = 390,
            TrailingDrawdown = 2000, FloorLock = 100, Slippage = 1 };
        Instrument instrument = again && !settings.Contains("month") ? former.Instrument : new Instrument();
        if (again && settings.Contains("month")) instrument.Month = "03-27";
        MasterInstrument master = instrument.MasterInstrument;
        master.Name = "ES";
        master.TickSize = 0.25;
        master.PointValue = 50;
        master.MergePolicy = MergePolicy.MergeNonBackAdjusted;
        other.MasterInstrument.Name = "NQ";
        Account account = again ? former.Account : new Account { Name = "Sim1", Provider = Provider.Simulator,
            Connection = new Connection { Status = ConnectionStatus.Connected } };
        account.Flattened = which =>
        {
            platform.Told.Add("flatten " + string.Join("+", which.Select(x => x.FullName)));
            if (broken) throw new IOException("no way");
        };
        strategy = new Heard { Platform = platform, Told = platform, Instrument = instrument, Account = account,
            Wishes = new Wishes { Manifest = manifest, Platform = platform }, Bars = new Bars(),
            Position = new Position(), PositionAccount = again ? former.PositionAccount : new Position() };
        strategy.Bars.Calendar = at =>
        {
            if (asking) platform.Told.Add("asked of " + Words(Math.Round(Seconds(at.AddHours(-3)), 7)));
            return session == null ? null : new[] { Local(session[0]), Local(session[1]) };
        };
        strategy.BarsPeriod = new BarsPeriod { BarsPeriodType = BarsPeriodType.Minute, Value = 1,
            MarketDataType = MarketDataType.Last };
        if (!again) account.Positions.Add(new Position { Instrument = other });
        if (!again) account.Positions.Add(new Position { Instrument = instrument });
        strategy.Become(State.SetDefaults);
        strategy.LogFolder = folder;
        foreach (string setting in settings)
        {
            string[] words = setting.Split('=');
            if (setting == "analyzer") strategy.IsInStrategyAnalyzer = true;
            else if (setting == "chart") strategy.ChartControl = new ChartControl();
            else if (words.Length > 1)
            {
                PropertyInfo property = typeof(RLTraderStrategy).GetProperty(words[0]);
                property.SetValue(strategy, Convert.ChangeType(words[1], property.PropertyType,
                    CultureInfo.InvariantCulture), null);
            }
        }
        strategy.Become(State.Configure);
        strategy.Become(State.DataLoaded);
    }

    private static string Do(string[] words, string line)
    {
        double[] x = Array.ConvertAll(words, word => { double n; return double.TryParse(word, NumberStyles.Float,
            CultureInfo.InvariantCulture, out n) ? n : double.NaN; });
        IOrders asked = strategy;
        Order order = null;
        if (words.Length > 1) orders.TryGetValue(words[1], out order);
        switch (words[0])
        {
            case "new": case "again": New(words.Skip(1).ToArray(), words[0] == "again"); return null;
            case "bundle": strategy.BundleFolder = words[1]; return null;
            case "former": former.Waiting.Dequeue()(); return null;
            case "mute": platform.Mute = x[1] > 0; return null;
            case "broken": broken = x[1] > 0; return null;
            case "become": strategy.Become(Of<State>(words[1])); return null;
            case "now": now = x[1]; return null;
            case "price": now = x[1]; strategy.Tell(new MarketDataEventArgs()); return null;
            case "tick": now = x[1]; strategy.Every(); return null;
            case "later": now = x[1]; strategy.Waiting.Dequeue()(); return null;
            case "wish": strategy.Wishes.Next = (int)x[1]; return null;
            case "quiet": for (int n = 0; n < x[2]; n++) // minutes of one price before a time
                strategy.Show(Local(x[1] - 60 * (x[2] - 1 - n)), 5000, 5001, 4999, 5000, 10);
                return null;
            case "bar": strategy.Show(Local(x[1]), x[2], x[3], x[4], x[5], x[6]); return null;
            case "order": // key, name, action, type, state, contracts, filled, limit, stop, average, entry signal
                if (order == null)
                {
                    orders[words[1]] = order = new Order { OrderId = words[1], Instrument = strategy.Instrument };
                    strategy.Account.Orders.Add(order);
                }
                order.Name = words[2].Replace('_', ' ');
                order.OrderAction = Of<OrderAction>(words[3]);
                order.OrderType = Of<OrderType>(words[4]);
                order.OrderState = Of<OrderState>(words[5]);
                order.Quantity = (int)x[6];
                order.Filled = (int)x[7];
                order.LimitPrice = x[8];
                order.StopPrice = x[9];
                order.AverageFillPrice = x[10];
                order.FromEntrySignal = words.Length > 11 ? words[11] : "";
                return null;
            case "becomes": order.OrderState = Of<OrderState>(words[2]); return null;
            case "elsewhere": order.Instrument = other; return null;
            case "news": // key, state, error
                strategy.Tell(order, Of<OrderState>(words[2]), 0, 0, Local(now), Of<ErrorCode>(words[3]));
                return null;
            case "fill": // key or -, id, name, side, contracts, price, second
                strategy.Tell(new Execution { ExecutionId = words[2], Order = order, OrderId = words[1],
                    Name = words[3] == "-" ? null : words[3].Replace('_', ' '), Quantity = (int)x[5], Price = x[6],
                    MarketPosition = x[4] > 0 ? MarketPosition.Long : MarketPosition.Short, Time = Local(x[7]) });
                return null;
            case "holds": // what the account, the platform and, of the account's, another instrument hold
                strategy.PositionAccount.Net = strategy.Account.Positions[1].Net = (int)x[1];
                strategy.Position.Net = (int)x[2];
                strategy.Account.Positions[0].Net = (int)x[3];
                return null;
            case "line": // status, and of another connection where there is a third word
                Connection of = words.Length > 2 ? new Connection() : strategy.Account.Connection;
                of.Status = Of<ConnectionStatus>(words[1]);
                strategy.Tell(new ConnectionStatusEventArgs { Connection = of, Status = of.Status });
                return null;
            case "unconnected": strategy.Account.Connection = null; return null;
            case "cash": strategy.Account.Cash = x[1]; return null;
            case "quote": platform.Bid = x[1]; platform.Ask = x[2]; return null;
            case "fails": platform.Fails = x[1] > 0; return null;
            case "answers": platform.Answer = order; return null;
            case "session": session = words[1] == "none" ? null : new[] { x[1], x[2] }; return null;
            case "press": ((System.Windows.Controls.Button)strategy.ChartControl.Controls[0]).Press(); return null;
            case "button": return string.Join("+", strategy.ChartControl.Controls.Select(
                one => ((System.Windows.Controls.Button)one).Content + " " + one.HorizontalAlignment + " "
                    + one.VerticalAlignment));
            case "enter": return asked.Enter((int)x[1], (int)x[2], (int)x[3], (int)x[4]).ToString();
            case "exit": return asked.Exit((int)x[1], (int)x[2], Of<ExitReason>(words[3])).ToString();
            case "move": asked.MoveStop((long)x[1]); return null;
            case "cancel": asked.Cancel(strategy.Trader.Custody.Trade.Order(order, Role.Stop, 1)); return null;
            case "flatten": asked.FlattenAccount(); return null;
            case "stop": asked.Stop(); return null;
            case "tell": asked.Tell(string.Join(" ", words.Skip(2)), words[1] == "loud"); return null;
            case "ends":
                asking = true;
                double end = Seconds(asked.SessionEnd(Utc(x[1])));
                asking = false;
                return Words(end);
            case "found": return Shown(asked.PlatformExit(x[1] > 0));
            case "show":
                Trade trade = strategy.Trader.Custody.Trade;
                OwnOrder own = trade.Order(order, Role.Other, 0);
                asked.Refresh(own);
                return Shown(own) + " at " + Words(asked.FilledAt(own));
            case "states": // each state that an order may have, at a price of its own
                string all = "";
                foreach (OrderState state in Enum.GetValues(typeof(OrderState)))
                {
                    order.OrderState = state;
                    order.StopPrice += 0.25;
                    order.LimitPrice += 0.5;
                    OwnOrder told = strategy.Trader.Custody.Trade.Order(order, Role.Other, 0);
                    asked.Refresh(told);
                    all += state + (told.Live ? " live" : "") + (told.Working ? " works" : "")
                        + (told.Rejected ? " rejected " : " ") + told.Price + ", ";
                }
                return all;
            case "?": return Words(Seconds(asked.Now), asked.Bid, asked.Ask, asked.AccountNet, asked.PlatformNet,
                asked.AccountCash, asked.OrdersLeft, asked.ExitLeft, asked.StopRoom);
            case "trade": return Words(strategy.Trader.Mode, strategy.Trader.Custody.Trade.Net,
                strategy.Trader.Custody.Trade.Points, strategy.Trader.Custody.Trade.Orders.Count,
                strategy.Trader.Custody.WhyNot(), strategy.Trader.Custody.WhyNoEntry());
            case "runs": return (strategy.Trader != null).ToString();
            case "log": // a kind of lines: how many there are, and the values of the newest by name
                string[] lines = File.ReadAllLines(Directory.GetFiles(folder, "*.jsonl").Single());
                lines = lines.Where(one => one.Contains(":\"" + words[1] + "\"")).ToArray();
                return lines.Length + string.Concat(words.Skip(2).Select(
                    name => " " + Value(Json.Parse(lines.Last()), name)));
            case "clocks": return Clocks();
            default: throw new ArgumentException(words[0]);
        }
    }

    // The strategy's own timers, whatever is thrown in them: how often each came, and not before its time.
    private static void StartClocks()
    {
        Heard timed = new Heard();
        Action note = () => { lock (clocksAt) clocksAt.Add(watch.Elapsed.TotalSeconds); };
        timed.Once(1, () => { note(); once++; });
        clock = timed.Clock(() => { note(); ticks++; throw new IOException("it ended"); });
    }

    private static string Clocks()
    {
        while ((ticks < 2 || once < 1) && watch.Elapsed.TotalSeconds < 20) Thread.Sleep(10);
        clock.Dispose();
        lock (clocksAt)
            return (ticks > 1) + " " + once + " " + (clocksAt.Min() > 0.9) + " " + (clocksAt.Max() > 1.9);
    }

    private static string Shown(OwnOrder own)
    {
        return own == null ? "none" : Words(((Order)own.Key).OrderId, own.Role, own.Side, own.Quantity, own.Filled,
            own.Price, own.Live ? "live" : "over", own.Working ? "working" : "not", own.Rejected ? "rejected" : "fine");
    }

    private static string Value(object line, string name)
    {
        if (!Json.Has(line, name)) return "-";
        object value = Json.Get(line, name);
        List<object> items = value as List<object>;
        return items != null ? string.Join(",", items.Select(one => Words(one))) : Words(value ?? "null");
    }

    private static string Words(params object[] words)
    {
        return string.Join(" ", words.Select(x => Convert.ToString(x, CultureInfo.InvariantCulture)));
    }
}

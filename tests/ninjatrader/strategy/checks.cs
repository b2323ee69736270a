// The strategy on charts and accounts that lines change one by one, and what it says when it is loaded.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Reflection;
using NinjaTrader.Cbi;
using NinjaTrader.Data;
using NinjaTrader.NinjaScript;
using NinjaTrader.NinjaScript.Strategies;
using RLTrader;
using RLTrader.Host;

public sealed class Wishes : IPolicy
{
    public Manifest Manifest { get; set; }
    public double[] Logits { get { return new double[6]; } }
    public int Decide(float[] observation, bool[] mask) { return 0; }
}

public sealed class Silent : IPlatform
{
    public readonly List<string> Told = new List<string>();
    public Order Enter(int side, int quantity, string signal) { return null; }
    public Order Exit(int side, int quantity, string signal, string fromEntry) { return null; }
    public void SetStop(string entry, CalculationMode mode, double value, bool simulated) { }
    public void SetTarget(string entry, CalculationMode mode, double value) { }
    public void Cancel(Order order) { }
    public void Log(string message, LogLevel level) { Told.Add(level + " " + message); }
    public void Stop() { }
    public void CloseStrategy(string signal) { }
    public void Sound(string file) { }
    public void Mail(string to, string subject, string text) { }
    public double Bid { get { return 0; } }
    public double Ask { get { return 0; } }
}

public sealed class Tried : RLTraderStrategy
{
    public Manifest Known;
    protected override Agent LoadAgent() { return new Agent(new Wishes { Manifest = Known }, 0); }
}

public static class Show
{
    // Each line changes some things, set apart by bars, of a chart that is taken as it is.
    public static void Main(string[] args)
    {
        NinjaTrader.Core.Globals.Clock = () => new DateTime(2025, 3, 12, 15, 0, 0); // a Wednesday
        for (string line; (line = Console.ReadLine()) != null;)
        {
            Silent platform = new Silent();
            Manifest manifest = new Manifest { Symbol = "ES", TickSize = 0.25, TickValue = 12.5, Window = 1,
                Size = 19, Phase = 2, PositionFeatures = 8, Actions = 6, Certificate = "same", Proved = true };
            Instrument instrument = new Instrument();
            instrument.MasterInstrument.Name = "ES";
            instrument.MasterInstrument.TickSize = 0.25;
            instrument.MasterInstrument.PointValue = 50;
            instrument.MasterInstrument.MergePolicy = MergePolicy.MergeNonBackAdjusted;
            Tried strategy = new Tried { Platform = platform, Known = manifest, Instrument = instrument };
            strategy.Account = new Account { Name = "Sim 1/a", Provider = Provider.Simulator };
            strategy.Bars = new Bars();
            strategy.BarsPeriod = new BarsPeriod { BarsPeriodType = BarsPeriodType.Minute, Value = 1,
                MarketDataType = MarketDataType.Last };
            strategy.Become(State.SetDefaults);
            strategy.LogFolder = args[0];
            string[] changes = line.Split('|');
            foreach (string change in changes) Change(change, strategy, manifest, false);
            strategy.Become(State.Configure);
            foreach (string change in changes) Change(change, strategy, manifest, true);
            if (line.Contains("limits")) Console.WriteLine(Limits(strategy).Replace(args[0], "LOGS"));
            else if (line.Contains("settings")) Console.WriteLine(Settings(strategy));
            else
            {
                strategy.Become(State.DataLoaded);
                IEnumerable<string> told = platform.Told.Where(x => !x.Contains("decisions are logged in"));
                bool taken = strategy.Trader != null;
                Console.WriteLine((taken ? "taken" : "refused") + string.Concat(told.Select(x => "; " + x)));
            }
        }
    }

    private static void Change(string change, Tried strategy, Manifest manifest, bool late)
    {
        string[] words = change.Split('=');
        string value = words.Length > 1 ? words[1] : "";
        double number;
        double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out number);
        string[] parts = value.Split(' ');
        MasterInstrument master = strategy.Instrument.MasterInstrument;
        switch (words[0])
        {
            case "": case "limits": case "settings": break;
            case "provider": strategy.Account.Provider = (Provider)Enum.Parse(typeof(Provider), value); break;
            case "no account": strategy.Account = null; break;
            case "analyzer": strategy.IsInStrategyAnalyzer = true; break;
            case "symbol": master.Name = value; break;
            case "tick": master.TickSize = number; break;
            case "point": master.PointValue = number; break;
            case "merge": master.MergePolicy = (MergePolicy)Enum.Parse(typeof(MergePolicy), value); break;
            case "period": strategy.BarsPeriod.Value = (int)number; break;
            case "kind": strategy.BarsPeriod.BarsPeriodType = (BarsPeriodType)Enum.Parse(typeof(BarsPeriodType),
                value); break;
            case "data": strategy.BarsPeriod.MarketDataType = (MarketDataType)Enum.Parse(typeof(MarketDataType),
                value); break;
            case "unproved": manifest.Proved = false; manifest.Certificate = value; break;
            case "all hours": manifest.Session = SessionKind.All; break;
            case "late calculate": if (late) strategy.Calculate = Calculate.OnEachTick; break;
            case "late handling": if (late) strategy.StopTargetHandling = StopTargetHandling.PerEntryExecution;
                break;
            case "daily": strategy.Bars.TradingHours = TradingHours.Daily("own", int.Parse(parts[0]),
                int.Parse(parts[1])); break;
            case "without": if (!late) strategy.Bars.TradingHours.Sessions.Remove(strategy.Bars.TradingHours.Sessions
                .First(x => x.EndDay.ToString() == value)); break;
            case "always": strategy.Bars.TradingHours = TradingHours.Always("always"); break;
            case "one": // day, time, day, time of one session alone, in New York
                TradingHours hours = TradingHours.Daily("one", 1800, 1700);
                hours.Sessions.Clear();
                hours.Sessions.Add(new Session { BeginDay = (DayOfWeek)int.Parse(parts[0]),
                    BeginTime = int.Parse(parts[1]), EndDay = (DayOfWeek)int.Parse(parts[2]),
                    EndTime = int.Parse(parts[3]) });
                strategy.Bars.TradingHours = hours;
                break;
            default:
                PropertyInfo property = typeof(RLTraderStrategy).GetProperty(words[0]);
                Type type = property.PropertyType;
                if (!late) property.SetValue(strategy, type.IsEnum ? Enum.Parse(type, value)
                    : Convert.ChangeType(value, type, CultureInfo.InvariantCulture), null);
                break;
        }
    }

    private static string Limits(Tried strategy)
    {
        MethodInfo limits = typeof(RLTraderStrategy).GetMethod("Limits",
            BindingFlags.NonPublic | BindingFlags.Instance);
        GuardSettings made = (GuardSettings)limits.Invoke(strategy, null);
        return string.Format(CultureInfo.InvariantCulture, "{0} {1} {2} '{3}' '{4}' '{5}'", made.MinutesBeforeEnd,
            made.DailyLoss, made.FloorStart, made.KillFile, made.FloorFile, made.DayFile);
    }

    private static string Settings(Tried strategy)
    {
        IEnumerable<PropertyInfo> all = typeof(RLTraderStrategy).GetProperties().Where(
            x => x.GetSetMethod() != null && x.Name != "Description" && x.Name != "DisconnectDelaySeconds"
                && x.Name != "LogFolder");
        return string.Join(" ", all.OrderBy(x => x.Name, StringComparer.Ordinal).Select(
            x => x.Name + "=" + Convert.ToString(x.GetValue(strategy, null), CultureInfo.InvariantCulture)));
    }
}

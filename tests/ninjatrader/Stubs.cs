// The few declarations of NinjaTrader that the strategy uses, written by hand so that it can be compiled and
// driven where NinjaTrader is not. They say nothing about how NinjaTrader behaves; Host.cs plays its part.
using System;
using System.Collections.Generic;

namespace System.ComponentModel.DataAnnotations
{
    public sealed class DisplayAttribute : Attribute
    {
        public string Name { get; set; }
        public string Description { get; set; }
        public string GroupName { get; set; }
        public int Order { get; set; }
    }
}

namespace NinjaTrader.Core
{
    public static class Globals
    {
        public static readonly Options GeneralOptions = new Options();
        public static string UserDataDir = ".";
        public sealed class Options { public TimeZoneInfo TimeZoneInfo = TimeZoneInfo.Utc; }
    }
}

namespace NinjaTrader.Cbi
{
    public enum MarketPosition { Flat, Long, Short }
    public enum OrderState { Working, Filled, Rejected, Cancelled }
    public enum ErrorCode { NoError }
    public enum LogLevel { Information, Warning, Error, Alert }
    public enum Provider { Simulator, Playback, Rithmic }
    public sealed class Account { public Provider Provider; }
    public sealed class Order { public string Name; }
    public sealed class Execution { public Order Order; }
    public sealed class Position { public MarketPosition MarketPosition; }
    public sealed class MasterInstrument { public string Name; }
    public sealed class Instrument
    {
        public MasterInstrument MasterInstrument = new MasterInstrument();
        public string FullName { get { return MasterInstrument.Name + " 12-26"; } }
    }
}

namespace NinjaTrader.Data
{
    public enum BarsPeriodType { Minute, Second }
    public sealed class BarsPeriod
    {
        public BarsPeriodType BarsPeriodType;
        public int Value = 1;
    }
}

namespace NinjaTrader.NinjaScript
{
    public enum State { SetDefaults, Configure, DataLoaded, Historical, Realtime, Terminated }
    public enum Calculate { OnBarClose, OnEachTick }
    public enum EntryHandling { AllEntries, UniqueEntries }
    public enum StopTargetHandling { PerEntryExecution, ByStrategyPosition }
    public enum StartBehavior { WaitUntilFlat, ImmediatelySubmit }
    public enum CalculationMode { Ticks, Price }
    public sealed class NinjaScriptPropertyAttribute : Attribute { }
}

namespace NinjaTrader.NinjaScript.Strategies
{
    using NinjaTrader.Cbi;
    using NinjaTrader.Data;

    /// <summary>What a strategy inherits; orders are written down, in order, for the host to look at.</summary>
    public abstract class Strategy
    {
        public readonly List<string> Calls = new List<string>();
        public State State;
        public string Name, Description;
        public Calculate Calculate;
        public EntryHandling EntryHandling;
        public StopTargetHandling StopTargetHandling;
        public StartBehavior StartBehavior;
        public bool IsExitOnSessionCloseStrategy, IsInStrategyAnalyzer;
        public int EntriesPerDirection, ExitOnSessionCloseSeconds, BarsRequiredToTrade, BarsInProgress;
        public double TickSize;
        public readonly BarsPeriod BarsPeriod = new BarsPeriod();
        public readonly Instrument Instrument = new Instrument();
        public readonly Position Position = new Position();
        public Account Account = new Account();
        public readonly DateTime[] Time = new DateTime[1];
        public readonly double[] Open = new double[1], High = new double[1], Low = new double[1], Close = new double[1], Volume = new double[1];

        protected abstract void OnStateChange();
        protected abstract void OnBarUpdate();
        protected abstract void OnPositionUpdate(Position position, double averagePrice, int quantity, MarketPosition marketPosition);
        protected abstract void OnExecutionUpdate(Execution execution, string executionId, double price, int quantity,
            MarketPosition marketPosition, string orderId, DateTime time);
        protected abstract void OnOrderUpdate(Order order, double limitPrice, double stopPrice, int quantity, int filled,
            double averageFillPrice, OrderState orderState, DateTime time, ErrorCode error, string comment);

        public void ToState(State state) { State = state; OnStateChange(); }
        public void Moved(double price, int quantity, MarketPosition side)
        {
            Position.MarketPosition = side;
            OnPositionUpdate(Position, price, quantity, side);
        }

        public void Executed(string order, double price, int quantity, MarketPosition side, DateTime time)
        {
            OnExecutionUpdate(new Execution { Order = new Order { Name = order } }, "", price, quantity, side, "", time);
        }

        public void Show(DateTime end, double open, double high, double low, double close, double volume)
        {
            Time[0] = end;
            Open[0] = open;
            High[0] = high;
            Low[0] = low;
            Close[0] = close;
            Volume[0] = volume;
            OnBarUpdate();
        }

        public void Ordered(string name, OrderState state)
        {
            OnOrderUpdate(new Order { Name = name }, 0, 0, 0, 0, 0, state, Time[0], ErrorCode.NoError, "");
        }

        protected void Log(string message, LogLevel level) { Calls.Add("log " + level + " " + message); }
        protected void SetStopLoss(string signal, CalculationMode mode, double value, bool simulated) { Calls.Add("stop " + mode + " " + Text(value)); }
        protected void SetProfitTarget(string signal, CalculationMode mode, double value) { Calls.Add("target " + mode + " " + Text(value)); }
        protected void EnterLong(int quantity, string signal) { Calls.Add("enter long " + quantity); }
        protected void EnterShort(int quantity, string signal) { Calls.Add("enter short " + quantity); }
        protected void ExitLong(string signal, string entry) { Calls.Add("exit long " + signal); }
        protected void ExitShort(string signal, string entry) { Calls.Add("exit short " + signal); }

        private static string Text(double value) { return value.ToString("R", System.Globalization.CultureInfo.InvariantCulture); }
    }
}

// NinjaTrader 8's public declarations that a strategy of this project uses, written by hand from its help, so that the
// strategy can be compiled and driven where NinjaTrader is not. Each type names the page of the help that it follows
// (ninjatrader.com/support/helpguides/nt8/PAGE.html); "listing" is a public type listing rather than a page. The
// members do what the simulated platform lets them do; NinjaTrader's own behaviour may differ.
using System;
using System.Collections.Generic;
using System.Collections.ObjectModel;

namespace System.ComponentModel.DataAnnotations
{
    public sealed class DisplayAttribute : Attribute
    {
        public string Name { get; set; }
        public string Description { get; set; }
        public string GroupName { get; set; }
        public int Order { get; set; }
    }

    public sealed class RangeAttribute : Attribute
    {
        public RangeAttribute(int minimum, int maximum) { }
        public RangeAttribute(double minimum, double maximum) { }
    }
}

namespace NinjaTrader.Core
{
    /// <summary>help: playsound, triggercustomevent (Now), onstatechange; listing: UserDataDir,
    /// GeneralOptions.</summary>
    public static class Globals
    {
        public static readonly Options GeneralOptions = new Options();
        public static string UserDataDir = ".", InstallDir = ".";
        public static Func<DateTime> Clock = () => DateTime.Now;
        public static DateTime Now { get { return Clock(); } }
        public sealed class Options { public TimeZoneInfo TimeZoneInfo = TimeZoneInfo.Utc; }
    }
}

namespace NinjaTrader.Cbi
{
    /// <summary>help: position_marketposition.</summary>
    public enum MarketPosition { Flat, Long, Short }

    /// <summary>help: order (fourteen), order_state_definitions (Suspended); listing: AcceptedByRisk.</summary>
    public enum OrderState
    {
        Initialized, Submitted, Accepted, AcceptedByRisk, TriggerPending, Working, ChangePending, ChangeSubmitted,
        CancelPending, CancelSubmitted, Cancelled, Rejected, PartFilled, Filled, Suspended, Unknown
    }

    /// <summary>help: onorderupdate.</summary>
    public enum ErrorCode
    {
        NoError, LoginExpired, LogOnFailed, OrderRejected, OrderRejectedByRisk, Panic, UnableToCancelOrder,
        UnableToChangeOrder, UnableToSubmitOrder, UserAbort
    }

    /// <summary>help: order.</summary>
    public enum OrderAction { Buy, BuyToCover, Sell, SellShort }

    /// <summary>help: order.</summary>
    public enum OrderType { Limit, Market, MIT, StopMarket, StopLimit }

    /// <summary>help: timeinforce.</summary>
    public enum TimeInForce { Day, Gtc }

    /// <summary>help: log.</summary>
    public enum LogLevel { Information, Warning, Error, Alert }

    /// <summary>help: simulationaccountreset (Playback); listing: the others.</summary>
    public enum Provider { Simulator, Playback, Rithmic, InteractiveBrokers, NinjaTraderContinuum }

    /// <summary>help: connectionstatuseventargs, onconnectionstatusupdate.</summary>
    public enum ConnectionStatus { Connected, Connecting, ConnectionLost, Disconnected, Disconnecting }

    /// <summary>help: accountitem, of which there are more.</summary>
    public enum AccountItem { CashValue, NetLiquidation, RealizedProfitLoss, UnrealizedProfitLoss }

    /// <summary>help: get, currency.</summary>
    public enum Currency { UsDollar }

    /// <summary>help: mergepolicy.</summary>
    public enum MergePolicy { DoNotMerge, MergeBackAdjusted, MergeNonBackAdjusted, UseDefault, UseGlobalSettings }

    /// <summary>help: connection_class.</summary>
    public sealed class Connection { public ConnectionStatus Status { get; internal set; } }

    /// <summary>help: connectionstatuseventargs.</summary>
    public sealed class ConnectionStatusEventArgs : EventArgs
    {
        public Connection Connection { get; internal set; }
        public ConnectionStatus Status { get; internal set; }
        public ConnectionStatus PriceStatus { get; internal set; }
    }

    /// <summary>help: account_class, flatten, get, orders_account, positions_account.</summary>
    public sealed class Account
    {
        internal Action<ICollection<Instrument>> Flattened = instruments => { };
        internal double Begin = 50000, Cash = 50000;
        internal Func<double> Open = () => 0;
        internal bool Silent; // no connection has told of its money yet

        public Account()
        {
            Positions = new Collection<Position>();
            Orders = new Collection<Order>();
        }

        public string Name { get; internal set; }
        public Provider Provider { get; internal set; }
        public Connection Connection { get; internal set; }
        public Collection<Position> Positions { get; private set; }
        public Collection<Order> Orders { get; private set; }
        /// <summary>What was made since the beginning is in the cash; what an open trade has made is not.</summary>
        public double Get(AccountItem itemType, Currency currency)
        {
            if (itemType == AccountItem.CashValue) return Silent ? 0 : Cash;
            if (itemType == AccountItem.RealizedProfitLoss) return Cash - Begin;
            return Open() + (itemType == AccountItem.NetLiquidation ? Cash : 0);
        }
        public void Flatten(ICollection<Instrument> instruments) { Flattened(instruments); }
    }

    /// <summary>help: order, isterminalstate. One object an order, whose properties are always the current
    /// ones.</summary>
    public sealed class Order
    {
        public Account Account { get; internal set; }
        public double AverageFillPrice { get; internal set; }
        public int Filled { get; internal set; }
        public string FromEntrySignal { get; internal set; }
        public Instrument Instrument { get; internal set; }
        public bool IsBacktestOrder { get; internal set; }
        public double LimitPrice { get; internal set; }
        public string Name { get; internal set; }
        public string Oco { get; internal set; }
        public OrderAction OrderAction { get; internal set; }
        public string OrderId { get; internal set; }
        public OrderState OrderState { get; internal set; }
        public OrderType OrderType { get; internal set; }
        public int Quantity { get; internal set; }
        public double StopPrice { get; internal set; }
        public DateTime Time { get; internal set; }

        public static bool IsTerminalState(OrderState orderState)
        {
            return orderState == OrderState.Cancelled || orderState == OrderState.Filled
                || orderState == OrderState.Rejected || orderState == OrderState.Unknown;
        }
    }

    /// <summary>help: execution. Some have no Order, such as those of the exit on session close.</summary>
    public sealed class Execution
    {
        public Account Account { get; internal set; }
        public string ExecutionId { get; internal set; }
        public MarketPosition MarketPosition { get; internal set; }
        public string Name { get; internal set; }
        public Order Order { get; internal set; }
        public string OrderId { get; internal set; }
        public double Price { get; internal set; }
        public int Quantity { get; internal set; }
        public DateTime Time { get; internal set; }
    }

    /// <summary>help: position, positionaccount.</summary>
    public sealed class Position
    {
        public Account Account { get; internal set; }
        public double AveragePrice { get; internal set; }
        public Instrument Instrument { get; internal set; }
        public MarketPosition MarketPosition { get; internal set; }
        public int Quantity { get; internal set; }

        internal int Net
        {
            get { return MarketPosition == MarketPosition.Short ? -Quantity : Quantity; }
            set
            {
                Quantity = Math.Abs(value);
                MarketPosition = value == 0 ? MarketPosition.Flat : value > 0 ? MarketPosition.Long
                    : MarketPosition.Short;
            }
        }
    }

    /// <summary>help: masterinstrument, mergepolicy.</summary>
    public sealed class MasterInstrument
    {
        public string Name { get; internal set; }
        public double PointValue { get; internal set; }
        public double TickSize { get; internal set; }
        public MergePolicy MergePolicy { get; internal set; }
    }

    /// <summary>help: instrument.</summary>
    public sealed class Instrument
    {
        public Instrument() { MasterInstrument = new MasterInstrument(); }
        public MasterInstrument MasterInstrument { get; private set; }
        public string Month = "12-26"; // of the host alone; NinjaTrader has it as Expiry
        public string FullName { get { return MasterInstrument.Name + " " + Month; } }
    }
}

namespace NinjaTrader.Data
{
    /// <summary>help: barsperiod.</summary>
    public enum BarsPeriodType { Tick, Volume, Range, Second, Minute, Day }

    /// <summary>help: marketdataeventargs.</summary>
    public enum MarketDataType { Ask, Bid, Last }

    /// <summary>help: barsperiod.</summary>
    public sealed class BarsPeriod
    {
        public BarsPeriodType BarsPeriodType { get; set; }
        public MarketDataType MarketDataType { get; set; }
        public int Value { get; set; }
    }

    /// <summary>help: onmarketdata, marketdataeventargs.</summary>
    public sealed class MarketDataEventArgs : EventArgs
    {
        public MarketDataType MarketDataType { get; internal set; }
        public double Price { get; internal set; }
        public DateTime Time { get; internal set; }
    }

    /// <summary>help: tradinghours_sessions. Times are hours times a hundred and minutes, in the template's
    /// zone.</summary>
    public sealed class Session
    {
        public DayOfWeek BeginDay { get; internal set; }
        public DayOfWeek EndDay { get; internal set; }
        public int BeginTime { get; internal set; }
        public int EndTime { get; internal set; }
    }

    /// <summary>help: partialholidays.</summary>
    public sealed class PartialHoliday { public bool IsEarlyClose { get; internal set; } }

    /// <summary>help: tradinghours, holidays, partialholidays, timezoneinfo.</summary>
    public sealed class TradingHours
    {
        public TradingHours()
        {
            Sessions = new Collection<Session>();
            Holidays = new Dictionary<DateTime, string>();
            PartialHolidays = new Dictionary<DateTime, PartialHoliday>();
            TimeZoneInfo = TimeZoneInfo.Utc;
        }

        public string Name { get; internal set; }
        public Collection<Session> Sessions { get; private set; }
        public Dictionary<DateTime, string> Holidays { get; private set; }
        public Dictionary<DateTime, PartialHoliday> PartialHolidays { get; private set; }
        public TimeZoneInfo TimeZoneInfo { get; internal set; }

        /// <summary>A week of one session a day, in New York's time; an end before the begin is on the next
        /// day.</summary>
        internal static TradingHours Daily(string name, int begin, int end)
        {
            TradingHours made = new TradingHours { Name = name };
            made.TimeZoneInfo = NewYork();
            for (int day = 1; day <= 5; day++)
            {
                Session session = new Session { BeginTime = begin, EndTime = end, EndDay = (DayOfWeek)day };
                session.BeginDay = (DayOfWeek)(begin < end ? day : day - 1);
                made.Sessions.Add(session);
            }
            made.PartialHolidays.Add(new DateTime(2026, 11, 27), new PartialHoliday { IsEarlyClose = true });
            return made;
        }

        /// <summary>A week of seven whole days, without holidays.</summary>
        internal static TradingHours Always(string name)
        {
            TradingHours made = new TradingHours { Name = name };
            for (int day = 0; day < 7; day++)
                made.Sessions.Add(new Session { BeginDay = (DayOfWeek)day, EndDay = (DayOfWeek)((day + 1) % 7) });
            return made;
        }

        private static TimeZoneInfo NewYork()
        {
            DateTime two = new DateTime(1, 1, 1, 2, 0, 0);
            TimeZoneInfo.AdjustmentRule summer = TimeZoneInfo.AdjustmentRule.CreateAdjustmentRule(
                new DateTime(2007, 1, 1), DateTime.MaxValue.Date, TimeSpan.FromHours(1),
                TimeZoneInfo.TransitionTime.CreateFloatingDateRule(two, 3, 2, DayOfWeek.Sunday),
                TimeZoneInfo.TransitionTime.CreateFloatingDateRule(two, 11, 1, DayOfWeek.Sunday));
            return TimeZoneInfo.CreateCustomTimeZone("New York", TimeSpan.FromHours(-5), "New York", "New York",
                "New York, summer", new[] { summer });
        }
    }

    /// <summary>help: bars. The calendar is the simulated platform's: begin and end of the session of a time.</summary>
    public sealed class Bars
    {
        internal Func<DateTime, DateTime[]> Calendar;

        public Bars() { TradingHours = TradingHours.Daily("CME US Index Futures ETH", 1800, 1700); }

        public TradingHours TradingHours { get; internal set; }
    }

    /// <summary>help: sessioniterator, getnextsession, actualsessionend. Times are in the user's zone.</summary>
    public sealed class SessionIterator
    {
        private readonly Bars bars;

        public SessionIterator(Bars bars) { this.bars = bars; }
        public DateTime ActualSessionBegin { get; private set; }
        public DateTime ActualSessionEnd { get; private set; }

        public bool GetNextSession(DateTime timeLocal, bool includesEndTimeStamp)
        {
            DateTime[] session = bars.Calendar(includesEndTimeStamp ? timeLocal.AddTicks(-1) : timeLocal);
            if (session == null) return false;
            ActualSessionBegin = session[0];
            ActualSessionEnd = session[1];
            return true;
        }
    }
}

namespace NinjaTrader.NinjaScript
{
    /// <summary>help: state.</summary>
    public enum State
    {
        Undefined, SetDefaults, Configure, Active, DataLoaded, Historical, Transition, Realtime, Terminated, Finalized
    }

    /// <summary>help: calculate.</summary>
    public enum Calculate { OnBarClose, OnEachTick, OnPriceChange }

    /// <summary>help: entryhandling.</summary>
    public enum EntryHandling { AllEntries, UniqueEntries }

    /// <summary>help: stoptargethandling.</summary>
    public enum StopTargetHandling { ByStrategyPosition, PerEntryExecution }

    /// <summary>help: startbehavior.</summary>
    public enum StartBehavior
    {
        AdoptAccountPosition, ImmediatelySubmit, ImmediatelySubmitSynchronizeAccount, WaitUntilFlat,
        WaitUntilFlatSynchronizeAccount
    }

    /// <summary>help: setstoploss.</summary>
    public enum CalculationMode { Currency, Percent, Pips, Price, Ticks }

    /// <summary>help: connectionlosshandling.</summary>
    public enum ConnectionLossHandling { KeepRunning, Recalculate, StopStrategy }

    /// <summary>help: realtimeerrorhandling.</summary>
    public enum RealtimeErrorHandling { IgnoreAllErrors, StopCancelClose, StopCancelCloseIgnoreRejects }

    /// <summary>help: ninjascriptpropertyattribute.</summary>
    public sealed class NinjaScriptPropertyAttribute : Attribute { }

    /// <summary>help: iseries; only the newest bar is kept here.</summary>
    public sealed class Series<T>
    {
        internal T Newest;
        internal int Count;

        public T this[int barsAgo]
        {
            get
            {
                if (barsAgo != 0 || Count == 0) throw new ArgumentOutOfRangeException("barsAgo");
                return Newest;
            }
        }
    }
}

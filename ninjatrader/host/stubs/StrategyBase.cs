// What a NinjaTrader strategy inherits, by the help's signatures; every call goes to the simulated platform.
using System;
using System.Collections.ObjectModel;
using NinjaTrader.Cbi;
using NinjaTrader.Data;
using NinjaTrader.Gui.Chart;
using NinjaTrader.NinjaScript;
using RLTrader.Host;

namespace RLTrader.Host
{
    /// <summary>What a simulated platform does for a strategy. Order methods return null where they are
    /// ignored.</summary>
    public interface IPlatform
    {
        Order Enter(int side, int quantity, string signal);
        Order Exit(int side, int quantity, string signal, string fromEntry);
        void SetStop(string entry, CalculationMode mode, double value, bool simulated);
        void SetTarget(string entry, CalculationMode mode, double value);
        void Cancel(Order order);
        void Log(string message, LogLevel level);
        void Stop();
        void CloseStrategy(string signal);
        void Sound(string file);
        void Mail(string to, string subject, string text);
        double Bid { get; }
        double Ask { get; }
    }
}

namespace NinjaTrader.NinjaScript.Strategies
{
    /// <summary>help: strategy, and the page of each member's name.</summary>
    public abstract class Strategy
    {
        internal IPlatform Platform;

        public State State { get; internal set; }
        public string Name { get; set; }
        public string Description { get; set; }
        public Calculate Calculate { get; set; }
        public EntryHandling EntryHandling { get; set; }
        public StopTargetHandling StopTargetHandling { get; set; }
        public StartBehavior StartBehavior { get; set; }
        public ConnectionLossHandling ConnectionLossHandling { get; set; }
        public RealtimeErrorHandling RealtimeErrorHandling { get; set; }
        public TimeInForce TimeInForce { get; set; }
        public bool IsExitOnSessionCloseStrategy { get; set; }
        public bool IsUnmanaged { get; set; }
        public bool IsInStrategyAnalyzer { get; internal set; }
        public int EntriesPerDirection { get; set; }
        public int ExitOnSessionCloseSeconds { get; set; }
        public int DisconnectDelaySeconds { get; set; }
        public int BarsRequiredToTrade { get; set; }
        public int BarsInProgress { get; internal set; }
        public double TickSize { get { return Instrument.MasterInstrument.TickSize; } }
        public Account Account { get; internal set; }
        public Instrument Instrument { get; internal set; }
        public Position Position { get; internal set; }
        public Position PositionAccount { get; internal set; }
        public Bars Bars { get; internal set; }
        public ChartControl ChartControl { get; internal set; }

        /// <summary>help: usercontrolcollection; a strategy that is on no chart has none.</summary>
        public ObservableCollection<System.Windows.FrameworkElement> UserControlCollection
        {
            get { return ChartControl.Controls; }
        }

        public BarsPeriod BarsPeriod { get; internal set; }
        public readonly Series<DateTime> Time = new Series<DateTime>();
        public readonly Series<double> Open = new Series<double>(), High = new Series<double>(),
            Low = new Series<double>();
        public readonly Series<double> Close = new Series<double>(), Volume = new Series<double>();

        // The defaults of the help's pages.
        protected Strategy()
        {
            StopTargetHandling = StopTargetHandling.PerEntryExecution;
            StartBehavior = StartBehavior.WaitUntilFlat;
            ConnectionLossHandling = ConnectionLossHandling.Recalculate;
            RealtimeErrorHandling = RealtimeErrorHandling.StopCancelClose;
            IsExitOnSessionCloseStrategy = true;
            ExitOnSessionCloseSeconds = 30;
            DisconnectDelaySeconds = 10;
            EntriesPerDirection = 1;
        }

        protected virtual void OnStateChange() { }
        protected virtual void OnBarUpdate() { }
        protected virtual void OnMarketData(MarketDataEventArgs marketDataUpdate) { }
        protected virtual void OnConnectionStatusUpdate(ConnectionStatusEventArgs connectionStatusUpdate) { }

        protected virtual void OnPositionUpdate(Position position, double averagePrice, int quantity,
            MarketPosition marketPosition)
        {
        }

        protected virtual void OnExecutionUpdate(Execution execution, string executionId, double price, int quantity,
            MarketPosition marketPosition, string orderId, DateTime time)
        {
        }

        protected virtual void OnOrderUpdate(Order order, double limitPrice, double stopPrice, int quantity, int filled,
            double averageFillPrice, OrderState orderState, DateTime time, ErrorCode error, string comment)
        {
        }

        protected Order EnterLong(int quantity, string signalName) { return Platform.Enter(1, quantity, signalName); }
        protected Order EnterShort(int quantity, string signalName) { return Platform.Enter(-1, quantity, signalName); }

        protected Order ExitLong(string signalName, string fromEntrySignal)
        {
            return Platform.Exit(1, 0, signalName, fromEntrySignal);
        }

        protected Order ExitLong(int quantity, string signalName, string fromEntrySignal)
        {
            return Platform.Exit(1, quantity, signalName, fromEntrySignal);
        }

        protected Order ExitShort(string signalName, string fromEntrySignal)
        {
            return Platform.Exit(-1, 0, signalName, fromEntrySignal);
        }

        protected Order ExitShort(int quantity, string signalName, string fromEntrySignal)
        {
            return Platform.Exit(-1, quantity, signalName, fromEntrySignal);
        }

        protected void SetStopLoss(string fromEntrySignal, CalculationMode mode, double value, bool isSimulatedStop)
        {
            Platform.SetStop(fromEntrySignal, mode, value, isSimulatedStop);
        }

        protected void SetProfitTarget(string fromEntrySignal, CalculationMode mode, double value)
        {
            Platform.SetTarget(fromEntrySignal, mode, value);
        }

        protected void CancelOrder(Order order) { Platform.Cancel(order); }
        protected double GetCurrentBid() { return Platform.Bid; }
        protected double GetCurrentAsk() { return Platform.Ask; }
        protected void Log(string message, LogLevel logLevel) { Platform.Log(message, logLevel); }
        protected void SetState(State state) { if (state == State.Terminated) Platform.Stop(); }
        protected void PlaySound(string fileName) { Platform.Sound(fileName); }

        /// <summary>help: closestrategy. Cancels orders, closes the position that the platform believes in, and ends
        /// the strategy.</summary>
        public virtual void CloseStrategy(string signalName) { Platform.CloseStrategy(signalName); }

        protected void SendMail(string to, string subject, string text) { Platform.Mail(to, subject, text); }
        protected void TriggerCustomEvent(Action<object> customEvent, object state) { customEvent(state); }

        internal Action InBetween = () => { };

        internal void Become(State state)
        {
            State = state;
            InBetween(); // another thread sees the state before OnStateChange has run
            OnStateChange();
        }

        internal void Show(DateTime end, double open, double high, double low, double close, double volume)
        {
            Time.Newest = end;
            Open.Newest = open;
            High.Newest = high;
            Low.Newest = low;
            Close.Newest = close;
            Volume.Newest = volume;
            Time.Count = Open.Count = High.Count = Low.Count = Close.Count = Volume.Count = 1;
            OnBarUpdate();
        }

        internal void Tell(Execution e)
        {
            OnExecutionUpdate(e, e.ExecutionId, e.Price, e.Quantity, e.MarketPosition, e.OrderId, e.Time);
        }

        internal void Tell(Order o, OrderState state, int filled, double price, DateTime time, ErrorCode error)
        {
            OnOrderUpdate(o, o.LimitPrice, o.StopPrice, o.Quantity, filled, price, state, time, error, "");
        }

        internal void Tell(Position position, int net, double average)
        {
            MarketPosition side = net == 0 ? MarketPosition.Flat : net > 0 ? MarketPosition.Long : MarketPosition.Short;
            OnPositionUpdate(position, average, Math.Abs(net), side);
        }

        internal void Tell(MarketDataEventArgs data) { OnMarketData(data); }
        internal void Tell(ConnectionStatusEventArgs status) { OnConnectionStatusUpdate(status); }
    }
}

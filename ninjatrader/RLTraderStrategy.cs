// The strategy: NinjaTrader's events in, its orders out. All that is decided is decided in Agent.cs, which is
// checked without NinjaTrader; what is here only keeps to the host's rules:
//   - SetDefaults runs whenever scripts are listed, so the model is loaded in DataLoaded;
//   - bars are stamped by their end, in the zone of the platform's settings;
//   - SetStopLoss and SetProfitTarget go before the entry and in ticks, which also undoes the last trade's
//     values: a changed one persists until it is set again;
//   - EnterShort while long reverses, so entries are sent only when flat;
//   - an account counts as simulated by its provider, never by its name, which anyone can choose.
using System;
using System.ComponentModel.DataAnnotations;
using System.IO;
using NinjaTrader.Cbi;
using NinjaTrader.Data;
using NinjaTrader.NinjaScript;
using RLTrader;

namespace NinjaTrader.NinjaScript.Strategies
{
    public class RLTraderStrategy : Strategy
    {
        private const string Signal = "RLTrader", FlatSignal = "RLTrader flat", Late = "flat by";

        private Agent agent;
        private DecisionLog log;
        private bool opening;            // an entry was sent and is not yet wholly filled
        private bool flattening;         // an exit was sent, for it is late
        private bool closedSinceLastBar; // a trade that a bar closed is not replaced on that bar

        [NinjaScriptProperty]
        [Display(Name = "Bundle folder", Description = "Folder that `rltrader export` wrote", Order = 1, GroupName = "RLTrader")]
        public string BundleFolder { get; set; }

        [NinjaScriptProperty]
        [Display(Name = "Log folder", Description = "Decisions go here, a new file at every load; empty: rltrader in NinjaTrader's own folder", Order = 2, GroupName = "RLTrader")]
        public string LogFolder { get; set; }

        [NinjaScriptProperty]
        [Display(Name = "Allow live accounts", Description = "Otherwise only simulation and playback are traded", Order = 3, GroupName = "RLTrader")]
        public bool AllowLiveAccounts { get; set; }

        protected override void OnStateChange()
        {
            if (State == State.SetDefaults)
            {
                Name = "RLTraderStrategy";
                Description = "Trades a policy exported by rltrader.";
                Calculate = Calculate.OnBarClose;
                EntriesPerDirection = 1;
                EntryHandling = EntryHandling.AllEntries;
                StopTargetHandling = StopTargetHandling.PerEntryExecution;
                StartBehavior = StartBehavior.WaitUntilFlat;
                IsExitOnSessionCloseStrategy = true;
                ExitOnSessionCloseSeconds = 30;
                BarsRequiredToTrade = 0; // the stream counts its own bars, those of the session
                BundleFolder = "";
                LogFolder = "";
                AllowLiveAccounts = false;
            }
            else if (State == State.DataLoaded)
            {
                Load();
            }
            else if (State == State.Terminated && log != null)
            {
                log.Dispose();
                log = null;
            }
        }

        private void Load()
        {
            agent = null;
            opening = flattening = closedSinceLastBar = false;
            try
            {
                if (!AllowLiveAccounts && !Simulated())
                    throw new BundleException("this account is not a simulation, and live accounts are not allowed; nothing is traded until \"Allow live accounts\" says so");
                if (BarsPeriod.BarsPeriodType != BarsPeriodType.Minute || BarsPeriod.Value != 1)
                    throw new BundleException("the policy was trained on one-minute bars; use a one-minute series");
                Agent made = new Agent(BundleFolder);
                Manifest manifest = made.Policy.Manifest;
                string symbol = Instrument.MasterInstrument.Name;
                if (symbol != manifest.Symbol || Math.Abs(TickSize - manifest.TickSize) > 1e-12)
                    throw new BundleException("the policy trades " + manifest.Symbol + " and this chart is " + symbol + "; use the policy's own contract");
                if (manifest.Certificate != "same")
                    Log("RLTrader: this policy was trained without proof of parity (" + manifest.Certificate + ")", LogLevel.Warning);
                log = OpenLog(manifest);
                agent = made;
            }
            catch (Exception error)
            {
                // Whatever is wrong with a bundle, nothing is traded.
                Log("RLTrader: " + error.Message, LogLevel.Alert);
            }
        }

        private bool Simulated()
        {
            return IsInStrategyAnalyzer || (Account != null && (Account.Provider == Provider.Simulator || Account.Provider == Provider.Playback));
        }

        private DecisionLog OpenLog(Manifest manifest)
        {
            string folder = LogFolder;
            if (string.IsNullOrEmpty(folder)) folder = Path.Combine(NinjaTrader.Core.Globals.UserDataDir, "rltrader");
            DateTime now = DateTime.UtcNow;
            DecisionLog made = new DecisionLog(folder, manifest.Symbol, now, why => Log("RLTrader: " + why, LogLevel.Alert));
            made.Header(manifest, Instrument.FullName, Account == null ? "none" : Account.Provider.ToString(), now);
            if (made.Place != null) Log("RLTrader: decisions are logged in " + made.Place, LogLevel.Information);
            return made;
        }

        protected override void OnBarUpdate()
        {
            if (agent == null || BarsInProgress != 0) return;
            DateTime opened = ToUtc(Time[0]).AddMinutes(-1);
            if (!agent.OnBar(opened, High[0], Low[0], Close[0], Volume[0])) return;
            bool closed = closedSinceLastBar;
            closedSinceLastBar = false;
            string skipped = WhyNot(closed);
            int action = skipped == null ? agent.Decide() : PositionTracker.Hold;
            log.Bar(agent, opened, new[] { Open[0], High[0], Low[0], Close[0], Volume[0] }, State.ToString(), action, skipped);
            if (skipped == null) Act(action, agent.Policy.Manifest);
            else if (skipped == Late) Flatten();
        }

        private string WhyNot(bool closed)
        {
            if (!agent.Stream.Ready || agent.Stream.Count < FeatureStream.Preload) return "warming up";
            if (closed) return "closed on this bar";
            if (opening) return "an entry is on its way";
            if (!Agrees()) return "the account holds another position";
            return agent.Position.Side != 0 && agent.Stream.Minute >= agent.Policy.Manifest.FlatBy ? Late : null;
        }

        private void Act(int action, Manifest manifest)
        {
            int side = action == PositionTracker.Buy ? 1 : action == PositionTracker.Sell ? -1 : 0;
            if (side != 0 && agent.Position.Side == 0 && agent.Position.InEntryWindow(agent.Stream.Minute))
            {
                SetStopLoss(Signal, CalculationMode.Ticks, agent.StopTicks, false);
                SetProfitTarget(Signal, CalculationMode.Ticks, agent.TargetTicks);
                opening = true;
                if (side > 0) EnterLong(manifest.Contracts, Signal);
                else EnterShort(manifest.Contracts, Signal);
                return;
            }
            long before = agent.Position.Stop;
            agent.Manage(action);
            if (agent.Position.Side != 0 && agent.Position.Stop != before)
                SetStopLoss(Signal, CalculationMode.Price, agent.Position.Stop * TickSize, false);
        }

        private void Flatten()
        {
            flattening = true;
            if (agent.Position.Side > 0) ExitLong(FlatSignal, Signal);
            else ExitShort(FlatSignal, Signal);
        }

        private bool Agrees()
        {
            int held = Position.MarketPosition == MarketPosition.Long ? 1 : Position.MarketPosition == MarketPosition.Short ? -1 : 0;
            if (held == agent.Position.Side) return true;
            Log("RLTrader: the account holds another position than the strategy opened; nothing is done until they agree", LogLevel.Warning);
            return false;
        }

        protected override void OnPositionUpdate(Position position, double averagePrice, int quantity, MarketPosition marketPosition)
        {
            if (agent == null) return;
            if (marketPosition == MarketPosition.Flat)
            {
                if (agent.Position.Side != 0 && !flattening) closedSinceLastBar = true;
                agent.Position.Exited();
                opening = flattening = false;
            }
            else if (opening)
            {
                // Partial fills arrive one by one, each with the average so far.
                agent.Entered(marketPosition == MarketPosition.Long ? 1 : -1, averagePrice);
                opening = quantity < agent.Policy.Manifest.Contracts;
            }
        }

        // Only for the log: what is held is followed above.
        protected override void OnExecutionUpdate(Execution execution, string executionId, double price, int quantity,
            MarketPosition marketPosition, string orderId, DateTime time)
        {
            if (log == null) return;
            string order = execution.Order == null ? "" : execution.Order.Name;
            log.Fill(() => ToUtc(time), marketPosition == MarketPosition.Long ? 1 : -1, quantity, price, order);
        }

        protected override void OnOrderUpdate(Order order, double limitPrice, double stopPrice, int quantity, int filled,
            double averageFillPrice, OrderState orderState, DateTime time, ErrorCode error, string comment)
        {
            bool ended = orderState == OrderState.Rejected || orderState == OrderState.Cancelled;
            if (order.Name == Signal && ended) opening = false;
            if (order.Name == FlatSignal && ended) flattening = false;
            if ((order.Name == Signal || order.Name == FlatSignal) && ended && log != null) log.Ended(order.Name, orderState.ToString());
        }

        // Times are in the zone of the platform's settings, whatever they say of themselves.
        private static DateTime ToUtc(DateTime time)
        {
            return TimeZoneInfo.ConvertTimeToUtc(DateTime.SpecifyKind(time, DateTimeKind.Unspecified), NinjaTrader.Core.Globals.GeneralOptions.TimeZoneInfo);
        }
    }
}

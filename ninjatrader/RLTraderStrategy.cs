// The strategy: NinjaTrader's events in, its orders out. All that is decided is decided in Agent.cs, which is
// checked without NinjaTrader; what is here only keeps to the host's rules:
//   - SetDefaults runs whenever scripts are listed, so the model is loaded in DataLoaded;
//   - bars are stamped by their end, in the zone of the platform's settings;
//   - SetStopLoss and SetProfitTarget go before the entry and in ticks, which also undoes the last trade's
//     values: a changed one persists until it is set again;
//   - EnterShort while long reverses, so entries are sent only when flat.
using System;
using System.ComponentModel.DataAnnotations;
using NinjaTrader.Cbi;
using NinjaTrader.Data;
using NinjaTrader.NinjaScript;
using RLTrader;

namespace NinjaTrader.NinjaScript.Strategies
{
    public class RLTraderStrategy : Strategy
    {
        private const string Signal = "RLTrader";

        private Agent agent;
        private bool opening;            // an entry was sent and is not yet wholly filled
        private bool closedSinceLastBar; // a trade that a bar closed is not replaced on that bar

        [NinjaScriptProperty]
        [Display(Name = "Bundle folder", Description = "Folder that `rltrader export` wrote", Order = 1, GroupName = "RLTrader")]
        public string BundleFolder { get; set; }

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
            }
            else if (State == State.DataLoaded)
            {
                Load();
            }
        }

        private void Load()
        {
            agent = null;
            opening = closedSinceLastBar = false;
            try
            {
                if (BarsPeriod.BarsPeriodType != BarsPeriodType.Minute || BarsPeriod.Value != 1)
                    throw new BundleException("the policy was trained on one-minute bars; use a one-minute series");
                Agent made = new Agent(BundleFolder);
                Manifest manifest = made.Policy.Manifest;
                string symbol = Instrument.MasterInstrument.Name;
                if (symbol != manifest.Symbol || Math.Abs(TickSize - manifest.TickSize) > 1e-12)
                    throw new BundleException("the policy trades " + manifest.Symbol + " and this chart is " + symbol + "; use the policy's own contract");
                if (manifest.Certificate != "same")
                    Log("RLTrader: this policy was trained without proof of parity (" + manifest.Certificate + ")", LogLevel.Warning);
                agent = made;
            }
            catch (Exception error)
            {
                // Whatever is wrong with a bundle, nothing is traded.
                Log("RLTrader: " + error.Message, LogLevel.Alert);
            }
        }

        protected override void OnBarUpdate()
        {
            if (agent == null || BarsInProgress != 0) return;
            bool closed = closedSinceLastBar;
            closedSinceLastBar = false;
            DateTime opened = TimeZoneInfo.ConvertTimeToUtc(Time[0], NinjaTrader.Core.Globals.GeneralOptions.TimeZoneInfo).AddMinutes(-1);
            if (!agent.OnBar(opened, High[0], Low[0], Close[0], Volume[0])) return;
            if (!agent.Stream.Ready || agent.Stream.Count < FeatureStream.Preload || closed || opening) return;
            if (!Agrees()) return;
            Manifest manifest = agent.Policy.Manifest;
            if (agent.Position.Side != 0 && agent.Stream.Minute >= manifest.FlatBy)
            {
                Flatten();
                return;
            }
            Act(agent.Decide(), manifest);
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
            if (agent.Position.Side > 0) ExitLong(Signal);
            else ExitShort(Signal);
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
                if (agent.Position.Side != 0) closedSinceLastBar = true;
                agent.Position.Exited();
                opening = false;
            }
            else if (opening)
            {
                // Partial fills arrive one by one, each with the average so far.
                agent.Entered(marketPosition == MarketPosition.Long ? 1 : -1, averagePrice);
                opening = quantity < agent.Policy.Manifest.Contracts;
            }
        }

        protected override void OnOrderUpdate(Order order, double limitPrice, double stopPrice, int quantity, int filled,
            double averageFillPrice, OrderState orderState, DateTime time, ErrorCode error, string comment)
        {
            bool ended = orderState == OrderState.Rejected || orderState == OrderState.Cancelled;
            if (order.Name == Signal && ended) opening = false;
        }
    }
}

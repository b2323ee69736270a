// What comes before an instance's real time, and how instances end and start again.
//
// Bars of the past: the platform fills the strategy's orders by itself, and no account hears of it. A market order is
// filled at the next bar's open, a stop or a target where a bar touches it. At the switch to real time what still waits
// is sent to the account, or is never filled; a position from the past stays, and orders stay virtual until it is flat.
// By the help's pages on historical_order_backfill_logic, advanced_order_handling and syncing_account_positions.
using System;
using System.Collections.Generic;
using NinjaTrader.Cbi;
using NinjaTrader.NinjaScript;

namespace RLTrader.Host
{
    public sealed partial class Simulation
    {
        private bool untilFlat; // real time, but the position from the past is still open
        private bool staysOff;  // a quarter of an hour, as nobody is there
        private long pastClose;
        private int keepOrders;

        private bool OnPast
        {
            get { return strategy != null && (strategy.State == State.Historical || untilFlat); }
        }

        /// <summary>The Strategy Analyzer: all bars are of the past, and no account is touched.</summary>
        private void PlayAnalyzer()
        {
            Launch(); // with the bars before the first minute
            for (int minute = 0; minute < Scenario.Minutes + 70 && watchdog.Problem == null; minute++)
            {
                long opens = minute * 60000L;
                if (opens >= EndOfSession && opens < EndOfSession + 3600000) continue;
                if (market.OneIn(8)) continue; // a minute without a trade has no bar
                long[] values = PastBar(minute);
                clockwork.At(opens + 60000, () => { });
                clockwork.Step(opens + 60001);
                wish = market.OneIn(2) ? market.Between(1, 5) : 0;
                FillPast(values[1], values[2], values[3], values[4]);
                Show(values);
                watchdog.PastBar();
            }
            Terminate();
        }

        // To the exchange, or where the past is simulated into the platform's own list.
        private void Dispatch(Resting order, Role role)
        {
            if (!order.Past)
            {
                WhenUp(() => exchange.Send(order, role, Nested));
                return;
            }
            exchange.Orders.Add(order);
            foreach (OrderState state in new[] { OrderState.Submitted, OrderState.Accepted, OrderState.Working })
                TellPast(order, state);
        }

        // A bar of the past: orders sent at the close of the one before are filled in it, the stop before the target.
        private void FillPast(long open, long high, long low, long close)
        {
            foreach (OrderType type in new[] { OrderType.Market, OrderType.StopMarket, OrderType.Limit })
                foreach (Resting order in exchange.Orders.ToArray())
                {
                    if (!order.Past || order.Over || order.Type != type || order.Owner != instance) continue;
                    bool below = type == OrderType.StopMarket == order.Side < 0;
                    if (type == OrderType.Market) FillPast(order, open);
                    else if (below ? low <= order.Price : high >= order.Price) FillPast(order, order.Price);
                }
            pastClose = close;
            if (untilFlat && strategy.Position.Net == 0) untilFlat = false;
        }

        private void FillPast(Resting order, long price)
        {
            int quantity = order.Left;
            order.Filled += quantity;
            order.Over = true;
            order.Order.Filled += quantity;
            order.Order.AverageFillPrice = price * Tick;
            if (order.Other != null && !order.Other.Over) EndPast(order.Other, OrderState.Cancelled);
            Manage(order, quantity, price);
            TellPast(order, OrderState.Filled);
            Execution execution = new Execution { Name = order.Order.Name, Quantity = quantity, Price = price * Tick };
            execution.ExecutionId = "execution " + ++executionNumber;
            execution.MarketPosition = order.Side > 0 ? MarketPosition.Long : MarketPosition.Short;
            execution.Order = order.Order;
            execution.OrderId = order.Order.OrderId;
            execution.Time = Local(UtcNow);
            execution.Account = account;
            Try(() => strategy.Tell(execution));
            Try(() => strategy.Tell(strategy.Position, strategy.Position.Net, strategy.Position.AveragePrice));
        }

        private void EndPast(Resting order, OrderState state)
        {
            order.Over = true;
            TellPast(order, state);
        }

        private void AmendPast(Resting order, long price, int quantity)
        {
            order.Price = price;
            order.Quantity = quantity;
            order.Order.Quantity = quantity;
            TellPast(order, OrderState.Working);
        }

        private void TellPast(Resting order, OrderState state)
        {
            Order shown = order.Order;
            shown.OrderState = state;
            SetPrice(order);
            Say("past: " + shown.Name + " " + state);
            Try(() => strategy.Tell(shown, state, order.Filled, shown.AverageFillPrice, Local(UtcNow),
                ErrorCode.NoError));
        }

        // What waits at the switch to real time is renewed as an order of the account, or never filled.
        private void SwitchToRealtime()
        {
            untilFlat = strategy.Position.Net != 0;
            if (untilFlat) return;
            bool renew = broker.OneIn(2);
            foreach (Resting order in exchange.Orders.ToArray())
            {
                if (!order.Past || order.Over || order.Owner != instance) continue;
                Say("past: " + order.Order.Name + (renew ? " is renewed" : " is never filled"));
                if (!renew) continue;
                order.Over = true;
                Resting live = new Resting { Order = Renewed(order.Order), Type = order.Type, Side = order.Side };
                live.Quantity = order.Left;
                live.Price = order.Price;
                live.Owner = instance;
                resting[live.Order] = live;
                roles[live] = roles[order];
                account.Orders.Add(live.Order);
                exchange.Send(live, roles[live], false);
            }
        }

        // An order of the account is another object than the one it renews.
        private static Order Renewed(Order past)
        {
            Order order = new Order { Name = past.Name, OrderType = past.OrderType, Quantity = past.Quantity };
            order.Account = past.Account;
            order.Instrument = past.Instrument;
            order.OrderAction = past.OrderAction;
            order.OrderId = past.OrderId + " renewed";
            return order;
        }

        // Another instance goes to real time, which does not trade here: on another instrument, in shadow mode, in the
        // Strategy Analyzer, or on the next month of the same contract.
        private void StartBeside()
        {
            ScriptedStrategy other = new ScriptedStrategy { Platform = new Silent(), Account = account };
            other.Instrument = instrument;
            other.Become(State.SetDefaults);
            other.Shadow = Scenario.Beside == 2;
            other.IsInStrategyAnalyzer = Scenario.Beside == 3;
            if (Scenario.Beside == 1 || Scenario.Beside == 4)
            {
                other.Instrument = new Instrument { Month = "03-27" };
                other.Instrument.MasterInstrument.Name = Scenario.Beside == 1 ? "NQ" : "ES";
                other.Instrument.MasterInstrument.TickSize = Tick;
                other.Instrument.MasterInstrument.PointValue = DollarsOfTick / Tick;
            }
            other.Position = other.PositionAccount = new Position { Account = account, Instrument = other.Instrument };
            other.Bars = strategy.Bars;
            other.BarsPeriod = strategy.BarsPeriod;
            other.MakeAgent = () =>
            {
                Manifest rules = Script.Rules(Scenario);
                rules.Symbol = other.Instrument.MasterInstrument.Name;
                return new Agent(new Script(rules, () => 0), 16);
            };
            foreach (State state in new[] { State.Configure, State.DataLoaded, State.Historical, State.Realtime })
                if (state != State.Realtime || !other.IsInStrategyAnalyzer) Try(() => other.Become(state));
            if (other.Trader == null) watchdog.Wrong("an instance beside does not run");
        }

        private void Disable(Step step)
        {
            if (!enabled || stopping) return;
            staysOff = step.Amount > 1;
            if (step.At % 2 == 0) endInCall = true;
            else Switch();
            clockwork.After(endInCall ? 65000 : 0, Switch);
        }

        private void Switch()
        {
            if (!enabled || stopping) return;
            endInCall = false;
            foreach (Resting order in exchange.Orders.ToArray())
            {
                Resting found = order;
                bool entry = roles[order] == Role.Entry;
                if (!order.Over && Mine(order) && (entry || !Scenario.KeepsExits))
                    WhenUp(() => exchange.Cancel(found, false));
            }
            Terminate();
            // Who enables it again at once does so while the old instance still looks after the account.
            int soon = broker.Below(3);
            long off = soon == 0 ? broker.Between(500, 9000) : soon == 1 ? broker.Between(25000, 60000)
                : broker.Between(150000, 240000);
            clockwork.After(staysOff ? 900000 : off, Relaunch);
        }

        // The platform goes down without a word; the broker keeps the orders.
        private void Crash()
        {
            if (!enabled || stopping) return;
            enabled = realtime = false;
            chart.Controls.Clear();
            life++;
            watchdog.Crashed();
            clockwork.After(broker.Between(5000, 40000), Relaunch);
        }

        // News of an earlier instance's order reaches the new one before real time; it is not the new one's.
        private void TellOfEarlier()
        {
            Resting old = exchange.Orders.Find(order => order.Filled > 0 && order.Owner < instance && !order.Past);
            if (old == null || Nested) return;
            Execution execution = new Execution { Name = old.Order.Name, Quantity = old.Filled, Order = old.Order };
            execution.ExecutionId = "execution " + ++executionNumber;
            execution.MarketPosition = old.Side > 0 ? MarketPosition.Long : MarketPosition.Short;
            execution.Price = old.Order.AverageFillPrice;
            execution.Time = Local(UtcNow);
            Try(() => strategy.Tell(execution));
            Try(() => strategy.Tell(old.Order, old.Order.OrderState, old.Filled, execution.Price, Local(UtcNow),
                ErrorCode.NoError));
        }

        // Orders of an earlier instance are cancelled first, by the page on syncing_account_positions.
        private void Relaunch()
        {
            if (enabled) return;
            if (!ordersUp || exchange.Orders.Exists(order => !order.Over && order.Changing > 0))
            {
                clockwork.After(1000, Relaunch);
                return;
            }
            bool left = false;
            foreach (Resting order in exchange.Orders.ToArray())
            {
                if (order.Over || Stays(order)) continue;
                left = true;
                if (order.Order.OrderState != OrderState.CancelPending) exchange.Cancel(order, false);
            }
            if (left)
            {
                clockwork.After(500, Relaunch);
                return;
            }
            foreach (Resting order in exchange.Orders) order.Earlier |= !order.Over;
            Take(ref keepOrders);
            Launch();
        }

        // The platform has forgotten whose order it is, so that it is neither cancelled nor told of.
        private bool Stays(Resting order)
        {
            return order.Earlier || (keepOrders > 0 && order.There && order.Type != OrderType.Market);
        }
    }
}

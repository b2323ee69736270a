// The unkind things that a scenario makes happen, and the way in which news reaches the strategy.
using System;
using System.Collections.Generic;
using NinjaTrader.Cbi;
using NinjaTrader.NinjaScript;

namespace RLTrader.Host
{
    public sealed partial class Simulation
    {
        private void Happen(Step step)
        {
            if (step.Event != Event.Wish) Say("happens: " + step.Event + " " + step.Amount);
            switch (step.Event)
            {
                case Event.Wish: wish = step.Amount; break;
                case Event.RejectEntry: exchange.RejectEntry++; break;
                case Event.RejectStop: exchange.RejectStop++; break;
                case Event.RejectTarget: exchange.RejectTarget++; break;
                case Event.RejectExit: exchange.RejectExit++; break;
                case Event.RefuseChange: exchange.RefuseChange++; break;
                case Event.IgnoreEntry: ignoreEntry++; break;
                case Event.IgnoreExit: ignoreExit++; break;
                case Event.NoBracket: noBracket++; break;
                case Event.PartialEntry: exchange.PartialEntry++; break;
                case Event.StuckEntry: exchange.StuckEntry++; break;
                case Event.PartialStop: exchange.PartialStop++; break;
                case Event.SlowOrders: exchange.Slow += 3; break;
                case Event.SlowChange: exchange.SlowChange += step.Amount; break;
                case Event.LoseExecution:
                    if (step.Amount == 1) loseExecution++;
                    else loseExit++;
                    break;
                case Event.StopAndExit: exchange.StopAndExit++; break;
                case Event.OrdersDown: Down(true, false, step.Amount); break;
                case Event.AllDown: Down(true, true, step.Amount); break;
                case Event.PricesDown: Down(false, true, step.Amount); break;
                case Event.Foreign: Foreign(step.Amount); break;
                case Event.CloseByHand: CloseByHand(); break;
                case Event.Disable: Disable(step); break;
                case Event.Crash: Crash(); break;
                case Event.Kill:
                    System.IO.Directory.CreateDirectory(folder);
                    System.IO.File.WriteAllText(killFile, "");
                    if (step.Amount > 1) clockwork.After(step.Amount * 1000L, Unkill);
                    break;
                case Event.Quiet: quietUntil = clockwork.Now + step.Amount * 1000L; break;
                case Event.Jump: jump = step.Amount; break;
                case Event.SetBack: Behind += step.Amount; break;
                case Event.BadBar: badBar = true; break;
                case Event.BadSound: badSound++; break;
                case Event.PartialTarget: exchange.PartialTarget++; break;
                case Event.LateExecution: lateExecution++; break;
                case Event.LoseStop: exchange.LoseStop++; break;
                case Event.OtherDown: OtherDown(); break;
                case Event.BadQuote: badQuote++; break;
                case Event.LoseCancel: exchange.LoseCancel += 2; break; // the platform's and the broker's own
                case Event.SaysAgain:
                    for (int n = 0; n < 60; n++) clockwork.After(300 + n * 2000, () => { if (ordersUp) Status(); });
                    break;
                case Event.LoseFlatten: loseFlatten += step.At == 0 ? 1 : 2; break; // one was lost at the start
                case Event.Press: Press(); break;
                case Event.HalfBracket: halfBracket++; break;
                case Event.Swing: Swing(step.Amount); break;
                case Event.NoTarget: noTarget++; break;
                case Event.KeepOrders: keepOrders++; break;
                case Event.BadFlatten: badFlatten += step.Amount; break;
                case Event.StuckExit: exchange.StuckExit += step.Amount; break;
                case Event.SplitEntry: // and the first part's execution comes after its order's count, before the rest
                    exchange.SplitEntry++;
                    splitExecution++;
                    break;
            }
            watchdog.Happened(step.Event);
        }

        private void Swing(int ticks)
        {
            foreach (int move in new[] { ticks, -2 * ticks, ticks })
            {
                jump = move;
                Price();
            }
        }

        private void Unkill()
        {
            System.IO.File.Delete(killFile);
            watchdog.Unkilled();
        }

        private void Press()
        {
            if (chart.Controls.Count > 0) watchdog.Pressed();
            PressShown();
        }

        private void PressShown()
        {
            System.Windows.FrameworkElement[] shown = new System.Windows.FrameworkElement[chart.Controls.Count];
            chart.Controls.CopyTo(shown, 0);
            foreach (System.Windows.FrameworkElement control in shown)
                Try(((System.Windows.Controls.Button)control).Press);
        }

        private void Foreign(int contracts)
        {
            exchange.Foreign += contracts;
            if ((watchdog.ByHand || watchdog.Orphaned) && exchange.Own + exchange.Foreign == 0)
                exchange.Own = exchange.Foreign = 0;
            WhenUp(() => Account(contracts));
        }

        private void CloseByHand()
        {
            int all = exchange.Own + exchange.Foreign;
            if (exchange.Own == 0) return;
            watchdog.ClosedByHand();
            exchange.Own = exchange.Foreign = 0;
            WhenUp(() => Account(-all));
        }

        private void Down(bool orders, bool prices, int seconds)
        {
            if (!ordersUp || !pricesUp) return;
            ordersUp = !orders;
            pricesUp = !prices;
            connection.Status = orders ? ConnectionStatus.ConnectionLost : connection.Status;
            if (strategy != null) clockwork.After(broker.Below(400), Status);
            else account.Silent = true;
            int sent = instance;
            clockwork.After(seconds * 500L, () =>
            {
                if (!ordersUp) Status(ConnectionStatus.Connecting);
            });
            if (seconds > 10) clockwork.After(10000, () => LostTooLong(sent));
            clockwork.After(seconds * 1000L, () =>
            {
                ordersUp = pricesUp = true;
                long until = clockwork.Now;
                foreach (Action report in held.ToArray()) clockwork.At(until += broker.Below(300), report);
                catchingUp = Math.Max(until, clockwork.Now);
                held.Clear();
                clockwork.After((long)(Scenario.Seed % 6000), () => account.Silent = false);
                clockwork.After(broker.Below(400), Status);
            });
        }

        // By the page on connectionlosshandling: what is not kept running is stopped, and perhaps started again.
        private void LostTooLong(int sent)
        {
            if (!enabled || sent != instance || strategy.ConnectionLossHandling == ConnectionLossHandling.KeepRunning)
                return;
            Terminate();
            if (strategy.ConnectionLossHandling == ConnectionLossHandling.Recalculate) clockwork.After(40000, Relaunch);
        }

        // The connection of another account, which is lost and never comes back.
        private void OtherDown()
        {
            ConnectionStatusEventArgs status = new ConnectionStatusEventArgs { Connection = new Connection() };
            status.Status = status.PriceStatus = ConnectionStatus.ConnectionLost;
            Call(() => strategy.Tell(status));
        }

        private void Status()
        {
            Status(ordersUp ? ConnectionStatus.Connected : ConnectionStatus.ConnectionLost);
        }

        private void Status(ConnectionStatus orders)
        {
            ConnectionStatusEventArgs status = new ConnectionStatusEventArgs { Connection = connection };
            status.Status = orders;
            status.PriceStatus = pricesUp ? ConnectionStatus.Connected : ConnectionStatus.ConnectionLost;
            connection.Status = status.Status;
            Call(() => strategy.Tell(status));
        }

        private void WhenUp(Action work)
        {
            if (!ordersUp) held.Add(work);
            else if (clockwork.Now < catchingUp) clockwork.At(catchingUp, work); // behind the news that waited
            else work();
        }

        private void Account(int change)
        {
            // News of the account's position may come some seconds after the orders'.
            Action tell = () =>
            {
                accountPosition.Net += change;
                Say("account " + accountPosition.Net);
            };
            if (Scenario.LateAccount) clockwork.After(messenger.Below(7000), tell);
            else tell();
        }

        private void Report(Resting order, OrderState state, int filled, long price, ErrorCode error)
        {
            Report(order, state, filled, price, error, false);
        }

        // The exchange tells of an order; while the connection is lost the news waits.
        private void Report(Resting order, OrderState state, int filled, long price, ErrorCode error, bool local)
        {
            if (order.Over && state == OrderState.Filled && order.Other != null && !order.Other.Over)
                exchange.Cancel(order.Other, Nested); // the broker's own OCO
            int total = order.Filled;
            if (local) Hear(order, state, filled, price, error, total);
            else WhenUp(() => Hear(order, state, filled, price, error, total));
        }

        private void Hear(Resting order, OrderState state, int filled, long price, ErrorCode error, int total)
        {
            Order shown = order.Order;
            if (!Order.IsTerminalState(shown.OrderState)) shown.OrderState = state;
            if (filled > 0)
            {
                shown.AverageFillPrice =
                    (shown.AverageFillPrice * shown.Filled + price * Tick * filled) / (shown.Filled + filled);
                shown.Filled += filled;
            }
            shown.Quantity = order.Quantity;
            if (state == exchange.StopState || state == OrderState.Working || state == OrderState.Accepted
                || state == OrderState.PartFilled)
                SetPrice(order);
            Say(string.Format("{0} {1} {2}", shown.Name, state, filled == 0 ? "" : filled + " at " + price));
            if (filled > 0) Account(order.Side * filled);
            if (filled > 0) BookCash(order.Side * filled, price);
            if (order.Owner != instance) return;
            int number = instance;
            if (!nameless.Contains(order)) Send(0, order, () => If(number, () =>
            {
                // The strategy cannot keep out of the platform's way before it is told, and what is told in the middle
                // of another event waits for that event's end.
                bool refusal = state == OrderState.Rejected || error == ErrorCode.UnableToChangeOrder;
                if (refusal && stopping && Nested) clockwork.After(1, () => If(number, () => rejection |= stopping));
                else rejection |= refusal && stopping;
                int ends = watchdog.LoggedEnds;
                strategy.Tell(shown, state, total, shown.AverageFillPrice, Local(UtcNow), error);
                bool ended = state == OrderState.Cancelled || state == OrderState.Rejected;
                ended &= (roles[order] == Role.Entry || roles[order] == Role.Exit) && shown.Filled < shown.Quantity;
                if (ended && Scenario.Logs && realtime && !Nested && watchdog.LoggedEnds == ends)
                    watchdog.Wrong("the log does not tell of an order's end");
            }));
            if (filled > 0) Executed(order, filled, price);
            if (!enabled) return;
            bool refused = error == ErrorCode.UnableToChangeOrder && broker.OneIn(2);
            bool rejected = state == OrderState.Rejected;
            if (strategy.RealtimeErrorHandling == RealtimeErrorHandling.IgnoreAllErrors) return;
            if (strategy.RealtimeErrorHandling == RealtimeErrorHandling.StopCancelCloseIgnoreRejects) rejected = false;
            if (rejected) watchdog.Rejected(order);
            if (error == ErrorCode.UnableToChangeOrder) watchdog.Refused();
            if (rejected || refused) StopCancelClose();
        }

        // An account's cash changes when contracts are closed, by what they made.
        private void BookCash(int change, long price)
        {
            int closed = cashNet * change < 0 ? Math.Min(Math.Abs(cashNet), Math.Abs(change)) : 0;
            account.Cash += closed * Math.Sign(cashNet) * (price - cashAverage) * DollarsOfTick;
            int added = Math.Abs(change) - closed, left = Math.Abs(cashNet) - closed;
            if (added > 0) cashAverage = (cashAverage * left + price * added) / (left + added);
            cashNet += change;
        }

        private void Executed(Resting order, int filled, long price)
        {
            bool closes = roles[order] != Role.Entry && loseExit > 0;
            if ((loseExecution > 0 || closes) && Scenario.Manner == Manner.Rithmic && enabled)
            {
                if (closes) loseExit--;
                else loseExecution--;
                watchdog.Lost();
                return;
            }
            Execution execution = new Execution { Name = order.Order.Name, Quantity = filled, Price = price * Tick };
            execution.ExecutionId = "execution " + Numbered(order);
            execution.MarketPosition = order.Side > 0 ? MarketPosition.Long : MarketPosition.Short;
            execution.Order = nameless.Contains(order) ? null : order.Order;
            execution.OrderId = order.Order.OrderId;
            execution.Time = Local(UtcNow);
            execution.Account = account;
            int number = instance;
            bool first = true;
            Action tell = () => If(number, () =>
            {
                if (first && enabled) Manage(order, filled, price);
                first = false;
                strategy.Tell(execution);
            });
            bool split = roles[order] == Role.Entry && order.Left > 0 && splitExecution > 0;
            if ((lateExecution > 0 || split) && Scenario.Manner == Manner.Rithmic)
            {
                if (split) splitExecution--;
                else lateExecution--;
                watchdog.Lost();
                clockwork.After(split ? messenger.Between(6500, 9500) : messenger.Between(5000, 20000), tell);
            }
            else Send(1, order, tell);
            if (Scenario.Manner == Manner.Rithmic && messenger.OneIn(6)) Send(1, order, tell);
            if (Scenario.Manner == Manner.Rithmic && messenger.OneIn(3)) return;
            Send(2, order, () => If(number, () =>
                strategy.Tell(strategy.Position, strategy.Position.Net, strategy.Position.AveragePrice)));
        }

        // Some ids are told twice, for executions of differently named orders; the name and the id make it one.
        private int Numbered(Resting order)
        {
            if (!Scenario.SharesIds) return ++executionNumber;
            int before;
            named.TryGetValue(order.Order.Name, out before);
            return named[order.Order.Name] = before + 1;
        }

        // Something may still be told to an instance that is over, now and then.
        private void If(int number, Action work)
        {
            if (number == instance && (enabled || messenger.OneIn(2))) Try(work);
        }

        private void Send(int kind, Resting order, Action work)
        {
            if (Nested)
            {
                work();
                return;
            }
            long at;
            if (Scenario.Manner == Manner.Default)
            {
                lastTold = Math.Max(lastTold, clockwork.Now + messenger.Below(40));
                at = lastTold;
            }
            else
            {
                at = clockwork.Now + messenger.Below(kind == 1 ? 1200 : 900);
                if (kind == 0) order.Told = at = Math.Max(at, order.Told); // an order's own states come in order
            }
            outstanding++;
            clockwork.At(at, () =>
            {
                outstanding--;
                work();
            });
        }

        // As a decimal number is read, which whole ticks of a tenth are not exactly.
        private static double Points(long ticks) { return Math.Round(ticks * Tick, 8); }

        private static void SetPrice(Resting order)
        {
            if (order.Type == OrderType.StopMarket) order.Order.StopPrice = Points(order.Price);
            if (order.Type == OrderType.Limit) order.Order.LimitPrice = Points(order.Price);
        }
    }
}

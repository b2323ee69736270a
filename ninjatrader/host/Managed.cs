// The platform's managed order methods: what it ignores, the stop and target that follow an entry's executions, what
// an exit or a rejection brings with it. By the help's pages on the managed approach, stoptargethandling,
// realtimeerrorhandling and closestrategy; where they are silent the unkinder reading is taken.
using System;
using System.Collections.Generic;
using NinjaTrader.Cbi;
using NinjaTrader.NinjaScript;

namespace RLTrader.Host
{
    public sealed partial class Simulation : IPlatform
    {
        private readonly Dictionary<Order, Resting> resting = new Dictionary<Order, Resting>();
        private readonly Dictionary<Resting, Role> roles = new Dictionary<Resting, Role>();
        private CalculationMode stopMode, targetMode;
        private double stopValue, targetValue, entryPoints;
        private int entryContracts, orderNumber, ignoreEntry, ignoreExit, noBracket, halfBracket;
        private int noTarget, splitExecution, badSound, badQuote, entries, loseExit, loseFlatten, badFlatten;
        private int flattensLost; // one after another
        private bool endInCall;

        // On bars of the past both are the close, by the pages on getcurrentbid and getcurrentask.
        public double Bid { get { return Quote(exchange.Bid); } }
        public double Ask { get { return Quote(exchange.Ask); } }

        private double Quote(long price)
        {
            if (Take(ref badQuote))
            {
                watchdog.Throwing();
                throw new InvalidOperationException("no quote");
            }
            return OnPast ? pastClose * Tick : pricesUp ? price * Tick : 0;
        }

        public Order Enter(int side, int quantity, string signal)
        {
            watchdog.Entering(side);
            entries++;
            int held = strategy.Position.Net;
            bool alive = Alive(Role.Entry), bracket = Alive(Role.Stop) || Alive(Role.Target);
            bool ignored = Take(ref ignoreEntry) || alive || held * side > 0 || (held * side < 0 && bracket);
            Order order = ignored || strategy.State == State.Terminated
                ? null : Submit(Role.Entry, side, quantity + (held * side < 0 ? Math.Abs(held) : 0), signal);
            EndInCall();
            return order;
        }

        public Order Exit(int side, int quantity, string signal, string fromEntry)
        {
            int held = strategy.Position.Net;
            watchdog.Exiting(Alive(Role.Exit), signal, side, quantity);
            bool ignored = Take(ref ignoreExit) || held * side <= 0 || strategy.State == State.Terminated;
            if (quantity == 0) quantity = Math.Abs(held);
            Order order = ignored ? null : Submit(Role.Exit, -side, Math.Min(quantity, Math.Abs(held)), signal);
            EndInCall();
            return order;
        }

        public void SetStop(string entry, CalculationMode mode, double value, bool simulated)
        {
            stopMode = mode;
            stopValue = value;
            if (simulated) watchdog.Wrong("a stop that only the platform knows");
            if (mode == CalculationMode.Price && !OnPast) watchdog.MovingStop((long)Math.Round(value / Tick), pricesUp);
            if (strategy.Position.Net == 0 || strategy.State == State.Terminated) return;
            foreach (Resting order in exchange.Orders.ToArray())
                if (!order.Over && Mine(order) && roles[order] == Role.Stop)
                    Amend(order, StopPrice(-order.Side), order.Quantity);
        }

        public void SetTarget(string entry, CalculationMode mode, double value)
        {
            targetMode = mode;
            targetValue = value;
        }

        public void Cancel(Order order)
        {
            Resting found;
            if (!resting.TryGetValue(order, out found)) return;
            if (found.Past) EndPast(found, OrderState.Cancelled);
            else
            {
                watchdog.Cancelling(found, roles[found]);
                WhenUp(() => { if (!exchange.Cancel(found, Nested)) watchdog.CancelLost(); });
            }
        }

        public void Stop() { clockwork.After(0, Terminate); }

        public void Sound(string file)
        {
            watchdog.Sounded();
            if (Take(ref badSound)) throw new System.IO.FileNotFoundException("no such sound", file);
        }

        public void Mail(string to, string subject, string text) { watchdog.Mailed(); }

        public void Log(string message, LogLevel level)
        {
            if (Trace != null) Trace.Add(Stamp + "log " + level + " " + message);
            State state = strategy.State;
            if (message == Notices.Line(Notices.GivenUp)) watchdog.GivesUp();
            if (level == LogLevel.Alert) watchdog.Alerted(state == State.Realtime || state == State.Terminated);
            if (realtime && level != LogLevel.Information) watchdog.Told(message);
        }

        // Everything of the instrument on the account: orders are cancelled, and the position of this moment is closed.
        private void FlattenAccount(ICollection<Instrument> instruments)
        {
            Say("flatten");
            watchdog.Flattening(instruments.Count == 1 && instruments.Contains(instrument));
            if (flattensLost < 4 && Take(ref badFlatten))
            {
                flattensLost++;
                watchdog.Throwing();
                watchdog.FlattenLost();
                throw new InvalidOperationException("no flattening");
            }
            if (!ordersUp || (flattensLost < 4 && Take(ref loseFlatten)))
            {
                if (ordersUp) flattensLost++;
                watchdog.FlattenLost();
                return; // it never leaves the platform
            }
            flattensLost = 0;
            foreach (Resting order in exchange.Orders.ToArray())
                if (!order.Over && order.Type != OrderType.Market) exchange.Cancel(order, false);
            int own = exchange.Own, foreign = exchange.Foreign;
            Order close = new Order { Name = Named("Close"), OrderType = OrderType.Market, Instrument = instrument };
            close.OrderState = OrderState.Working;
            close.Quantity = Math.Abs(own + foreign);
            close.OrderAction = own + foreign > 0 ? OrderAction.Sell : OrderAction.Buy;
            if (own + foreign != 0) account.Orders.Add(close);
            bool slow = exchange.Slow > 0 || broker.OneIn(8);
            long takes = slow ? broker.Between(2000, 12000) : broker.Between(20, 400);
            if (own + foreign != 0) watchdog.FlattensUntil = clockwork.Now + takes;
            int asker = instance;
            clockwork.After(takes, () =>
            {
                close.OrderState = OrderState.Filled;
                close.Filled = close.Quantity;
                close.AverageFillPrice = exchange.Last * Tick;
                if (!exchange.Open || own + foreign == 0) return; // an account only knows the sum
                exchange.Own -= own;
                exchange.Traded += Math.Abs(own);
                exchange.Paid += own * (own > 0 ? exchange.Bid : exchange.Ask);
                exchange.Foreign -= foreign;
                if (exchange.Own + exchange.Foreign != 0) watchdog.FlattenLost(); // a stop was filled meanwhile
                if (exchange.Own != 0 && asker != instance) watchdog.LeftByEarlier();
                long price = own > 0 ? exchange.Bid : exchange.Ask;
                WhenUp(() =>
                {
                    Account(-own - foreign);
                    BookCash(-own, price);
                });
            });
        }

        private Order Submit(Role role, int side, int quantity, string name)
        {
            Resting order = Make(role, side, quantity, name, OrderType.Market, 0);
            if (order.Past)
            {
                Dispatch(order, role);
                return order.Order;
            }
            if (!ordersUp)
            {
                order.Over = true;
                Report(order, OrderState.Rejected, 0, 0, ErrorCode.UnableToSubmitOrder, true);
                return order.Order;
            }
            exchange.Send(order, role, Nested);
            return order.Order;
        }

        // The platform's own orders have names in its own language.
        internal string Named(string english) { return Scenario.Translated ? "(" + english.ToLower() + ")" : english; }

        private Resting Make(Role role, int side, int quantity, string name, OrderType type, long price)
        {
            Order order = new Order { Name = name, OrderType = type, Quantity = quantity, Account = account };
            order.Instrument = instrument;
            if (role == Role.Stop || role == Role.Target) order.FromEntrySignal = OrderNames.Entry;
            order.IsBacktestOrder = OnPast;
            if (!OnPast) account.Orders.Add(order);
            order.OrderId = "order " + ++orderNumber;
            order.OrderAction = side > 0 ? role == Role.Entry ? OrderAction.Buy : OrderAction.BuyToCover
                : role == Role.Entry ? OrderAction.SellShort : OrderAction.Sell;
            Resting made = new Resting { Order = order, Type = type, Side = side, Quantity = quantity, Price = price };
            made.Owner = instance;
            made.Past = OnPast;
            made.Sent = clockwork.Now;
            resting[order] = made;
            roles[made] = role;
            SetPrice(made);
            Say(string.Format("send {0} {1} {2} at {3}", name, side, quantity, price));
            return made;
        }

        // Before the strategy hears of an execution the platform has changed its position and sent stop and target.
        private void Manage(Resting order, int quantity, long price)
        {
            int before = strategy.Position.Net, after = before + order.Side * quantity;
            strategy.Position.Net = after;
            if (roles[order] == Role.Entry)
            {
                if (before == 0) entryPoints = entryContracts = 0;
                entryPoints += quantity * price;
                entryContracts += quantity;
                strategy.Position.AveragePrice = entryPoints / entryContracts * Tick;
                if (!Take(ref noBracket)) Bracket(order.Side, quantity);
            }
            else if (after == 0 || after * order.Side > 0) CancelBrackets();
            else ResizeBrackets(Math.Abs(after));
        }

        private void Bracket(int side, int quantity)
        {
            bool together = strategy.StopTargetHandling == StopTargetHandling.ByStrategyPosition;
            bool waits = false; // for a connection
            foreach (KeyValuePair<Resting, Role> made in roles)
                waits |= made.Value == Role.Stop && Mine(made.Key) && !made.Key.Over && !ordersUp;
            if (together && (waits || Alive(Role.Stop)))
            {
                // now and then stop and target are not amended, and are for a part only
                if (!Take(ref halfBracket)) ResizeBrackets(Math.Abs(strategy.Position.Net));
                return;
            }
            int size = together ? Math.Abs(strategy.Position.Net) : quantity;
            Resting stop = Make(Role.Stop, -side, size, Named(OrderNames.Stop), OrderType.StopMarket, StopPrice(side));
            if (Take(ref noTarget))
            {
                Dispatch(stop, Role.Stop);
                return;
            }
            string name = Named(OrderNames.Target);
            Resting target = Make(Role.Target, -side, size, name, OrderType.Limit, TargetPrice(side));
            stop.Other = target;
            target.Other = stop;
            Dispatch(stop, Role.Stop);
            Dispatch(target, Role.Target);
        }

        private void ResizeBrackets(int size)
        {
            if (strategy.StopTargetHandling != StopTargetHandling.ByStrategyPosition) return;
            int side = Math.Sign(strategy.Position.Net);
            foreach (Resting order in exchange.Orders.ToArray())
            {
                if (order.Over || !Mine(order) || (roles[order] != Role.Stop && roles[order] != Role.Target)) continue;
                long price = roles[order] == Role.Stop ? StopPrice(side) : TargetPrice(side);
                Amend(order, price, size + order.Filled);
            }
        }

        private void Amend(Resting order, long price, int quantity)
        {
            if (price == order.Price && quantity == order.Quantity && order.Changing == 0) return;
            if (order.Type == OrderType.StopMarket) order.Order.StopPrice = Points(price); // as it is asked for
            if (order.Past)
            {
                AmendPast(order, price, quantity);
                return;
            }
            WhenUp(() => exchange.Change(order, price, quantity, Nested));
        }

        private void CancelBrackets()
        {
            foreach (Resting order in exchange.Orders.ToArray())
            {
                Resting found = order;
                bool bracket = roles[order] != Role.Entry && order.Type != OrderType.Market;
                if (order.Over || !Mine(order) || !bracket) continue;
                if (order.Past) EndPast(order, OrderState.Cancelled);
                else WhenUp(() => exchange.Cancel(found, Nested));
            }
        }

        private long StopPrice(int side)
        {
            if (stopMode == CalculationMode.Price) return (long)Math.Round(stopValue / Tick);
            return (long)Math.Round(entryPoints / Math.Max(1, entryContracts)) - side * (long)stopValue;
        }

        private long TargetPrice(int side)
        {
            if (targetMode == CalculationMode.Price) return (long)Math.Round(targetValue / Tick);
            return (long)Math.Round(entryPoints / Math.Max(1, entryContracts)) + side * (long)targetValue;
        }

        // After an order error: stop the strategy, cancel its orders, close its position.
        private void StopCancelClose()
        {
            if (stopping) return;
            stopping = true;
            Say("the platform stops the strategy");
            clockwork.After(broker.Below(200), () => Try(() => strategy.CloseStrategy(null)));
        }

        public void CloseStrategy(string signal)
        {
            stopping = true;
            CancelOrders();
            clockwork.After(broker.Between(0, 6000), () => WhenUp(() =>
            {
                int held = strategy.Position.Net;
                Action close = () => exchange.Send(Make(Role.Other, -Math.Sign(held), Math.Abs(held),
                    signal ?? Named("Close"), OrderType.Market, 0), Role.Other, false);
                // Which of the two comes first is not said.
                if (held != 0 && broker.OneIn(3)) clockwork.After(broker.Below(900), () => WhenUp(close));
                else if (held != 0) close();
                Terminate();
            }));
        }

        private void CancelOrders()
        {
            foreach (Resting order in exchange.Orders.ToArray())
            {
                Resting found = order;
                if (!order.Over && Mine(order) && !order.Past) WhenUp(() => exchange.Cancel(found, false));
            }
        }

        // Half a minute before its end, by the page on exitonsessioncloseseconds; the executions name no order.
        private void ExitOnSessionClose()
        {
            int held = strategy == null ? 0 : strategy.Position.Net;
            if (!enabled || held == 0 || !strategy.IsExitOnSessionCloseStrategy || !ordersUp) return;
            CancelOrders();
            Resting exit =
                Make(Role.Exit, -Math.Sign(held), Math.Abs(held), Named("Exit on session close"), OrderType.Market, 0);
            nameless.Add(exit);
            watchdog.ClosesWrongly(held);
            exchange.Send(exit, Role.Other, false);
        }

        // Terminated may come from another thread, in the middle of a call.
        private void EndInCall()
        {
            if (!endInCall) return;
            endInCall = false;
            Terminate();
        }

        // Whether the platform believes in an order of the instrument.
        internal bool OrdersKnown
        {
            get
            {
                foreach (Order order in account.Orders)
                    if (order.Instrument == instrument && !Order.IsTerminalState(order.OrderState)) return true;
                return false;
            }
        }

        // Contracts that are held by what the strategy's orders show as filled, whatever executions have told.
        internal int Shown
        {
            get
            {
                int sum = 0;
                foreach (Resting order in roles.Keys)
                    if (Mine(order)) sum += order.Side * order.Order.Filled;
                return sum;
            }
        }

        internal bool Waiting(Role role) { return Alive(role); }

        private bool Alive(Role role)
        {
            foreach (Resting order in exchange.Orders)
                if (!order.Over && Mine(order) && roles[order] == role) return true;
            return false;
        }

        private bool Mine(Resting order) { return order.Owner == instance; }

        private static bool Take(ref int left)
        {
            if (left == 0) return false;
            left--;
            return true;
        }
    }
}

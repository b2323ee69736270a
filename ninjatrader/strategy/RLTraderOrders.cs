// NinjaTrader's order methods, quotes, clock and account, as the run asks for them. A signal name says what an order is
// for; the platform names some of its orders itself.
using System;
using System.Collections.Generic;
using NinjaTrader.Cbi;
using NinjaTrader.Data;
using NinjaTrader.NinjaScript;
using RLTrader;

namespace NinjaTrader.NinjaScript.Strategies
{
    public partial class RLTraderStrategy : IOrders
    {
        private readonly HashSet<Order> others = new HashSet<Order>(); // at the market, and not this run's
        private DateTime sessionFrom = DateTime.MaxValue, sessionEnd = DateTime.MinValue;

        DateTime IOrders.Now
        {
            get { return ToUtc(State == State.Historical && newestBar > DateTime.MinValue ? newestBar : Now); }
        }

        double IOrders.Bid { get { return GetCurrentBid(); } }

        double IOrders.Ask { get { return GetCurrentAsk(); } }

        int IOrders.StopRoom { get { return 1; } }

        int IOrders.AccountNet { get { return Signed(PositionAccount); } }

        bool IOrders.OrdersLeft { get { return OrdersLeft(false); } }
        bool IOrders.ExitLeft { get { return OrdersLeft(true); } }

        OwnOrder IOrders.PlatformExit(bool closing)
        {
            OwnOrder exit = null;
            lock (Account.Orders)
                foreach (Order order in Account.Orders)
                {
                    if (order.Instrument != Instrument || order.OrderType != OrderType.Market) continue;
                    if (loaded.Trader.Custody.Trade.Knows(order) || others.Contains(order)) continue;
                    if (closing && RoleOf(order) == Role.Exit) exit = Own(loaded, order);
                    else others.Add(order);
                }
            if (exit != null) ((IOrders)this).Refresh(exit);
            return exit;
        }

        int IOrders.PlatformNet { get { return Signed(Position); } }

        double IOrders.AccountCash
        {
            get
            {
                double cash = IsInStrategyAnalyzer ? 0 : Account.Get(AccountItem.CashValue, Currency.UsDollar);
                return cash == 0 ? double.NaN : cash; // it reads 0 until a connection has told of it
            }
        }

        DateTime IOrders.SessionEnd(DateTime utc)
        {
            if (utc >= sessionFrom && utc <= sessionEnd) return sessionEnd;
            if (!sessions.GetNextSession(FromUtc(utc), true)) return DateTime.MaxValue;
            DateTime begin = ToUtc(sessions.ActualSessionBegin);
            sessionFrom = begin < utc ? begin : utc;
            sessionEnd = ToUtc(sessions.ActualSessionEnd);
            return sessionEnd;
        }

        // Stop and target go first and in ticks, which also undoes the last trade's values: they persist until set
        // again.
        bool IOrders.Enter(int side, int quantity, int stopTicks, int targetTicks)
        {
            SetStopLoss(OrderNames.Entry, CalculationMode.Ticks, stopTicks, false);
            SetProfitTarget(OrderNames.Entry, CalculationMode.Ticks, targetTicks);
            return Note(side > 0 ? EnterLong(quantity, OrderNames.Entry) : EnterShort(quantity, OrderNames.Entry));
        }

        bool IOrders.Exit(int side, int quantity, ExitReason reason)
        {
            string signal = OrderNames.Exit(reason);
            return Note(side > 0 ? ExitLong(quantity, signal, "") : ExitShort(quantity, signal, ""));
        }

        void IOrders.MoveStop(long ticks)
        {
            SetStopLoss(OrderNames.Entry, CalculationMode.Price, ticks * TickSize, false);
        }

        void IOrders.Cancel(OwnOrder order) { CancelOrder((Order)order.Key); }

        void IOrders.Refresh(OwnOrder own)
        {
            Order order = (Order)own.Key;
            OrderState state = order.OrderState;
            own.Name = OrderNames.Of(own.Role, order.Name);
            own.Quantity = order.Quantity;
            own.Filled = order.Filled;
            own.Live = !Order.IsTerminalState(state);
            own.Working = Keeps(state);
            own.Rejected = state == OrderState.Rejected;
            // While a change is on its way the price is not yet the broker's.
            if (!own.Working || state == OrderState.ChangePending || state == OrderState.ChangeSubmitted) return;
            double price = own.Role == Role.Target ? order.LimitPrice : order.StopPrice;
            own.Price = (long)Math.Round(price / TickSize);
        }

        double IOrders.FilledAt(OwnOrder own) { return ((Order)own.Key).AverageFillPrice; }

        void IOrders.FlattenAccount() { Flatten(); }

        // A request that another instance has just sent is left to work, for longer while an order at the market is on
        // its way: two would close the position twice.
        private void Flatten()
        {
            Shared ours = Ours;
            TimeSpan pause = OrdersLeft(true) ? FlattenWait : FlattenPause;
            lock (ours)
            {
                if (Now >= ours.Flattened && Now - ours.Flattened < pause) return;
                ours.Flattened = Now;
            }
            Account.Flatten(new[] { Instrument });
        }

        void IOrders.Stop() { SetState(State.Terminated); }

        void IOrders.Tell(string text, bool loud)
        {
            Log(Notices.Line(text), loud ? LogLevel.Alert : LogLevel.Warning);
            if (!loud || (State != State.Realtime && State != State.Terminated)) return;
            if (AlertSound.Length > 0) Give(() => PlaySound(AlertSound));
            if (AlertMail.Length > 0) Give(() => SendMail(AlertMail, "RLTrader: " + Instrument.FullName, text));
        }

        // Whatever is wrong with a sound or a mail, a position must not be left alone for it.
        private void Give(Action alert)
        {
            try { alert(); }
            catch (Exception error)
            {
                string failed = "an alert could not be given by sound or mail (" + error.Message + ")";
                Log(Notices.Line(failed), LogLevel.Warning);
            }
        }

        // An ignored order method returns null.
        private bool Note(Order order)
        {
            if (order != null) Own(loaded, order);
            return order != null;
        }

        private static OwnOrder Own(Run known, Order order)
        {
            bool buys = order.OrderAction == OrderAction.Buy || order.OrderAction == OrderAction.BuyToCover;
            return known.Trader.Custody.Trade.Order(order, RoleOf(order), buys ? 1 : -1);
        }

        // What an order of the strategy's is for. The platform may name its own in another language.
        private static Role RoleOf(Order order)
        {
            Role role = OrderNames.RoleOf(order.Name);
            if (role != Role.Other) return role;
            if (order.OrderType == OrderType.StopMarket || order.OrderType == OrderType.StopLimit) return Role.Stop;
            return order.OrderType == OrderType.Market ? Role.Exit : Role.Target;
        }

        // States in which the broker or the exchange has an order and keeps it; some stops never go beyond Accepted.
        private static bool Keeps(OrderState state)
        {
            switch (state)
            {
                case OrderState.Accepted:
                case OrderState.AcceptedByRisk:
                case OrderState.Working:
                case OrderState.PartFilled:
                case OrderState.TriggerPending:
                case OrderState.Suspended:
                case OrderState.ChangePending:
                case OrderState.ChangeSubmitted:
                    return true;
                default:
                    return false;
            }
        }

        private static int Signed(Position position)
        {
            if (position == null || position.MarketPosition == MarketPosition.Flat) return 0;
            return position.MarketPosition == MarketPosition.Long ? position.Quantity : -position.Quantity;
        }

        // Times are in the zone of the platform's settings, whatever they say of themselves.
        private static DateTime ToUtc(DateTime time)
        {
            DateTime bare = DateTime.SpecifyKind(time, DateTimeKind.Unspecified);
            return TimeZoneInfo.ConvertTimeToUtc(bare, NinjaTrader.Core.Globals.GeneralOptions.TimeZoneInfo);
        }

        private static DateTime FromUtc(DateTime utc)
        {
            return TimeZoneInfo.ConvertTimeFromUtc(utc, NinjaTrader.Core.Globals.GeneralOptions.TimeZoneInfo);
        }
    }
}

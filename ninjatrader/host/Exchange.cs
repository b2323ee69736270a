// The broker and the exchange: orders that are on their way, working, filled in parts, refused, changed or cancelled,
// and who holds what. It knows the truth at each moment; the platform hears of it later.
using System;
using System.Collections.Generic;
using NinjaTrader.Cbi;

namespace RLTrader.Host
{
    /// <summary>An order as the exchange has it. Prices are ticks.</summary>
    public sealed class Resting
    {
        public Order Order;
        public OrderType Type;
        public int Side, Quantity, Filled;
        public long Price;
        public bool There, Over;           // working at the exchange; filled, cancelled or refused
        public Resting Other;              // of the same OCO pair
        public int Owner;                  // number of the instance that sent it
        public int Changing;
        public long? Asked;                // the newest price that the strategy asked a stop for
        public long Answered;              // when the last change is that takes long; later ones wait for it
        public long Sent, CancelAsked = long.MinValue / 2; // when the strategy did, by the clock
        public bool Lost;
        public bool Earlier;               // of an instance that is over, and left when the next one began
        public bool Past;                  // known to the platform alone: of a bar of the past
        public long Told;                  // when the platform hears of it last

        public int Left { get { return Quantity - Filled; } }
    }

    /// <summary>What the exchange tells the platform of an order.</summary>
    public delegate void Report(Resting order, OrderState state, int filledNow, long price, ErrorCode error);

    /// <summary>Simulates the other side of the wire.</summary>
    public sealed class Exchange
    {
        public readonly List<Resting> Orders = new List<Resting>();
        private readonly Clockwork clockwork;
        private readonly Chance chance;
        private readonly Report report;

        public Exchange(Clockwork clockwork, Chance chance, Report report)
        {
            this.clockwork = clockwork;
            this.chance = chance;
            this.report = report;
        }

        /// <summary>Last price; bid and ask lie at it and a tick above.</summary>
        public long Last = 20000;

        public long Bid { get { return Last; } }
        public long Ask { get { return Last + 1; } }

        /// <summary>Contracts on the account: the strategy's, and someone else's.</summary>
        public int Own, Foreign;

        public bool Open = true;

        /// <summary>What the next order of its kind meets.</summary>
        public int RejectEntry, RejectStop, RejectTarget, RejectExit, RefuseChange, PartialEntry, StuckEntry,
            PartialStop, Slow, StopAndExit, LoseStop, PartialTarget, LoseCancel, SplitEntry, StuckExit, SlowChange;

        /// <summary>What a stop that the broker has is said to be until it is set off.</summary>
        public OrderState StopState = OrderState.Working;

        /// <summary>When the last exit is filled that took long.</summary>
        public long StuckUntil = -60000;

        /// <summary>Sales less purchases of the strategy's, in ticks times contracts.</summary>
        public long Paid;

        private long entryPaid, entered;
        private int parts;
        private bool reduced;

        /// <summary>Whether it came in parts, and one has been closed: the average depends on what is told
        /// first.</summary>
        public bool Mixed { get { return reduced && parts > 1; } }

        /// <summary>Average price in ticks at which what is held was bought or sold.</summary>
        public double Entry { get { return (double)entryPaid / entered; } }

        /// <summary>Contracts of the strategy's that were bought and sold.</summary>
        public int Traded;

        /// <summary>Send an order; it arrives after a while, or at once.</summary>
        public void Send(Resting order, Role role, bool atOnce)
        {
            Orders.Add(order);
            Report(order, OrderState.Submitted);
            order.Lost = role == Role.Stop && Take(ref LoseStop); // nobody ever hears of it again
            if (order.Lost) return;
            Later(atOnce, () => Arrive(order, role, atOnce));
        }

        /// <summary>Ask for another price or quantity; the answer comes later.</summary>
        public void Change(Resting order, long price, int quantity, bool atOnce)
        {
            if (order.Over || order.Lost) return;
            order.Changing++;
            Report(order, OrderState.ChangePending);
            Report(order, OrderState.ChangeSubmitted);
            bool moves = order.Type == OrderType.StopMarket && price != order.Price;
            if (moves && !atOnce && Take(ref SlowChange))
                order.Answered = Math.Max(order.Answered, clockwork.Now + chance.Between(61000, 130000));
            Action answer = () =>
            {
                order.Changing--;
                if (order.Over) return;
                bool refused = order.Type == OrderType.StopMarket && price != order.Price
                    && (AtMarket(order.Side, price) || Take(ref RefuseChange));
                if (!refused)
                {
                    order.Price = price;
                    order.Quantity = Math.Max(quantity, order.Filled);
                }
                OrderState now = order.Type == OrderType.StopMarket ? StopState : OrderState.Working;
                report(order, now, 0, 0, refused ? ErrorCode.UnableToChangeOrder : ErrorCode.NoError);
                if (order.Left == 0) Cancelled(order);
            };
            if (order.Answered > clockwork.Now) clockwork.At(order.Answered, answer);
            else Later(atOnce, answer);
        }

        /// <summary>Ask that an order be cancelled; false where nobody hears of it.</summary>
        public bool Cancel(Resting order, bool atOnce)
        {
            if (order.Over) return true;
            if (order.Type == OrderType.Limit && Take(ref LoseCancel)) return false;
            Report(order, OrderState.CancelPending);
            Later(atOnce, () =>
            {
                if (!order.Over) Cancelled(order);
            });
            return true;
        }

        /// <summary>Trade at a price: stops are set off and targets are met.</summary>
        public void Trade(long price)
        {
            Last = price;
            if (Open)
                foreach (Resting order in Orders.ToArray())
                    if (order.There && !order.Over) Meet(order);
        }

        /// <summary>Fill a market order that is there.</summary>
        public void Fill(Resting order, int quantity, long price)
        {
            quantity = Math.Min(quantity, order.Left);
            if (quantity <= 0 || order.Over) return;
            order.Filled += quantity;
            order.Over = order.Left == 0;
            if (order.Earlier && Own * order.Side >= 0) Foreign += order.Side * quantity; // it closes nothing
            else
            {
                if (Own == 0)
                {
                    entryPaid = entered = 0;
                    reduced = order.Filled > quantity; // the rest of an entry whose first part is closed
                    parts = reduced ? 1 : 0;
                }
                reduced |= Own * order.Side < 0;
                if (Own * order.Side >= 0)
                {
                    parts++;
                    entryPaid += quantity * price;
                    entered += quantity;
                }
                Own += order.Side * quantity;
                Traded += quantity;
                Paid -= order.Side * quantity * price;
            }
            report(order, order.Over ? OrderState.Filled : OrderState.PartFilled, quantity, price, ErrorCode.NoError);
        }

        private void Arrive(Resting order, Role role, bool atOnce)
        {
            if (order.Over) return;
            if (!Open || Refused(order, role))
            {
                order.Over = true;
                report(order, OrderState.Rejected, 0, 0, ErrorCode.OrderRejected);
                return;
            }
            Report(order, OrderState.Accepted);
            order.There = true;
            OrderState now = order.Type == OrderType.StopMarket ? StopState : OrderState.Working;
            if (now != OrderState.Accepted) Report(order, now);
            if (order.Type != OrderType.Market)
            {
                Meet(order);
                return;
            }
            if (role == Role.Exit && Take(ref StopAndExit))
                foreach (Resting stop in Orders.ToArray())
                {
                    bool alone = stop.Other == null || !stop.Other.Over;
                    if (alone && stop.Type == OrderType.StopMarket && stop.There)
                        Fill(stop, stop.Left, Market(stop.Side));
                }
            if (role == Role.Exit && Take(ref StuckExit))
            {
                StuckUntil = clockwork.Now + chance.Between(22000, 27000);
                clockwork.At(StuckUntil, () => Fill(order, order.Left, Market(order.Side)));
            }
            else if (role == Role.Entry && order.Quantity > 1 && Take(ref StuckEntry))
                Fill(order, 1, Market(order.Side));
            else if (role == Role.Entry && order.Quantity > 1 && Take(ref SplitEntry))
            {
                Fill(order, 1, Market(order.Side));
                clockwork.After(chance.Between(10000, 20000), () => Fill(order, order.Left, Market(order.Side)));
            }
            else if (role == Role.Entry && order.Quantity > 1 && (Take(ref PartialEntry) || chance.OneIn(4)))
            {
                Fill(order, 1, Market(order.Side));
                Later(atOnce, () => Fill(order, order.Left, Market(order.Side)));
            }
            else Fill(order, order.Left, Market(order.Side));
        }

        private bool Refused(Resting order, Role role)
        {
            if (order.Type == OrderType.StopMarket) return AtMarket(order.Side, order.Price) || Take(ref RejectStop);
            if (order.Type == OrderType.Limit) return Take(ref RejectTarget);
            return role == Role.Entry ? Take(ref RejectEntry) : role == Role.Exit && Take(ref RejectExit);
        }

        private void Meet(Resting order)
        {
            if (order.Type == OrderType.StopMarket)
            {
                if (order.Side < 0 ? Last > order.Price : Last < order.Price) return;
                bool part = order.Left > 1 && Take(ref PartialStop);
                Fill(order, part ? 1 : order.Left, Market(order.Side));
                if (part) Later(false, () => Fill(order, order.Left, Market(order.Side)));
            }
            else if (order.Type == OrderType.Limit && (order.Side < 0 ? Last >= order.Price : Last <= order.Price))
                Fill(order, order.Left > 1 && Take(ref PartialTarget) ? 1 : order.Left, order.Price); // the rest waits
        }

        private bool AtMarket(int side, long stop) { return side < 0 ? stop >= Bid : stop <= Ask; }

        private long Market(int side) { return side > 0 ? Ask : Bid; }

        private void Cancelled(Resting order)
        {
            order.Over = true;
            report(order, OrderState.Cancelled, 0, 0, ErrorCode.NoError);
        }

        private void Report(Resting order, OrderState state) { report(order, state, 0, 0, ErrorCode.NoError); }

        private void Later(bool atOnce, Action work)
        {
            if (atOnce) work();
            else clockwork.After(Take(ref Slow) ? chance.Between(2000, 9000) : chance.Between(5, 300), work);
        }

        private static bool Take(ref int left)
        {
            if (left == 0) return false;
            left--;
            return true;
        }
    }
}

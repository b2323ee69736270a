// What the strategy itself has bought and sold, and the orders that it knows of: a ledger without opinions. It is fed
// with executions, each counted once, and with the platform's orders as they stand. It never asks the platform what
// the position is: on some providers that news comes late, out of order or not at all.
using System;
using System.Collections.Generic;

namespace RLTrader
{
    /// <summary>What an order is for.</summary>
    public enum Role { Other, Entry, Exit, Stop, Target }

    /// <summary>One of the strategy's own orders, as the platform last showed it.</summary>
    public sealed class OwnOrder
    {
        /// <summary>The platform's own object; equal objects are one order.</summary>
        public readonly object Key;
        public readonly Role Role;

        /// <summary>1 buys, -1 sells.</summary>
        public readonly int Side;

        /// <summary>In English, once the platform has shown it.</summary>
        public string Name = "";

        /// <summary>Contracts: all, and those filled by the platform's own count.</summary>
        public int Quantity, Filled;

        /// <summary>Whether it may still be filled, whether the broker or the exchange has it and keeps it, and whether
        /// it was rejected.</summary>
        public bool Live, Working, Rejected;

        /// <summary>Stop price of a stop, limit price of a target, in ticks; 0 until the broker has it.</summary>
        public long Price;

        internal int Counted, Inferred;      // contracts by executions, and by the platform's count alone
        internal double Paid;                // price times contracts of those told
        internal DateTime? MissingSince;     // the platform counts more than came as executions
        internal DateTime? CancelAsked;
        internal bool RejectionSeen;

        public OwnOrder(object key, Role role, int side) { Key = key; Role = role; Side = side; }

        public int Left { get { return Math.Max(0, Quantity - Filled); } }

        /// <summary>Contracts that are in the ledger; those filled may be more for a while.</summary>
        public int Told { get { return Counted + Inferred; } }
    }

    /// <summary>The ledger of one run: net contracts, the average entry, and the orders around them.</summary>
    public sealed class Trade
    {
        private readonly HashSet<string> executions = new HashSet<string>();
        private readonly Dictionary<object, OwnOrder> known = new Dictionary<object, OwnOrder>();
        private readonly List<OwnOrder> orders = new List<OwnOrder>();
        private double entryPoints;          // price times contracts of this trade's entry
        private int entryContracts;
        private OwnOrder platforms;
        private int abandoned;               // bought (or, below zero, sold) as the account says, and not told of yet

        /// <summary>Hears of contracts that are counted although no execution has told of them: the order's name, its
        /// side, how many, and the price in points.</summary>
        public Action<string, int, int, double> Untold = (name, side, quantity, price) => { };

        /// <summary>Contracts of the newest execution that were not counted before it came.</summary>
        public int Newly { get; private set; }

        /// <summary>Contracts held by the strategy's own executions; below zero when short.</summary>
        public int Net { get; private set; }

        /// <summary>Sales less purchases so far, in points times contracts.</summary>
        public double Points { get; private set; }

        /// <summary>Contracts bought and sold so far.</summary>
        public int Contracts { get; private set; }

        /// <summary>Average price of the open trade's entry.</summary>
        public double Average { get { return entryContracts == 0 ? 0 : entryPoints / entryContracts; } }

        public int Side { get { return Math.Sign(Net); } }

        /// <summary>Contracts held once the executions have come that orders already count.</summary>
        public int Foreseen
        {
            get
            {
                int net = Net;
                foreach (OwnOrder order in orders) net += order.Side * Math.Max(0, order.Filled - order.Told);
                return net;
            }
        }

        /// <summary>Orders that are not over, or lack executions.</summary>
        public IList<OwnOrder> Orders { get { return orders; } }

        /// <summary>Note down the platform's own exit at the session's end, whose executions name no order; null is
        /// none.</summary>
        public void Note(OwnOrder exit) { platforms = exit ?? platforms; }

        /// <summary>An entry is about to be sent: executions that name no order are no more of the last trade's
        /// exit. The rest of an entry may be filled after that exit, and changes nothing of it.</summary>
        public void Opening()
        {
            platforms = null;
            abandoned = 0;
        }

        /// <summary>Return the exit of the platform's that an execution without an order may be of, or null.</summary>
        public OwnOrder PlatformsExit(int side)
        {
            return platforms != null && platforms.Side == side && platforms.Counted < platforms.Quantity ? platforms
                : null;
        }

        /// <summary>Whether an order of a key has been noted down.</summary>
        public bool Knows(object key) { return known.ContainsKey(key); }

        /// <summary>Return the order of a key, noted down if it is new.</summary>
        public OwnOrder Order(object key, Role role, int side)
        {
            OwnOrder order;
            if (!known.TryGetValue(key, out order)) known[key] = order = new OwnOrder(key, role, side);
            if (!orders.Contains(order)) orders.Add(order);
            return order;
        }

        /// <summary>Count an execution; false where it was counted before.</summary>
        /// <param name="id">Of the execution; together with the order's name it says which one it is.</param>
        /// <param name="order">Null where the platform names none, as at the end of a session.</param>
        public bool Fill(string id, string name, OwnOrder order, Role role, int side, int quantity, double price)
        {
            if (!string.IsNullOrEmpty(id) && !executions.Add(name + "|" + id)) return false;
            if (order != null)
            {
                // Is it one of those that were booked before they came? Only if the order has filled no more than that.
                int beyond = order.Told + quantity - order.Filled;
                int booked = Math.Max(0, Math.Min(Math.Min(order.Inferred, quantity), beyond));
                order.Counted += quantity;
                order.Inferred -= booked;
                quantity -= booked;
                order.Paid += quantity * price;
            }
            else if (side * abandoned > 0)
            {
                int known = Math.Min(quantity, Math.Abs(abandoned));
                abandoned -= side * known;
                quantity -= known;
            }
            Newly = quantity;
            if (quantity != 0) Book(role, side, quantity, price);
            return true;
        }

        /// <summary>Book what an order says was filled and no execution has told for too long; true if there was
        /// any.</summary>
        /// <param name="average">Price of all that the order has filled.</param>
        public bool Infer(OwnOrder order, double average, DateTime now, TimeSpan patience)
        {
            int missing = order.Filled - order.Told;
            if (missing <= 0)
            {
                order.MissingSince = null;
                return false;
            }
            if (order.MissingSince == null) order.MissingSince = now;
            if (now - order.MissingSince.Value < patience) return false;
            order.Inferred += missing;
            order.MissingSince = null;
            double price = (average * order.Filled - order.Paid) / missing;
            Untold(order.Name, order.Side, missing, price);
            Book(order.Role, order.Side, missing, price);
            order.Paid = average * order.Filled;
            return true;
        }

        /// <summary>Contracts of the open trade for which a stop works at the broker.</summary>
        public int Protected
        {
            get
            {
                int sum = 0;
                foreach (OwnOrder order in orders)
                    if (order.Role == Role.Stop && order.Working && order.Side == -Side) sum += order.Left;
                return sum;
            }
        }

        /// <summary>The order of a role that may still be filled, the newest of several; null where there is
        /// none.</summary>
        public OwnOrder Alive(Role role)
        {
            for (int n = orders.Count - 1; n >= 0; n--)
                if (orders[n].Role == role && orders[n].Live) return orders[n];
            return null;
        }

        /// <summary>All orders of some roles that may still be filled, the oldest first.</summary>
        public List<OwnOrder> AllAlive(params Role[] roles)
        {
            return orders.FindAll(order => order.Live && Array.IndexOf(roles, order.Role) >= 0);
        }

        /// <summary>Whether no order of a role may still be filled or lacks an execution.</summary>
        public bool Over(Role role)
        {
            foreach (OwnOrder order in orders)
                if (order.Role == role && (order.Live || order.Filled > order.Told)) return false;
            return true;
        }

        /// <summary>Look no longer at orders that are over and lack no execution.</summary>
        public void Tidy()
        {
            orders.RemoveAll(order => !order.Live && order.Filled <= order.Told);
        }

        /// <summary>Hold nothing: what was held is known to be gone by another way, at about a price. Executions
        /// without an order that come later tell of just that, and are not counted a second time.</summary>
        public void Abandon(double price)
        {
            if (Net == 0) return;
            abandoned = -Net;
            Untold(OrderNames.Gone, -Side, Math.Abs(Net), price);
            Book(Role.Exit, -Side, Math.Abs(Net), price);
        }

        private void Book(Role role, int side, int quantity, double price)
        {
            bool turned = Net * (Net + side * quantity) < 0; // more was closed than held: the rest is a new trade
            if (Net == 0 || turned)
            {
                entryPoints = 0;
                entryContracts = 0;
            }
            Net += side * quantity;
            Contracts += quantity;
            Points -= side * quantity * price;
            if (role != Role.Entry && entryContracts != 0) return;
            int opened = turned ? Math.Abs(Net) : quantity;
            entryPoints += opened * price;
            entryContracts += opened;
        }
    }
}

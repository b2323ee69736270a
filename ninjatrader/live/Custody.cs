// Keeps what is held safe: one entry at a time; a stop at the broker or else no position; everything closed in time, by
// the quantity that is really held. What was filled is known from executions, each counted once, and the account's own
// position is compared with them. All of it is called by one thread at a time, see Inbox.cs.
using System;
using System.Collections.Generic;

namespace RLTrader
{
    /// <summary>What went wrong with an order.</summary>
    public enum Trouble { None, Rejected, ChangeRefused }

    /// <summary>The order state machine of one run.</summary>
    public sealed partial class Custody
    {
        private const int MostExits = 2;
        public readonly Trade Trade = new Trade();
        private readonly Agent agent;
        private readonly IOrders orders;
        private readonly Guard guard;
        private readonly AccountCheck account;
        private readonly Flattening flattening;
        private readonly Manifest manifest;
        private bool halted, flattensFirst, connected = true, barIsLate, lateTold, closedSinceBar, toldSlow;
        private int tradeSide, exitTries;
        private long? askedStop; // in this trade, the best; its answer may be on its way
        private Block toldBlock;
        private readonly SteadyClock clock = new SteadyClock();
        private DateTime now, wall, connectedSince = DateTime.MinValue; // waits go by now, ends by the wall's clock
        private DateTime flatAt = DateTime.MaxValue, barFlatAt = new DateTime(2000, 1, 1, 22, 0, 0);
        private DateTime? entrySent, exitSent, exitTried, barEnds, bareSince, straySince, phantomSince, platformCloses;

        public Custody(Agent agent, IOrders orders, Guard guard)
        {
            this.agent = agent;
            this.orders = orders;
            this.guard = guard;
            manifest = agent.Policy.Manifest;
            account = new AccountCheck(orders);
            flattening = new Flattening(orders, account);
        }

        /// <summary>New York minute of the first bar at whose close everything is flat.</summary>
        public int FlatMinute { get { return NewYork.Minute(barFlatAt.AddMinutes(-1)); } }

        /// <summary>Whether nothing is opened any more until the strategy is enabled again.</summary>
        public bool Halted { get { return halted; } }

        /// <summary>Whether the account is being flattened.</summary>
        public bool Flattens { get { return flattening.Runs; } }

        private bool Late { get { return barIsLate || wall >= flatAt; } }
        private bool Leaving { get { return exitSent != null || Flattens || Trade.Alive(Role.Exit) != null; } }

        private bool PlatformCloses
        {
            get { return platformCloses != null && now - platformCloses.Value < Patience.Platform; }
        }

        // Whether what the account held at the start, and is to be closed, shows or can be closed only now.
        private bool ShowsLate
        {
            get { return flattensFirst && account.ShowsLate && entrySent == null && Trade.Contracts == 0; }
        }

        private bool Reachable { get { return connected && now - connectedSince >= Patience.Settling; } }

        /// <summary>Orders may be sent from now on.</summary>
        /// <param name="onAccount">Whether an account is traded, rather than paper or a backtest.</param>
        /// <param name="flattenFirst">Whether what the account already holds is closed; otherwise it blocks.</param>
        public void Begin(bool onAccount, bool flattenFirst)
        {
            now = clock.At(orders.Now);
            flattensFirst = flattenFirst;
            if (onAccount) orders.PlatformExit(false); // what is there already is not this run's
            if (account.Begin(onAccount, now) && flattenFirst && Reachable) FlattenFirst(); // else it shows late
        }

        private void FlattenFirst()
        {
            flattening.Begin("what the account held at the start is being closed", now);
        }

        /// <summary>A bar has closed; decide whether it is one of those at whose close everything is flat.</summary>
        public void BarClosed(DateTime openUtc)
        {
            Measure();
            barEnds = openUtc.AddMinutes(1);
            barFlatAt = guard.FlatAt(openUtc, Asked(() => orders.SessionEnd(openUtc), DateTime.MaxValue));
            barIsLate = openUtc.AddMinutes(1) >= barFlatAt;
            Reconcile();
        }

        /// <summary>The bar's line is written.</summary>
        public void BarDone(bool late)
        {
            lateTold = late;
            closedSinceBar = false;
        }

        /// <summary>Why nothing is decided on the newest bar.</summary>
        public Skip WhyNot()
        {
            if (halted) return Skip.Halted;
            if (agent.Position.Side != 0 && Late) return Skip.Late;
            if (closedSinceBar) return Skip.Closed;
            if (Leaving) return Skip.Leaving;
            if (entrySent != null) return Skip.Opening;
            return account.Disagrees ? Skip.Disagrees : Skip.None;
        }

        /// <summary>Why an entry would not be sent.</summary>
        public Withheld WhyNoEntry()
        {
            if (Late) return Withheld.Late;
            if (guard.Block != Block.None) return Withheld.Blocked;
            if (orders.PlatformNet != 0) return Withheld.Platform;
            if (account.Occupied || account.Young(now)) return Withheld.Account;
            if (Reachable && OffTheClock()) return Withheld.OffTheClock;
            return Reachable ? Withheld.None : Withheld.Disconnected;
        }

        /// <summary>Send an entry with its stop and target; false where the platform ignored it.</summary>
        public bool Enter(int side, int stopTicks, int targetTicks)
        {
            tradeSide = side;
            entrySent = now;
            Trade.Opening();
            if (orders.Enter(side, manifest.Contracts, stopTicks, targetTicks)) return true;
            entrySent = null;
            orders.Tell("the platform ignored an entry", false);
            return false;
        }

        /// <summary>Bring the open trade's stop to a price, never a looser one than asked for before, or leave at once
        /// where the market is there already.</summary>
        public void Guide(long wanted)
        {
            OwnOrder stop = Trade.Alive(Role.Stop);
            if (askedStop != null && Trade.Side * (askedStop.Value - wanted) > 0) wanted = askedStop.Value;
            if (wanted == agent.Position.Stop || stop == null || !stop.Working || !Reachable) return;
            askedStop = wanted;
            if (AtMarket(wanted)) Exit(ExitReason.StopAtMarket);
            else orders.MoveStop(wanted);
        }

        /// <summary>Count an execution; false where it was counted before.</summary>
        public bool Filled(string id, string name, OwnOrder order, Role role, int side, int quantity, double price)
        {
            if (order == null)
            {
                Measure(); // it may be of the platform's own exit
                order = Trade.PlatformsExit(side);
            }
            if (order != null) orders.Refresh(order);
            if (!Trade.Fill(id, name, order, role, side, quantity, price)) return false;
            Follow();
            return true;
        }

        /// <summary>An order's state has changed.</summary>
        public void Ordered(OwnOrder order, Trouble trouble)
        {
            now = clock.At(orders.Now);
            if (trouble == Trouble.None) return;
            orders.Tell("an order was refused (" + order.Role + ", " + trouble + ")", true);
            NoteRejection(order);
            if (trouble == Trouble.ChangeRefused) platformCloses = now;
        }

        /// <summary>The order connection was lost, or is back.</summary>
        public void Connection(bool up)
        {
            now = clock.At(orders.Now);
            if (up && !connected) connectedSince = now;
            account.Connection(up, now);
            connected = up;
        }

        /// <summary>Something unforeseen: nothing is opened any more, and what is held is closed.</summary>
        public void Halt() { halted = true; }

        /// <summary>Close what is held and open nothing more: the kill switch by hand.</summary>
        public void StopByHand() { guard.StopByHand(); }

        /// <summary>The run is over. Returns whether something is left for which nobody cares any more.</summary>
        /// <param name="closing">Whether an exit of it is already on its way.</param>
        public bool End(out bool closing)
        {
            now = clock.At(orders.Now);
            closing = Leaving || PlatformCloses;
            bool waiting = entrySent != null || Trade.Alive(Role.Stop) != null || Trade.Alive(Role.Target) != null;
            // What is being closed may be gone already, and what the platform closes, one that it wrongly believes in.
            bool left = account.Watched
                && (Trade.Net != 0 || waiting || closing || orders.PlatformNet != 0 || ShowsLate);
            if (left) orders.Tell("the strategy ended with a trade open or on its way", true);
            return left;
        }

        /// <summary>Milliseconds since the entry or exit was sent; NaN for orders that wait at the broker.</summary>
        public double Latency(Role role)
        {
            DateTime? sent = role == Role.Entry ? entrySent : role == Role.Exit ? exitSent : null;
            return sent == null ? double.NaN : (clock.At(orders.Now) - sent.Value).TotalMilliseconds;
        }

        /// <summary>Look at everything and do what has to be done; call it often.</summary>
        public void Look()
        {
            Care();
            TellOfFailure();
        }

        private void Care()
        {
            Measure();
            Reconcile();
            account.Compare(Trade.Net, now, Flattens || !Reachable);
            if (account.Gone) LetGo();
            if (!Reachable || PlatformCloses) return;
            if (Phantom()) return;
            if (Flattens)
            {
                if (orders.AccountNet == 0) Abandon();
                flattening.Look(now);
                return;
            }
            if (PartTaken)
            {
                CloseRest();
                return;
            }
            if (ShowsLate) FlattenFirst();
            bool close = Late || guard.Block != Block.None || halted;
            OwnOrder entry = Trade.Alive(Role.Entry);
            bool overdue = entrySent != null && now - entrySent.Value >= Patience.Entry;
            // What is left of an entry, when what was filled of it is gone, would open a trade of its own.
            bool spent = entry != null && Trade.Net == 0 && entry.Told > 0;
            if (entry != null && (close || overdue || spent)) Cancel(entry);
            if (CancelStrays() || Trade.Net == 0) return;
            if (Leaving)
            {
                if (exitSent != null && now - exitSent.Value >= Patience.Exit && !toldSlow)
                    orders.Tell(Notices.ExitSlow, toldSlow = true);
                return;
            }
            ExitReason reason;
            if (MustLeave(close, out reason)) Exit(reason);
        }

        private void Measure()
        {
            wall = orders.Now;
            now = clock.At(wall);
            DateTime end = Asked(() => orders.SessionEnd(wall), DateTime.MaxValue);
            flatAt = guard.FlatAt(wall, end);
            double tick = manifest.TickSize, dollars = manifest.TickValue / tick;
            double mark = Trade.Net == 0 ? 0 : Quote(Trade.Net) * tick;
            double made = (Trade.Points + Trade.Net * mark) * dollars - Trade.Contracts * manifest.Commission;
            double open = Trade.Net * (mark - Trade.Average) * dollars;
            double equity = Asked(() => connected ? orders.AccountCash + open : double.NaN, double.NaN);
            guard.Look(wall, end, made, equity);
            // Where the session's end is not known, the platform's own exit may come once all is to be flat.
            bool closes = guard.SessionCloses || (end == DateTime.MaxValue && Late);
            if (account.Watched) Trade.Note(Asked(() => orders.PlatformExit(closes && !Flattens), null));
            if (guard.Block != toldBlock && guard.Block != Block.None)
                orders.Tell("nothing is opened any more: " + guard.Why, true);
            toldBlock = guard.Block;
        }

        // What the orders say of themselves, and what follows for entries and exits that were sent.
        private void Reconcile()
        {
            foreach (OwnOrder order in new List<OwnOrder>(Trade.Orders))
            {
                orders.Refresh(order);
                NoteRejection(order);
                if (Trade.Infer(order, orders.FilledAt(order), now, Patience.Fill))
                    orders.Tell("an order was filled without an execution being told; it is counted now", false);
            }
            Follow();
            if (Trade.Over(Role.Entry)) entrySent = null;
            if (Trade.Over(Role.Exit)) exitSent = null;
            Trade.Tidy();
        }

        // After a rejection the platform stops the strategy, cancels its orders and closes its position; a second exit
        // would turn it over. The order itself may say so before the event comes.
        private void NoteRejection(OwnOrder order)
        {
            if (!order.Rejected || order.RejectionSeen) return;
            order.RejectionSeen = true;
            platformCloses = now;
        }

        // The tracker holds what the executions say, and its stop and target stand where the broker has them.
        private void Follow()
        {
            PositionTracker held = agent.Position;
            if (held.Side != Trade.Side) askedStop = null;
            if (Trade.Net == 0)
            {
                if (held.Side != 0) closedSinceBar |= !lateTold;
                held.Exited();
                exitTries = 0;
                if (Trade.Foreseen == 0) bareSince = null; // else more of it is open, and bare for as long
                return;
            }
            if (held.Side != Trade.Side || held.Entry != agent.Stream.ToTicks(Trade.Average))
                agent.Entered(Trade.Side, Trade.Average);
            OwnOrder stop = Trade.Alive(Role.Stop), target = Trade.Alive(Role.Target);
            held.Stands(stop != null && stop.Price > 0 ? stop.Price : held.Stop,
                target != null && target.Price > 0 ? target.Price : held.Target);
        }

        private bool MustLeave(bool close, out ExitReason reason)
        {
            reason = Late ? ExitReason.Late : guard.Block != Block.None ? ExitReason.Blocked : ExitReason.Halted;
            if (Trade.Side != tradeSide)
            {
                reason = ExitReason.Overshot; // a stop and an exit were both filled
                return true;
            }
            if (close) return true;
            reason = ExitReason.Unprotected;
            if (Trade.Protected >= Math.Abs(Trade.Net)) bareSince = null;
            else if (bareSince == null) bareSince = now;
            return bareSince != null && now - bareSince.Value >= Patience.Stop;
        }

        private void Exit(ExitReason reason)
        {
            bool again = exitTried != null && now - exitTried.Value < Patience.Again;
            if (again || guard.SessionCloses || !account.Holds(Trade.Net) || account.Leaving(now)) return;
            // What orders show as closed is gone, although no execution has told of it yet.
            int quantity = Math.Min(Math.Abs(Trade.Net), Trade.Side * Trade.Foreseen);
            if (quantity <= 0) return;
            exitTried = now;
            OwnOrder entry = Trade.Alive(Role.Entry);
            if (entry != null) Cancel(entry); // what is left of it would open the trade again
            if (++exitTries > MostExits)
            {
                halted = true;
                flattening.Begin("the platform takes no exit; the account's position is being flattened", now);
                return;
            }
            exitSent = now;
            toldSlow = false;
            if (reason == ExitReason.Unprotected) orders.Tell(Notices.Unprotected, true);
            if (reason == ExitReason.Overshot) orders.Tell(Notices.Overshot, true);
            if (!orders.Exit(Trade.Side, quantity, reason)) exitSent = null;
        }

        private void Cancel(OwnOrder order)
        {
            if (order.CancelAsked != null && now - order.CancelAsked.Value < Patience.Exit) return;
            order.CancelAsked = now;
            orders.Cancel(order);
        }

        // A stop, a target or an exit without a trade would open one; the platform cancels the first two, unless it has
        // missed something.
        private bool CancelStrays()
        {
            List<OwnOrder> strays = Trade.AllAlive(Role.Stop, Role.Target, Role.Exit);
            if (Trade.Foreseen != 0 || entrySent != null || strays.Count == 0) straySince = null;
            else if (straySince == null) straySince = now;
            if (straySince == null || now - straySince.Value < Patience.Stop) return false;
            foreach (OwnOrder order in strays) Cancel(order);
            return true;
        }
    }
}

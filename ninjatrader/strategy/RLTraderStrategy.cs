// The strategy: NinjaTrader's events in, its orders out. All that is decided is decided in LiveTrader.cs and below it,
// which are checked without NinjaTrader; what is here only keeps to the platform's rules:
//   - SetDefaults runs whenever scripts are listed, so the model is loaded in DataLoaded;
//   - bars are stamped by their end, in the zone of the platform's settings;
//   - on a live chart nothing is sent before State.Realtime;
//   - events may come from several threads, in the middle of an order call, or after Terminated: each callback takes
//     what it was given by value and puts it in line.
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Threading;
using NinjaTrader.Cbi;
using NinjaTrader.Data;
using NinjaTrader.NinjaScript;
using RLTrader;

namespace NinjaTrader.NinjaScript.Strategies
{
    public partial class RLTraderStrategy : Strategy
    {
        private sealed class Run
        {
            public LiveTrader Trader;
            public PaperOrders Paper;
            public Inbox Inbox;
            public readonly Repeats Faults = new Repeats();
        }

        // What is left to do after the end, in looks five seconds apart; those without a connection don't count.
        private sealed class Aftercare
        {
            public const int Waits = 3;      // for an exit on its way, and for late news of the account
            public int Looks = 100, Calm = Waits, Flattenings = 6, Patience = Waits;
        }

        // What all instances on an instrument of an account know of each other.
        private sealed class Shared
        {
            public DateTime Flattened = DateTime.MinValue; // when it was last asked for, whichever instance asked
            public object Newest;                          // the instance that began to trade last
        }

        private static readonly TimeSpan TickPause = TimeSpan.FromSeconds(1);
        private static readonly TimeSpan FlattenPause = TimeSpan.FromSeconds(4), FlattenWait = TimeSpan.FromSeconds(15);
        private static readonly ConditionalWeakTable<Account, Dictionary<string, Shared>> Sharing =
            new ConditionalWeakTable<Account, Dictionary<string, Shared>>();

        private volatile Run run;  // null before it is loaded and after Terminated
        private Run loaded;        // the same, but for Terminated, which may come in the middle of an order call
        private SessionIterator sessions;
        private IDisposable clock;
        private DateTime lastTick, newestBar;

        private static DateTime Now { get { return NinjaTrader.Core.Globals.Now; } }

        protected override void OnStateChange()
        {
            switch (State)
            {
                case State.SetDefaults:
                    SetDefaults();
                    break;
                case State.Configure:
                    SetPlatform();
                    break;
                case State.DataLoaded:
                    Load();
                    break;
                case State.Historical:
                    if (IsInStrategyAnalyzer) Begin(Mode.Backtest);
                    break;
                case State.Realtime:
                    if (!IsInStrategyAnalyzer) Begin(Shadow ? Mode.Virtual : Mode.Live);
                    break;
                case State.Terminated:
                    End();
                    break;
            }
        }

        protected override void OnBarUpdate()
        {
            Run known = run;
            if (known == null) return; // it adds no second series
            DateTime stamp = newestBar = Time[0];
            double[] ohlcv = { Open[0], High[0], Low[0], Close[0], Volume[0] };
            known.Inbox.Do(() =>
            {
                DateTime opened = ToUtc(stamp).AddMinutes(-1);
                if (known.Paper != null && known.Trader.Follows(opened, ohlcv))
                    known.Paper.Bar(opened, ohlcv[1], ohlcv[2], ohlcv[3]);
                known.Inbox.Do(() => known.Trader.Bar(opened, ohlcv));
            });
        }

        protected override void OnExecutionUpdate(Execution execution, string executionId, double price, int quantity,
            MarketPosition marketPosition, string orderId, DateTime time)
        {
            Run known = run;
            if (known == null || known.Paper != null) return;
            // Some executions have no order, such as those at the end of a session; all have a name.
            Order order = execution.Order;
            string name = execution.Name ?? "";
            int side = marketPosition == MarketPosition.Long ? 1 : -1;
            Role role = order == null ? OrderNames.RoleOf(name) : RoleOf(order);
            OfThisRun(known, () => known.Trader.Filled(executionId, OrderNames.Of(role, name),
                order == null ? null : Own(known, order), role, side, quantity, price, () => ToUtc(time)));
        }

        protected override void OnOrderUpdate(Order order, double limitPrice, double stopPrice, int quantity,
            int filled,
            double averageFillPrice, OrderState orderState, DateTime time, ErrorCode error, string comment)
        {
            Run known = run;
            if (known == null || known.Paper != null) return;
            Trouble trouble = Trouble.None;
            if (orderState == OrderState.Rejected) trouble = Trouble.Rejected;
            else if (error == ErrorCode.UnableToChangeOrder) trouble = Trouble.ChangeRefused;
            OfThisRun(known, () => known.Trader.Ordered(Own(known, order),
                OrderNames.Of(RoleOf(order), order.Name), trouble));
        }

        // What is told before the run begins is of an earlier run's orders, which must not come into its ledger.
        private static void OfThisRun(Run known, Action work)
        {
            known.Inbox.Do(() =>
            {
                if (known.Trader.Mode != Mode.Historical) work();
            });
        }

        protected override void OnConnectionStatusUpdate(ConnectionStatusEventArgs connectionStatusUpdate)
        {
            Run known = run;
            if (known == null || Account == null || connectionStatusUpdate.Connection != Account.Connection) return;
            bool up = connectionStatusUpdate.Status == ConnectionStatus.Connected;
            known.Inbox.Do(() => known.Trader.Custody.Connection(up));
        }

        protected override void OnMarketData(MarketDataEventArgs marketDataUpdate)
        {
            DateTime now = Now; // in playback far faster than the timer
            if (now - lastTick < TickPause && now >= lastTick) return;
            lastTick = now;
            Tick();
        }

        /// <summary>Time has passed; called about once a second.</summary>
        protected void Tick()
        {
            Run known = run;
            if (known != null && State == State.Realtime) known.Inbox.Do(known.Trader.Clock);
        }

        /// <summary>Begin to do something every second, prices or not, until what is returned is disposed of.</summary>
        protected virtual IDisposable EverySecond(Action work)
        {
            return new Timer(nothing =>
            {
                try { TriggerCustomEvent(state => work(), null); }
                catch (Exception) { } // it ended in between; on this thread it would end NinjaTrader itself
            }, null, 1000, 1000);
        }

        /// <summary>Do something after some seconds, whatever has become of this instance.</summary>
        protected virtual void Later(int seconds, Action work)
        {
            Timer once = null;
            once = new Timer(nothing =>
            {
                once.Dispose();
                work();
            }, null, Timeout.Infinite, Timeout.Infinite);
            once.Change(seconds * 1000, Timeout.Infinite);
        }

        internal LiveTrader Trader
        {
            get
            {
                Run known = run;
                return known == null ? null : known.Trader;
            }
        }

        protected virtual Agent LoadAgent() { return new Agent(BundleFolder); }

        private void Load()
        {
            run = loaded = null;
            try
            {
                Refuse();
                sessions = new SessionIterator(Bars);
                Agent agent = LoadAgent();
                Manifest manifest = agent.Policy.Manifest;
                RefuseContract(manifest);
                RefuseHours(manifest);
                WarnOfChart(manifest);
                Guard guard = new Guard(Limits(), manifest);
                Run made = new Run();
                made.Inbox = new Inbox(error => Fault(made, error));
                DecisionLog log = OpenLog(manifest);
                IOrders orders = this;
                if (Shadow && !IsInStrategyAnalyzer)
                    orders = made.Paper = new PaperOrders(this, manifest, made.Inbox.Do);
                TimeSpan heartbeat = TimeSpan.FromMinutes(HeartbeatMinutes);
                made.Trader = new LiveTrader(agent, orders, guard, log, heartbeat);
                if (made.Paper != null) made.Paper.Trader = made.Trader;
                run = loaded = made;
            }
            catch (Exception error)
            {
                // Whatever is wrong with a bundle, nothing is traded.
                Log(Notices.Line(error.Message), LogLevel.Alert);
            }
        }

        protected virtual DecisionLog OpenLog(Manifest manifest)
        {
            DateTime now = DateTime.UtcNow;
            string folder = IsInStrategyAnalyzer && !LogBacktests ? null : Folder;
            DecisionLog made = new DecisionLog(folder, manifest.Symbol, now,
                why => Alert(why));
            made.Header(manifest, Instrument.FullName, Account == null ? "none" : Account.Provider.ToString(), now);
            if (made.Place != null) Log(Notices.Line("decisions are logged in " + made.Place),
                LogLevel.Information);
            return made;
        }

        private void Begin(Mode mode)
        {
            Run known = run;
            if (known == null) return;
            if (mode == Mode.Live)
            {
                Ours.Newest = this;
                bool up = Reachable; // a connection that is lost already is not told of
                known.Inbox.Do(() => known.Trader.Custody.Connection(up));
            }
            known.Inbox.Do(() => known.Trader.Begin(mode, FlattenOnStart));
            if (mode == Mode.Backtest) return;
            ShowButton();
            clock = EverySecond(Tick);
        }

        private void End()
        {
            IDisposable running = clock;
            clock = null;
            if (running != null) running.Dispose();
            HideButton();
            Run known = run;
            run = null;
            if (known == null) return;
            known.Inbox.Do(() =>
            {
                try { Leave(known.Trader.Custody); }
                finally { known.Trader.Close(); }
            });
        }

        private void Leave(Custody custody)
        {
            bool closing;
            if (!custody.End(out closing) || !FlattenOnStop) return;
            LookAgain(new Aftercare()); // whatever becomes of this first flattening
            if (!closing && Reachable && !OrdersLeft(true)) Flatten(); // else an exit may be on its way
        }

        // An order that was on its way when the strategy ended may be filled after it.
        private void LookAgain(Aftercare care)
        {
            Later(5, () =>
            {
                if (Ours.Newest != this) return; // a newer instance looks after the account
                bool again = true;
                try { again = LookAtAccount(care); }
                catch (Exception error)
                {
                    // On a thread of nobody's, where it would end NinjaTrader itself.
                    OnFault(error);
                    Alert(error.Message + "; the account is looked at again");
                }
                if (again) LookAgain(care);
            });
        }

        // Returns whether to look once more.
        private bool LookAtAccount(Aftercare care)
        {
            if (!Reachable)
            {
                care.Calm = Aftercare.Waits; // what the account showed before is not the newest any more
                return true;
            }
            if (care.Looks-- == 0) return GiveUp();
            // An exit on its way may close all by itself; flattening beside it would close it twice.
            if (care.Patience-- > 0 && OrdersLeft(true)) return true;
            if (!SomethingLeft()) return --care.Calm > 0;
            care.Calm = Aftercare.Waits;
            if (care.Flattenings-- == 0) return GiveUp();
            care.Patience = Aftercare.Waits;
            Flatten();
            return true;
        }

        private bool GiveUp()
        {
            Alert(Notices.GivenUp);
            return false;
        }

        private Shared Ours
        {
            get
            {
                Dictionary<string, Shared> ofAccount = Sharing.GetOrCreateValue(Account);
                lock (ofAccount)
                {
                    Shared found;
                    if (!ofAccount.TryGetValue(Instrument.FullName, out found))
                        ofAccount[Instrument.FullName] = found = new Shared();
                    return found;
                }
            }
        }

        private bool Reachable
        {
            get { return Account.Connection == null || Account.Connection.Status == ConnectionStatus.Connected; }
        }

        private bool SomethingLeft()
        {
            lock (Account.Positions)
                foreach (Position position in Account.Positions)
                    if (position.Instrument == Instrument && Signed(position) != 0) return true;
            return OrdersLeft(false);
        }

        private bool OrdersLeft(bool exitsAlone)
        {
            lock (Account.Orders)
                foreach (Order order in Account.Orders)
                {
                    // An order at the market may be the platform's own, by a name in its language.
                    bool own = order.FromEntrySignal == OrderNames.Entry
                        || (exitsAlone && order.OrderType == OrderType.Market);
                    Role role = own ? RoleOf(order) : OrderNames.RoleOf(order.Name);
                    bool counts = exitsAlone ? role == Role.Exit : role != Role.Other;
                    counts &= order.Instrument == Instrument && !Order.IsTerminalState(order.OrderState);
                    if (counts) return true;
                }
            return false;
        }

        private void Alert(string text) { ((IOrders)this).Tell(text, true); }

        /// <summary>Something threw in the strategy's own work.</summary>
        protected virtual void OnFault(Exception error) { }

        private void Fault(Run known, Exception error)
        {
            OnFault(error);
            known.Trader.Custody.Halt();
            if (!known.Faults.Due(error.Message)) return; // a quote may fail every second
            Alert(error.GetType().Name + ": " + error.Message + "; what is held is closed, and nothing is opened until "
                + "the strategy is enabled again");
        }
    }
}

// One scenario played: a platform between the strategy and the exchange. It builds bars that close with the next bar's
// first price, starts and ends instances of the strategy, loses connections, and tells of events in its manner.
using System;
using System.Collections.Generic;
using NinjaTrader.Cbi;
using NinjaTrader.Data;
using NinjaTrader.Gui.Chart;
using NinjaTrader.NinjaScript;

namespace RLTrader.Host
{
    /// <summary>Plays a scenario and says what went wrong.</summary>
    public sealed partial class Simulation
    {
        public const double DollarsOfTick = 12.5;

        /// <summary>Points of a tick, of the scenario that is played.</summary>
        public static double Tick = 0.25;

        private static readonly DateTime Midnight = new DateTime(2026, 6, 9, 4, 0, 0, DateTimeKind.Utc); // New York's

        /// <summary>What happened, line by line; null where nobody wants to know.</summary>
        public readonly List<string> Trace;

        internal readonly Scenario Scenario;
        internal readonly Clockwork clockwork = new Clockwork();
        internal readonly Exchange exchange;
        internal ScriptedStrategy strategy;
        internal bool enabled, ordersUp = true, pricesUp = true, stopping, rejection, realtime;
        internal int instance, outstanding;

        private readonly Chance market, broker, messenger;
        private readonly Watchdog watchdog;
        private readonly Account account = new Account();
        private readonly Position accountPosition;
        private readonly Instrument instrument = new Instrument();
        private readonly ChartControl chart = new ChartControl();
        private readonly Connection connection = new Connection();
        private readonly List<Action> held = new List<Action>();
        private readonly HashSet<Resting> nameless = new HashSet<Resting>();
        private readonly List<long[]> past = new List<long[]>();
        private readonly Dictionary<string, int> named = new Dictionary<string, int>(); // executions by orders' names
        private readonly string killFile;
        private long[] bar;                   // minute, open, high, low, close, volume of the bar being built
        private long lastTold, catchingUp;
        private int wish, executionNumber, loseExecution, lateExecution;
        private bool badBar;
        private int life; // of the platform's process
        private int cashNet;
        private double cashAverage;
        private readonly TimeZoneInfo zone;
        private readonly string folder;

        public Simulation(Scenario scenario, bool trace, string scratch)
        {
            Scenario = scenario;
            Trace = trace ? new List<string>() : null;
            market = new Chance(scenario.Seed, 2);
            broker = new Chance(scenario.Seed, 3);
            messenger = new Chance(scenario.Seed, 4);
            exchange = new Exchange(clockwork, new Chance(scenario.Seed, 5), Report);
            instrument.MasterInstrument.Name = "ES";
            Tick = scenario.TickSize;
            instrument.MasterInstrument.TickSize = Tick;
            instrument.MasterInstrument.PointValue = DollarsOfTick / Tick;
            chart.Dispatcher.Queue = work =>
            {
                int now = life;
                clockwork.After(messenger.Below(200), () => { if (now == life) Try(work); });
            };
            chart.Controls.CollectionChanged += (sender, change) =>
            {
                if (change.OldItems == null) return;
                foreach (System.Windows.Controls.Button old in change.OldItems)
                    if (old.Heard) watchdog.Wrong("a button that is taken away is still listened to");
            };
            TimeSpan ahead = TimeSpan.FromHours(scenario.Zone);
            zone = TimeZoneInfo.CreateCustomTimeZone("platform", ahead, "platform", "platform");
            exchange.StopState = scenario.StopState;
            account.Name = "Sim/101"; // names are the user's, and a file cannot have this one
            account.Connection = connection;
            account.Flattened = FlattenAccount;
            account.Open = () => cashNet * (exchange.Last - cashAverage) * DollarsOfTick;
            accountPosition = new Position { Account = account, Instrument = instrument };
            account.Positions.Add(accountPosition);
            AddAnotherInstrument();
            folder = scratch;
            killFile = scenario.Steps.Exists(step => step.Event == Event.Kill)
                ? System.IO.Path.Combine(folder, "kill") : "";
            watchdog = new Watchdog(this);
        }

        /// <summary>When real time begins, in UTC; the clockwork's zero.</summary>
        public DateTime Start { get { return Midnight.AddMinutes(Scenario.FirstMinute); } }

        /// <summary>What the computer's clock shows, which may have been set back.</summary>
        public DateTime UtcNow { get { return Start.AddMilliseconds(clockwork.Now).AddSeconds(-Behind); } }

        /// <summary>Seconds by which the computer's clock has been set back.</summary>
        public int Behind { get; internal set; }

        /// <summary>Milliseconds from the start to the end of the session.</summary>
        public long EndOfSession
        {
            get
            {
                bool next = Scenario.NextDay && clockwork.Now >= Scenario.Reopens;
                return ((next ? 1440 + 1020 : Scenario.SessionEnd) - Scenario.FirstMinute) * 60000L;
            }
        }

        /// <summary>End of the newest bar, in milliseconds from the start.</summary>
        internal long ClosedAt { get; private set; }

        /// <summary>Buttons on the chart that are listened to, or that are left there.</summary>
        internal int Buttons { get { return chart.Controls.Count; } }

        /// <summary>What the account holds, as the platform was told.</summary>
        internal int AccountNet { get { return accountPosition.Net; } }

        private bool Nested { get { return Scenario.Manner == Manner.Playback; } }

        private string Stamp
        {
            get
            {
                return UtcNow.ToString("HH:mm:ss.fff ", System.Globalization.CultureInfo.InvariantCulture);
            }
        }

        /// <summary>Play to the end, or to the first thing that is wrong, and return it; null where nothing
        /// is.</summary>
        public string Play()
        {
            SetClock();
            try
            {
                MakePast();
                if (Scenario.Analyzer)
                {
                    PlayAnalyzer();
                    return watchdog.Problem;
                }
                foreach (Step step in Scenario.Steps)
                    if (step.Event == Event.LoseFlatten && step.At == 0) loseFlatten++;
                if (Scenario.HoldsAtStart) exchange.Foreign = market.OneIn(2) ? 1 : -1;
                if (Scenario.StartsDown > 0) Down(true, false, Scenario.StartsDown);
                if (!Scenario.LateAccount) accountPosition.Net = exchange.Foreign;
                else if (Scenario.HoldsAtStart) WhenUp(() => Account(exchange.Foreign));
                Launch();
                long end = PlanMarket();
                foreach (Step step in Scenario.Steps)
                {
                    Step now = step;
                    clockwork.At(step.At, () => Happen(now));
                }
                if (EndOfSession > 30000) clockwork.At(EndOfSession - 30000, ExitOnSessionClose);
                clockwork.After(1000, Second);
                while (watchdog.Problem == null && clockwork.Step(end)) watchdog.Look();
                if (watchdog.Problem == null) watchdog.AtEnd();
            }
            finally
            {
                if (System.IO.Directory.Exists(folder)) System.IO.Directory.Delete(folder, true);
            }
            return watchdog.Problem;
        }

        /// <summary>Start an instance and let no time pass.</summary>
        internal void LaunchOnly()
        {
            SetClock();
            MakePast();
            Launch();
        }

        // What the account holds beside: another instrument, which is nobody's business here.
        private void AddAnotherInstrument()
        {
            Instrument other = new Instrument();
            other.MasterInstrument.Name = "NQ";
            account.Positions.Add(new Position { Account = account, Instrument = other, Net = 3 });
            Order stop = new Order { Name = OrderNames.Stop, Instrument = other, Account = account, Quantity = 3 };
            stop.OrderType = OrderType.StopMarket;
            stop.OrderState = OrderState.Working;
            account.Orders.Add(stop);
        }

        // Times are told in the zone of the platform's settings.
        private void SetClock()
        {
            NinjaTrader.Core.Globals.GeneralOptions.TimeZoneInfo = zone;
            NinjaTrader.Core.Globals.Clock = () => Local(UtcNow);
        }

        private DateTime Local(DateTime utc) { return TimeZoneInfo.ConvertTimeFromUtc(utc, zone); }

        internal void Say(string what) { if (Trace != null) Trace.Add(Stamp + what); }

        private void MakePast()
        {
            for (int n = Scenario.Past; n > 0; n--) past.Add(PastBar(-n));
        }

        private long[] PastBar(int minute)
        {
            long open = exchange.Last, high = open, low = open;
            for (int k = 0; k < 4; k++)
            {
                exchange.Last += market.Between(-3, 3);
                high = Math.Max(high, exchange.Last);
                low = Math.Min(low, exchange.Last);
            }
            return new[] { minute, open, high, low, exchange.Last, 10L };
        }

        // Prices at some seconds of each minute, none in quiet ones nor while the market is closed; an hour later it
        // reopens, or the first price is the next morning's.
        private long PlanMarket()
        {
            long end = Scenario.Minutes * 60000L;
            if (end > EndOfSession && Scenario.SessionEnd == 1020) end = EndOfSession + 62 * 60000L;
            if (Scenario.NextDay) end = Scenario.Reopens + Scenario.NextMinutes * 60000L;
            for (long minute = 0; minute * 60000 < end; minute++)
                if (minute * 60000 < EndOfSession || minute * 60000 >= Scenario.Reopens)
                    for (int left = market.Between(1, 6); left > 0; left--)
                        clockwork.At(minute * 60000 + market.Below(60000), Price);
            clockwork.At(EndOfSession, () => exchange.Open = false);
            clockwork.At(Scenario.Reopens, () => exchange.Open = true);
            return end;
        }

        private void Price()
        {
            if (clockwork.Now < quietUntil || !exchange.Open) return;
            int move = market.Between(-3, 3) + jump;
            jump = 0;
            exchange.Trade(exchange.Last + move);
            if (!pricesUp) return;
            long minute = clockwork.Now / 60000, price = exchange.Last;
            if (bar != null && minute > bar[0]) CloseBar();
            if (bar == null) bar = new[] { minute, price, price, price, price, 0 };
            bar[2] = Math.Max(bar[2], price);
            bar[3] = Math.Min(bar[3], price);
            bar[4] = price;
            bar[5]++;
            MarketDataEventArgs data =
                new MarketDataEventArgs { MarketDataType = MarketDataType.Last, Price = price * Tick };
            Call(() => strategy.Tell(data));
            if (strategy != null && strategy.Calculate == Calculate.OnEachTick) Show(bar);
        }

        private long quietUntil;
        private int jump;

        private void CloseBar()
        {
            past.Add(bar);
            long[] closed = bar;
            ClosedAt = (closed[0] + 1) * 60000;
            bar = null;
            if (untilFlat) FillPast(closed[1], closed[2], closed[3], closed[4]);
            int wanted = watchdog.MustEnter ? wish : 0, sent = entries;
            watchdog.BeforePaper();
            Show(closed);
            watchdog.AfterPaper(closed, false);
            if ((wanted == PositionTracker.Buy || wanted == PositionTracker.Sell) && sent == entries)
                watchdog.Wrong("an entry that was wished for is not sent");
            watchdog.BarClosed();
            if (!badBar) return;
            badBar = false;
            Show(closed); // the same bar once more
            watchdog.AfterPaper(closed, true);
        }

        private void Show(long[] values)
        {
            Call(() => strategy.Show(Local(Start.AddMinutes(values[0] + 1)), values[1] * Tick, values[2] * Tick,
                values[3] * Tick,
                values[4] * Tick, values[5]));
        }

        // The strategy's own clock: often while something is going on, seldom otherwise.
        private void Second()
        {
            if (realtime)
            {
                Call(() => strategy.Second());
                watchdog.Compare();
            }
            bool busy = exchange.Own != 0 || outstanding > 0 || stopping
                || exchange.Orders.Exists(order => !order.Over);
            if (exchange.Orders.Count > 40) exchange.Orders.RemoveAll(order => order.Over);
            clockwork.After(busy ? broker.Between(900, 1300) : exchange.Open ? 4000 : Scenario.NextDay ? 240000 : 30000,
                Second);
        }

        private void Launch()
        {
            ScriptedStrategy listed = new ScriptedStrategy(); // as the list of strategies makes one, only to show it
            listed.Become(State.SetDefaults);
            listed.Become(State.Terminated);
            instance++;
            stopping = rejection = false;
            entryContracts = 0;
            untilFlat = false;
            strategy = new ScriptedStrategy { Platform = this, Account = account, Instrument = instrument };
            strategy.Position = new Position { Account = account, Instrument = instrument };
            strategy.PositionAccount = accountPosition;
            strategy.Bars = new Bars { Calendar = local => Scenario.NoSessions ? null : Session(local) };
            strategy.IsInStrategyAnalyzer = Scenario.Analyzer;
            strategy.ChartControl = Scenario.OnChart ? chart : null;
            strategy.BarsPeriod = new BarsPeriod { BarsPeriodType = BarsPeriodType.Minute, Value = 1 };
            strategy.BarsPeriod.MarketDataType = MarketDataType.Last;
            strategy.MakeAgent =
                () => new Agent(new Script(Script.Rules(Scenario), Wish), 16);
            strategy.Logged = Scenario.Logs ? watchdog.Logged : (Action<string>)null;
            strategy.Delay = (seconds, work) => clockwork.After(seconds * 1000L, () => Try(work));
            strategy.Faulted = watchdog.Faulted;
            enabled = true;
            realtime = false;
            Try(() => strategy.Become(State.SetDefaults));
            strategy.LogFolder = folder;
            strategy.DailyLossLimit = Scenario.DailyLoss;
            strategy.FloorStart = Scenario.FloorStart;
            strategy.FlattenOnStart = Scenario.FlattenOnStart;
            strategy.FlattenOnStop = Scenario.FlattenOnStop;
            strategy.Shadow = Scenario.Shadow;
            strategy.KillFile = killFile;
            strategy.AlertSound = "alert.wav";
            strategy.AlertMail = "someone@example.org";
            strategy.InBetween = () => { if (strategy.State == State.Realtime) strategy.Second(); };
            if (Scenario.ChangedSettings) ChangeSettings();
            Try(() => strategy.Become(State.Configure));
            Try(() => strategy.Become(State.DataLoaded));
            Try(() => strategy.Become(State.Historical));
            foreach (long[] values in past)
            {
                FillPast(values[1], values[2], values[3], values[4]);
                Show(values);
            }
            if (Scenario.Analyzer) return;
            Try(() => strategy.Become(State.Transition));
            TellOfEarlier();
            SwitchToRealtime();
            realtime = true;
            Try(() => strategy.Become(State.Realtime));
            watchdog.Launched();
            if (Scenario.Beside > 0) clockwork.After(broker.Below(60000), StartBeside);
        }

        private void ChangeSettings()
        {
            strategy.Calculate = Calculate.OnEachTick;
            strategy.StopTargetHandling = StopTargetHandling.PerEntryExecution;
            strategy.ConnectionLossHandling = ConnectionLossHandling.Recalculate;
            strategy.RealtimeErrorHandling = RealtimeErrorHandling.IgnoreAllErrors;
            strategy.IsExitOnSessionCloseStrategy = false;
            strategy.EntriesPerDirection = 5;
        }

        private DateTime[] Session(DateTime local)
        {
            DateTime end = Midnight.AddMinutes(Scenario.SessionEnd), begin = Midnight.AddMinutes(-360);
            if (local < Local(end)) return new[] { Local(begin), Local(end) };
            return new[] { Local(Midnight.AddMinutes(1080)), Local(Midnight.AddMinutes(1440 + 1020)) };
        }

        private int Wish()
        {
            if (!realtime && !Scenario.Analyzer) return market.Below(4); // on bars of the past there is always a wish
            int taken = wish;
            wish = 0;
            return taken;
        }

        private void Terminate()
        {
            if (!enabled) return;
            enabled = realtime = false;
            Say("terminated");
            watchdog.Ended();
            Try(() => strategy.Become(State.Terminated));
            if (messenger.OneIn(3)) PressShown(); // the button is still there for a moment
        }

        private void Call(Action work) { if (enabled && strategy != null) Try(work); }

        private void Try(Action work)
        {
            try { work(); }
            catch (Exception error)
            {
                watchdog.Wrong("an exception left a callback: " + error.GetType().Name + ": " + error.Message);
                Say(error.ToString());
            }
        }
    }
}

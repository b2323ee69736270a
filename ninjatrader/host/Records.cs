// What the strategy says it does, held to what it does. The decision log: each line's mode, an entry only after the
// line that tells of it, fills that sum to the position, how long an order took. Shadow mode: what the paper account
// holds and has made after a bar follows by the environment's rules, worked out here a second time, from that bar.
using System;
using System.Globalization;
using System.IO;
using System.Text;
using NinjaTrader.NinjaScript;

namespace RLTrader.Host
{
    /// <summary>Gives each line that is written to someone.</summary>
    public sealed class LineReader : TextWriter
    {
        private readonly Action<string> read;

        public LineReader(Action<string> read) { this.read = read; }

        public override Encoding Encoding { get { return Encoding.UTF8; } }

        public override void Write(string value) { read(value); }

        /// <summary>Whether it was disposed of.</summary>
        public bool Closed { get; private set; }

        protected override void Dispose(bool disposing) { Closed = true; }
    }

    public sealed partial class Watchdog
    {
        /// <summary>Lines of the log that tell of an order's end.</summary>
        public int LoggedEnds { get; private set; }

        private int loggedNet, loggedEntry; // contracts by the fills; side of the newest line's entry
        private long enteredAt, exitedAt;

        /// <summary>The strategy writes a line.</summary>
        public void Logged(string line)
        {
            if (simulation.strategy.Trader == null) return; // it ended in the middle of a call
            if (line.Contains("\"mode\":") && !line.Contains("\"mode\":\"" + LogMode + "\""))
                Wrong("a line of the log says another mode than " + LogMode + ": " + line);
            if (line.Contains("\"event\":\"bar\""))
            {
                bool withheld = line.Contains("\"withheld\":");
                if (!line.Contains("\"mode\":\"historical\"")) LoggedFlat(Json.Parse(line));
                loggedEntry = withheld ? 0 : line.Contains("\"action\":1") ? 1 : line.Contains("\"action\":2") ? -1 : 0;
            }
            if (line.Contains("\"event\":\"fill\"")) LoggedFill(Json.Parse(line));
            bool ended = line.Contains("\"event\":\"ended\"");
            if (ended) LoggedEnds++;
            if (ended || line.Contains("\"event\":\"fill\"")) LoggedName(Json.Text(Json.Parse(line), "order"));
        }

        private void LoggedName(string name)
        {
            if (!simulation.Scenario.Translated) return;
            if (name == simulation.Named(OrderNames.Stop) || name == simulation.Named(OrderNames.Target))
                Wrong("the log calls an order by the platform's language: " + name);
        }

        // A bar belongs to the session in which it opened, however late it closes.
        private void LoggedFlat(object line)
        {
            Scenario scenario = simulation.Scenario;
            DateTime opened = DateTime.Parse(Json.Text(line, "time"), CultureInfo.InvariantCulture,
                DateTimeStyles.AdjustToUniversal);
            bool first = (opened - simulation.Start).TotalMilliseconds < scenario.Reopens;
            if (Json.Whole(line, "minute") >= scenario.SessionEnd) return; // of the evening
            int flat = (first || scenario.NoSessions ? scenario.SessionEnd : 1020) - 3;
            if (Json.Whole(line, "flat_by") != flat)
                Wrong("the log says that all is flat by " + Json.Whole(line, "flat_by") + " and not " + flat);
        }

        private string LogMode
        {
            get
            {
                if (simulation.Scenario.Analyzer) return "backtest";
                if (simulation.strategy.State != State.Realtime) return "historical";
                return simulation.Scenario.Shadow ? "virtual" : "live";
            }
        }

        private void LoggedFill(object line)
        {
            loggedNet += Json.Whole(line, "side") * Json.Whole(line, "quantity");
            DateTime time = DateTime.Parse(Json.Text(line, "time"), CultureInfo.InvariantCulture,
                DateTimeStyles.AdjustToUniversal);
            double since = (simulation.UtcNow - time).TotalSeconds; // it may have been set back meanwhile
            if (!simulation.Scenario.Shadow && Math.Abs(since) > 60 && Math.Abs(since + simulation.Behind) > 60)
                Wrong("the log says that a fill was at " + time);
            string name = Json.Text(line, "order");
            bool entry = name == OrderNames.Entry;
            bool exit = name.StartsWith(OrderNames.Entry + " ", StringComparison.Ordinal);
            if (simulation.Scenario.Analyzer || simulation.Scenario.Shadow || (!entry && !exit)) return;
            object latency = Json.Get(line, "latency_ms");
            long took = Now - (entry ? enteredAt : exitedAt);
            if (latency == null ? !disturbed : Math.Abs((double)latency - took) > (simulation.Behind == 0 ? 1 : 1500))
                Wrong("the log says that an order took " + (latency ?? "unknown") + " ms, and it took " + took);
        }

        // At an entry.
        private void ExpectLine(int side)
        {
            enteredAt = lastHeld = Now;
            flatBars = 0;
            if (simulation.Scenario.Logs && loggedEntry != side) Wrong("an entry that the log does not tell of before");
            loggedEntry = 0;
        }

        // Also where news was lost, and where someone else has closed a trade or the account was flattened.
        private void CompareLog(int net)
        {
            if (simulation.Scenario.Logs && loggedNet != net)
                Wrong("the log's fills sum to " + loggedNet + " contracts and the strategy has " + net);
        }

        private int paperNet;
        private double paperPoints, paperDollars; // sales less purchases; what was made when it was last flat
        private long paperClose, paperStop, paperTarget;

        private Trade PaperTrade
        {
            get
            {
                bool shadow = simulation.Scenario.Shadow && !simulation.Scenario.Analyzer && simulation.realtime;
                LiveTrader trader = shadow ? simulation.strategy.Trader : null;
                return trader == null ? null : trader.Custody.Trade;
            }
        }

        /// <summary>Before a bar of real time is shown: since the one before, nothing but an exit at its
        /// close.</summary>
        public void BeforePaper()
        {
            Trade trade = PaperTrade;
            if (trade == null) return;
            if (trade.Net != paperNet || trade.Points != paperPoints) Paid(trade, 0, paperClose - Math.Sign(paperNet));
            Remember(trade, paperClose);
            paperStop = simulation.strategy.Agent.Position.Stop;
            paperTarget = simulation.strategy.Agent.Position.Target;
        }

        /// <summary>After it was shown.</summary>
        /// <param name="values">Minute, open, high, low, close in ticks.</param>
        /// <param name="again">Whether it had been shown before.</param>
        public void AfterPaper(long[] values, bool again)
        {
            Trade trade = PaperTrade;
            if (trade == null) return;
            long high = values[2], low = values[3], close = values[4];
            int side = Math.Sign(paperNet);
            bool stopped = side > 0 ? low <= paperStop : side < 0 && high >= paperStop;
            bool reached = side > 0 ? high >= paperTarget : side < 0 && low <= paperTarget;
            if (again) stopped = reached = false;
            if (stopped || reached) Paid(trade, 0, stopped ? paperStop : paperTarget);
            else if (trade.Net != paperNet && side != 0) Paid(trade, 0, close - side);
            else if (trade.Net != paperNet)
            {
                side = Math.Sign(trade.Net);
                Paid(trade, side * simulation.Scenario.Contracts, close + side);
                if (Now > Math.Min(killedAt, pressedAt) + Fresh) Wrong("a paper entry while the kill switch is on");
                bool late = Now >= simulation.EndOfSession - 120000 && Now < simulation.EndOfSession + 3600000;
                if (late) Wrong("a paper entry when everything is to be flat");
                int limit = simulation.Scenario.DailyLoss;
                if (limit > 0 && paperDollars <= -limit) Wrong("a paper entry after the loss limit");
            }
            Remember(trade, close);
        }

        // After every event.
        private void LookAtPaper()
        {
            Trade trade = PaperTrade;
            if (trade == null || trade.Net == 0 || SinceUp < FlatLimit) return;
            bool late = Now > simulation.EndOfSession - 120000 + FlatLimit && Now < simulation.EndOfSession + 3600000;
            if (late) Wrong("a paper position after the time when everything is to be flat");
            if (Now > Math.Min(killedAt, Math.Min(pressedAt, threwAt)) + FlatLimit)
                Wrong("a paper position while the kill switch is on");
        }

        // The only way from what was held to what is held now is at one price.
        private void Paid(Trade trade, int net, long price)
        {
            double points = paperPoints - (net - paperNet) * price * Simulation.Tick;
            if (trade.Net == net && Math.Abs(trade.Points - points) < 1e-6) return;
            Wrong("the paper account holds " + trade.Net + " and was paid " + trade.Points + "; by the rules " + net
                + " and " + points);
        }

        private void Remember(Trade trade, long close)
        {
            paperNet = trade.Net;
            paperPoints = trade.Points;
            paperClose = close;
            if (trade.Net == 0) paperDollars = trade.Points / Simulation.Tick * Simulation.DollarsOfTick
                - trade.Contracts * simulation.Scenario.Commission;
        }
    }
}

// The decision log held to what happens: each line's mode, an entry only after the line that tells of it, fills that
// sum to the position, and how long an order took.
using System;
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
    }

    public sealed partial class Watchdog
    {
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
                loggedEntry = withheld ? 0 : line.Contains("\"action\":1") ? 1 : line.Contains("\"action\":2") ? -1 : 0;
            }
            if (line.Contains("\"event\":\"fill\"")) LoggedFill(Json.Parse(line));
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
            string name = Json.Text(line, "order");
            bool entry = name == OrderNames.Entry;
            bool exit = name.StartsWith(OrderNames.Entry + " ", StringComparison.Ordinal);
            if (simulation.Scenario.Analyzer || simulation.Scenario.Shadow || (!entry && !exit)) return;
            object latency = Json.Get(line, "latency_ms");
            long took = Now - (entry ? enteredAt : exitedAt);
            if (latency == null ? !disturbed : Math.Abs((double)latency - took) > 1)
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

        // Where no news was lost, and nothing was flattened, whose fills come by no order.
        private void CompareLog(int net)
        {
            if (simulation.Scenario.Logs && lostAt < 0 && !tainted && loggedNet != net)
                Wrong("the log's fills sum to " + loggedNet + " contracts and the strategy has " + net);
        }
    }
}

// Shadow mode held to the environment's rules, which are worked out here a second time: what the paper account holds
// and has made after a bar follows from what it held before and from that bar alone.
using System;

namespace RLTrader.Host
{
    public sealed partial class Watchdog
    {
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

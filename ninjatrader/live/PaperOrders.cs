// Shadow mode: orders that never leave the machine and are filled by the environment's rules (section 6 of
// docs/environment.md), so that decisions can be watched on live bars without a contract at stake.
using System;

namespace RLTrader
{
    /// <summary>Fills a run's orders on paper; quotes, clock and messages are the real ones.</summary>
    public sealed class PaperOrders : IOrders
    {
        private readonly IOrders real;
        private readonly Manifest manifest;
        private readonly Action<Action> later;
        private long close, stop, target;
        private int side, quantity, number;
        private DateTime time;
        private OwnOrder stopOrder;

        /// <param name="later">Puts work in line behind what is being done.</param>
        public PaperOrders(IOrders real, Manifest manifest, Action<Action> later)
        {
            this.real = real;
            this.manifest = manifest;
            this.later = later;
        }

        /// <summary>The run whose orders these are.</summary>
        public LiveTrader Trader { get; set; }

        public DateTime Now { get { return real.Now; } }
        public double Bid { get { return side > 0 ? Points(close) : 0; } }
        public double Ask { get { return side < 0 ? Points(close) : 0; } }
        public int StopRoom { get { return 0; } } // the rules let a stop stand at the close
        public int AccountNet { get { return side * quantity; } }
        public bool OrdersLeft { get { return false; } }
        public bool ExitLeft { get { return false; } }
        public OwnOrder PlatformExit(bool closing) { return null; }
        public int PlatformNet { get { return side * quantity; } }
        public double AccountCash { get { return double.NaN; } }
        public DateTime SessionEnd(DateTime utc) { return real.SessionEnd(utc); }
        public void Tell(string text, bool loud) { real.Tell(text, loud); }
        public void Refresh(OwnOrder order) { }
        public double FilledAt(OwnOrder order) { return 0; }
        public void Stop() { real.Stop(); }
        public void Cancel(OwnOrder order) { }
        public void FlattenAccount() { Exit(side, quantity, ExitReason.Halted); }

        /// <summary>A bar has closed: close the trade where it touched the stop, or else the target.</summary>
        public void Bar(DateTime openUtc, double high, double low, double close)
        {
            time = openUtc.AddMinutes(1);
            this.close = Ticks(close);
            if (side == 0) return;
            bool stopped = side > 0 ? Ticks(low) <= stop : Ticks(high) >= stop;
            bool reached = side > 0 ? Ticks(high) >= target : Ticks(low) <= target;
            if (stopped) Close(stop, Role.Stop, OrderNames.Stop);
            else if (reached) Close(target, Role.Target, OrderNames.Target);
        }

        public bool Enter(int side, int quantity, int stopTicks, int targetTicks)
        {
            this.side = side;
            this.quantity = quantity;
            long fill = close + side * manifest.Slippage;
            stop = fill - side * stopTicks;
            target = fill + side * targetTicks;
            stopOrder = Trader.Custody.Trade.Order("paper stop " + ++number, Role.Stop, -side);
            stopOrder.Quantity = quantity;
            stopOrder.Live = stopOrder.Working = true;
            stopOrder.Price = stop;
            Tell(Role.Entry, OrderNames.Entry, side, fill);
            return true;
        }

        public bool Exit(int side, int quantity, ExitReason reason)
        {
            if (this.side == 0) return false;
            Close(close - side * manifest.Slippage, Role.Exit, OrderNames.Exit(reason));
            return true;
        }

        public void MoveStop(long ticks)
        {
            stop = ticks;
            stopOrder.Price = ticks;
        }

        private void Close(long at, Role role, string name)
        {
            int closes = -side;
            side = 0;
            stopOrder.Live = stopOrder.Working = false;
            Tell(role, name, closes, at);
        }

        private void Tell(Role role, string name, int fills, long ticks)
        {
            string id = "paper " + ++number;
            int contracts = quantity;
            DateTime at = time;
            later(() => Trader.Filled(id, name, null, role, fills, contracts, Points(ticks), () => at));
        }

        private long Ticks(double points) { return (long)Math.Round(points / manifest.TickSize); }

        private double Points(long ticks) { return ticks * manifest.TickSize; }
    }
}

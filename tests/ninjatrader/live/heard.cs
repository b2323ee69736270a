// A world without a market: what is asked of it is answered by fields, and what is told to the user is printed.
using System;
using RLTrader;

public sealed class Heard : IOrders
{
    public DateTime Now { get; set; }
    public double Bid { get; set; }
    public double Ask { get; set; }
    public int StopRoom { get { return 1; } }
    public int AccountNet { get; set; }
    public bool OrdersLeft { get; set; }
    public bool ExitLeft { get; set; }
    public int PlatformNet { get; set; }
    public double AccountCash { get; set; }
    public OwnOrder PlatformExit(bool closing) { return null; }
    public DateTime SessionEnd(DateTime utc) { return DateTime.MaxValue; }
    public bool Enter(int side, int quantity, int stopTicks, int targetTicks) { return false; }
    public bool Exit(int side, int quantity, ExitReason reason) { return false; }
    public void MoveStop(long ticks) { }
    public void Cancel(OwnOrder order) { }
    public void Refresh(OwnOrder order) { }
    public double FilledAt(OwnOrder order) { return 0; }
    public void FlattenAccount() { }
    public void Stop() { }
    public void Tell(string text, bool loud) { Console.WriteLine((loud ? "loud: " : "quiet: ") + text); }
}

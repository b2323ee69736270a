// A trade's care in a world that is told what to answer: news by lines, and what is asked of the world on each.
using System;
using System.Collections.Generic;
using System.Globalization;
using RLTrader;

// What is asked of the world is printed; what it answers is set by words.
public sealed class World : IOrders
{
    public DateTime Now { get; set; }
    public double Bid { get; set; }
    public double Ask { get; set; }
    public int StopRoom { get { return 2; } }
    public int AccountNet { get; set; }
    public bool OrdersLeft { get; set; }
    public bool ExitLeft { get; set; }
    public int PlatformNet { get; set; }
    public double AccountCash { get { Fail("cash"); return Cash; } set { Cash = value; } }
    public bool Ignores;
    public double Cash;
    public string Fails = ""; // what throws where it is asked for
    public OwnOrder Noted;
    public readonly Dictionary<OwnOrder, int> Counts = new Dictionary<OwnOrder, int>();
    public DateTime Ends = DateTime.MaxValue;
    public readonly Dictionary<OwnOrder, double> At = new Dictionary<OwnOrder, double>();
    private readonly List<string> told = new List<string>();

    public string Looked = "";
    public OwnOrder PlatformExit(bool closing)
    {
        Fail("exit");
        Looked += closing ? "y" : "n";
        return closing ? Noted : null;
    }
    public DateTime SessionEnd(DateTime utc) { Fail("end"); return Ends; }
    private void Fail(string what) { if (Fails == what) throw new TimeoutException("no " + what); }
    public void Refresh(OwnOrder order) { if (Counts.ContainsKey(order)) order.Filled = Counts[order]; }
    public double FilledAt(OwnOrder order) { return At.ContainsKey(order) ? At[order] : 0; }
    public bool Enter(int side, int quantity, int stopTicks, int targetTicks)
    {
        return Note("enter " + side + " x" + quantity + " " + stopTicks + " " + targetTicks);
    }
    public bool Exit(int side, int quantity, ExitReason reason)
    {
        return Note("exit " + side + " x" + quantity + " " + reason);
    }
    public void MoveStop(long ticks) { Note("move " + ticks); }
    public void Cancel(OwnOrder order) { Note("cancel " + order.Key); }
    public void FlattenAccount() { Note("flatten"); }
    public void Stop() { Note("stop"); }
    public void Tell(string text, bool loud) { Note((loud ? "loud: " : "quiet: ") + text); }

    public string Told()
    {
        string all = string.Join("; ", told);
        told.Clear();
        return all;
    }

    private bool Note(string what)
    {
        told.Add(what);
        return !Ignores;
    }
}

public sealed class Wishes : IPolicy
{
    public Manifest Manifest { get; set; }
    public double[] Logits { get { return new double[Manifest.Actions]; } }
    public int Decide(float[] observation, bool[] mask) { return 0; }
}

public static class Show
{
    // 11:00 in New York.
    private static readonly DateTime Begin = new DateTime(2025, 3, 10, 15, 0, 0, DateTimeKind.Utc);

    public static void Main()
    {
        Manifest manifest = new Manifest { Phase = 2, Window = 1, WarmupBars = 20, Size = 19,
            PositionFeatures = 8,
            Actions = 6, TickSize = 0.25, TickValue = 12.5, Commission = 2, Contracts = 3, EntryOpen = 570,
            EntryClose = 900, FlatBy = 958, MaxEpisodeBars = 40, StopMultiple = 1.5, TargetRatio = 3,
            TrailMultiple = 1, TrailingDrawdown = 2000, FloorLock = 100 };
        World world = new World();
        Custody custody = null;
        Agent agent = null;
        for (string line; (line = Console.ReadLine()) != null;)
        {
            string[] words = line.Split(' ');
            if (words[0] == "new")
            {
                world = new World { Now = Begin, Bid = 5000, Ask = 5000.25, AccountCash = 50000 };
                agent = new Agent(new Wishes { Manifest = manifest }, 0);
                GuardSettings limits = new GuardSettings();
                limits.DailyLoss = double.Parse(words[1], CultureInfo.InvariantCulture);
                limits.FloorStart = double.Parse(words[2], CultureInfo.InvariantCulture);
                for (int n = 0; n < 30; n++) agent.OnBar(Begin.AddMinutes(n - 30), 5001, 4999, 5000, 10);
                agent.Decide();
                custody = new Custody(agent, world, new Guard(limits, manifest));
                continue;
            }
            string answer, threw = "";
            try { answer = Do(words, world, custody, agent); }
            catch (TimeoutException error)
            {
                threw = "; threw " + error.Message;
                answer = null;
            }
            Console.WriteLine((answer ?? world.Told()) + threw);
        }
    }

    private static Role RoleOf(string name) { return (Role)Enum.Parse(typeof(Role), name, true); }

    private static string Do(string[] words, World world, Custody custody, Agent agent)
    {
        double[] x = Array.ConvertAll(words, word => { double n; return double.TryParse(word,
            NumberStyles.Float, CultureInfo.InvariantCulture, out n) ? n : double.NaN; });
        Trade trade = custody.Trade;
        OwnOrder order = null;
        if (words.Length > 1 && trade.Knows(words[1])) order = trade.Order(words[1], Role.Other, 0);
        switch (words[0])
        {
            case "begin": custody.Begin(x[1] > 0, x[2] > 0); break;
            case "at": world.Now = Begin.AddSeconds(x[1]); custody.Look(); break;
            case "later": world.Now = Begin.AddSeconds(x[1]); break;
            case "ends": world.Ends = Begin.AddSeconds(x[1]); break;
            case "quote": world.Bid = x[1]; world.Ask = x[2]; break;
            case "account": world.AccountNet = (int)x[1]; world.OrdersLeft = x[2] > 0; break;
            case "leaves": world.ExitLeft = x[1] > 0; break;
            case "platform": world.PlatformNet = (int)x[1]; break;
            case "ignores": world.Ignores = x[1] > 0; break;
            case "up": custody.Connection(x[1] > 0); break;
            case "enter": custody.Enter((int)x[1], (int)x[2], (int)x[3]); break;
            case "guide": custody.Guide((long)x[1]); break;
            case "halt": custody.Halt(); break;
            case "button": custody.StopByHand(); break;
            case "bar": custody.BarClosed(Begin.AddSeconds(x[1])); break;
            case "done": custody.BarDone(x[1] > 0); break;
            case "order": // name, side, contracts, price in ticks
                order = trade.Order(words[1], RoleOf(words[1]), (int)x[2]);
                order.Quantity = (int)x[3];
                order.Price = (long)x[4];
                if (!world.Counts.ContainsKey(order)) world.Counts[order] = 0;
                order.Live = order.Working = true;
                break;
            case "counts": world.Counts[order] = (int)x[2]; world.At[order] = x[3]; break;
            case "noted": world.Noted = order; break;
            case "pending": order.Working = false; break;
            case "cash": world.AccountCash = x[1]; break;
            case "over": order.Live = order.Working = false; break;
            case "refused":
                order.Rejected = words[2] == "Rejected";
                custody.Ordered(order, (Trouble)Enum.Parse(typeof(Trouble), words[2]));
                break;
            case "told": // name, side, contracts, price; the order counts it too
                if (order != null && order.Counted + x[3] <= order.Quantity)
                    world.Counts[order] = Math.Max(world.Counts[order], order.Counted + (int)x[3]);
                return custody.Filled(words[5], words[1], order, RoleOf(words[1]), (int)x[2], (int)x[3], x[4])
                    + Tail(world);
            case "rejects": order.Rejected = true; break; // and no event tells of it yet
            case "fails": world.Fails = x.Length > 1 ? words[1] : ""; break;
            case "flat": return custody.FlatMinute + Tail(world);
            case "made": return trade.Points.ToString(CultureInfo.InvariantCulture);
            case "closing": // since it was asked, whether each look was for the platform's own exit
                string looked = world.Looked;
                world.Looked = "";
                return looked;
            case "end":
                bool closing, left = custody.End(out closing);
                return left + " " + closing + Tail(world);
            case "waits": return custody.Latency(Role.Entry) + " " + custody.Latency(Role.Exit) + " "
                + custody.Latency(Role.Stop);
            case "?":
                PositionTracker held = agent.Position;
                return string.Format(CultureInfo.InvariantCulture, "{0} {1} {2} | {3} {4} {5} {6} | {7} {8}{9}{10}",
                    trade.Net, trade.Foreseen, trade.Average, held.Side, held.Entry, held.Stop, held.Target,
                    custody.WhyNot(), custody.WhyNoEntry(), custody.Halted ? " halted" : "",
                    custody.Flattens ? " flattens" : "");
            default: throw new ArgumentException(words[0]);
        }
        return null;
    }

    private static string Tail(World world)
    {
        string told = world.Told();
        return told == "" ? "" : "; " + told;
    }
}

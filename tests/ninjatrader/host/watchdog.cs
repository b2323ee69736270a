// A watchdog beside a simulation in which nothing happens by itself: what is there and what happened, by lines.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Reflection;
using NinjaTrader.Cbi;
using NinjaTrader.NinjaScript;
using RLTrader;
using RLTrader.Host;

public static class Show
{
    private static Simulation world;
    private static Watchdog dog;
    private static string scratch;

    public static void Main(string[] args)
    {
        scratch = args[0];
        for (string line; (line = Console.ReadLine()) != null;) Console.WriteLine(Do(line.Split(' ')));
    }

    private static void New(string[] words)
    {
        Scenario scenario = new Scenario { Seed = 1, Contracts = 2, Phase = 2, Minutes = 20, FirstMinute = 600,
            SessionEnd = 1020, FlattenOnStop = true, Drawdown = 2000, Lock = 100 };
        for (int n = 1; n < words.Length; n++)
        {
            string[] set = words[n].Split('=');
            FieldInfo field = typeof(Scenario).GetField(set[0]);
            field.SetValue(scenario, field.FieldType == typeof(bool) ? (object)(set.Length < 2)
                : Convert.ChangeType(set[1], field.FieldType, CultureInfo.InvariantCulture));
        }
        world = new Simulation(scenario, false, scratch);
        world.LaunchOnly();
        FieldInfo own = typeof(Simulation).GetField("watchdog", BindingFlags.NonPublic | BindingFlags.Instance);
        dog = (Watchdog)own.GetValue(world);
    }

    // Each second what is wrong, and at which it was first.
    private static string Run(int seconds)
    {
        for (int n = 1; n <= seconds && dog.Problem == null; n++)
        {
            long at = world.clockwork.Now + 1000;
            world.clockwork.At(at, () => { });
            while (world.clockwork.Step(at + 1)) { }
            dog.Look();
            if (dog.Problem != null) return n + " " + dog.Problem;
        }
        return dog.Problem ?? "";
    }

    private static T Of<T>(string name) { return (T)Enum.Parse(typeof(T), name); }

    private static string Do(string[] words)
    {
        int[] x = Array.ConvertAll(words, word => { int n; return int.TryParse(word, out n) ? n : 0; });
        switch (words[0])
        {
            case "new": New(words); break;
            case "run": return Run(x[1]);
            case "wait":
                long until = world.clockwork.Now + x[1];
                world.clockwork.At(until, () => { });
                while (world.clockwork.Step(until + 1)) { }
                break;
            case "own": world.exchange.Own = x[1]; break;
            case "holds": // by the exchange, the account and the platform
                world.exchange.Own = world.strategy.PositionAccount.Net = world.strategy.Position.Net = x[1];
                break;
            case "clocks": world.strategy.Clocks = x[1]; break;
            case "foreign": world.exchange.Foreign = x[1]; break;
            case "account": world.strategy.PositionAccount.Net = x[1]; break;
            case "platform": world.strategy.Position.Net = x[1]; break;
            case "order": // name, type, side, contracts, filled, and words
                Order order = new Order { Name = words[1].Replace('_', ' '), OrderState = OrderState.Working };
                Resting made = new Resting { Order = order, Type = Of<OrderType>(words[2]), Side = x[3],
                    Quantity = x[4], Filled = x[5], There = Array.IndexOf(words, "there") > 0, Owner = world.instance,
                    Earlier = Array.IndexOf(words, "earlier") > 0, Sent = world.clockwork.Now };
                FieldInfo field = typeof(Simulation).GetField("roles", BindingFlags.NonPublic | BindingFlags.Instance);
                ((Dictionary<Resting, Role>)field.GetValue(world))[made] = OrderNames.RoleOf(order.Name);
                world.exchange.Orders.Add(made);
                break;
            case "over": world.exchange.Orders[x[1]].Over = true; break;
            case "line": world.ordersUp = x[1] > 0; break;
            case "open": world.exchange.Open = x[1] > 0; break;
            case "happens": dog.Happened(Of<Event>(words[1])); break;
            case "lost": dog.Lost(); break;
            case "unkilled": dog.Unkilled(); break;
            case "pressed": dog.Pressed(); break;
            case "ended": dog.Ended(); break;
            case "crashed": dog.Crashed(); break;
            case "launched": dog.Launched(); break;
            case "hand": dog.ClosedByHand(); break;
            case "alert": dog.Alerted(x[1] > 0); break;
            case "sound": dog.Sounded(); break;
            case "mail": dog.Mailed(); break;
            case "throws": dog.Throwing(); break;
            case "fault": dog.Faulted(new FormatException("odd")); break;
            case "flatten-lost": dog.FlattenLost(); break;
            case "enters": dog.Entering(x[1]); break;
            case "exits": dog.Exiting(x[1] > 0, "RLTrader flat", x[2], x[3]); break;
            case "compare": dog.Compare(); break;
            case "end": dog.AtEnd(); break;
            default: throw new ArgumentException(words[0]);
        }
        return dog.Problem ?? "";
    }
}

"""A run bar by bar: which bars count, what is told of holes, what is written, signs of life."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
public sealed class Wishes : IPolicy, IDisposable
{
    public int Next;
    public Manifest Manifest { get; set; }
    public double[] Logits { get { return new double[] { 3, 2, 1, 0, -1, -2 }; } }
    public int Decide(float[] observation, bool[] mask)
    {
        if (Next > 5) throw new InvalidOperationException("a policy that fails");
        return Next;
    }
    public void Dispose() { Console.WriteLine("disposed"); }
}

public static class Show
{
    private static readonly DateTime Begin = new DateTime(2025, 3, 10, 13, 30, 0, DateTimeKind.Utc);

    // Lines of what happens; what is told is printed at once, and the log's lines at the end.
    public static void Main(string[] args)
    {
        Manifest manifest = new Manifest { Phase = 2, Window = 1, WarmupBars = 20, Size = 19,
            PositionFeatures = 8, Actions = 6, TickSize = 0.25, TickValue = 12.5, Contracts = 2,
            EntryOpen = 570, EntryClose = 900, FlatBy = 958, MaxEpisodeBars = 40, StopMultiple = 1.5,
            TargetRatio = 3, TrailMultiple = 1,
            Session = args[0] == "all" ? SessionKind.All : SessionKind.Regular };
        Heard world = new Heard { Now = Begin };
        Wishes policy = new Wishes { Manifest = manifest };
        AdviceClient client = new AdviceClient("http://127.0.0.1:1/ask", 1000);
        FusionSettings fusion = new FusionSettings { Rule = FusionRule.Weighted, Every = 1 };
        IPolicy used = args.Length > 3 ? (IPolicy)new AdvisedPolicy(policy, fusion, client) : policy;
        Agent agent = new Agent(used, int.Parse(args[1]));
        StringWriter text = new StringWriter();
        DecisionLog log = new DecisionLog(text, Console.WriteLine);
        TimeSpan beat = TimeSpan.FromSeconds(double.Parse(args[2], CultureInfo.InvariantCulture));
        Guard guard = new Guard(new GuardSettings(), manifest);
        LiveTrader trader = new LiveTrader(agent, world, guard, log, beat);
        for (string line; (line = Console.ReadLine()) != null;)
        {
            string[] words = line.Split(' ');
            double[] x = Array.ConvertAll(words, word => { double n; return double.TryParse(word,
                NumberStyles.Float, CultureInfo.InvariantCulture, out n) ? n : 0; });
            if (words[0] == "begin") trader.Begin((Mode)Enum.Parse(typeof(Mode), words[1]), false);
            if (words[0] == "clock") { world.Now = Begin.AddSeconds(x[1]); trader.Clock(); }
            if (words[0] == "now") world.Now = Begin.AddSeconds(x[1]);
            if (words[0] == "account") world.AccountNet = (int)x[1];
            if (words[0] == "up") trader.Custody.Connection(true);
            if (words[0] == "wish") policy.Next = (int)x[1];
            if (words[0] == "bar")
            {
                double[] ohlcv = words.Length < 3 ? new[] { 5000.0, 5001, 4999, 5000, 10 }
                    : new[] { x[2], x[3], x[4], x[5], x[6] };
                try { trader.Bar(Begin.AddMinutes(x[1]), ohlcv); }
                catch (InvalidOperationException error)
                {
                    Console.WriteLine("threw: " + error.Message);
                    trader.Custody.Halt();
                }
            }
            if (words[0] == "fill") trader.Filled(words[1], "RLTrader", null,
                (Role)Enum.Parse(typeof(Role), words[2]), (int)x[3], (int)x[4], x[5],
                () => Begin.AddSeconds(9));
            if (words[0] == "ended")
            {
                OwnOrder order = new OwnOrder(words[1], (Role)Enum.Parse(typeof(Role), words[2]), 1);
                order.Quantity = (int)x[3];
                order.Filled = (int)x[4];
                order.Live = words[5] == "live";
                trader.Ordered(order, words[1], (Trouble)Enum.Parse(typeof(Trouble), words[6]));
            }
            if (words[0] == "close") trader.Close();
            if (words[0] == "asked") Console.WriteLine(client.Asked + " asked");
        }
        Console.WriteLine("log");
        Console.Write(text);
    }
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    usings = "using System.Globalization;\nusing System.IO;\n"
    heard = Path(__file__).with_name("heard.cs").read_text("utf-8")
    return compiled(tmp_path_factory.mktemp("trader"), f"{usings}{heard}{PROGRAM}")


def run(
    program: Path,
    *happens: str,
    session: str = "rth",
    preload: int = 0,
    beat: float = 0.0,
    advised: bool = False,
) -> tuple[list[str], list[dict[str, Any]]]:
    """Return what is told, and the lines of the log."""
    command = ["mono", str(program), session, str(preload), str(beat), *["advised"] * advised]
    text = "".join(line + "\n" for line in happens)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    told, log = done.stdout.split("log\n", 1)
    return told.splitlines(), [json.loads(line) for line in log.splitlines()]


def times(log: list[dict[str, Any]]) -> list[str]:
    return [line["time"][11:16] for line in log if line["event"] == "bar"]


def test_a_bar_counts_once_in_order_and_with_prices(program: Path) -> None:
    bad = ["bar 2 5000 4998 4999 5000 1", "bar 2 5000 5001 0 5000 1", "bar 2 5000 5001 4999 NaN 1"]
    bad += ["bar 2 Infinity 5001 4999 5000 1", "bar 2 5000 5001 4999 5000 NaN"]
    told, log = run(
        program, "bar 0", "bar 1", "bar 1", "bar 0", *bad, "bar 2 5000 5000 5000 5000 0", "bar 3"
    )
    assert times(log) == ["13:30", "13:31", "13:32", "13:33"]
    assert told == [
        "quiet: a bar came twice, out of order or without prices, and was left out: "
        "2025-03-10T13:31:00Z; reload the chart's data"
    ]


def test_a_hole_of_six_minutes_within_a_day_is_told(program: Path) -> None:
    """Not one of less, and none over the end of a day, at six in the evening in New York."""
    evening = 8 * 60 + 30  # minutes until 18:00
    bars = [0, 5, 10.98, 16.98, evening - 1, evening + 10, evening + 16]
    told, _ = run(program, *(f"bar {bar}" for bar in bars), session="all")
    holes = [
        line.removeprefix("quiet: no bar came between ").split(";")[0]
        for line in told
        if "no bar came" in line
    ]
    assert holes == [
        "2025-03-10T13:40:58.800Z and 2025-03-10T13:46:58.800Z",
        "2025-03-10T13:46:58.800Z and 2025-03-10T21:59:00Z",
        "2025-03-10T22:10:00Z and 2025-03-10T22:16:00Z",
    ]
    # Minutes that the session does not keep are none of a hole's ends.
    told, log = run(program, "bar -10", "bar -4", "bar 3", "bar 8.9")
    assert (told, times(log)) == ([], ["13:33", "13:38"])


def test_a_sign_of_life_comes_every_so_often(program: Path) -> None:
    clocks = ["clock 1", "begin Live", "account -3", "clock 2", "clock 31.9", "clock 32", "clock 90"]
    _, log = run(program, *clocks, "clock 20", "clock 49.9", "clock 50", beat=30)
    alive = [(line["time"][14:19], line["net"], line["account"]) for line in log]
    assert alive == [("30:02", 0, -3), ("30:32", 0, -3), ("31:30", 0, -3), ("30:50", 0, -3)]
    assert {line["mode"] for line in log} == {"live"}
    for mode in ("Virtual", "Backtest"):
        _, log = run(program, f"begin {mode}", "account 4", "clock 5", beat=30)
        assert [(line["mode"], line["account"]) for line in log] == [(mode.lower(), 0)]
    assert run(program, "begin Live", "clock 5", "clock 500", beat=0)[1] == []


def test_a_decision_waits_for_all_bars_that_it_needs(program: Path) -> None:
    bars = [f"bar {n}" for n in range(26)]
    for preload, first in ((0, 21), (22, 21), (23, 22), (25, 24)):
        _, log = run(program, *bars[:2], "begin Virtual", *bars[2:], preload=preload)
        words = [line.get("skipped") for line in log]
        assert words == ["historical"] * 2 + ["warming up"] * (first - 2) + [None] * (26 - first)


def test_a_fill_counts_once_and_tells_how_long_it_took(program: Path) -> None:
    told, log = run(
        program,
        *(f"bar {n}" for n in range(30)),
        *("up", "now 1800", "begin Live", "now 1810", "wish 1", "bar 30", "now 1810.25"),
        *("fill a Entry 1 2 5000.5", "fill a Entry 1 2 5000.5", "fill b Stop -1 1 4990", "close"),
    )
    assert [line for line in log if line["event"] == "fill"] == [
        {
            "event": "fill",
            "time": "2025-03-10T13:30:09Z",
            "mode": "live",
            "side": side,
            "quantity": quantity,
            "price": price,
            "order": "RLTrader",
            "latency_ms": None,
        }
        for side, quantity, price in ((1, 2, 5000.5), (-1, 1, 4990))
    ]
    (last,) = [line for line in log if line.get("number") == 30]
    assert (last["action"], "withheld" in last) == (1, False)
    assert told[0] == "quiet: the platform ignored an entry"
    assert told[-1] == "disposed"


def test_why_an_order_ended_is_written_where_it_matters(program: Path) -> None:
    ended = [
        *("ended a Entry 2 0 over None", "ended b Entry 2 1 over None", "ended c Entry 2 2 over None"),
        *("ended d Entry 2 0 live None", "ended e Exit 2 0 over None", "ended f Stop 2 0 over None"),
        *("ended g Stop 2 0 live ChangeRefused", "ended h Entry 2 0 over Rejected"),
        "ended i Target 2 0 over Rejected",
    ]
    _, log = run(program, "begin Live", *ended)
    assert [(line["order"], line["unfilled"], line["trouble"]) for line in log] == [
        ("a", True, "none"),
        ("b", False, "none"),
        ("e", False, "none"),
        ("g", False, "change refused"),
        ("h", True, "rejected"),
        ("i", False, "rejected"),
    ]


def test_a_bar_on_which_something_throws_has_its_line(program: Path) -> None:
    bars = [f"bar {n}" for n in range(30)]
    told, log = run(program, "begin Virtual", *bars[:25], "wish 6", *bars[25:])
    assert told == ["threw: a policy that fails"]
    assert [line["number"] for line in log] == list(range(30))
    assert [line.get("skipped") for line in log[24:]] == [None, *["halted"] * 5]


def test_an_entry_that_the_platform_ignores_has_ended(program: Path) -> None:
    """Else a replay takes it to be on its way, and the next decision for a wrong one."""
    bars = [f"bar {n}" for n in range(30)]
    run_up = [*bars, "up", "now 1800", "begin Live", "now 1860"]
    _, log = run(program, *run_up, "wish 1", "bar 30", "wish 0", "bar 31")
    entry, ended, after = log[-3:]
    assert (entry["number"], entry["action"], after["number"], "skipped" in after) == (30, 1, 31, False)
    assert ended == {"event": "ended", "order": "RLTrader", "unfilled": True, "trouble": "none"}


def test_a_backtest_asks_for_no_advice_and_says_so(program: Path) -> None:
    """Bars of the past go by faster than an answer comes; the bare policy would decide anyway."""
    bars = [f"bar {n}" for n in range(30)]
    told, _ = run(program, "begin Backtest", *bars, "asked", advised=True)
    assert told == [
        "quiet: the bundle fuses advice, and a backtest asks for none: "
        "these trades are the bare policy's; "
        "measure the fusion with rltrader evaluate --advice",
        "0 asked",
    ]
    assert run(program, "begin Backtest", *bars, "asked")[0] == ["0 asked"]
    told, _ = run(program, "begin Virtual", *bars, "asked", advised=True)
    assert [line != "0 asked" for line in told] == [True]

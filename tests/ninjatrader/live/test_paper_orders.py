"""Shadow mode's orders: what an open trade is worth, and where its stop may stand."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled
from tests.ninjatrader.hosting import live_bundle

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
public sealed class Wishes : IPolicy
{
    public int Next;
    public Wishes(Manifest manifest) { Manifest = manifest; }
    public Manifest Manifest { get; private set; }
    public double[] Logits { get { return new double[Manifest.Actions]; } }
    public int Decide(float[] observation, bool[] mask) { return Next; }
}

public static class Show
{
    private static readonly Queue<Action> Line = new Queue<Action>();
    private static Heard world = new Heard();
    private static Wishes policy;
    private static Agent agent;
    private static PaperOrders paper;
    private static LiveTrader trader;
    private static DateTime open = new DateTime(2025, 3, 10, 13, 30, 0, DateTimeKind.Utc);

    // A trade of one side, then closes by ticks from its fill; the block, and where the stop stands.
    public static void Main(string[] args)
    {
        Manifest manifest = Manifest.Load(args[0]);
        manifest.StopMultiple = 100;
        GuardSettings limits = new GuardSettings();
        limits.DailyLoss = double.Parse(args[1], CultureInfo.InvariantCulture);
        policy = new Wishes(manifest);
        agent = new Agent(policy, 0);
        Guard guard = new Guard(limits, manifest);
        paper = new PaperOrders(world, manifest, Line.Enqueue);
        DecisionLog log = new DecisionLog((string)null, "ES", open, why => { });
        trader = new LiveTrader(agent, paper, guard, log, TimeSpan.Zero);
        paper.Trader = trader;
        trader.Begin(Mode.Virtual, false);
        int side = int.Parse(args[2]);
        while (!agent.Stream.Ready) Bar(24000);
        policy.Next = side > 0 ? PositionTracker.Buy : PositionTracker.Sell;
        Bar(24000);
        policy.Next = PositionTracker.Hold;
        for (int n = 3; n < args.Length; n++)
        {
            if (args[n].Contains(","))
            {
                int[] ends = Array.ConvertAll(args[n].Split(','), int.Parse);
                long one = 24000 + side * (1 + ends[0]), other = 24000 + side * (1 + ends[1]);
                Bar(24000, Math.Max(one, other), Math.Min(one, other));
                Console.WriteLine(trader.Custody.Trade.Net + " " + trader.Custody.Trade.Points * 4);
                continue;
            }
            string[] step = args[n].Split(':');
            if (step.Length > 1) policy.Next = int.Parse(step[1]);
            Bar(24000 + side * (1 + int.Parse(step[0])));
            Console.WriteLine(guard.Block + " " + side * (agent.Position.Stop - agent.Position.Entry));
        }
    }

    private static void Bar(long ticks) { Bar(ticks, ticks, ticks); }

    private static void Bar(long ticks, long highest, long lowest)
    {
        double price = ticks * 0.25, high = highest * 0.25, low = lowest * 0.25;
        world.Now = open.AddMinutes(1);
        paper.Bar(open, high, low, price);
        while (Line.Count > 0) Line.Dequeue()();
        trader.Bar(open, new[] { price, high, low, price, 10.0 });
        while (Line.Count > 0) Line.Dequeue()();
        open = open.AddMinutes(1);
    }
}
"""
TICK, COMMISSION = 12.5, 2.5
"""Dollars of a tick of ES, and of a contract's way in."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    usings = "using System.Collections.Generic;\nusing System.Globalization;\n"
    heard = (Path(__file__).parent / "heard.cs").read_text("utf-8")
    return compiled(tmp_path_factory.mktemp("paper"), f"{usings}{heard}{PROGRAM}")


def played(program: Path, phase: int, loss: float, side: int, *steps: str) -> list[str]:
    command = ["mono", str(program), str(live_bundle(phase)), str(loss), str(side), *steps]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if not line.startswith(("loud", "quiet"))]


@pytest.mark.parametrize("side", [1, -1])
def test_an_open_trade_is_worth_its_close(program: Path, side: int) -> None:
    """The tick within which its stop may stand at the close is not money made."""
    loss = 32 * TICK + COMMISSION
    said = [line.split()[0] for line in played(program, 1, loss, side, "-31", "-32")]
    assert said == ["None", "DailyLoss"]


@pytest.mark.parametrize("side", [1, -1])
def test_a_stop_may_stand_at_the_close(program: Path, side: int) -> None:
    """Break-even, a tick beyond the entry, on a bar that closes there: the trade goes on."""
    (stands,) = played(program, 2, 1e6, side, "1:3")
    assert stands == "None 1"


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(
    ("worst", "best", "made"),
    [(-99, 299, None), (-100, 299, -100), (-99, 300, 300), (-100, 300, -100), (-400, 900, -100)],
)
def test_a_bar_that_touches_both_closes_the_trade_at_its_stop(
    program: Path, side: int, worst: int, best: int, made: int | None
) -> None:
    """The stop is 100 ticks from the entry and the target 300; each is touched at exactly its price."""
    (told,) = played(program, 1, 1e6, side, f"{worst},{best}")
    net, points = map(float, told.split())
    if made is None:
        assert net == side
    else:
        assert (net, points) == (0, made)


@pytest.mark.parametrize("side", [1, -1])
def test_a_trade_is_closed_on_paper_at_the_market_with_its_slippage(program: Path, side: int) -> None:
    """Once the day is lost: at the close, a tick worse, as it was opened; a stop that has been moved
    is touched where it stands now."""
    first, second = played(program, 1, 30 * TICK, side, "-32", "-32,0")
    assert first.split()[0] == "DailyLoss"
    assert [float(x) for x in second.split()] == [0, -33]
    moved = played(program, 2, 1e6, side, "5:3", "0:0", "1,2")
    assert moved[0] == "None 1"
    assert moved[-1].split()[0] == "0"
    assert float(moved[-1].split()[1]) == 1

"""What an agent tells an advisor of a bar, and which bar a trade counts from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from markets import get_contract
from parity.export_chain.csharp import MISSING, available
from tests.jax_port.export.made_bundle import bundle
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.Globalization;
using RLTrader;

public sealed class Watcher : IPolicy, IWatchesBars
{
    public Watcher(Manifest manifest) { Manifest = manifest; }

    public Manifest Manifest { get; private set; }

    public double[] Logits { get { return null; } }

    public int Decide(float[] observation, bool[] mask) { return 0; }

    public void Bar(DateTime openUtc, double high, double low, double close, double[] features)
    {
        Console.WriteLine(string.Format(CultureInfo.InvariantCulture, "{0:HH:mm} {1} {2} {3} {4}",
            openUtc, high, low, close, features[0]));
    }
}

public static class Show
{
    public static void Main(string[] args)
    {
        Agent agent = new Agent(new Watcher(Manifest.Load(args[0])), 0);
        DateTime noon = new DateTime(2025, 3, 10, 16, 0, 0, DateTimeKind.Utc);
        if (args.Length > 1) Fill(agent, noon, int.Parse(args[1]), int.Parse(args[2]));
        else Tell(agent, noon);
    }

    // A decision to buy, a fill told some bars later, and what the next decision sees of the trade.
    private static void Fill(Agent agent, DateTime time, int late, int held)
    {
        Action bar = () => { time = time.AddMinutes(1); agent.OnBar(time, 5001, 4999, 5000, 10); };
        while (!agent.Stream.Ready) bar();
        agent.Decide();
        for (int n = 0; n < late; n++) bar();
        agent.Entered(1, 5000.25);
        while (agent.Stream.Count <= agent.DecisionBar + held) bar();
        int decided = agent.DecisionBar;
        agent.Decide();
        float[] seen = agent.Observation;
        double age = Math.Round(seen[seen.Length - 1] * 390);
        Console.WriteLine((agent.DecisionBar - decided) + " " + age);
    }

    private static void Tell(Agent agent, DateTime noon)
    {
        agent.OnBar(noon, 5000.375, 4999.625, 5000.125, 10); // half way between two ticks
        agent.OnBar(noon.AddHours(12), 5000.5, 4999.5, 5000, 10); // outside of the session
        agent.OnBar(noon.AddMinutes(1), 5001, 5000, 5000.5, 10);
    }
}
"""


def test_an_advisor_is_told_prices_on_the_tick_grid_of_bars_that_are_kept(tmp_path: Path) -> None:
    command = ["mono", str(compiled(tmp_path, PROGRAM)), str(bundle(1))]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.rsplit(" ", 1)[0] for line in lines] == [
        "16:00 5000.5 4999.5 5000",
        "16:01 5001 5000 5000.5",
    ]
    ticks = get_contract("ES").to_ticks(np.array([5000.375, 4999.625, 5000.125]))
    assert (ticks * 0.25).tolist() == [5000.5, 4999.5, 5000.0]


@pytest.mark.parametrize(("late", "held"), [(0, 4), (1, 4), (3, 4), (0, 400)])
def test_a_trade_counts_from_the_bar_that_decided_it(tmp_path: Path, late: int, held: int) -> None:
    """However late its fill is told, and beyond the bars of an episode, of which there are 390."""
    command = ["mono", str(compiled(tmp_path, PROGRAM)), str(bundle(1)), str(late), str(held)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"{held} {held}"

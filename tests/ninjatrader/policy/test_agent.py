"""What an agent tells an advisor of a bar: prices on the tick grid, as its features are made of."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

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
        agent.OnBar(noon, 5000.3, 4999.6, 5000.13, 10);
        agent.OnBar(noon.AddHours(12), 5000.5, 4999.5, 5000, 10); // outside of the session
        agent.OnBar(noon.AddMinutes(1), 5001, 5000, 5000.5, 10);
    }
}
"""


def test_an_advisor_is_told_prices_on_the_tick_grid_of_bars_that_are_kept(tmp_path: Path) -> None:
    command = ["mono", str(compiled(tmp_path, PROGRAM)), str(bundle(1))]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.rsplit(" ", 1)[0] for line in lines] == [
        "16:00 5000.25 4999.5 5000.25",
        "16:01 5001 5000 5000.5",
    ]

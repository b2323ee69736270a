"""An open position's ratios: the bits that the port gives them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.envs.state import quotient
from markets import Bars
from markets.synthetic.bars import synthetic_bars
from parity.export_chain.csharp import MISSING, available
from parity.export_chain.day import to_csv
from tests.jax_port.export.made_bundle import bundle
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.Globalization;
using System.Linq;
using RLTrader;

public static class Show
{
    public static void Main(string[] args)
    {
        Manifest manifest = Manifest.Load(args[0]);
        FeatureStream stream = new FeatureStream(manifest);
        PositionTracker held = new PositionTracker(manifest);
        float[] seen = new float[manifest.Size];
        int head = manifest.Window * FeatureStream.Features;
        foreach (Bar bar in BarFile.Read(args[1]))
        {
            if (!stream.Add(bar.Open, bar.High, bar.Low, bar.Close, bar.Volume)) continue;
            if (!stream.Ready) continue;
            int now = stream.Count - 1;
            if (held.Side == 0)
                held.Entered(1, stream.CloseTicks + 1, now, stream.StopTicks, stream.TargetTicks);
            held.Write(seen, stream);
            double[] row = { held.Entry, held.Stop, held.Target, stream.CloseTicks, stream.AtrTicks,
                now - held.EntryBar, manifest.MaxEpisodeBars };
            row = row.Concat(seen.Skip(head + 1).Take(4).Select(x => (double)x)).ToArray();
            Console.WriteLine(string.Join(",", row.Select(
                x => x.ToString("R", CultureInfo.InvariantCulture))));
        }
    }
}
"""


@pytest.mark.parametrize("above", [0.0, 5_000_000.0])
def test_ratios_have_the_bits_of_training(above: float, tmp_path: Path) -> None:
    """Also of prices beyond the whole numbers that 32 bits hold."""
    made = synthetic_bars("ES", days=4, seed=5)
    frame = made.frame.copy()
    frame[["open", "high", "low", "close"]] += above
    file = tmp_path / "bars.csv"
    file.write_text(to_csv(Bars.from_frame(frame, made.contract, source="made")), encoding="ascii")
    command = ["mono", str(compiled(tmp_path, PROGRAM)), str(bundle(1)), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = np.array([line.split(",") for line in done.stdout.splitlines()], np.float64)
    assert len(rows) > 1000
    entry, stop, target, close, age, longest = rows.T[[0, 1, 2, 3, 5, 6]].astype(np.int32)
    ranges = jnp.asarray(rows[:, 4].astype(np.float32))
    expected = [
        quotient(jnp.asarray(a), jnp.asarray(b))
        for a, b in (
            (entry, close),
            (abs(stop - close), ranges),
            (abs(target - close), ranges),
            (age, longest),
        )
    ]
    np.testing.assert_array_equal(rows.T[7:].astype(np.float32), np.stack(expected))


MASKS = """
using System;
using System.Linq;
using RLTrader;

public static class Show
{
    // Actions allowed at one bar: of a long and a short entered from two ticks below its close to two
    // above, with the stop where it was, at the entry and one past it, trailing or not.
    public static void Main(string[] args)
    {
        Manifest manifest = Manifest.Load(args[0]);
        FeatureStream stream = new FeatureStream(manifest);
        foreach (Bar bar in BarFile.Read(args[1]))
        {
            stream.Add(bar.Open, bar.High, bar.Low, bar.Close, bar.Volume);
            if (stream.Ready) break;
        }
        long close = stream.CloseTicks;
        foreach (int side in new[] { 1, -1 })
            for (int entry = -2; entry <= 2; entry++)
                foreach (int stop in new[] { -8, -1, 0, 1 })
                    foreach (bool trailing in new[] { false, true })
                    {
                        PositionTracker held = new PositionTracker(manifest);
                        held.Entered(side, close + entry, stream.Count - 1, 8, 16);
                        held.Stands(close + entry + side * stop, close + entry + side * 16);
                        held.Manage(trailing ? PositionTracker.TrailOn : 0, close, 4);
                        string mask = string.Concat(held.Mask(stream).Select(x => x ? "1" : "0"));
                        int trails = trailing ? 1 : 0;
                        Console.WriteLine("{0} {1} {2} {3} {4}", side, entry, stop, trails, mask);
                    }
    }
}
"""


def test_an_open_trade_is_managed_where_it_is_ahead_by_a_tick(tmp_path: Path) -> None:
    """At a close exactly at the entry nothing is won: neither break-even nor trailing is allowed."""
    file = tmp_path / "bars.csv"
    file.write_text(to_csv(synthetic_bars("ES", days=2, seed=5)), encoding="ascii")
    command = ["mono", str(compiled(tmp_path, MASKS)), str(bundle(2)), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert len(rows) == 2 * 5 * 4 * 2
    for *numbers, mask in rows:
        side, entry, stop, trailing = map(int, numbers)
        ahead, at_entry = side * -entry > 0, stop >= 0
        allowed = (
            True,
            False,
            False,
            ahead and not at_entry,
            ahead and at_entry and not trailing,
            trailing,
        )
        assert mask == "".join("1" if one else "0" for one in allowed), numbers


STATES = """
using System;
using System.Globalization;
using System.Linq;
using RLTrader;

public static class Show
{
    private static FeatureStream stream;
    private static DateTime open = new DateTime(2025, 3, 10, 13, 30, 0, DateTimeKind.Utc);

    // Bars of eight ticks that close at a price in ticks.
    private static void Bar(long close)
    {
        double points = close * 0.25;
        stream.Add(open, points + 1, points - 1, points, 10);
        open = open.AddMinutes(1);
    }

    public static void Main(string[] args)
    {
        Manifest manifest = new Manifest { Phase = 2, Window = 1, WarmupBars = 20, Size = 19,
            TickSize = 0.25, EntryOpen = 600, EntryClose = 603, MaxEpisodeBars = 40, StopMultiple = 1,
            TargetRatio = 1, TrailMultiple = 1 };
        stream = new FeatureStream(manifest);
        PositionTracker held = new PositionTracker(manifest);
        float[] seen = new float[manifest.Size];
        for (int n = 0; n < 30; n++) Bar(20000);
        foreach (string step in args)
        {
            string[] words = step.Split(' ');
            int[] x = Array.ConvertAll(words.Skip(1).ToArray(), int.Parse);
            string wanted = "";
            if (words[0] == "bar") Bar(x[0]);
            if (words[0] == "in") held.Entered(x[0], x[1], x[2], x[3], x[4]);
            if (words[0] == "stands") held.Stands(x[0], x[1]);
            if (words[0] == "out") held.Exited();
            if (words[0] == "do") wanted = " wants " + held.Manage(x[0], x[1], x[2]);
            held.Write(seen, stream);
            string[] told = Array.ConvertAll(seen.Skip(11).ToArray(),
                number => Math.Round(number, 4).ToString(CultureInfo.InvariantCulture));
            string mask = string.Concat(held.Mask(stream).Select(a => a ? "1" : "0"));
            Console.WriteLine(held.Side + " " + held.Entry + " " + held.Stop + " " + held.Target + " "
                + held.EntryBar + (held.Trailing ? " trails" : "") + (held.AtBreakEven ? " safe" : "")
                + " | " + string.Join(" ", told) + " | " + mask + wanted);
        }
    }
}
"""

LIFE = [
    ("bar 20000", "0 0 0 0 0 | 0 1 0 0 0 1 0 0 | 111000"),  # 10:00, the first minute of entries
    ("in 1 20001 29 12 36", "1 20001 19989 20037 29 | 1 1 1.375 4.625 0.025 0 0 0 | 100000"),
    ("bar 20004", "1 20001 19989 20037 29 | 1 0.9999 1.875 4.125 0.05 0 0 0 | 100100"),
    ("do 3 20004 5", "1 20001 19989 20037 29 | 1 0.9999 1.875 4.125 0.05 0 0 0 | 100100 wants 20002"),
    ("stands 20001 20037", "1 20001 20001 20037 29 safe | 1 0.9999 0.375 4.125 0.05 0 1 0 | 100010"),
    (
        "do 4 20009 5",
        "1 20001 20001 20037 29 trails safe | 1 0.9999 0.375 4.125 0.05 0 1 1 | 100001 wants 20004",
    ),
    (
        "do 0 20005 5",
        "1 20001 20001 20037 29 trails safe | 1 0.9999 0.375 4.125 0.05 0 1 1 | 100001 wants 20001",
    ),
    ("stands 20000 20037", "1 20001 20000 20037 29 trails | 1 0.9999 0.5 4.125 0.05 0 0 1 | 100101"),
    ("out", "0 0 0 0 0 | 0 1 0 0 0 1 0 0 | 111000"),  # 10:01
    ("stands 7 8", "0 0 0 0 0 | 0 1 0 0 0 1 0 0 | 111000"),
    ("do 4 9 5", "0 0 0 0 0 | 0 1 0 0 0 1 0 0 | 111000 wants 0"),
    ("in -1 20003 31 9 27", "-1 20003 20012 19976 31 | -1 0.9999 1 3.5 0 0 0 0 | 100000"),
    ("do 4 20004 7", "-1 20003 20012 19976 31 trails | -1 0.9999 1 3.5 0 0 0 1 | 100001 wants 20011"),
    ("do 0 20006 7", "-1 20003 20012 19976 31 trails | -1 0.9999 1 3.5 0 0 0 1 | 100001 wants 20012"),
    ("in 1 20006 31 3 4", "1 20006 20003 20010 31 | 1 1.0001 0.125 0.75 0 0 0 0 | 100000"),  # turned
    (
        "do 4 20004 7",
        "1 20006 20003 20010 31 trails | 1 1.0001 0.125 0.75 0 0 0 1 | 100001 wants 20003",
    ),
    ("do 5 20004 7", "1 20006 20003 20010 31 | 1 1.0001 0.125 0.75 0 0 0 0 | 100000 wants 20003"),
    ("out 0", "0 0 0 0 0 | 0 1 0 0 0 1 0 0 | 111000"),
    ("bar 20002", "0 0 0 0 0 | 0 1 0 0 0 1 0 0 | 111000"),  # 10:02, the last
    ("bar 20003", "0 0 0 0 0 | 0 1 0 0 0 0 0 0 | 100000"),
]
STEPS = [step for step, _ in LIFE]


def test_each_step_of_a_trade_leaves_what_the_rules_say(tmp_path: Path) -> None:
    """What is held, what of it is seen and what is allowed, from a first trade past a third."""
    command = ["mono", str(compiled(tmp_path, STATES)), *STEPS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert list(zip(STEPS, done.stdout.splitlines(), strict=True)) == LIFE

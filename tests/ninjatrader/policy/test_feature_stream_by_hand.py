"""The C# stream on a few bars, worked out by hand: features, distances, what is kept and the window."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.Globalization;
using System.Linq;
using RLTrader;

public static class Show
{
    // Lines of a session, window, warmup and multiples, and of bars: minutes, high, low, close, volume.
    public static void Main()
    {
        FeatureStream stream = null;
        float[] window = null;
        int size = 0;
        for (string line; (line = Console.ReadLine()) != null;)
        {
            string[] words = line.Split(' ');
            double[] x = Array.ConvertAll(words.Skip(1).ToArray(),
                one => double.Parse(one, CultureInfo.InvariantCulture));
            if (words[0] == "rth" || words[0] == "all")
            {
                size = (int)x[0];
                window = new float[11 * size + 3];
                stream = new FeatureStream(new Manifest { TickSize = 0.25, Window = size,
                    Session = words[0] == "all" ? SessionKind.All : SessionKind.Regular,
                    WarmupBars = (int)x[1], StopMultiple = x[2],
                    TargetRatio = x[3], TrailMultiple = x[4] });
                continue;
            }
            // 09:30 in New York.
            DateTime open = new DateTime(2025, 3, 10, 13, 30, 0, DateTimeKind.Utc).AddMinutes(x[0]);
            bool kept = stream.Add(open, x[1], x[2], x[3], x[4]);
            for (int n = 11 * size; n < window.Length; n++) window[n] = n;
            if (stream.Ready) stream.CopyWindow(window);
            double[] row = { kept ? 1 : 0, stream.Count, stream.Ready ? 1 : 0, stream.Minute,
                stream.CloseTicks, stream.AtrTicks, stream.StopTicks, stream.TargetTicks,
                stream.TrailTicks };
            Console.WriteLine(string.Join(" ", row.Concat(stream.Newest).Concat(window.Select(
                one => (double)one)).Select(one => one.ToString("R", CultureInfo.InvariantCulture))));
        }
    }
}
"""
Bar = tuple[float, float, float, float, float]
"""(minutes since 09:30, high, low, close, volume)."""
FIRST = 9
"""Numbers that stand before the features."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("stream"), PROGRAM)


def streamed(program: Path, head: str, bars: list[Bar]) -> np.ndarray:
    text = head + "\n" + "".join(f"bar {' '.join(map(str, bar))}\n" for bar in bars)
    done = subprocess.run(
        ["mono", str(program)], input=text, capture_output=True, text=True, check=True
    )
    return np.array([[float(x) for x in line.split()] for line in done.stdout.splitlines()])


def walk(count: int) -> list[Bar]:
    """Return bars of a walk with gaps, in quarters."""
    rng = np.random.default_rng(4)
    closes = 5000 + np.cumsum(rng.integers(-12, 13, count)) / 4
    highs, lows = closes + rng.integers(0, 9, count) / 4, closes - rng.integers(0, 9, count) / 4
    return [(n, highs[n], lows[n], closes[n], 100.0 + 3 * n) for n in range(count)]


def test_each_feature_is_its_formula(program: Path) -> None:
    """Of the last 5, 10, 14 and 20 bars, also where there are just as many, or one fewer."""
    bars = walk(40)
    rows = streamed(program, "rth 3 21 1.5 3 1", bars)
    _, high, low, close, volume = np.array(bars).T
    fast = slow = close[0]
    for n in range(40):
        if n:
            fast += (close[n] - fast) * 2 / 13
            slow += (close[n] - slow) * 2 / 27
        change = np.diff(close[: n + 1])[-14:]
        up, down = change[change > 0].sum() / 14, -change[change < 0].sum() / 14
        before = np.concatenate([[close[0]], close[:-1]])
        ranges = np.maximum(high, before) - np.minimum(low, before)
        ranges[0] = high[0] - low[0]
        nan = np.nan
        wanted = [
            close[n],
            volume[n],
            close[n - 4 : n + 1].mean() if n >= 4 else nan,
            close[n - 19 : n + 1].mean() if n >= 19 else nan,
            100 - 100 / (1 + up / (down + 1e-8)) if n >= 14 else nan,
            fast - slow,
            close[n] / close[n - 10] if n >= 10 else nan,
            ranges[n - 13 : n + 1].mean() if n >= 13 else nan,
            9.5 + n / 60,
            n / 449,
            (449 - n) / 449,
        ]
        np.testing.assert_allclose(rows[n, FIRST : FIRST + 11], wanted, rtol=1e-9, err_msg=str(n))
        assert rows[n, :5].tolist() == [1, n + 1, n >= 24, 570 + n, close[n] * 4]
        if n >= 13:
            atr = ranges[n - 13 : n + 1].mean() * 4
            stop = np.floor(1.5 * atr + 0.5)
            assert rows[n, 5:9].tolist() == pytest.approx([atr, stop, 3 * stop, np.floor(atr + 0.5)])
        # The window is of the three bars before, oldest first, and nothing behind it is touched.
        if n >= 24:
            seen = rows[n, FIRST + 11 : -3].astype(np.float32)
            before_it = rows[n - 3 : n, FIRST : FIRST + 11].astype(np.float32)
            np.testing.assert_array_equal(seen, before_it.ravel())
        assert rows[n, -3:].tolist() == [33, 34, 35]


@pytest.mark.parametrize(
    ("span", "multiples", "wanted"),
    [
        (0.25, "2.5 1.5 0.5", (1, 3, 5, 1)),  # halves go up: 2.5, then 4.5 of the whole stop, and 0.5
        (
            0.0,
            "0.4 0.4 3.5",
            (1, 1, 1, 4),
        ),  # an ATR of nothing counts as a tick
        (500_000.0, "0.5 1 0.25", (2_000_000, 1_000_000, 1_000_000, 500_000)),  # none is farther
        (2.0, "1 1e300 1e9", (8, 8, 1_000_000, 1_000_000)),
    ],
)
def test_distances_are_whole_ticks_from_one_to_a_million(
    program: Path, span: float, multiples: str, wanted: tuple[int, ...]
) -> None:
    bars = [(n, 1e6 + span, 1e6, 1e6, 1.0) for n in range(14)]
    rows = streamed(program, f"rth 1 20 {multiples}", bars)
    assert rows[12, 5:9].tolist() == [0, 0, 0, 0]  # not known before fourteen bars
    assert tuple(rows[13, 5:9]) == wanted


def test_a_session_keeps_its_minutes_and_prices_lie_on_ticks(program: Path) -> None:
    bars = [(at, 5000.37, 4999.64, 5000.11, 7.0) for at in (-1, 0, 449, 450, 1439)]
    rows = streamed(program, "rth 1 0 1 1 1", bars)
    assert rows[:, 0].tolist() == [0, 1, 1, 0, 0]
    assert rows[:, 1].tolist() == [0, 1, 2, 2, 2]
    assert rows[:, 3].tolist() == [0, 570, 1019, 1019, 1019]
    assert (rows[1:, 4] == 20_000).all()  # 5000.11 lies nearest to 5000
    rows = streamed(program, "all 1 0 1 1 1", bars)
    assert rows[:, :2].tolist() == [[1, n] for n in range(1, 6)]
    assert rows[:, 3].tolist() == [569, 570, 1019, 1020, 569]
    assert rows[-1, FIRST + 8 : FIRST + 11] == pytest.approx([569 / 60, -1 / 449, 450 / 449])

"""The plots of an evaluation draw hand-made numbers as they were drawn when somebody looked at them."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jax_port.data.data_loader import CLOSE, HIGH, LOW
from jax_port.evaluation import comparison, plots
from jax_port.evaluation.comparison import Compared
from jax_port.evaluation.episode_plots import Trace, caption, choose, episode_plot
from jax_port.evaluation.evaluate import Evaluation
from jax_port.evaluation.sheet import plots as sheet
from jax_port.evaluation.sheet.baselines import Baseline
from jax_port.evaluation.sheet.excursions import Excursions
from jax_port.evaluation.sheet.tear_sheet import TearSheet
from markets.contracts import get_contract
from tests.drawings import Drawings

PNL = np.array([125.0, -250.0, 0.0, 37.5, -12.5, 600.0, 75.0])
"""Dollars."""


def days(count: int) -> list[date]:
    return [date(2025, 3, 3) + timedelta(day) for day in range(count)]


def test_the_equity_is_drawn_as_reviewed(drawings: Drawings) -> None:
    curve = 50_000 + 25.0 * np.array([0, 2, 1, -4, -9, -3, 6, 10, 9, 8, 14, 13])
    with drawings():
        plots.equity_plot(curve, days(4), np.array([0, 3, 6, 9]))
        long = np.repeat(curve, 100)
        every = [date(2024, 1, 1) + timedelta(40 * number) for number in range(12)]
        plots.equity_plot(long, every, np.arange(12) * 100)
        plots.equity_plot(curve[:1], days(1), np.array([0]))


def test_trades_are_drawn_as_reviewed(drawings: Drawings) -> None:
    hours = {f"{hour:02}": {"pnl": 40.0 * hour - 500} for hour in range(9, 19)}
    exits = {"stop": {"trades": 3, "pnl": -75.0}, "target": {"trades": 1, "pnl": 90.0}}
    with drawings():
        plots.pnl_histogram(PNL, float(PNL.mean()))
        plots.pnl_histogram(-PNL, -200.0)
        plots.hour_plot(hours)
        plots.exit_plot({**exits, "close": {"trades": 0, "pnl": 0.0}})
    assert plots.hour_plot({}) is None
    assert plots.exit_plot({"stop": {"trades": 0, "pnl": 0.0}}) is None


def baselines() -> list[Baseline]:
    cents = [100, -200, 300, 50]
    made = {"always long": 1, "always short": -1, "never": 0, "random": 2}
    both = [Baseline(name, np.array(cents) * times * 100, 4, 20_000) for name, times in made.items()]
    return [*both, Baseline("random", np.array(cents) * -300, 4, 20_000)]


def test_the_tear_sheet_is_drawn_as_reviewed(drawings: Drawings) -> None:
    cents = np.array([10_000, -5_000, 2_500, 40_000])
    weekdays = ("Monday", "Tuesday", "Wednesday")
    with drawings():
        sheet.curves_plot(days(4), cents, baselines())
        sheet.curves_plot(days(4), cents, baselines()[:3])
        sheet.rolling_plot(days(8), np.array([0.5, np.nan, -1.25, 2.0]), 5)
        sheet.histogram("pnl", PNL, "PnL of a trade ($)")
        sheet.histogram("bars", np.abs(PNL) / 12.5, "bars in the trade", money=False)
        sheet.reach_plot("mae", np.abs(PNL), PNL, "furthest against the trade ($)")
        sheet.reach_plot("mfe", np.zeros(2), PNL[:2], "furthest with the trade ($)")
        sheet.weekday_plot({day: {"mean": 80.0 * (at - 1)} for at, day in enumerate(weekdays)})
        sheet.weekday_plot({day: {"mean": 0.0} for day in weekdays})
    assert sheet.rolling_plot(days(8), np.array([0.5]), 8) is None
    assert sheet.rolling_plot(days(8), np.full(3, np.nan), 6) is None
    assert sheet.histogram("pnl", PNL[:0], "PnL") is None
    assert sheet.reach_plot("mae", PNL[:0], PNL[:0], "MAE") is None


def test_many_trades_and_days_are_drawn_as_reviewed(drawings: Drawings) -> None:
    many = 12.5 * (np.arange(2_000) % 37 - 18)
    with drawings():
        sheet.reach_plot("mae", np.abs(many), many, "furthest against the trade ($)")
        sheet.histogram("pnl", many, "PnL of a trade ($)")
        sheet.rolling_plot(days(400), np.arange(396) / 100, 5)


def compared(name: str, cents: list[int], first: int = 0) -> Compared:
    table = pd.DataFrame({"day": days(first + len(cents))[first:]})
    nothing = Excursions(*(np.zeros(0),) * 3)
    return Compared(name, {}, TearSheet({}, table, np.array(cents), table[:0], nothing, []))


def test_a_comparison_is_drawn_as_reviewed(drawings: Drawings) -> None:
    count = len(comparison.LINES) + 2
    policies = [compared(f"p{place}", [250, 1_000 * place, -500]) for place in range(count)]
    policies.append(compared("longer", [100, 200, 300, -50]))
    policies.append(compared("later", [-400, 700, 900], first=1))
    apart = [policies[0], compared("another week", [300, -200], first=7)]
    with drawings():
        comparison.curves_plot(policies, [one.name for one in reversed(policies)])
        comparison.curves_plot(apart, [one.name for one in apart])


def trace(bars: int, begin: str, every: str) -> Trace:
    close = 5_000 + np.arange(bars) % 7 * 0.25
    position = np.zeros(bars + 1, np.int64)
    levels = {name: np.full(bars + 1, np.nan) for name in ("entry", "stop", "target")}
    for name, far in (("entry", 0.0), ("stop", -1.0), ("target", 2.0)):
        levels[name][3:8] = 5_000.25 + far
        levels[name][-3:] = 5_001.0 - far
    levels["stop"][6:8] = 5_000.5
    position[3:8], position[-3:] = 1, -1
    columns = ["entry_step", "exit_step", "entry_price", "exit_price", "side", "pnl"]
    closed = pd.DataFrame([[2, 7, 5_000.25, 5_000.5, "long", 12.5]], columns=columns)
    times = pd.date_range(begin, periods=bars, freq=every, tz="America/New_York")
    return Trace(
        "best", times[0].normalize(), 12.5, "the close", times, close + 0.5, close - 0.5, close,
        position, levels["entry"], levels["stop"], levels["target"], closed,
    )  # fmt: skip


def test_episodes_are_drawn_as_reviewed(drawings: Drawings) -> None:
    flat = trace(30, "2025-03-03 09:30", "1min")
    flat.position[-3:] = 0
    lost = trace(40, "2025-03-03 22:00", "5min")
    lost.trades.loc[1] = [9, 12, 5_000.5, 5_001.0, "short", -25.0]
    with drawings():
        episode_plot(flat)
        episode_plot(lost)
        episode_plot(trace(500, "2025-03-03 09:30", "1min"))


def test_a_thinned_curve_keeps_its_ends_and_extremes() -> None:
    curve = np.random.default_rng(0).normal(size=10_001).cumsum()
    kept = plots.thin(curve, 100)
    assert len(kept) <= 202
    assert {0, 10_000, int(curve.argmin()), int(curve.argmax())} <= set(kept.tolist())
    assert plots.thin(curve[:150], 100).tolist() == list(range(150))
    # The last value stands though its stretch, of four, has a lower and a higher one.
    curve = np.concatenate([np.zeros(9_999), [0.0, 5.0, -1.0, 3.0]])
    assert plots.thin(curve, 100)[-3:].tolist() == [10_000, 10_001, 10_002]


STARTS = [0, 5, 9, 20, 24, 31]
"""First bars of six episodes of five days: the second is another start of the first day."""
STEPS = [3, 2, 4, 3, 2, 3]


def days_over_price(pnl: list[float], moved: tuple[int, ...], traded: tuple[int, ...]) -> Any:
    """Return an evaluation of six episodes and its market; ``moved`` and ``traded`` name episodes."""
    opened = pd.Timestamp("2025-03-03 15:30", tz="UTC")
    bars = np.zeros((40, 8), np.int32)
    bars[:, HIGH], bars[:, LOW], bars[:, CLOSE] = (20_000 + 4 * np.arange(40) + n for n in (3, 1, 2))
    market: Any = SimpleNamespace(
        bars=bars, contract=get_contract("ES"),
        timestamps_ns=opened.value + 60_000_000_000 * np.arange(40),
    )  # fmt: skip
    episodes = pd.DataFrame(
        {
            "episode": range(6), "start": STARTS, "steps": STEPS, "pnl": pnl, "open_pnl": 0.25,
            "day": pd.to_datetime([f"2025-03-0{day}" for day in (3, 3, 4, 5, 6, 7)]),
            "daily": [True, False, True, True, True, True], "done_reason": [4, 1, 2, 3, 1, 4],
            "trades": [int(number in traded) for number in range(6)],
        }
    )  # fmt: skip
    parts = []
    for number in (0, 2, 3, 4, 5):
        count = STEPS[number] + 1
        stop = 5_000.0 + number + 0.25 * np.arange(count) * (number in moved)
        parts.append(
            pd.DataFrame(
                {
                    "episode": number, "step": range(count), "position": [0, *[1] * (count - 1)],
                    "entry": 5_001.0 + number, "stop": stop, "target": 5_009.0 + number,
                }
            )
        )  # fmt: skip
    trades = pd.DataFrame(
        {
            "episode": list(traded), "entry_step": [STARTS[number] for number in traded],
            "exit_step": [STARTS[number] + 1 for number in traded], "pnl": [10.0 * n for n in traded],
        }
    )  # fmt: skip
    # Rows of an episode in any order: each knows its step.
    equity = pd.concat(parts, ignore_index=True).iloc[::-1]
    return Evaluation(episodes, trades, equity, "all"), market


@pytest.mark.parametrize(
    ("moved", "traded", "common", "chosen"),
    [
        ((0, 3, 5), (0, 2, 3, 4, 5), "a stop was moved", [5, 3, 0]),
        ((3, 4), (0, 2, 3, 4, 5), "a stop was moved", [3, 4]),
        ((2,), (0, 2, 3, 4, 5), "a stop was moved", [2]),
        ((), (0, 1, 2, 4, 5), "a trade was opened", [2, 0, 4]),
        ((), (1,), "", [2, 3, 4]),
        ((), (), "", [2, 3, 4]),
    ],
)
def test_the_best_the_median_and_the_worst_day_are_drawn_over_their_own_bars(
    moved: tuple[int, ...], traded: tuple[int, ...], common: str, chosen: list[int]
) -> None:
    """Of four days the third best is the median; of equal ones the earlier is the better."""
    pnl = [-50.0, 900.0, 75.0, -25.0, -125.0, 50.0]
    if not moved and len(traded) < 5:
        pnl[3], pnl[5] = -50.0, -125.0
        chosen = [2, 3, 5]
    result, market = days_over_price(pnl, moved, traded)
    words, traces = choose(result, market)
    assert words == common
    ranks = {1: ["best"], 2: ["best", "worst"], 3: ["best", "median", "worst"]}[len(chosen)]
    assert [trace.rank for trace in traces] == ranks
    ends = {0: "bar limit", 2: "late close", 3: "end of data", 4: "drawdown", 5: "bar limit"}
    for number, trace in zip(chosen, traces, strict=True):
        start, count = STARTS[number], STEPS[number]
        assert (trace.pnl, trace.end) == (pnl[number] + 0.25, ends[number])
        assert trace.day == result.episodes["day"][number]
        ticks = 20_000 + 4 * np.arange(start, start + count)
        for name, more in (("high", 3), ("low", 1), ("close", 2)):
            assert getattr(trace, name).tolist() == (0.25 * (ticks + more)).tolist(), name
        clock = [f"{time:%H:%M}" for time in trace.times]
        assert clock == [f"10:{30 + at}" for at in range(start, start + count)] or start > 29
        assert trace.position.tolist() == [0, *[1] * count]
        assert set(trace.entry) == {5_001.0 + number}
        assert set(trace.target) == {5_009.0 + number}
        assert trace.stop_moves == (count - 1 if number in moved else 0)
        own = trace.trades.to_dict("records")
        assert own == (
            [{"episode": number, "entry_step": 0, "exit_step": 1, "pnl": 10.0 * number}]
            if number in traded
            else []
        )


def test_a_caption_says_the_day_and_what_became_of_it() -> None:
    told = trace(30, "2025-03-03 09:30", "1min")
    assert caption(told) == (
        "Best: 3 March 2025, $12.50",
        "1 trade closed, one left open, stop moved 1 time, ended by the close",
    )
    flat = trace(30, "2025-03-03 09:30", "1min")
    flat.position[:] = 0
    flat.trades.loc[1] = flat.trades.loc[0]
    assert caption(flat) == ("Best: 3 March 2025, $12.50", "2 trades, ended by the close")

"""The plots of an evaluation draw hand-made numbers as they were drawn when somebody looked at them."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from jax_port.evaluation import comparison, plots
from jax_port.evaluation.comparison import Compared
from jax_port.evaluation.episode_plots import Trace, episode_plot
from jax_port.evaluation.sheet import plots as sheet
from jax_port.evaluation.sheet.baselines import Baseline
from jax_port.evaluation.sheet.excursions import Excursions
from jax_port.evaluation.sheet.tear_sheet import TearSheet
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

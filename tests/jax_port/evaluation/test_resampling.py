"""Bootstrap over days: the drawdown of drawn days against their curve, and the intervals' width."""

from __future__ import annotations

import math

import numpy as np
import pytest

from jax_port.evaluation.resampling import (
    RESAMPLES,
    blocks,
    day_intervals,
    day_shapes,
    drawdowns,
    percentiles,
    too_few,
)
from tests.sentences import check_sentence


def curve_of(days: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return an account's curve over days of steps, and where each day begins."""
    parts, level = [], 0
    for steps in days:
        part = level + np.concatenate([[0], np.cumsum(steps)])
        parts.append(part)
        level = int(part[-1])
    lengths = [len(part) for part in parts]
    return np.concatenate(parts), np.cumsum([0, *lengths[:-1]])


def test_drawdown_of_drawn_days_is_that_of_their_curve() -> None:
    rng = np.random.default_rng(4)
    days = [rng.integers(-900, 900, size=rng.integers(1, 30)) for _ in range(12)]
    shapes = day_shapes(*curve_of(days))
    drawn = rng.integers(len(days), size=(200, 15))
    expected = []
    for row in drawn:
        curve, _ = curve_of([days[number] for number in row])
        expected.append((np.maximum.accumulate(curve) - curve).max())
    assert drawdowns(shapes, drawn).tolist() == expected
    assert len(set(expected)) > 50


def test_intervals_have_the_width_of_theory() -> None:
    rng = np.random.default_rng(1)
    made = np.rint(rng.normal(2000, 30_000, size=250)).astype(np.int64)
    found = day_intervals(day_shapes(*curve_of([np.array([day]) for day in made])))
    low, high = found["pnl"]
    half = 1.97 * made.std(ddof=1) * math.sqrt(250) / 100
    assert (high - low) / 2 == pytest.approx(half, rel=0.06)
    assert (high + low) / 2 == pytest.approx(made.sum() / 100, abs=0.1 * half)
    low, high = found["sharpe_day"]
    assert (high - low) / 2 == pytest.approx(1.97 / math.sqrt(250), rel=0.08)
    low, high = found["max_drawdown"]
    assert 0 < low < high


def test_the_interval_of_the_total_holds_the_truth_about_95_times_in_100() -> None:
    rng, held = np.random.default_rng(2), 0
    for _ in range(100):
        made = np.rint(rng.normal(0, 10_000, size=15)).astype(np.int64)
        drawn = np.random.default_rng(0).integers(15, size=(RESAMPLES // 4, 15))
        low, high = np.percentile(made[drawn].sum(axis=1), percentiles(15))
        held += low <= 0 <= high
    assert 89 <= held <= 100


@pytest.mark.parametrize("days", [1, 2, 4])
def test_few_days_have_no_interval(days: int) -> None:
    found = day_intervals(day_shapes(*curve_of([np.array([5, -3 - day]) for day in range(days)])))
    assert set(found) == {"pnl", "sharpe_day", "max_drawdown"}
    assert all(math.isnan(end) for ends in found.values() for end in ends)


@pytest.mark.parametrize("days", [1, 2, 4])
def test_why_few_days_have_none(days: int) -> None:
    check_sentence(too_few(days))


def test_percentiles_widen_with_few_days() -> None:
    assert percentiles(10_000)[0] == pytest.approx(2.5, abs=0.01)
    few = percentiles(5)
    assert few[0] < 0.2
    assert few[0] + few[1] == pytest.approx(100)


@pytest.mark.parametrize(
    ("days", "student"), [(5, 2.776445), (10, 2.262157), (31, 2.042272), (121, 1.979930)]
)
def test_percentiles_reach_as_far_as_students_table_says(days: int, student: float) -> None:
    """Its column of 2.5% on one side, at one degree of freedom less than there are days."""
    reach = student * math.sqrt(days / (days - 1))
    low = 50 * math.erfc(reach / math.sqrt(2))
    assert percentiles(days) == pytest.approx((low, 100 - low), abs=1e-5)
    wide = percentiles(days, 0.99)
    assert wide[0] < low / 2
    assert wide[0] + wide[1] == pytest.approx(100)


def test_the_shape_of_a_day_is_from_its_own_start() -> None:
    """A day that only gains, one that only falls, one that falls before it rises, and a long one."""
    long = np.concatenate([np.arange(300), np.arange(300, 100, -1), np.arange(100, 350)])
    days = [np.array([40, 30]), np.array([-25, -5]), np.array([-60, 100, -15]), np.diff(long)]
    shapes = day_shapes(*curve_of(days))
    assert shapes.end.tolist() == [70, -30, 25, 349]
    assert shapes.low.tolist() == [0, -30, -60, 0]
    assert shapes.high.tolist() == [70, 0, 40, 349]
    assert shapes.fall.tolist() == [0, 30, 60, 200]


def test_blocks_are_days_in_a_row() -> None:
    drawn = blocks(7, 11, 3, 50, np.random.default_rng(0))
    assert drawn.shape == (50, 11)
    for begin in (0, 3, 6):
        assert (drawn[:, begin + 1] == (drawn[:, begin] + 1) % 7).all()
    assert set(drawn[:, 0]) == set(range(7))
    # All days begin a block, in curves shorter than the days too, and each as often as another.
    few = blocks(50, 4, 2, 2_000, np.random.default_rng(0))
    assert set(few[:, 0]) == set(few[:, 2]) == set(range(50))
    long = blocks(5, 8, 1, 2_000, np.random.default_rng(0))
    assert np.bincount(long.ravel()).tolist() == pytest.approx([3_200] * 5, rel=0.06)
    assert long.dtype == np.int64


@pytest.mark.parametrize("days", [5, 6, 8])
def test_intervals_of_few_days_are_the_percentiles_of_draws_that_have_a_ratio(days: int) -> None:
    """Of draws of one day alone, again and again, no Sharpe ratio can be told."""
    made = np.array([5_000, -3_000, 1_000, 700, -900, 2_500, -100, 40], np.int64)[:days]
    found = day_intervals(day_shapes(*curve_of([np.array([day]) for day in made])))
    drawn = made[np.random.default_rng(0).integers(days, size=(RESAMPLES, days))]
    told = [row.mean() / row.std(ddof=1) for row in drawn if len(set(row.tolist())) > 1]
    assert found["sharpe_day"] == pytest.approx(np.percentile(told, percentiles(days)), rel=1e-12)
    assert found["pnl"] == pytest.approx(np.percentile(drawn.sum(axis=1) / 100, percentiles(days)))


@pytest.mark.parametrize("days", [5, 7])
def test_the_interval_of_the_fall_is_of_whole_curves_in_dollars(days: int) -> None:
    """Of days of several bars, drawn anew and laid one after another, bar by bar."""
    rng = np.random.default_rng(days)
    steps = [rng.integers(-9_000, 9_500, size=count) for count in range(2, 2 + days)]
    found = day_intervals(day_shapes(*curve_of(steps)))
    falls = []
    for row in np.random.default_rng(0).integers(days, size=(RESAMPLES, days)):
        curve, _ = curve_of([steps[number] for number in row])
        falls.append((np.maximum.accumulate(curve) - curve).max() / 100)
    assert found["max_drawdown"] == pytest.approx(np.percentile(falls, percentiles(days)), rel=1e-12)


def test_days_that_are_all_alike_have_no_ratio_and_a_sure_total() -> None:
    found = day_intervals(day_shapes(*curve_of([np.array([150])] * 5)))
    assert np.isnan(found["sharpe_day"]).all()
    assert (found["pnl"], found["max_drawdown"]) == ((7.5, 7.5), (0.0, 0.0))

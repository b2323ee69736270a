"""How long bars are is told from their steps, and refused where it is neither a minute nor a second."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from foundation.errors import InputError
from markets.spacing import (
    MINUTE,
    SECOND,
    bar_steps,
    infer_bar_seconds,
    longer_than_a_minute,
    require_minutes,
    usual_step,
)
from tests.sentences import refuses

BEGIN = pd.Timestamp("2025-01-06 14:30", tz="UTC").as_unit("ns").value


def index(seconds: list[float]) -> pd.DatetimeIndex:
    """Return times so many seconds after half past nine."""
    ns = np.array([round(second * SECOND) for second in seconds], np.int64)
    return pd.DatetimeIndex(BEGIN + ns, tz="UTC")


def test_bars_apart_by_less_than_a_minute_are_refused() -> None:
    for stamps in ([], [5], [0, MINUTE, 3 * MINUTE]):
        require_minutes(np.array(stamps, np.int64), "ES.csv")
    near = np.array([0, MINUTE, 2 * MINUTE - SECOND // 2, 5 * MINUTE])
    with pytest.raises(InputError, match=r"^ES.csv: bars are 59\.5 seconds apart"):
        require_minutes(near, "ES.csv")


def test_steps_are_those_of_sorted_times_without_the_ones_that_repeat() -> None:
    assert bar_steps(np.array([50, 10, 30, 10, 35, 30])).tolist() == [20, 5, 15]
    assert bar_steps(np.array([7])).tolist() == []
    assert bar_steps(np.array([], np.int64)).tolist() == []


@pytest.mark.parametrize(
    ("steps", "usual"),
    [([], 0), ([3], 3), ([5, 2], 2), ([2, 5], 2), ([5, 5, 2], 5), ([1, 9, 9, 4, 4], 4)],
    ids=str,
)
def test_the_usual_step_is_the_commonest_and_of_several_the_shortest(
    steps: list[int], usual: int
) -> None:
    assert usual_step(np.array(steps, np.int64)) == usual


@pytest.mark.parametrize(
    ("minutes", "longer"),
    [
        ([5] * 10, True),
        ([5] * 9, False),  # so few may be gaps
        ([5] * 50 + [1], False),  # two of them are a minute apart
        ([2] * 10, True),
        ([3, 7, 3] * 4, True),  # the commonest is told
        ([7, 3, 2, 7] * 3, True),
        ([1] * 10, False),
        ([], False),
    ],
    ids=lambda value: f"{len(value)} of {value[:1]}" if isinstance(value, list) else None,
)
def test_bars_longer_than_a_minute(minutes: list[int], longer: bool) -> None:
    steps = np.array(minutes, np.int64) * MINUTE
    assert longer_than_a_minute(steps) is longer
    assert longer_than_a_minute(np.where(steps > MINUTE, MINUTE + SECOND, steps)) is longer
    stamps = index([0, *np.cumsum(np.array(minutes) * 60).tolist()])
    if longer:
        usual = max(set(minutes), key=minutes.count)
        with pytest.raises(ValueError, match=f"its bars are {usual} minutes long"):
            infer_bar_seconds(stamps, "made.csv")
    else:
        assert infer_bar_seconds(stamps, "made.csv") == 60


@pytest.mark.parametrize(
    ("seconds", "length"),
    [
        ([0], 60),
        ([1], None),  # a single time says of no second how long it is
        ([0, 60, 120, 300], 60),
        ([300, 0, 60, 60], 60),
        ([0, 1, 2, 3], 1),
        ([3, 4, 6, 7, 90], 1),  # seconds without a trade have no bar
        ([0, 1, 3, 5, 7], None),  # mostly two seconds
        ([0, 30, 60], None),
        ([0, 1, 2, 2.5, 3.5, 4.5], None),  # a half second among seconds
        ([0.5, 1.5, 2.5], None),
        ([0, 60, 120.001], None),
    ],
    ids=str,
)
def test_a_bar_is_a_minute_or_a_second_long(seconds: list[float], length: int | None) -> None:
    if length is None:
        with refuses():
            infer_bar_seconds(index(seconds), "made.csv")
    else:
        assert infer_bar_seconds(index(seconds), "made.csv") == length

"""Seconds are laid beside the minutes they belong to, or refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from foundation.errors import InputError
from markets import Bars, get_contract
from markets.seconds import seconds_of
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars
from tests.sentences import refuses

MINUTES = synthetic_bars("ES", days=1, seed=4)
SECONDS = second_bars(MINUTES, seed=4)


def _only(keep: np.ndarray) -> Bars:
    return SECONDS.select(keep)


def test_every_minute_has_its_own_seconds() -> None:
    found = seconds_of(MINUTES, SECONDS)
    assert found.first.tolist() == list(range(0, 60 * len(MINUTES) + 1, 60))
    assert found.minutes_without == 0
    assert found.high.reshape(-1, 60).max(1).tolist() == MINUTES.frame["high"].tolist()
    assert found.low.reshape(-1, 60).min(1).tolist() == MINUTES.frame["low"].tolist()


def test_missing_seconds_leave_the_others_in_their_minute() -> None:
    keep = np.ones(len(SECONDS), bool)
    keep[[60, 61, 119]] = False  # three of the second minute
    keep[180:240] = False  # all of the fourth
    found = seconds_of(MINUTES, _only(keep))
    assert np.diff(found.first)[:5].tolist() == [60, 57, 60, 0, 60]
    assert found.minutes_without == 1
    rest = SECONDS.frame["low"].to_numpy()[62:119]
    assert found.low[found.first[1] : found.first[2]].tolist() == rest.tolist()


def test_seconds_of_no_minute_are_left_out() -> None:
    some = MINUTES.select(np.arange(len(MINUTES)) % 2 == 1)
    found = seconds_of(some, SECONDS)
    assert np.diff(found.first).tolist() == [60] * len(some)
    assert found.high[:60].tolist() == SECONDS.frame["high"].tolist()[60:120]


def test_seconds_in_a_hole_after_the_first_minute_are_left_out() -> None:
    """They are of a minute that has no bar, and their prices are other ones."""
    keep = np.ones(len(MINUTES), bool)
    keep[1] = False
    found = seconds_of(MINUTES.select(keep), SECONDS)
    assert np.diff(found.first)[:2].tolist() == [60, 60]
    assert found.high[60:120].tolist() == SECONDS.frame["high"].tolist()[120:180]


def test_what_does_not_belong_is_refused() -> None:
    with refuses():
        seconds_of(MINUTES, MINUTES)
    with refuses():
        seconds_of(SECONDS, SECONDS)
    with refuses():
        seconds_of(MINUTES, replace(SECONDS, contract=get_contract("NQ")))
    other_day = synthetic_bars("ES", days=1, seed=4, start="2025-02-03")
    with refuses():
        seconds_of(other_day, SECONDS)
    frame = SECONDS.frame.copy()
    frame.iloc[75, frame.columns.get_loc("high")] = MINUTES.frame["high"].iloc[1] + 0.25
    with refuses():
        seconds_of(MINUTES, replace(SECONDS, frame=frame))
    frame[["open", "high", "low", "close"]] += 20_000  # a price of seven figures keeps its quarter
    minutes = MINUTES.frame.copy()
    minutes[["open", "high", "low", "close"]] += 20_000
    with refuses():
        seconds_of(replace(MINUTES, frame=minutes), replace(SECONDS, frame=frame))


@pytest.mark.parametrize("before", [0, 1, 500])
def test_a_second_outside_its_minute_is_named_where_others_are_of_no_minute(before: int) -> None:
    """A file of seconds begins before the minutes do, and goes on between them."""
    night = SECONDS.frame.iloc[:before].copy()
    night.index = SECONDS.frame.index[0] - pd.to_timedelta(np.arange(before, 0, -1), unit="s")
    frame = SECONDS.frame.copy()
    wrong = frame.index[75]
    frame.loc[wrong, "high"] = MINUTES.frame["high"].iloc[1] + 0.25
    with pytest.raises(InputError) as refusal:
        seconds_of(MINUTES, replace(SECONDS, frame=pd.concat([night, frame])))
    assert (
        f"1 seconds lie outside their minute's prices in {MINUTES.source}, first at {wrong} ("
        in str(refusal.value)
    )

"""Seconds are laid beside the minutes they belong to, or refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from markets import Bars, InputError, get_contract
from markets.seconds import seconds_of
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars
from tests.sentences import refuses

ES = get_contract("ES")
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


def test_seconds_are_laid_as_a_loop_over_them_lays_them() -> None:
    """Minutes and seconds missing at random, the first and last of each among them."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        some = MINUTES.select(slice(0, 12)).select(rng.random(12) < 0.7)
        few = SECONDS.select(slice(0, 12 * 60)).select(rng.random(12 * 60) < rng.choice([0.02, 0.5, 1]))
        if seed == 0:  # nothing of the first minute
            few = few.select(few.timestamps_ns >= some.timestamps_ns[0] + 60 * 10**9)
        rows: list[list[int]] = [[] for _ in range(len(some))]
        for row, at in enumerate(few.timestamps_ns.tolist()):
            for minute, opened in enumerate(some.timestamps_ns.tolist()):
                if opened <= at < opened + 60 * 10**9:
                    rows[minute].append(row)
        found = seconds_of(some, few)
        kept = [row for group in rows for row in group]
        assert found.first.tolist() == [0, *np.cumsum([len(group) for group in rows]).tolist()]
        assert found.high.tolist() == few.frame["high"].to_numpy()[kept].tolist()
        assert found.low.tolist() == few.frame["low"].to_numpy()[kept].tolist()
        assert found.minutes_without == sum(not group for group in rows)
        assert (found.source, found.digest) == (few.source, few.digest)


@pytest.mark.parametrize(
    ("column", "by"), [("high", 0.25), ("low", -0.25), ("high", 0.0), ("low", 0.0)]
)
@pytest.mark.parametrize("row", [0, 59, 60, 119])
def test_a_second_outside_its_own_minute_is_named(column: str, by: float, row: int) -> None:
    """The first minutes before it are left out, so that its row is not its number among those kept."""
    some = MINUTES.select(slice(3, None))
    frame = SECONDS.frame.copy()
    at = 3 * 60 + row
    edge = float(some.frame[column].iloc[row // 60])
    frame.iloc[at, frame.columns.get_loc(column)] = edge + by
    changed = replace(SECONDS, frame=frame)
    if not by:
        assert len(seconds_of(some, changed).high) == 60 * len(some)
        return
    with pytest.raises(InputError, match="1 seconds lie outside their minute's prices") as told:
        seconds_of(some, changed)
    assert f"first at {frame.index[at]} " in str(told.value)
    own = frame.iloc[at]
    minute = some.frame.iloc[row // 60]
    words = f"({own.low:.10g} to {own.high:.10g}, the minute {minute.low:.10g} to {minute.high:.10g})"
    assert words in str(told.value)


def test_seconds_of_a_contract_with_other_numbers_are_refused() -> None:
    for other in (ES.with_costs(slippage_ticks=2), replace(ES, tick_value_cents=1000)):
        with pytest.raises(InputError, match="give both of one contract"):
            seconds_of(MINUTES, replace(SECONDS, contract=other))


def test_what_does_not_belong_is_refused() -> None:
    with refuses():
        seconds_of(MINUTES, MINUTES)
    with refuses():
        seconds_of(SECONDS, SECONDS)
    for other in (0, 2, 5, 59, 61):
        with pytest.raises(InputError, match=f"bars of {other} s; give one-second bars as the seconds"):
            seconds_of(MINUTES, replace(SECONDS, bar_seconds=other))
        with pytest.raises(InputError, match=f"bars of {other} s; give one-minute bars"):
            seconds_of(replace(MINUTES, bar_seconds=other), SECONDS)
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

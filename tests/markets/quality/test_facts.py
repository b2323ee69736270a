"""Rows that no market made are marked for what they are; the facts are those of a plain count."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from markets.contracts import get_contract
from markets.quality.facts import Rows, measure
from markets.synthetic.bars import synthetic_bars

MARKS = ("missing", "non_positive", "impossible", "duplicates", "backwards", "spikes", "bad_prints")


@pytest.fixture
def frame() -> pd.DataFrame:
    return synthetic_bars("ES", days=1, seed=3).frame.copy()


def marks(frame: pd.DataFrame) -> dict[str, list[int]]:
    rows = Rows(frame, synthetic_bars("ES", days=1, seed=3).contract, "bars.csv")
    found = {name: np.flatnonzero(getattr(rows, name)).tolist() for name in MARKS}
    return {name: places for name, places in found.items() if places}


def put(frame: pd.DataFrame, row: int, column: str, value: float) -> None:
    frame.iloc[row, frame.columns.get_loc(column)] = value  # type: ignore[call-overload]


def test_sound_rows_have_no_mark(frame: pd.DataFrame) -> None:
    assert marks(frame) == {}


def test_each_fault_marks_its_row_alone(frame: pd.DataFrame) -> None:
    put(frame, 10, "close", np.nan)
    put(frame, 20, "low", 0.0)
    put(frame, 30, "volume", -1.0)
    put(frame, 40, "high", frame["low"].iloc[40] - 1)
    twice = frame.index.to_list()
    twice[50] = twice[49]
    twice[60], twice[61] = twice[61], twice[60]
    found = marks(frame.set_axis(pd.DatetimeIndex(twice), axis=0))
    assert found == {
        "missing": [10],
        "non_positive": [20, 30],
        "impossible": [40],
        "duplicates": [50],
        "backwards": [61],
    }


def test_a_print_far_from_its_neighbours_is_marked(frame: pd.DataFrame) -> None:
    for name in ("open", "high", "low", "close"):
        put(frame, 100, name, frame[name].iloc[100] * 1.2)
    found = marks(frame)
    assert found == {"bad_prints": [100, 101]}  # there, and back


def new_york(at: pd.Timestamp) -> pd.Timestamp:
    return at.tz_convert("America/New_York")


def is_regular(at: pd.Timestamp) -> bool:
    return (9, 30) <= (new_york(at).hour, new_york(at).minute) <= (16, 59)


def drawn_rows(seed: int) -> pd.DataFrame:
    """Return days of unequal volume, with rows that are missing, twice, out of order and empty."""
    rng = np.random.default_rng(seed)
    frame = synthetic_bars("ES", days=6, seed=seed, start="2025-03-05", session="all").frame.copy()
    local = frame.index.tz_convert("America/New_York")
    by_date = 1.0 + 4.0 * rng.random(40)
    frame["volume"] = np.round(frame["volume"] * by_date[local.day])
    keep = rng.random(len(frame)) < 0.97
    keep &= ~((local.day == 10) & (local.hour >= 12))  # a short day
    keep &= ~((local.day == 7) & (local.hour >= 9) & (local.hour < 17))  # no regular bar
    frame = frame[keep]
    order = np.arange(len(frame))
    for _ in range(3):
        at = int(rng.integers(0, len(frame) - 9))
        order[[at, at + 7]] = order[[at + 7, at]]
    order = np.insert(order, [50, 1200], order[[49, 1195]])  # a night's bar twice, and a day's
    frame = frame.iloc[order]
    frame.iloc[rng.integers(0, len(frame), 4), 3] = np.nan
    frame.iloc[rng.integers(0, len(frame), 5), 4] = 0.0
    frame.iloc[rng.integers(0, len(frame), 3), 2] -= 0.1
    return frame


@pytest.mark.parametrize("seed", range(6))
def test_facts_are_what_a_plain_count_finds(seed: int) -> None:
    frame = drawn_rows(seed)
    facts = measure(Rows(frame, get_contract("ES"), "bars.csv"), "bars.csv")
    times = list(frame.index)
    latest, backwards, seen, twice = times[0], 0, set(), 0
    first_of = []
    for at in times:
        backwards += at < latest
        latest = max(latest, at)
        twice += at in seen
        first_of.append(at not in seen)
        seen.add(at)
    assert (facts.rows, facts.out_of_order, facts.duplicates) == (len(times), backwards, twice)
    assert backwards > 3
    assert twice == 2
    assert is_regular(times[1201])
    assert times.count(times[1201]) == 2
    assert facts.regular_rows == sum(is_regular(at) for at in times)
    assert (facts.first, facts.last) == (
        new_york(min(times)).isoformat(sep=" "),
        new_york(max(times)).isoformat(sep=" "),
    )
    assert facts.step_seconds == 60.0
    missing = frame.isna().any(axis=1).to_numpy()
    assert facts.missing_values == missing.sum()
    assert facts.zero_volume == (frame["volume"] == 0).sum()
    assert facts.zero_volume_share == facts.zero_volume / len(frame)
    prices = frame.iloc[:, :4].fillna(0.0)
    assert facts.off_grid == (prices % 0.25 > 1e-9).sum().sum()
    assert facts.off_grid_share == facts.off_grid / (4 * len(frame))
    bars: dict[str, int] = {}
    volume: dict[str, float] = {}
    for at in sorted(seen):
        if is_regular(at):
            day = str(new_york(at).date())
            bars[day] = bars.get(day, 0) + 1
            volume.setdefault(day, 0.0)
    for at, first, empty, traded in zip(times, first_of, missing, frame["volume"], strict=True):
        if is_regular(at) and first and not empty:
            volume[str(new_york(at).date())] += traded
    assert facts.day_bars == bars
    assert facts.day_volume == volume
    assert facts.median_volume == float(np.median(list(volume.values())))
    sizes = list(bars.values())
    assert facts.days == {
        "full": sum(size >= 380 for size in sizes),
        "half": sum(180 <= size < 380 for size in sizes),
        "short": sum(size < 180 for size in sizes),
    }
    weekdays = pd.bdate_range(min(bars), max(bars)).strftime("%Y-%m-%d")
    assert facts.absent_days == tuple(day for day in weekdays if day not in bars) == ("2025-03-07",)


@pytest.mark.parametrize("seed", range(6))
def test_gaps_are_the_minutes_that_are_not_there(seed: int) -> None:
    """Of trading days whose first and last regular minutes are there, so that no edge is missing."""
    rng = np.random.default_rng(seed)
    bars = synthetic_bars("ES", days=5, seed=1, start="2025-03-06", session="all").frame
    local = bars.index.tz_convert("America/New_York")
    at_edge = (local.hour * 60 + local.minute).isin([570, 1019, 1080])
    keep = at_edge | (rng.random(len(bars)) < 0.9)
    facts = measure(Rows(bars[keep], get_contract("ES"), "bars.csv"), "bars.csv")
    runs: list[tuple[int, int, str]] = []
    length, regular, begin = 0, 0, bars.index[0]
    for there, at in zip(keep.tolist(), bars.index, strict=True):
        if there and length:
            runs.append((regular, length, new_york(begin).isoformat(sep=" ")))
            length = regular = 0
        if not there:
            begin = begin if length else at
            length, regular = length + 1, regular + is_regular(at)
    assert facts.gaps == len(runs) > 100
    assert facts.missing_minutes == sum(length for _, length, _ in runs)
    assert facts.regular_gaps == sum(regular > 0 for regular, _, _ in runs)
    assert facts.regular_missing_minutes == sum(regular for regular, _, _ in runs)
    assert facts.longest_gap_minutes == max(length for _, length, _ in runs)
    longest = sorted(runs, key=lambda run: (-run[0], -run[1]))[:5]
    found = [(gap.regular_minutes, gap.minutes, gap.start) for gap in facts.largest_gaps]
    assert found == longest


def test_the_first_row_of_a_file_need_not_be_the_earliest(frame: pd.DataFrame) -> None:
    contract = get_contract("ES")
    facts = measure(Rows(frame[::-1], contract, "bars.csv"), "bars.csv")
    ends = [new_york(frame.index[at]).isoformat(sep=" ") for at in (0, -1)]
    assert [facts.first, facts.last] == ends


def test_a_row_with_a_price_missing_is_not_told_to_have_too_few_trades(frame: pd.DataFrame) -> None:
    for row in (5, 7):
        for name, value in {"open": 6000.0, "high": 6001.0, "low": 5999.0, "volume": 1.0}.items():
            put(frame, row, name, value)
        put(frame, row, "close", 6000.0 if row == 5 else np.nan)
    rows = Rows(frame, get_contract("ES"), "bars.csv")
    assert np.flatnonzero(rows.few).tolist() == [5]
    assert measure(rows, "bars.csv").too_few_trades == 1


def test_days_are_full_and_half_from_their_first_bar_on(make_frame) -> None:
    sizes = [380, 379, 180, 179, 1]
    minute, day = np.arange(5 * 450) % 450, np.arange(5 * 450) // 450
    frame = make_frame(days=5)[minute < np.array(sizes)[day]]
    facts = measure(Rows(frame, get_contract("ES"), "bars.csv"), "bars.csv")
    assert list(facts.day_bars.values()) == sizes
    assert facts.days == {"full": 1, "half": 2, "short": 2}


def test_a_row_that_cannot_be_is_no_print_too(frame: pd.DataFrame) -> None:
    """However far its prices reach; its neighbours are held against each other."""
    put(frame, 40, "high", 8000.0)
    put(frame, 40, "low", 7000.0)
    put(frame, 90, "low", 5000.0)
    put(frame, 90, "high", 5500.0)
    found = marks(frame)
    assert found == {"impossible": [40, 90]}
    put(frame, 90, "high", 6800.0)
    assert marks(frame) == {"impossible": [40], "bad_prints": [90]}


def test_rows_in_any_order_are_put_in_that_of_time(frame: pd.DataFrame) -> None:
    contract = get_contract("ES")
    put(frame, 7, "close", np.nan)
    rows = Rows(frame[::-1], contract, "bars.csv")
    assert rows.order.tolist() == [at for at in range(449, -1, -1) if at != 449 - 7]
    assert (np.diff(rows.contents.ns) > 0).all()
    assert rows.contents.volume.tolist() == frame["volume"].drop(frame.index[7]).tolist()
    sorted_facts = measure(Rows(frame, contract, "bars.csv"), "bars.csv")
    assert measure(rows, "bars.csv").day_volume == sorted_facts.day_volume


def test_prices_at_a_wrong_scale_are_not_told_to_be_off_the_grid_too(frame: pd.DataFrame) -> None:
    frame.iloc[20:30, :4] /= 100.0
    put(frame, 50, "high", frame["high"].iloc[50] + 0.1)
    facts = measure(Rows(frame, get_contract("ES"), "bars.csv"), "bars.csv")
    assert (facts.wrong_scale, facts.off_grid) == (10, 1)
    assert facts.off_grid_share == 1 / 1800


def test_minutes_of_a_day_that_begins_late_are_missing_and_seconds_lie_in_minutes(make_frame) -> None:
    days = make_frame(days=3)
    facts = measure(Rows(days[np.arange(1350) != 900], get_contract("ES"), "bars.csv"), "bars.csv")
    assert (facts.regular_missing_minutes, facts.largest_gaps[0].start) == (
        1,
        "2025-01-08 09:30:00-05:00",
    )
    seconds = pd.to_datetime([0, 1, 58, 59, 121, 122, 185, 190], unit="s")
    index = pd.Timestamp("2025-01-06 14:30", tz="UTC") + (seconds - pd.Timestamp(0))
    some = days[:8].set_axis(index)
    facts = measure(Rows(some, get_contract("ES"), "bars.csv"), "bars.csv")
    assert (facts.step_seconds, facts.gaps, facts.missing_minutes) == (1.0, 1, 1)
    assert facts.largest_gaps[0].start == "2025-01-06 09:31:00-05:00"
    assert facts.day_bars == {"2025-01-06": 3}

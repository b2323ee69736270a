"""Sessions that begin whole hours beside where they should, in a part of the file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from markets.quality.parts import _few_minutes, _first_run, _whole_hours, parts_elsewhere
from markets.quality.sessions import find_sessions

DAYS = 100


@pytest.mark.parametrize(
    ("opening", "off"),
    [
        (570, 0),
        (1080, 0),
        (630, 60),
        (510, -60),
        (1020, -60),
        (1140, 60),
        (690, 120),
        (585, 0),
        (571, 0),
    ],
)
def test_whole_hours_beside_an_opening(opening: int, off: int) -> None:
    opens = np.array([570, opening, 1080])
    assert _whole_hours(opens, DAYS).tolist() == [0, off, 0]


def test_what_most_days_do_is_a_habit_of_the_file() -> None:
    opens = np.array([630] * 80 + [570] * 100)
    assert not _whole_hours(opens, DAYS).any()
    assert (_whole_hours(opens[75:], DAYS)[:5] == 60).all()


@pytest.mark.parametrize(
    ("opening", "last", "off"),
    [
        (1085, 1024, 5),
        (1075, 1014, -5),
        (575, 964, 5),
        (1085, 1025, 0),
        (1081, 1020, 0),
        (1139, 1078, 59),
        (1140, 1079, 0),
    ],
)
def test_a_few_minutes_show_at_both_ends(opening: int, last: int, off: int) -> None:
    assert _few_minutes(np.array([1080, opening]), np.array([1019, last])).tolist() == [0, off]


def test_the_first_run_that_is_long_enough() -> None:
    off = np.array([0, 60, 0, 60, 60, 60, 60, 60, 60, 0, 60])
    opens = 570 + off
    assert _first_run(off, opens) == (3, 9)
    assert _first_run(off * 0, opens) is None
    opens[6] += 1  # another minute begins another run
    assert _first_run(off[:7], opens[:7]) in (None, (3, 6))


def days_of(moved: dict[int, int], lengths: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return ten regular sessions of flat volume, some of them moved by minutes or of other lengths."""
    stamps = []
    for number, day in enumerate(pd.bdate_range("2025-06-02", periods=10)):
        opened = day.tz_localize("America/New_York") + pd.Timedelta(minutes=570 + moved.get(number, 0))
        minutes = np.arange(lengths.get(number, 450)) * 60 * 10**9
        stamps.append(opened.value + minutes)
    ns = np.concatenate(stamps)
    return ns, np.full(len(ns), 10.0)


@pytest.mark.parametrize(("first", "last"), [(0, 2), (3, 5), (2, 6), (7, 9)])
@pytest.mark.parametrize("minutes", [60, -120, 5, -7])
def test_the_sessions_that_are_elsewhere_are_counted_and_named(
    first: int, last: int, minutes: int
) -> None:
    ns, volume = days_of(dict.fromkeys(range(first, last + 1), minutes), {})
    sessions = find_sessions(ns)
    (fault,) = parts_elsewhere(sessions, ns, volume)
    count = last - first + 1
    days = pd.bdate_range("2025-06-02", periods=10).strftime("%Y-%m-%d")
    assert fault.bars == 450 * count
    words = f"from {days[first]} to {days[last]} {count} sessions in a row begin at "
    begin = f"{(570 + minutes) // 60:02d}:{(570 + minutes) % 60:02d} New York time"
    assert fault.message.startswith(words + begin)
    assert fault.kind == ("shifted" if abs(minutes) < 60 else "time_zone")
    if fault.kind == "shifted":
        late = "late" if minutes > 0 else "early"
        last = 1019 + minutes
        assert f" New York time and end at {last // 60:02d}:{last % 60:02d}, others" in fault.message
        assert f"their timestamps are {abs(minutes)} minutes {late}" in fault.message
        assert fault.mend == f"move the timestamps of these days by {-minutes:+d} minutes"


def test_two_sessions_in_a_row_are_no_part_and_lengths_are_those_of_the_run() -> None:
    ns, volume = days_of({4: 60, 5: 60, 8: 60}, {})
    assert not list(parts_elsewhere(find_sessions(ns), ns, volume))
    ns, volume = days_of({4: 60, 5: 60, 6: 60}, {3: 7, 4: 11, 5: 13, 6: 17, 7: 19})
    (fault,) = parts_elsewhere(find_sessions(ns), ns, volume)
    assert fault.bars == 11 + 13 + 17


def test_a_part_whose_volume_is_where_it_should_be_is_hours_of_its_own() -> None:
    """All its sessions are looked at, and no others: a leap at 09:30 in the last one alone counts."""
    ns, volume = days_of(dict.fromkeys((4, 5, 6), -60), dict.fromkeys((4, 5, 6), 450))
    sessions = find_sessions(ns)
    assert list(parts_elsewhere(sessions, ns, volume))
    local = pd.DatetimeIndex(ns, tz="UTC").tz_convert("America/New_York")
    after = np.asarray(local.hour * 60 + local.minute >= 570)
    for days, right in (((4, 5, 6), True), ((4,), True), ((6,), True), ((3,), False), ((7,), False)):
        traded = volume.copy()
        for day in days:
            held = (ns >= sessions.opens[day]) & (ns <= sessions.closes[day])
            traded[held & after] = 1e6
        assert bool(list(parts_elsewhere(sessions, ns, traded))) is not right, days


def test_a_part_that_begins_a_few_minutes_early_may_be_right() -> None:
    """Volume leaps in it where it should; a leap in another part of the file says nothing of it."""
    ns, volume = days_of(dict.fromkeys((4, 5, 6), -7), {})
    sessions = find_sessions(ns)
    local = pd.DatetimeIndex(ns, tz="UTC").tz_convert("America/New_York")
    after = np.asarray(local.hour * 60 + local.minute >= 570)
    for days, right in (((4, 5, 6), True), ((3, 7), False)):
        traded = volume.copy()
        for day in days:
            held = (ns >= sessions.opens[day]) & (ns <= sessions.closes[day])
            traded[held & after] = 1e6
        assert [one.kind for one in parts_elsewhere(sessions, ns, traded)] == ["shifted"] * (not right)

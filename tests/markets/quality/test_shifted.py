"""Timestamps that are all a few minutes late or early are refused, and hours of one's own are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from markets import Bars
from markets.clock import new_york_minutes
from markets.file_facts import FileFacts
from markets.quality.inspection import inspect
from markets.quality.sessions import find_sessions
from markets.quality.shifted import (
    CASH_OPEN,
    FEWEST_SESSIONS,
    FIRST_HOUR,
    Shift,
    _signs_of_volume,
    begins_busy,
    find_shift,
    leap_and_peak,
    volume_is_right,
)
from markets.quality.time_zone import clock_faults
from markets.readers import read_bars
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from tests.sentences import refuses

MINUTE = 60_000_000_000
Keep = Callable[["np.typing.NDArray[np.int32]"], "np.typing.NDArray[np.bool_]"]


@pytest.fixture(scope="module")
def whole() -> Bars:
    """Twelve days around America's clock change in spring, with their nights."""
    return synthetic_bars("ES", days=12, seed=4, start="2025-03-03", session="all")


def kinds(bars: Bars, minutes: int = 0, volume: float | None = None) -> list[str]:
    """Return what is wrong with bars whose timestamps are moved by some minutes."""
    traded = bars.frame["volume"].to_numpy() if volume is None else np.full(len(bars), volume)
    moved = bars.timestamps_ns + minutes * MINUTE
    return [fault.kind for fault in clock_faults(moved, FileFacts("wall"), traded)]


def cut(bars: Bars, first: int, last: int) -> Bars:
    """Return the bars of some New York minutes."""
    minute = new_york_minutes(bars.timestamps_ns)
    return bars.select(np.asarray((minute >= first) & (minute <= last)))


FORMS: dict[str, Callable[[Bars], Bars]] = {
    "whole days": lambda bars: bars,
    "regular": lambda bars: cut(bars, 570, 1019),
    "to 16:00": lambda bars: cut(bars, 570, 959),
    "to 16:15": lambda bars: cut(bars, 570, 974),
    "from 04:00": lambda bars: cut(bars, 240, 1199),
    "thin": lambda bars: bars.select(np.random.default_rng(0).random(len(bars)) < 0.3),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("minutes", [-45, -30, -5, -2, 2, 3, 5, 15, 30, 44])
def test_a_constant_shift_is_refused(whole: Bars, form: str, minutes: int) -> None:
    assert kinds(FORMS[form](whole), minutes) == ["shifted"]


@pytest.mark.parametrize("form", FORMS)
def test_true_files_are_not_refused(whole: Bars, form: str) -> None:
    assert kinds(FORMS[form](whole)) == []


def test_the_refusal_names_the_shift_and_its_signs(whole: Bars, tmp_path: Path) -> None:
    late = whole.frame.set_axis(whole.frame.index + pd.Timedelta(minutes=5), axis=0)
    path = tmp_path / "bars.csv"
    late.to_csv(path)
    with refuses():
        read_bars(path, "ES")
    assert read_bars(path, "ES", accept_problems=True).accepted == ("shifted",)
    mended = Bars.from_frame(
        late.set_axis(late.index - pd.Timedelta(minutes=5), axis=0), whole.contract, source="mended"
    )
    assert read_bars(write_bars(mended, path), "ES").digest == whole.digest


def test_both_ends_of_the_sessions_are_enough_without_volume(whole: Bars) -> None:
    assert kinds(whole, 5, volume=10.0) == ["shifted"]
    assert kinds(whole, 0, volume=10.0) == []
    assert kinds(cut(whole, 570, 1019), -7, volume=10.0) == ["shifted"]


@pytest.mark.parametrize("zone", ["America/Chicago", "Asia/Tokyo"])
def test_a_shift_on_top_of_another_zone_names_both(whole: Bars, zone: str) -> None:
    index = whole.frame.index
    assert isinstance(index, pd.DatetimeIndex)
    wall = index.tz_convert(zone).tz_localize(None) - pd.Timedelta(minutes=7)
    volume = whole.frame["volume"].to_numpy()
    minute = new_york_minutes(whole.timestamps_ns)
    for keep in (np.ones(len(wall), bool), (minute >= 570) & (minute < 1020)):
        ns = wall.as_unit("ns").asi8[keep]
        fault = next(clock_faults(ns, FileFacts("wall"), volume[keep]))
        assert (fault.kind, fault.mend) == (
            "shifted",
            f"add 7 minutes to every timestamp, and pass --tz {zone}",
        )


@pytest.mark.parametrize("first", [240, 480, 510, 540, 565, 575, 585, 600])
@pytest.mark.parametrize("last", [944, 959, 964, 989, 1014, 1019])
def test_hours_of_ones_own_are_no_shift(whole: Bars, first: int, last: int) -> None:
    assert kinds(cut(whole, first, last)) == []


@pytest.mark.parametrize("minutes", [2, 5, 15])
def test_a_file_that_leaves_out_the_first_minutes_is_no_shift(whole: Bars, minutes: int) -> None:
    minute = new_york_minutes(whole.timestamps_ns)
    for opening in (570, 1080):
        left_out = (minute >= opening) & (minute < opening + minutes)
        assert kinds(whole.select(~left_out)) == []


def test_a_part_of_a_file_that_is_shifted_is_refused(whole: Bars) -> None:
    ns = whole.timestamps_ns.copy()
    days = (ns - ns[0]) // (24 * 60 * MINUTE)
    ns[days >= 7] += 5 * MINUTE  # from a weekend on
    fault = next(clock_faults(ns, FileFacts("wall"), whole.frame["volume"].to_numpy()))
    assert fault.kind == "shifted"
    assert "6 sessions in a row begin at 18:05 New York time and end at 17:04" in fault.message
    assert fault.mend == "move the timestamps of these days by -5 minutes"


def test_where_nothing_tells_there_is_a_warning_that_names_the_cause(whole: Bars) -> None:
    odd = cut(whole, 575, 929)
    flat = odd.frame.assign(volume=1000.0)
    report = inspect(flat, whole.contract, "flat.csv")
    assert report.ok
    (warning,) = (one for one in report.warnings if one.kind == "opening")
    assert "bars begin at 09:35 New York time" in warning.message
    assert "whether all timestamps are some minutes late or early" in warning.mend
    traded = inspect(cut(whole, 575, 959).frame, whole.contract, "traded.csv")  # volume tells
    assert "opening" not in {one.kind for one in traded.warnings}


@pytest.mark.parametrize("minutes", [-30, -5, -1, 0, 1, 2, 5])
def test_the_real_file(real_file: Path, minutes: int) -> None:
    bars = read_bars(real_file, "ES")
    expected = {0: [], 1: ["stamped_by_close"], -1: ["stamped_early"]}.get(minutes, ["shifted"])
    assert kinds(bars, minutes) == expected
    assert kinds(cut(bars, 570, 1019), minutes) == expected


@pytest.mark.parametrize(
    ("first", "others", "busy"),
    [
        ([200.0], {}, True),
        ([158.0], {}, False),  # not by the factor busier than ten minutes soon after
        ([200.0], {30: 201.0}, False),  # beaten within the hour
        ([200.0], {1: 200.0}, True),
        ([200.0], {FIRST_HOUR: 999.0}, True),  # later than is looked at
    ],
)
def test_a_session_begins_busy(first: list[float], others: dict[int, float], busy: bool) -> None:
    length = FIRST_HOUR + 5
    volume = np.array([*first, *[99.0] * (length - 1)])
    for minute, traded in others.items():
        volume[minute] = traded
    opens = 1_741_012_200_000_000_000 + np.arange(FEWEST_SESSIONS) * 1440 * MINUTE
    ns = (opens[:, None] + np.arange(length) * MINUTE).ravel()
    sessions = find_sessions(ns)
    assert sessions.opens.tolist() == opens.tolist()
    assert begins_busy(sessions, ns, np.tile(volume, FEWEST_SESSIONS)) == busy
    few = slice(0, length * (FEWEST_SESSIONS - 1))
    assert not begins_busy(find_sessions(ns[few]), ns[few], np.tile(volume, FEWEST_SESSIONS - 1))


@pytest.mark.parametrize(("minutes", "leap"), [(195, 0), (194, None)])
def test_volume_is_looked_at_where_half_of_the_regular_hours_are_there(
    minutes: int, leap: int | None
) -> None:
    midnight = pd.Timestamp("2025-03-03", tz="America/New_York").value
    of_day = np.arange(CASH_OPEN - 10, CASH_OPEN + minutes)
    days = np.arange(5)[:, None] * 1440
    ns = midnight + ((days + of_day) * MINUTE).ravel()
    volume = np.tile(np.where(of_day < CASH_OPEN, 10.0, 100.0), len(days))
    assert leap_and_peak(ns, volume) == (leap, None)


@pytest.mark.parametrize(
    ("leap", "peak", "right"),
    [
        (0, None, True),
        (0, 5, True),
        (0, 0, True),
        (5, 5, False),
        (5, 0, False),  # a leap elsewhere says more than where volume is largest
        (None, 0, True),
        (None, 15, True),  # 16:14, the last minute until 2020
        (None, 14, False),
        (None, -15, False),
        (None, None, False),
    ],
)
def test_volume_that_is_where_it_should_be(leap: int | None, peak: int | None, right: bool) -> None:
    assert volume_is_right(leap, peak) is right


@pytest.mark.parametrize(
    ("minutes", "zone", "kind", "words", "mend"),
    [
        (5, "", "shifted", "5 minutes late", "subtract 5 minutes from every timestamp"),
        (-5, "", "shifted", "5 minutes early", "add 5 minutes to every timestamp"),
        (*(1, "", "stamped_by_close", "1 minute late"),
         "subtract 1 minute from every timestamp, or pass --stamped close"),
        (*(-1, "", "stamped_early", "1 minute early"),
         "add 1 minute to every timestamp, or pass --stamped open"),
        (*(-5, "Asia/Tokyo", "shifted", "5 minutes early"),
         "add 5 minutes to every timestamp, and pass --tz Asia/Tokyo"),
    ],
)  # fmt: skip
def test_a_shift_says_which_way_to_move_the_times(
    minutes: int, zone: str, kind: str, words: str, mend: str
) -> None:
    fault = Shift(minutes, ("one sign", "another"), 1).fault(77, zone)
    assert (fault.kind, fault.bars, fault.mend) == (kind, 77, mend)
    assert fault.message.endswith(f"so every timestamp is {words}")
    assert "one sign, and another, in New York time" in fault.message
    assert fault.message.startswith("read as wall time of Asia/Tokyo, ") == bool(zone)


@pytest.mark.parametrize(
    ("leap", "peak", "signs"),
    [
        (5, 5, ["volume leaps at 09:35, not at 09:30", "its last busy minute is 16:04, not 15:59"]),
        (5, 4, ["volume leaps at 09:35, not at 09:30"]),
        (None, 5, ["its last busy minute is 16:04, not 15:59"]),
        (4, 6, []),
        (0, 0, []),
        (-5, -5, []),
        (None, None, []),
    ],
)
def test_volume_is_a_sign_of_the_shift_that_the_sessions_have(
    leap: int | None, peak: int | None, signs: list[str]
) -> None:
    assert _signs_of_volume(leap, peak, 5) == signs


def usual_days(busy: dict[int, float], days: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return days of nine contracts a minute from 08:00 on, some minutes so many times as busy."""
    of_day = np.arange(480, 1020)
    times = np.ones(len(of_day))
    for minute, factor in busy.items():
        times[minute - 480] = factor
    midnight = pd.Timestamp("2025-03-03", tz="America/New_York").value
    ns = midnight + ((np.arange(days)[:, None] * 1440 + of_day) * MINUTE).ravel()
    return ns, np.tile(10.0 * times - 1.0, days)


@pytest.mark.parametrize(
    ("busy", "leap", "peak"),
    [
        ({570: 3.1, 571: 1.6, 572: 1.6}, 0, None),
        ({570: 2.9, 571: 1.6, 572: 1.6}, None, None),
        ({570: 3.1, 571: 1.6, 572: 1.4}, None, None),  # it does not last
        ({573: 9.0, 574: 5.0, 575: 5.0}, 3, None),
        ({570: 3.1, 571: 1.6, 572: 1.6, 566: 1.2}, None, None),  # held against the busiest before
        ({959: 2.1}, None, 0),
        ({959: 1.9}, None, None),
        ({958: 2.0, 959: 2.1, 960: 2.0}, None, 0),  # the minutes beside it are busy too
        ({957: 1.2, 959: 2.1}, None, None),
        ({961: 1.2, 959: 2.1}, None, None),
        ({974: 8.0, 959: 3.0}, None, 15),
        ({570 + 65: 4.0, 636: 4.0, 637: 4.0, 959 - 65: 3.0}, 65, -65),
        ({570 + 66: 4.0, 637: 4.0, 638: 4.0, 959 - 66: 3.0}, None, None),
    ],
)
def test_where_volume_leaps_and_where_it_is_largest(
    busy: dict[int, float], leap: int | None, peak: int | None
) -> None:
    assert leap_and_peak(*usual_days(busy)) == (leap, peak)


def test_no_day_of_larger_volume_decides_where_it_leaps() -> None:
    """Days are each held against their own; the busiest of them lacks the minutes before 09:30."""
    busy = {570: 4.0, 571: 4.0, 572: 4.0}
    ns, volume = usual_days(busy)
    day = (ns - ns[0]) // (1440 * MINUTE)
    loud = np.where(day == 2, 1000.0 * (volume + 1.0) - 1.0, volume)
    assert leap_and_peak(ns, loud) == leap_and_peak(ns, volume) == (0, None)
    minute = new_york_minutes(ns)
    calm = usual_days({})[1]
    kept = (day != 2) | (minute >= 570)
    calm = np.where(day == 2, 1000.0 * (calm + 1.0) - 1.0, calm)
    assert leap_and_peak(ns[kept], calm[kept]) == (None, None)


@pytest.mark.parametrize(("days", "found"), [(4, False), (5, True)])
def test_volume_alone_tells_a_shift_from_five_days_on(whole: Bars, days: int, found: bool) -> None:
    """Of sessions that begin at four in the morning, where none should; by a leap and a peak."""
    some = cut(whole, 240, 1019)
    ns = some.timestamps_ns + 5 * MINUTE
    first = ns < ns[0] + days * 1440 * MINUTE
    volume = some.frame["volume"].to_numpy()[first]
    shift = find_shift(find_sessions(ns[first]), ns[first], volume)
    assert (shift is not None) == found
    if shift is not None:
        signs = ("volume leaps at 09:35, not at 09:30", "its last busy minute is 16:04, not 15:59")
        assert shift == Shift(5, signs, 2)

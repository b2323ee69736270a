"""True files of a part of the day are read; the same parts in another zone's time are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from markets import Bars
from markets.clock import new_york_minutes
from markets.file_facts import FileFacts
from markets.quality.clock_fault import ClockFault
from markets.quality.inspection import inspect
from markets.quality.time_zone import (
    SEASONS,
    clock_faults,
    judge_seasons,
    season_of,
    unjudged_opening,
)
from markets.readers import read_bars, read_frame
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from tests.sentences import refuses

PARTS = [
    (first, last)
    for first in (240, 510, 570, 600, 630, 690, 780)
    for last in (659, 779, 899, 929, 959, 1019)
    if last - first > 60
]


@pytest.fixture(scope="module")
def whole() -> Bars:
    """Fifteen days around the spring clock changes of America and Europe, with their nights."""
    return synthetic_bars("ES", days=15, seed=4, start="2025-03-03", session="all")


def part(bars: Bars, first: int, last: int) -> Bars:
    """Return the bars of some New York minutes."""
    minute = new_york_minutes(bars.timestamps_ns)
    return bars.select(np.asarray((minute >= first) & (minute <= last)))


@pytest.mark.parametrize(("first", "last"), PARTS)
def test_a_part_of_the_day_is_read(whole: Bars, first: int, last: int) -> None:
    bars = part(whole, first, last)
    volume = bars.frame["volume"].to_numpy()
    assert list(clock_faults(bars.timestamps_ns, FileFacts("wall"), volume)) == []


def test_half_past_ten_to_three_is_read_and_worth_a_look(whole: Bars, tmp_path: Path) -> None:
    bars = part(whole, 630, 899)
    path = write_bars(bars, tmp_path / "bars.csv")
    read = read_bars(path, "ES")
    assert (read.digest, read.accepted) == (bars.digest, ())
    warned = {
        found.kind: found.message for found in inspect(read_frame(path), bars.contract, "b").warnings
    }
    assert "bars begin at 10:30 New York time, neither at 09:30 nor at 18:00" in warned["opening"]


@pytest.mark.parametrize("zone", ["EST", "Etc/GMT+5", "Etc/GMT+4"])
def test_a_zone_that_is_right_in_one_season_alone_is_refused(
    whole: Bars, tmp_path: Path, zone: str
) -> None:
    """Without daylight saving the regular session is an hour off on one side of the clock change."""
    bars = part(whole, 570, 959)
    index = bars.frame.index
    assert isinstance(index, pd.DatetimeIndex)
    wall = index.tz_convert("America/New_York").tz_localize(None)
    path = tmp_path / "bars.csv"
    bars.frame.set_axis(wall.rename("timestamp"), axis=0).to_csv(path)
    with refuses():
        read_bars(path, "ES", timezone=zone)


@pytest.mark.parametrize(("first", "last"), [(570, 719), (570, 839), (570, 959), (570, 1019)])
@pytest.mark.parametrize("zone", ["America/New_York", "America/Chicago", "Europe/Berlin", "Asia/Tokyo"])
def test_parts_from_half_past_nine_on_are_refused_in_another_zones_time(
    whole: Bars, tmp_path: Path, first: int, last: int, zone: str
) -> None:
    bars = part(whole, first, last)
    index = bars.frame.index
    assert isinstance(index, pd.DatetimeIndex)
    wall = index.tz_convert(zone).tz_localize(None)
    path = tmp_path / "bars.csv"
    bars.frame.set_axis(wall.rename("timestamp"), axis=0).to_csv(path)
    with refuses():
        read_bars(path, "ES")
    assert read_bars(path, "ES", timezone=zone).digest == bars.digest


@pytest.mark.parametrize(
    ("day", "season"),
    [
        ("2025-01-06", 0),
        ("2025-03-08", 0),
        ("2025-03-10", 2),  # America's clocks went forward, Europe's not yet
        ("2025-03-29", 2),
        ("2025-03-31", 3),
        ("2025-07-01", 3),
        ("2025-10-25", 3),
        ("2025-10-27", 2),  # Europe's went back, America's not yet
        ("2025-11-01", 2),
        ("2006-03-27", 1),  # Europe's went forward, America's not yet
        ("2006-04-01", 1),
        ("2006-10-28", 3),
        ("2006-10-30", 0),
        ("2025-11-03", 0),
    ],
)
def test_the_season_of_a_day(day: str, season: int) -> None:
    at = np.array([pd.Timestamp(f"{day} 17:00", tz="UTC").value])
    assert season_of(at).tolist() == [season]
    assert (
        SEASONS[season].split(" changes ")[-1]
        == (
            "winter",
            "in spring, as until 2006",
            "in spring and autumn",
            "summer",
        )[season]
    )


@pytest.mark.parametrize(
    ("opens", "verdict", "minute", "agreeing"),
    [
        (["09:30"] * 2, "right", 570, 2),
        (["18:00"] * 2, "right", 1080, 2),
        (["09:30"], "unclear", 570, 1),  # a day is too few
        (["09:31"] * 3, "late", 571, 3),
        (["18:01"] * 3, "late", 1081, 3),
        (["09:29"] * 3, "early", 569, 3),
        (["17:59"] * 3, "early", 1079, 3),
        (["10:30"] * 2, "wrong", 630, 2),
        (["10:30"] * 2 + ["11:00", "11:30"], "wrong", 630, 2),
        (["10:30"] * 2 + ["11:00", "11:30", "12:00"], "unclear", 630, 2),  # on less than half
        (["09:30"] * 2 + ["11:00", "11:30"], "right", 570, 2),
        (["09:30"] * 2 + ["11:00"] * 3, "wrong", 660, 3),
        (["09:31", "18:01", "09:31", "18:01"], "late", 571, 2),
        (["10:00", "11:00", "12:00"], "unclear", 600, 1),
    ],
    ids=str,
)
def test_where_bars_begin_on_most_days_is_judged(
    opens: list[str], verdict: str, minute: int, agreeing: int
) -> None:
    days = pd.bdate_range("2025-06-02", periods=len(opens)).strftime("%Y-%m-%d")
    at = [
        pd.Timestamp(f"{day} {hour}", tz="America/New_York")
        for day, hour in zip(days, opens, strict=True)
    ]
    (season,) = judge_seasons(np.array([one.value for one in at]))
    assert (season.number, season.name) == (3, "summer")
    found = (season.verdict, season.minute, season.agreeing, season.days)
    assert found == (verdict, minute, agreeing, len(opens))


def test_each_season_is_judged_by_itself() -> None:
    opens = {"2025-01-06": "09:30", "2025-01-07": "09:30", "2025-06-02": "10:30", "2025-06-03": "10:30"}
    at = [pd.Timestamp(f"{day} {hour}", tz="America/New_York").value for day, hour in opens.items()]
    assert [(one.number, one.verdict) for one in judge_seasons(np.array(at))] == [
        (0, "right"),
        (3, "wrong"),
    ]


@pytest.mark.parametrize(("stamps", "form"), [("offset", "carry an offset"), ("epoch", "are numbers")])
@pytest.mark.parametrize(
    ("zone", "hours"), [("America/New_York", "+5"), ("Europe/Berlin", "-1"), ("Asia/Kolkata", "-5.5")]
)
def test_by_how_many_hours_times_labelled_utc_are_off(
    stamps: str, form: str, zone: str, hours: str
) -> None:
    """Winter days of whole sessions, whose wall time was labelled UTC."""
    bars = synthetic_bars("ES", days=6, seed=4, start="2025-01-13", session="all")
    wall = pd.DatetimeIndex(bars.timestamps_ns, tz="UTC").tz_convert(zone).tz_localize(None)
    volume = bars.frame["volume"].to_numpy()
    (fault,) = clock_faults(wall.as_unit("ns").asi8, FileFacts(stamps), volume)  # type: ignore[arg-type]
    assert fault.kind == "time_zone"
    assert f"these timestamps {form}" in fault.mend
    assert f"shift the times in the file by {hours} hours (more or less" in fault.mend


def days_of(start: str, days: int, first: int, last: int, zone: str = "America/New_York") -> np.ndarray:
    """Return the minutes of business days from one to another, in nanoseconds."""
    begins = [
        (day.tz_localize(zone) + pd.Timedelta(first, "min")).value
        for day in pd.bdate_range(start, periods=days)
    ]
    minutes = np.arange(last - first + 1) * 60 * 10**9
    return (np.array(begins)[:, None] + minutes).ravel()


def faults(ns: np.ndarray, facts: FileFacts | None = None) -> list[ClockFault]:
    return list(clock_faults(ns, facts or FileFacts("wall"), np.full(len(ns), 10.0)))


@pytest.mark.parametrize(("bars", "refused"), [(29, False), (30, True), (31, True)])
def test_a_day_counts_against_the_zone_from_thirty_bars_in_the_halt_on(
    bars: int, refused: bool
) -> None:
    """Their share of all bars is more than the limit in each case."""
    found = faults(days_of("2025-06-02", 7, 570, 1019 + bars))
    assert [one.bars for one in found] == [7 * bars] * refused
    if refused:
        words = f"in summer {7 * bars} bars lie in hours when the exchange is closed, on 7 days"
        assert (found[0].kind, found[0].message.startswith(words)) == ("time_zone", True)


@pytest.mark.parametrize(("bars", "refused"), [(13, False), (14, False), (30, True), (60, True)])
def test_bars_in_closed_hours_are_held_against_their_own_season(bars: int, refused: bool) -> None:
    """Of three days in winter, beside a hundred in summer that are as they should be."""
    winter = days_of("2025-01-06", 3, 570, 1019 + bars)
    summer = days_of("2025-05-05", 100, 570, 1019)
    found = faults(np.concatenate([winter, summer]))
    assert [one.bars for one in found] == [3 * bars] * refused
    if refused:
        assert found[0].message.startswith(f"in winter {3 * bars} bars lie in hours when the exchange")


@pytest.mark.parametrize(
    ("first", "last", "kinds"),
    [
        (569, 1018, ["stamped_early"]),
        (569, 1019, []),  # which reach 16:59 all the same
        (571, 1019, ["stamped_by_close"]),
        (571, 1020, ["stamped_by_close"]),
        (570, 1019, []),
    ],
)
def test_sessions_a_minute_beside_their_opening(first: int, last: int, kinds: list[str]) -> None:
    found = faults(days_of("2025-06-02", 6, first, last))
    assert [one.kind for one in found] == kinds
    if kinds:
        clock = f"{first // 60:02d}:{first % 60:02d}"
        assert clock in found[0].message
        assert "on 6 of 6 days" in found[0].message.replace("early on", "on")
        assert found[0].bars == 6 * (last - first + 1)


@pytest.mark.parametrize(("last", "refused"), [(1019, True), (1014, True), (1013, False), (979, True)])
def test_a_session_of_another_zone_ends_near_a_close(last: int, refused: bool) -> None:
    """Five minutes beside one, where volume says nothing; else it may be a part of the day."""
    wall = pd.DatetimeIndex(days_of("2025-06-02", 6, 570, last), tz="UTC")
    local = wall.tz_convert("America/Chicago").tz_localize(None).as_unit("ns").asi8
    found = faults(local)
    assert [one.kind for one in found] == ["time_zone"] * refused
    if refused:
        assert found[0].mend == "pass the zone the timestamps are in, --tz America/Chicago"
        assert found[0].bars == len(local)


def test_two_days_of_two_openings_are_unclear() -> None:
    at = [pd.Timestamp(f"2025-06-0{day}", tz="America/New_York") for day in (2, 3)]
    opens = [(day + pd.Timedelta(hours, "h")).value for day, hours in zip(at, (10, 11), strict=True)]
    (season,) = judge_seasons(np.array(opens))
    assert (season.verdict, season.minute, season.agreeing, season.days) == ("unclear", 600, 1, 2)


def opening(*parts: np.ndarray, busy: int = 0) -> int | None:
    """Return the opening that nothing judges; one New York minute may be busy."""
    ns = np.concatenate([np.zeros(0, np.int64), *parts])
    after = new_york_minutes(ns) - busy
    volume = np.where((after >= 0) & (after < 5), 99.0, 9.0)
    return unjudged_opening(ns, FileFacts("wall"), volume)


def test_an_opening_that_nothing_judges_is_told() -> None:
    one_day = days_of("2025-06-02", 1, 630, 700)
    assert opening() is None
    assert opening(one_day) == 630
    assert opening(one_day, days_of("2025-06-02", 1, 840, 900)) == 630  # the first of two
    assert opening(days_of("2025-06-02", 1, 570, 600), days_of("2025-06-02", 1, 840, 900)) is None
    assert opening(days_of("2025-06-02", 1, 400, 500), days_of("2025-06-02", 1, 570, 900)) is None
    days = days_of("2025-06-02", 3, 540, 959)
    assert opening(days) == 540
    assert opening(days, busy=570) is None  # volume leaps where it should
    assert opening(days, busy=600) == 540
    assert opening(days_of("2025-06-02", 3, 570, 959)) is None
    assert opening(days_of("2025-06-02", 3, 630, 1070)) is None  # the clock is refused for the halt
    both = days_of("2025-06-02", 3, 630, 959), days_of("2025-11-10", 1, 640, 959)
    assert opening(*both) == 630

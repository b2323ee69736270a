"""Times written as numbers: read where they can mean one thing, else refused by what they look like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from foundation.errors import InputError
from markets import Bars
from markets.clock import END_NS, FIRST_NS
from markets.readers import read_bars, read_frame
from markets.readers.numbered_times import from_numbers
from markets.readers.table import RawTable
from markets.synthetic.bars import synthetic_bars
from tests.sentences import refuses

CHICAGO = "America/Chicago"


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic_bars("ES", days=3, seed=12, start="2025-02-26")


def save(bars: Bars, path: Path, stamps: object) -> Path:
    frame = bars.frame.reset_index(drop=True)
    frame.insert(0, "timestamp", stamps)
    frame.to_csv(path, index=False)
    return path


def wall(bars: Bars, form: str, zone: str = "UTC") -> pd.Index:
    return pd.DatetimeIndex(bars.frame.index).tz_convert(zone).strftime(form)


@pytest.mark.parametrize("form", ["%Y%m%d%H%M", "%Y%m%d%H%M%S", "%Y%m%d%H%M%S000"])
def test_digits_that_were_run_together_are_wall_times(bars: Bars, tmp_path: Path, form: str) -> None:
    path = save(bars, tmp_path / "bars.csv", wall(bars, form))
    assert read_bars(path, "ES").digest == bars.digest
    save(bars, path, wall(bars, form, CHICAGO))
    assert read_bars(path, "ES", timezone=CHICAGO).digest == bars.digest
    with refuses():
        read_bars(path, "ES")


@pytest.mark.parametrize("number", ["202502292130", "202513032130", "20250303213061", "198903032130"])
def test_digits_that_are_no_time_are_refused(save: Callable[..., Path], number: str) -> None:
    path = save(f"timestamp,open,high,low,close,volume\n{number},1,1,1,1,1\n")
    with refuses():
        read_frame(path)


NUMBERS: dict[str, Callable[[np.ndarray], object]] = {
    "Excel": lambda ns: ns / 86_400e9 + 25_569,
    "minutes": lambda ns: ns // 60_000_000_000,
    "ticks of .NET": lambda ns: ns // 100 + 621_355_968_000_000_000,
    "milliseconds since midnight": lambda ns: ns // 10**6 % 86_400_000,
    "a spreadsheet's milliseconds": lambda ns: [f"{ms:.2E}" for ms in ns / 1e6],
}


@pytest.mark.parametrize("name", NUMBERS)
def test_other_numbers_are_named(bars: Bars, tmp_path: Path, name: str) -> None:
    path = save(bars, tmp_path / "bars.csv", NUMBERS[name](bars.timestamps_ns))
    with refuses():
        read_bars(path, "ES")


def test_years_of_two_digits_are_no_seconds_since_1970(bars: Bars, tmp_path: Path) -> None:
    path = save(bars, tmp_path / "bars.csv", wall(bars, "%y%m%d%H%M"))
    with refuses():
        read_bars(path, "ES")
    assert read_bars(save(bars, path, bars.timestamps_ns // 10**9), "ES").digest == bars.digest


def read(values: np.ndarray) -> tuple[list[int], bool]:
    """Return numbers as nanoseconds since 1970, and whether they are wall times."""
    raw = RawTable(pa.table({"time": values}), "made.csv", lambda row: f"row {row + 1}")
    moments, wall = from_numbers(raw, "time", values)
    return moments.astype("datetime64[ns]").view(np.int64).tolist(), wall


UNITS = {"seconds": 10**9, "milliseconds": 10**6, "microseconds": 10**3, "nanoseconds": 1}


@pytest.mark.parametrize("unit", UNITS)
def test_numbers_of_a_unit_are_read_from_1990_to_2059(unit: str) -> None:
    factor = UNITS[unit]
    first, end = FIRST_NS // factor, END_NS // factor
    if unit == "nanoseconds":  # those of 1990 look like .NET's ticks of today
        first = END_NS - 69 * 365 * 86_400 * 10**9
    rng = np.random.default_rng(1)
    values = np.concatenate([[first, end - 1], rng.integers(first, end, 50)])
    assert read(values) == ([int(value) * factor for value in values], False)
    for outside in (FIRST_NS // factor - 1, end):
        with pytest.raises(InputError, match=f"row 2: time {outside} is not in the unit of the first"):
            read(np.array([first + 1, outside]))
        with pytest.raises(InputError, match=r"1990 to 2059|ticks of \.NET"):
            read(np.array([outside] * 2))


@pytest.mark.parametrize("unit", ["seconds", "milliseconds"])
def test_parts_of_a_unit_are_kept_to_the_microsecond(unit: str) -> None:
    """As 1756819800.999 has no exact float, what it stands for is the nearest."""
    factor = UNITS[unit]
    rng = np.random.default_rng(2)
    thousandths = rng.integers(FIRST_NS // factor * 1000, END_NS // factor * 1000, 400)
    found, wall = read(thousandths / 1000)
    assert not wall
    assert np.abs(np.array(found) - thousandths * (factor // 1000)).max() < 500
    assert any(number % 1000 for number in thousandths)


def test_digits_of_drawn_times_and_of_days_that_there_are_not() -> None:
    rng = np.random.default_rng(3)
    ms = np.concatenate([[FIRST_NS, END_NS - 10**6], rng.integers(FIRST_NS, END_NS, 200)]) // 10**6
    for form, unit, cut in (
        ("%Y%m%d%H%M", 60_000, 0),
        ("%Y%m%d%H%M%S", 1000, 0),
        ("%Y%m%d%H%M%S%f", 1, 3),
    ):
        moments = pd.DatetimeIndex((ms // unit * unit).astype("datetime64[ms]"))
        digits = [int(text[: len(text) - cut]) for text in moments.strftime(form)]
        assert read(np.array(digits)) == (moments.as_unit("ns").asi8.tolist(), True)
    days = dict.fromkeys((1, 3, 5, 7, 8, 10, 12), 31) | {4: 30, 6: 30, 9: 30, 11: 30}
    for year in (2000, 2023, 2024):
        for month in range(15):
            last = days.get(month, 0) if month != 2 else 28 + (year % 4 == 0)
            for day in (0, 1, 28, 29, 30, 31, 32):
                number = np.array([year * 10**8 + month * 10**6 + day * 10**4 + 2359])
                if 1 <= day <= last:
                    assert read(number)[0] == [pd.Timestamp(year, month, day, 23, 59).value]
                else:
                    with pytest.raises(InputError, match="is no time such as"):
                        read(number)
    for number in (202501022400, 202501022360, 20250102235960, 199001010000 - 1, 206001010000):
        with pytest.raises(InputError, match="is no time such as"):
            read(np.array([202501022359, number] if number < 10**13 else [20250102235959, number]))


@pytest.mark.parametrize(
    ("rows", "different", "lost"), [(20, 10, False), (20, 9, True), (19, 1, False)]
)
def test_digits_were_lost_where_most_rows_have_the_same_number(
    rows: int, different: int, lost: bool
) -> None:
    values = 1.7568e12 + 1e7 * (np.arange(rows) % different)
    if lost:
        with pytest.raises(InputError, match="time has the same number on most rows"):
            read(values)
    else:
        assert read(values)[0] == [round(value) * 10**6 for value in values]
    assert len(read(values.astype(np.int64))[0]) == rows  # whole numbers have all of theirs


@pytest.mark.parametrize(
    ("first", "wrong"),
    [
        (202501022359, 1202501022359),  # a digit too many, which year 12025 would have
        (202501022359, 20250102),
        (202501022359, 20250102235900),
        (202501022359, -202501022359),
        (202501022359, 202501022359 + 2**62),  # beyond what a product by 100,000 can hold
        (20250102235959, 120250102235959),
        (20250102235959, 202501022359),
        (20250102235959123, 120250102235959123),
    ],
)
def test_a_number_with_more_or_fewer_digits_than_the_first_is_no_time(first: int, wrong: int) -> None:
    length = len(str(first))
    good = [
        first,
        2060 * 10 ** (length - 4) - 10 ** (length - 4) + 10 ** (length - 6) + 10 ** (length - 8),
    ]
    with pytest.raises(InputError, match=rf"row 3: time {wrong} is no time such as"):
        read(np.array([*good, wrong]))
    assert read(np.array(good))[0][1] == pd.Timestamp(2059, 1, 1).value


@pytest.mark.parametrize(("rows", "refused"), [(19, False), (20, True), (21, True)])
def test_twenty_numbers_tell_years_of_two_digits(rows: int, refused: bool) -> None:
    """One of them that is no such time clears them all, wherever it stands."""
    values = 2509021300 + np.arange(rows)
    if refused:
        with pytest.raises(InputError, match="row 1: time 2509021300 looks like yyMMddHHmm"):
            read(values)
        for at in (0, rows - 1):
            seconds = values.copy()
            seconds[at] = 2509021360
            assert read(seconds)[0] == [int(value) * 10**9 for value in seconds]
    else:
        assert read(values)[0] == [int(value) * 10**9 for value in values]


def test_nanoseconds_of_1990_that_are_no_whole_minutes_of_ticks_are_read() -> None:
    for values in ([FIRST_NS, FIRST_NS + 7, FIRST_NS + 90], [FIRST_NS]):
        assert read(np.array(values)) == (values, False)
    with pytest.raises(InputError, match=r"looks like ticks of \.NET"):
        read(np.array([FIRST_NS, FIRST_NS + 600_000_000, FIRST_NS + 1_200_000_000]))

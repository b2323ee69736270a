"""Clocks of twelve hours and prices in 32nds are called by their names; true ones are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from foundation.errors import InputError
from markets import Bars
from markets.readers import read_bars, read_frame
from markets.readers.table import RawTable
from markets.readers.times import _FIRST, _require_24_hours, utc_index
from markets.synthetic.bars import synthetic_bars
from tests.sentences import refuses

Save = Callable[..., Path]
HEADER = "timestamp,open,high,low,close,volume\n"
NEW_YORK = "America/New_York"


def text(bars: Bars, hours: str) -> str:
    """Return bars as CSV in New York time, of a clock of 12 ("%I") or 24 ("%H") hours."""
    index = bars.frame.index
    assert isinstance(index, pd.DatetimeIndex)
    times = index.tz_convert(NEW_YORK).strftime(f"%Y-%m-%d {hours}:%M:%S")
    return HEADER + bars.frame.set_axis(times, axis=0).to_csv(header=False)


def sorted_rows(file: str) -> str:
    return HEADER + "".join(sorted(file.splitlines(keepends=True)[1:]))


@pytest.mark.parametrize("session", ["rth", "all"])
@pytest.mark.parametrize("again", [str, sorted_rows], ids=["as exported", "sorted"])
def test_a_clock_of_twelve_hours_is_never_read(
    save: Save, session: str, again: Callable[[str], str]
) -> None:
    bars = synthetic_bars("ES", days=3, seed=2, session=session)  # type: ignore[arg-type]
    path = save(again(text(bars, "%I")))
    for zone in (None, NEW_YORK, "America/Chicago"):
        with refuses():
            read_bars(path, "ES", timezone=zone)
    assert read_bars(save(text(bars, "%H")), "ES", timezone=NEW_YORK).digest == bars.digest


@pytest.mark.parametrize(("first", "last"), [(570, 779), (60, 719), (240, 600)])
def test_hours_before_one_in_the_afternoon_are_no_clock_of_twelve(
    save: Save, first: int, last: int
) -> None:
    bars = synthetic_bars("ES", days=3, seed=2, session="all")
    index = bars.frame.index
    assert isinstance(index, pd.DatetimeIndex)
    local = index.tz_convert(NEW_YORK)
    minute = (local.hour * 60 + local.minute).to_numpy()
    cut = bars.select((minute >= first) & (minute <= last))
    assert len(read_frame(save(text(cut, "%H")), timezone=NEW_YORK)) == len(cut)


@pytest.mark.parametrize(
    ("price", "decimal"),
    [("110'16", "110.5"), ("110-16", "110.5"), ("110'165", "110.515625"), ("110-16+", "110.515625"),
     ("110'162", "110.5078125"), (" 99^31 ", "99.96875"), ("110'007", "110.0234375"),
     ("99-310", "99.96875")],
)  # fmt: skip
def test_prices_in_32nds_are_called_so(save: Save, price: str, decimal: str) -> None:
    row = "2025-01-14 14:3{}:00,{},{},{},{},10\n"
    spoilt = "".join(row.format(minute, *[price] * 4) for minute in range(3))
    with refuses():
        read_frame(save(HEADER + spoilt))
    right = "".join(row.format(minute, *[decimal] * 4) for minute in range(3))
    assert read_frame(save(HEADER + right))["open"].tolist() == [float(decimal)] * 3


@pytest.mark.parametrize("price", ["6-500", "1'000", "110-45", "110'163"])
def test_other_prices_that_are_no_numbers_are_not_taken_for_32nds(save: Save, price: str) -> None:
    row = f"2025-01-14 14:30:00,{price},6500,6500,6500,10\n"
    with refuses():
        read_frame(save(HEADER + row))


def raw(stamps: object) -> RawTable:
    return RawTable(pa.table({"time": stamps}), "made.csv", lambda row: f"row {row + 1}")


def twelve_hours(rows: int) -> np.ndarray:
    """Return minutes from 01:00 to 12:59, but for those from 05:00 on, of one day after another."""
    minutes = [60 * hour + minute for hour in (12, 1, 2, 3, 4) for minute in range(60)]
    day = np.sort(np.array(minutes))
    days = -(-rows // len(day))
    return ((np.arange(days)[:, None] * 1440 + day).ravel() * 60 * 10**9)[:rows]


@pytest.mark.parametrize("rows", [600, _FIRST - 1, _FIRST, _FIRST + 1, 3 * _FIRST])
def test_one_time_of_the_afternoon_tells_a_clock_of_24_hours(rows: int) -> None:
    """Wherever it stands; hours from one to twelve alone, some of them never, do not."""
    table = raw([0])
    ns = twelve_hours(rows)
    with pytest.raises(InputError, match="a 12-hour clock that lost its AM and PM"):
        _require_24_hours(table, ns)
    for hour in (13, 23, 0):
        later = np.append(
            ns, (ns[-1] // 86_400_000_000_000 + 1) * 86_400_000_000_000 + hour * 3600 * 10**9
        )
        _require_24_hours(table, later)


@pytest.mark.parametrize("first", ["2025-09-02 13:30:00", "2025-09-02 13:30:00Z"])
@pytest.mark.parametrize("row", [1, 2, 4])
def test_the_first_row_that_differs_in_its_offset_is_named(first: str, row: int) -> None:
    other = first.removesuffix("Z") if first.endswith("Z") else first + "-04:00"
    cells = [first] * row + [other] * (5 - row)
    with pytest.raises(
        InputError, match=rf"row {row + 1}: time '{other.replace('+', '.')}' and the first"
    ):
        utc_index(raw(cells), "time", None)


@pytest.mark.parametrize("part", ["", ".5", ".250", ".123456"])
@pytest.mark.parametrize("form", ["{}20250902-13:30:00{}", "{}2025-09-02 13:30:00{} UTC",
    "{}2025-09-02T13:30:00{}Z", "{}20250902 133000{}Z", "{}2025-09-02 09:30:00{}-04:00"])  # fmt: skip
def test_parts_of_a_second_are_kept_in_every_form(part: str, form: str) -> None:
    found = utc_index(raw([form.format("", part), form.format(" ", part) + " "]), "time", "Asia/Tokyo")
    moment = pd.Timestamp(f"2025-09-02 13:30:00{part}", tz="UTC")
    assert list(found.moments) == [moment, moment]
    assert found.stamps == "offset"


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/Chicago"])
def test_stored_times_with_a_zone_of_their_own_and_without(unit: str, zone: str | None) -> None:
    moment = pd.Timestamp("2025-09-02 13:30", tz="UTC")
    wall = moment.tz_convert(zone or "UTC").tz_localize(None)
    naive = raw(pa.array([wall.to_pydatetime()], pa.timestamp(unit)))
    found = utc_index(naive, "time", zone)
    assert (list(found.moments), found.stamps) == ([moment], "wall")
    aware = raw(pa.array([moment.to_pydatetime()], pa.timestamp(unit, "America/New_York")))
    found = utc_index(aware, "time", zone)
    assert (list(found.moments), found.stamps) == ([moment], "offset")


def test_a_time_of_another_form_among_those_of_fix_is_named() -> None:
    """20250902-13:30:00 is UTC where all cells are such; one that is not is not cut to its form."""
    good = ["20250902-13:30:00", "20250902-13:31:00"]
    assert len(utc_index(raw(good), "time", None).moments) == 2
    for other in ("2025-09-02 13:32:00", "20250902 13:32:00"):
        with pytest.raises(InputError, match="row 1: time '20250902-13:30:00' is not understood"):
            utc_index(raw([*good, other]), "time", None)


@pytest.mark.parametrize(
    ("wall", "zone", "words"),
    [
        ("2025-03-09 02:30:00", NEW_YORK, "does not exist"),
        ("2025-11-02 01:30:00", NEW_YORK, "occurs twice"),
        ("2025-03-30 01:00:00", "Europe/London", "does not exist"),
        ("2025-10-26 01:59:00", "Europe/London", "occurs twice"),
    ],
)
def test_a_wall_time_that_clocks_skip_or_repeat_is_told_as_such(
    wall: str, zone: str, words: str
) -> None:
    before = "2025-01-02 13:00:00"
    for cells in ([before, wall], pa.array(pd.to_datetime([before, wall]))):
        with pytest.raises(InputError, match=rf"row 2: {wall} {words} in {zone}, where clocks change"):
            utc_index(raw(cells), "time", zone)
        assert len(utc_index(raw(cells), "time", "Asia/Tokyo").moments) == 2


@pytest.mark.parametrize(
    ("cell", "fits"),
    [
        ("1990-01-01 00:00:00", True),
        ("1989-12-31 23:59:59.999999999", False),
        ("2059-12-31 23:59:59.999999999", True),
        ("2060-01-01 00:00:00", False),
    ],
)
@pytest.mark.parametrize("end", ["", "Z"])
def test_the_years_end_to_the_nanosecond(cell: str, end: str, fits: bool) -> None:
    cells = [f"2025-01-02 13:00:00{end}", cell + end]
    for column in (cells, pa.array(pd.to_datetime(cells, format="ISO8601").as_unit("ns"))):
        if fits:
            found = utc_index(raw(column), "time", None)
            assert found.moments[1] == pd.Timestamp(cell, tz="UTC")
        else:
            with pytest.raises(InputError, match=r"row 2: .* lies outside 1990 to 2059"):
                utc_index(raw(column), "time", None)


@pytest.mark.parametrize("part", [".5", ".250", ".123456", ".123456789"])
@pytest.mark.parametrize("zone", [None, NEW_YORK])
def test_parts_of_a_second_of_wall_times_are_kept(part: str, zone: str | None) -> None:
    cells = [f"2025-09-02 13:30:00{part}", "2025-09-02 13:31:00.75"]
    for column in (cells, pa.array(pd.to_datetime(cells, format="ISO8601").as_unit("ns"))):
        found = utc_index(raw(column), "time", zone)
        assert list(found.moments) == [pd.Timestamp(one, tz=zone or "UTC") for one in cells]


@pytest.mark.parametrize("form", ["{}-0500", "{}-05:00", "{}-05", "{} -0500", "{}+0930", "{}+00"])
@pytest.mark.parametrize("moment", ["2025-01-02 13:30:00", "2025-01-02T1330", "20250102 133000"])
def test_an_offset_in_any_form_is_used_once(form: str, moment: str) -> None:
    """Two rows of different offsets; the zone that is given does not count."""
    cells = [form.format(moment), moment.replace("1330", "1331").replace("13:30", "13:31") + "Z"]
    for zone in (None, NEW_YORK, "Asia/Tokyo"):
        found = utc_index(raw(cells), "time", zone)
        hours = {"-05": 5, "+09": -9.5, "+00": 0}[form.removeprefix("{}").strip()[:3]]
        first = pd.Timestamp("2025-01-02 13:30", tz="UTC") + pd.Timedelta(hours, "h")
        assert list(found.moments) == [first, pd.Timestamp("2025-01-02 13:31", tz="UTC")]
        assert found.stamps == "offset"


def hours_of(*cells: str) -> np.ndarray:
    return pd.to_datetime(list(cells)).as_unit("ns").asi8  # type: ignore[no-any-return]


def test_mornings_in_any_order_are_no_clock_of_twelve_hours() -> None:
    """Days in the wrong order go back from 12:59 to 01:00 of another day; a row may be there twice."""
    table = raw([0])
    later = hours_of(*(f"2025-01-03 {hour:02d}:59" for hour in range(1, 13)))
    earlier = hours_of(*(f"2025-01-02 {hour:02d}:00" for hour in range(1, 13)))
    _require_24_hours(table, np.concatenate([later, earlier]))
    _require_24_hours(table, np.concatenate([earlier, earlier[-1:], later]))
    with pytest.raises(InputError, match="row 13: hours are never above 12"):
        _require_24_hours(table, np.concatenate([later, later]))
    for again, refused in ((2, False), (3, True)):  # a tenth of all rows, or more, are there twice
        some = np.sort(np.concatenate([earlier, later, later[:again]]))
        if refused:
            with pytest.raises(InputError, match="row 14: hours are never above 12"):
                _require_24_hours(table, some)
        else:
            _require_24_hours(table, some)


def test_times_that_are_stored_once_each_are_read_as_others() -> None:
    """As pandas stores a category."""
    cells = ["2025-09-02 09:30:00", "2025-09-02 09:31:00", "2025-09-02 09:30:00"]
    numbers = pa.array([1_756_819_800, 1_756_819_860, 1_756_819_800])
    for column in (pa.array(cells), pa.array(pd.to_datetime(cells)), numbers):
        both = (column, column.dictionary_encode())
        plain, coded = (utc_index(raw(one), "time", NEW_YORK) for one in both)
        assert coded.moments.equals(plain.moments)
        assert coded.stamps == plain.stamps == ("epoch" if column is numbers else "wall")


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("Time", "the header occurs again"),
        ("TIME", "the header occurs again"),
        ("09/02/2025 01:31 PM", "is of a 12-hour clock"),
        ("9/2/2025 1:31 p.m.", "is of a 12-hour clock"),
        (
            "20250902 09:31:00 America/New_York",
            "remove America/New_York and pass --tz America/New_York",
        ),
        ("9/2/2025", "is not understood; .*; in two columns, Date and Time, such dates are read"),
        ("9/2/25 09:31", "is not understood; .*; a year of two digits is read nowhere"),
        ("from 9/2/2025", "is not understood; write [^;]*$"),
        (None, "the time is missing"),
    ],
)
@pytest.mark.parametrize("row", [1, 2])
def test_what_a_time_is_that_is_not_understood_is_told_of_its_own_row(
    cell: str | None, words: str, row: int
) -> None:
    cells: list[str | None] = ["2025-09-02 09:30:00"] * 4
    cells[row] = cell
    cells[3] = cell and "another"
    with pytest.raises(InputError, match=rf"made\.csv, row {row + 1}: .*{words}"):
        utc_index(raw(cells), "time", None)

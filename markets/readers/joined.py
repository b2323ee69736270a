"""A column of dates and a column of times of day, joined into one that reads as timestamps.

Dates may be written 2025-09-02, 2025/9/2, 2025.09.02, 20250902, or 9/2/2025 where the file itself shows
which of its numbers is the month; times 09:30, 09:30:00, 930 or 93000.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from foundation.errors import InputError
from markets.readers.columns import Layout
from markets.readers.table import RawTable

JOINED = "date and time"
MOSTLY = 0.5
"""Share of the rows from which a form is the column's."""
_MONTH_OR_DAY_FIRST = r"^\s*\d\d?[/.-]\d\d?[/.-]\d{4}[ T]+\d"
_DATE_AND_CLOCK = r"^\s*(?P<day>\S+?)[ T]+(?P<clock>\d.*)$"


def join_times(raw: RawTable, layout: Layout) -> tuple[RawTable, str]:
    """Return a table with one column more, of dates and times of day together, and its name.

    Raises:
        InputError: a cell of the column of dates is no date, month and day can't be told apart, or a
            row has no time of day.
    """
    assert layout.clock is not None
    days = _iso_dates(raw, layout.time, layout.clock)
    clocks = _clock_text(raw, layout.clock)
    _require_clocks(raw, layout.clock, clocks)
    _require_calendar_dates(raw, layout.time, days, clocks)
    joined = pc.binary_join_element_wise(days, clocks, " ")
    return RawTable(raw.table.append_column(JOINED, joined), raw.source, raw.where), JOINED


def split_times(raw: RawTable, name: str) -> tuple[RawTable, str]:
    """Return a table whose times such as 9/2/2025 09:30 have their year first, and their column's name.

    Month and day are told apart as in a column of dates; other forms are left as they are.

    Raises:
        InputError: month and day can't be told apart.
    """
    column = raw.table.column(name)
    if not pa.types.is_string(column.type):
        return raw, name
    fits = pc.match_substring_regex(column, _MONTH_OR_DAY_FIRST)
    if not _mostly(fits):
        return raw, name
    if not pc.all(fits).as_py():
        row = fits.to_pylist().index(False)
        raise InputError(
            f"{raw.source}, {raw.where(row)}: {name} is {str(column[row])[:40]!r}, and most rows "
            "have a date such as 9/2/2025 there; mend or remove the line"
        )
    parts = pc.extract_regex(column, _DATE_AND_CLOCK)
    day, clock = (pc.struct_field(parts, field) for field in ("day", "clock"))
    apart = RawTable(raw.table.append_column("its date", day), raw.source, raw.where)
    days = _iso_dates(apart, "its date", "its time of day", called=name)
    # Dukascopy writes an offset as GMT-0500.
    clocks = pc.replace_substring_regex(pc.utf8_trim_whitespace(clock), r" *GMT([+-])", r"\1")
    joined = pc.binary_join_element_wise(days, clocks, " ")
    return RawTable(raw.table.append_column(JOINED, joined), raw.source, raw.where), JOINED


def _require_clocks(raw: RawTable, name: str, clocks: Any) -> None:
    """Refuse a row without a time of day: a date alone reads as midnight."""
    empty = pc.equal(pc.fill_null(clocks, ""), "")
    if pc.any(empty).as_py():
        row = empty.to_pylist().index(True)
        raise InputError(
            f"{raw.source}, {raw.where(row)}: {name} is empty, and a date alone is no time; give the "
            "row its time of day, or remove it"
        )


def _require_calendar_dates(raw: RawTable, name: str, days: Any, clocks: Any) -> None:
    """Refuse dates of trading days: they change in the evening, and midnight passes within one.

    Holidays may join several evenings to one date, so they are not turned into calendar dates here.
    """
    same = pc.equal(days[1:], days[:-1]).to_numpy(zero_copy_only=False).astype(bool)
    hours = pc.utf8_slice_codeunits(pc.fill_null(clocks, ""), 0, 2)
    evening, morning = (
        test(hours, hour).to_numpy(zero_copy_only=False).astype(bool)
        for test, hour in ((pc.greater_equal, "17"), (pc.less, "10"))
    )
    midnight = evening[:-1] & morning[1:]
    if (same & midnight).sum() < 2:
        return
    at = np.flatnonzero(~same & ~midnight)
    if len(at) < 2:
        return
    raise InputError(
        f"{raw.source}, {raw.where(int(at[0]) + 1)}: {name} changes at "
        f"{clocks[int(at[0]) + 1].as_py()[:5]} and not at midnight, so it is the date of the trading "
        "day, whose evening is the calendar day's before; export calendar dates, or times with "
        "their own date in one column named timestamp"
    )


def _iso_dates(raw: RawTable, name: str, clock: str, called: str = "") -> Any:
    """Return dates as text such as 2025-09-02; messages name the column as it is called."""
    days = pc.utf8_trim_whitespace(raw.as_text(name))
    days = pc.replace_substring_regex(days, r"[/.]", "-")
    days = pc.replace_substring_regex(days, r"[T ]00:00:00(-0+)?$", "")
    days = pc.replace_substring_regex(days, r"^(\d{4})(\d\d)(\d\d)$", r"\1-\2-\3")
    if _mostly(pc.match_substring_regex(days, r"^\d\d?-\d\d?-\d{4}$")):
        days = _month_first(raw, called or name, days)
    # Sierra writes 2025-1-4; ISO 8601 wants two digits.
    days = pc.replace_substring_regex(days, r"^(\d{4})-(\d)-", r"\1-0\2-")
    days = pc.replace_substring_regex(days, r"-(\d)$", r"-0\1")
    whole = pc.fill_null(pc.match_substring_regex(days, r"^\d{4}-\d\d-\d\d$"), False)
    if not pc.all(whole).as_py():
        row = whole.to_pylist().index(False)
        cell = str(days[row] or "")[:40]
        raise InputError(
            f"{raw.source}, {raw.where(row)}: {called or name} is {cell!r}, and {clock} is another "
            "column; write dates as 2025-09-02, or the whole time in one column named timestamp"
        )
    return days


def _mostly(fits: pa.ChunkedArray) -> bool:
    """Return whether most rows are of a form; the others are then what is wrong."""
    return bool((pc.mean(fits).as_py() or 0.0) > MOSTLY)


def _month_first(raw: RawTable, name: str, days: Any) -> Any:
    """Return dates with their year last as year, month, day; the file must show which is the month."""
    parts = pc.extract_regex(pc.unique(days), r"^(?P<one>\d\d?)-(?P<two>\d\d?)-(?P<year>\d{4})$")
    one, two = (
        max(int(value) for value in pc.struct_field(parts, field).to_pylist() if value is not None)
        for field in ("one", "two")
    )
    if (one > 12) == (two > 12):
        raise InputError(
            f"{raw.source}: {name} may be written month/day or day/month, and no day above 12 tells "
            "which; write dates as 2025-09-02"
        )
    order = r"\3-\1-\2" if two > 12 else r"\3-\2-\1"
    days = pc.replace_substring_regex(days, r"^(\d)-", r"0\1-")
    days = pc.replace_substring_regex(days, r"-(\d)-", r"-0\1-")
    return pc.replace_substring_regex(days, r"^(\d\d)-(\d\d)-(\d{4})$", order)


def _clock_text(raw: RawTable, name: str) -> Any:
    """Return times of day as text; whole numbers are 930 for 09:30, or 93000 with seconds."""
    column = raw.table.column(name)
    if not pa.types.is_integer(column.type):
        return pc.utf8_trim_whitespace(raw.as_text(name))
    seconds = _with_seconds(raw, name)
    padded = pc.utf8_lpad(raw.as_text(name), 6 if seconds else 4, "0")
    if seconds:
        return pc.replace_substring_regex(padded, r"^(\d\d)(\d\d)(\d\d)$", r"\1:\2:\3")
    return pc.replace_substring_regex(padded, r"^(\d\d)(\d\d)$", r"\1:\2")


def _with_seconds(raw: RawTable, name: str) -> bool:
    """Return whether whole numbers are times of day with seconds.

    Raises:
        InputError: they may be hours, or minutes after midnight with seconds.
    """
    numbers = raw.table.column(name).drop_null().to_numpy().astype(np.int64)
    if (numbers >= 10_000).any():
        return True
    if (numbers % 100).any() or not numbers.any():  # minutes of an hour; midnight reads alike
        return False
    if ((np.diff(numbers) == 100) & (numbers[1:] > 2400)).any():  # from 00:24:00 to 00:25:00
        return True
    raise InputError(
        f"{raw.source}: {name} is {numbers[numbers != 0][0]} and the like in every row, which may be "
        "hours (930 is 09:30) or minutes after midnight (93000 is 09:30:00); write times as 09:30:00"
    )

"""A column of dates and a column of times of day, joined into one that reads as timestamps.

Dates may be written 2025-09-02, 2025/9/2, 2025.09.02, 20250902, or 9/2/2025 where the file itself shows
which of its numbers is the month; times 09:30, 09:30:00, 930 or 93000.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from foundation.errors import InputError
from markets.readers.columns import Layout
from markets.readers.table import RawTable

JOINED = "joined time"


def join_times(raw: RawTable, layout: Layout) -> tuple[RawTable, str]:
    """Return a table with one column more, of dates and times of day together, and its name.

    Raises:
        InputError: a cell of the column of dates is no date, or month and day can't be told apart.
    """
    assert layout.clock is not None
    days = _iso_dates(raw, layout.time, layout.clock)
    clocks = _clock_text(raw.table.column(layout.clock))
    joined = pc.binary_join_element_wise(days, clocks, " ")
    return RawTable(raw.table.append_column(JOINED, joined), raw.source, raw.where), JOINED


def _iso_dates(raw: RawTable, name: str, clock: str) -> Any:
    """Return dates as text such as 2025-09-02."""
    days = pc.utf8_trim_whitespace(raw.table.column(name).cast(pa.string()))
    days = pc.replace_substring_regex(days, r"[/.]", "-")
    days = pc.replace_substring_regex(days, r"^(\d{4})(\d\d)(\d\d)$", r"\1-\2-\3")
    days = pc.replace_substring_regex(days, r"[T ]00:00:00(-0+)?$", "")
    if pc.all(pc.match_substring_regex(days, r"^\d\d?-\d\d?-\d{4}$")).as_py():
        days = _month_first(raw, name, days)
    # Sierra writes 2025-1-4; ISO 8601 wants two digits.
    days = pc.replace_substring_regex(days, r"^(\d{4})-(\d)-", r"\1-0\2-")
    days = pc.replace_substring_regex(days, r"-(\d)$", r"-0\1")
    whole = pc.fill_null(pc.match_substring_regex(days, r"^\d{4}-\d\d-\d\d$"), False)
    if not pc.all(whole).as_py():
        row = whole.to_pylist().index(False)
        raise InputError(
            f"{raw.source}, {raw.where(row)}: {name} is {days[row]!s:.40}, and {clock} is another "
            "column; write dates as 2025-09-02, or the whole time in one column named timestamp"
        )
    return days


def _month_first(raw: RawTable, name: str, days: Any) -> Any:
    """Return dates with their year last as year, month, day; the file must show which is the month."""
    parts = pc.extract_regex(pc.unique(days), r"^(?P<one>\d\d?)-(?P<two>\d\d?)-(?P<year>\d{4})$")
    one, two = (
        max(int(value) for value in pc.struct_field(parts, field).to_pylist())
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


def _clock_text(column: pa.ChunkedArray) -> Any:
    """Return times of day as text; whole numbers are 930 for 09:30, or 93000 with seconds."""
    if not pa.types.is_integer(column.type):
        return pc.utf8_trim_whitespace(column.cast(pa.string()))
    seconds = (pc.max(column).as_py() or 0) >= 10_000
    padded = pc.utf8_lpad(column.cast(pa.string()), 6 if seconds else 4, "0")
    if seconds:
        return pc.replace_substring_regex(padded, r"^(\d\d)(\d\d)(\d\d)$", r"\1:\2:\3")
    return pc.replace_substring_regex(padded, r"^(\d\d)(\d\d)$", r"\1:\2")

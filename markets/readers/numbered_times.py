"""Times written as numbers: since 1970 in any unit, or their digits run together; others are named."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.clock import END_NS, FIRST_NS
from markets.readers.table import RawTable

_NS_PER_UNIT = {"seconds": 10**9, "milliseconds": 10**6, "microseconds": 10**3, "nanoseconds": 1}
_DIGITS = {12: 100_000, 14: 1_000, 17: 1}
"""Digits of yyyyMMddHHmm, with seconds, with milliseconds; and the factor that makes the last."""
_FEWEST, _ALIKE = 20, 0.5
"""Rows, and the share of different times among them, below which digits were lost."""
ACCEPTED = "write 2025-09-02 09:30:00, the same with an offset, or seconds since 1970"

_OTHERS: tuple[tuple[float, float, str], ...] = (
    (
        19900101,
        20600101,
        "is a date without a time of day, so bars are days, or the time stands in a column not named "
        "time; export one-minute bars",
    ),
    (
        32874.0,
        58441.0,
        "looks like a date of Excel's, in days since 1900; give the cells a format such as "
        "yyyy-mm-dd hh:mm:ss and save the sheet again",
    ),
    (
        10_519_200,
        47_335_680,
        "looks like minutes since 1970; write seconds since 1970 (times 60)",
    ),
    (
        0,
        86_400_000,
        "is a time of day without a date, such as milliseconds since midnight or 930 for 09:30; write "
        "the date beside it, in a column named date, or both as 2025-09-02 09:30:00",
    ),
)
"""From and until which numbers are something else, and what; the first that fits counts."""
_TICKS = (627_660_864_000_000_000, 649_728_000_000_000_000)
"""Ticks of .NET (100 ns since the year 1) of 1990 and of 2059; as nanoseconds, of 1989 and 1990."""


def from_numbers(
    raw: RawTable, name: str, values: NDArray[np.int64 | np.float64]
) -> tuple[NDArray[np.datetime64], bool]:
    """Return moments, and whether they are wall times (digits run together) and not since 1970.

    Numbers since 1970 are all in the unit that puts the first one between 1990 and 2059.

    Raises:
        InputError: they are something else, which the message names where it can.
    """
    first = values[0]
    early = FIRST_NS // 10**6 <= first < 10**12  # milliseconds until 2001 have twelve digits too
    if values.dtype.kind == "i" and len(str(first)) in _DIGITS and not early:
        return _from_digits(raw, name, values), True
    if (
        len(values) > 1
        and _TICKS[0] <= first < _TICKS[1]
        and np.median(np.abs(np.diff(values[:1000]))) % 600_000_000 == 0
    ):
        raise InputError(
            f"{raw.source}, {raw.where(0)}: {name} {first} looks like ticks of .NET (100 nanoseconds "
            f"since the year 1); {ACCEPTED}"
        )
    for factor in _NS_PER_UNIT.values():
        inside = (values >= FIRST_NS // factor) & (values < END_NS // factor)
        if not inside[0]:
            continue
        if not inside.all():
            row = int(np.argmin(inside))
            raise InputError(
                f"{raw.source}, {raw.where(row)}: {name} {values[row]} is not in the unit of the "
                f"first, {first}; use one unit throughout"
            )
        _require_all_digits(raw, name, values)
        _require_no_short_years(raw, name, values)
        whole = np.floor(values).astype(np.int64)
        part = np.rint((values - whole) * factor).astype(np.int64)
        moments: NDArray[np.datetime64] = (whole * factor + part).view("datetime64[ns]")
        return moments, False
    what = next((what for least, most, what in _OTHERS if least <= first < most), "")
    if what:
        raise InputError(f"{raw.source}, {raw.where(0)}: {name} {first} {what}")
    raise InputError(
        f"{raw.source}, {raw.where(0)}: {name} {first} is no number of {', '.join(_NS_PER_UNIT)} "
        f"since 1970 within 1990 to 2059; {ACCEPTED}"
    )


def _from_digits(
    raw: RawTable, name: str, values: NDArray[np.int64 | np.float64]
) -> NDArray[np.datetime64]:
    """Return times of numbers such as 202509020930: year, month, day, hour, minute run together."""
    length = len(str(values[0]))
    factor = _DIGITS[length]
    as_long = (values >= 10 ** (length - 1)) & (values < 10**length)
    digits = values.astype(np.int64) * factor
    parts = [
        digits // 10**power % size
        for power, size in ((13, 10**4), (11, 100), (9, 100), (7, 100), (5, 100), (3, 100), (0, 1000))
    ]
    year, month, day, hour, minute, second, milli = parts
    good = (month >= 1) & (month <= 12) & (day >= 1) & (hour <= 23) & (minute <= 59) & (second <= 59)
    good &= as_long & (year >= 1990) & (year < 2060)
    months = (year - 1970) * 12 + month - 1
    first_of = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    next_of = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    good &= day <= next_of - first_of
    if not good.all():
        row = int(np.argmin(good))
        raise InputError(
            f"{raw.source}, {raw.where(row)}: {name} {values[row]} is no time such as 202509020930 "
            f"within 1990 to 2059; {ACCEPTED}"
        )
    seconds = ((first_of + day - 1) * 24 + hour) * 3600 + minute * 60 + second
    moments: NDArray[np.datetime64] = (seconds * 10**9 + milli * 10**6).view("datetime64[ns]")
    return moments


def _require_no_short_years(raw: RawTable, name: str, values: NDArray[np.int64 | np.float64]) -> None:
    """Refuse numbers that are all times such as 2509021334; seconds since 1970 soon end with 60."""
    if len(str(int(values[0]))) != 10 or len(values) < _FEWEST:
        return
    month, day, hour, minute = (values // power % 100 for power in (10**6, 10**4, 100, 1))
    if ((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (hour < 24) & (minute < 60)).all():
        raise InputError(
            f"{raw.source}, {raw.where(0)}: {name} {values[0]} looks like yyMMddHHmm, a year of two "
            f"digits and no number since 1970; {ACCEPTED}"
        )


def _require_all_digits(raw: RawTable, name: str, values: NDArray[np.int64 | np.float64]) -> None:
    """Refuse numbers that lost their last digits, as 1.74E+12 did."""
    if values.dtype.kind != "f" or len(values) < _FEWEST:
        return
    if len(np.unique(values)) < _ALIKE * len(values):
        raise InputError(
            f"{raw.source}: {name} has the same number on most rows, {values[0]:.6g} first, so its "
            "last digits were lost, as where a spreadsheet writes 1.74E+12; give the column a "
            "number format without decimals and save it again"
        )

"""Timestamps of any accepted form to UTC.

Source: section 3 of ``docs/environment.md``: UTC, or with an explicit zone.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.clock import END_NS, FIRST_NS
from markets.file_facts import Stamps
from markets.readers.numbered_times import ACCEPTED, from_numbers
from markets.readers.table import RawTable

_NS_PER_HOUR = 3600 * 10**9
_NS_PER_DAY = 24 * _NS_PER_HOUR
_FIRST = 4096
_OFTEN = 0.1
"""Share of rows with the time of the row before, from which each time is there twice."""
_ZONE_NAME = re.compile(r" ([A-Z][A-Za-z_]+/[A-Za-z_]+)$")
_DAY_OR_MONTH_FIRST = re.compile(r"\d\d?[/.]\d\d?[/.]\d{4}\b")
_TWO_DIGIT_YEAR = re.compile(r"\d\d?[/.]\d\d?[/.]\d\d\b")
_DASHED_UTC = r"\d{8}-\d\d:\d\d:\d\d(?:\.\d+)?"
_NAMED_UTC = r"\s*(?:UTC|GMT)$"
_HALF_DAY = re.compile(r"\d\s*[AaPp]\.?[Mm]\.?$")
_OFFSET = r"(?:[Zz]|[Tt ]\s*\d[\d:.,]*\s*[+-]\d\d(?::?\d\d)?)$"
"""A time's end that says how far it is from UTC; the end of a date alone, -06, is not."""


def parse_zone(name: str) -> ZoneInfo:
    """Return the time zone of that name.

    Raises:
        InputError: the zone database has no such name.
    """
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise InputError(
            f"there is no time zone {name!r}; give a name such as UTC, America/New_York or "
            "America/Chicago"
        ) from None


class Times(NamedTuple):
    """A column of timestamps: a UTC index named "timestamp", and how they were written."""

    moments: pd.DatetimeIndex
    stamps: Stamps


def utc_index(raw: RawTable, name: str, timezone: str | None) -> Times:
    """Return a column of timestamps in UTC, and the form they have in the file.

    Timestamps with an offset, and numbers since 1970 (seconds, milliseconds, microseconds or
    nanoseconds, told apart by their size), mean what they say. Others are wall time in ``timezone``,
    or UTC where it is None.

    Raises:
        InputError: a timestamp is missing, is not understood, lies outside 1990 to 2059, or does
            not exist (or exists twice) in the zone; the message names its row.
    """
    zone = parse_zone(timezone) if timezone is not None else None
    column = raw.table.column(name)
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise InputError(f"{raw.source}, {raw.where(row)}: the {name} is missing; remove the row")
    kind = column.type
    stamps: Stamps = "wall"
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        moments, wall = from_numbers(raw, name, column.to_numpy())
        moments, stamps = (
            (_localize(raw, pd.DatetimeIndex(moments), zone), "wall") if wall else (moments, "epoch")
        )
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        moments = _from_arrow(raw, column, zone)
        stamps = "offset" if pa.types.is_timestamp(kind) and kind.tz is not None else "wall"
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        moments, stamps = _from_text(raw, name, zone)
    else:
        other = "times of day" if pa.types.is_time(kind) else f"values of type {kind}"
        raise InputError(f"{raw.source}: {name} holds {other} and no timestamps; {ACCEPTED}")
    _require_years(raw, moments)
    return Times(pd.DatetimeIndex(moments, name="timestamp").tz_localize("UTC"), stamps)


def _from_arrow(
    raw: RawTable, column: pa.ChunkedArray, zone: ZoneInfo | None
) -> NDArray[np.datetime64]:
    aware = pa.types.is_timestamp(column.type) and column.type.tz is not None
    try:
        moments = column.cast(pa.timestamp("ns", "UTC" if aware else None)).to_numpy()
    except pa.ArrowInvalid:
        raise _outside(raw) from None
    return moments if aware else _localize(raw, pd.DatetimeIndex(moments), zone)


def _from_text(
    raw: RawTable, name: str, zone: ZoneInfo | None
) -> tuple[NDArray[np.datetime64], Stamps]:
    """Text that Arrow did not take for timestamps: other forms of ISO 8601, or a cell that is wrong."""
    text = pd.Series(raw.text(name), dtype=str).str.strip()
    text = _with_offset(text)
    moments = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    bad = moments.isna().to_numpy()
    if bad.any():
        row = int(np.argmax(bad))
        if text[row].lower() == name:
            raise InputError(
                f"{raw.source}, {raw.where(row)}: the header occurs again, as where files were put "
                "together; remove the line"
            )
        if zone_name := _ZONE_NAME.search(text[row]):
            raise InputError(
                f"{raw.source}, {raw.where(row)}: {name} {text[row][:40]!r} names its zone, as "
                "Interactive Brokers writes it; ask for formatDate=2 (seconds since 1970), or remove "
                f"{zone_name[1]} and pass --tz {zone_name[1]}"
            )
        if _HALF_DAY.search(text[row]):
            raise InputError(
                f"{raw.source}, {raw.where(row)}: {name} {text[row][:40]!r} is of a 12-hour clock; "
                "export times of a 24-hour clock"
            )
        apart = ""
        if _DAY_OR_MONTH_FIRST.match(text[row]):
            apart = (
                "; in two columns, Date and Time, such dates are read where a day above 12 "
                "tells the month"
            )
        elif _TWO_DIGIT_YEAR.match(text[row]):
            apart = "; a year of two digits is read nowhere"
        raise InputError(
            f"{raw.source}, {raw.where(row)}: {name} {text[row][:40]!r} is not understood; "
            f"{ACCEPTED}{apart}"
        )
    aware = text.str.contains(_OFFSET).to_numpy()
    if aware.any() and not aware.all():
        row = int(np.argmax(aware != aware[0]))
        raise InputError(
            f"{raw.source}, {raw.where(row)}: {name} {text[row]!r} and the first, {text[0]!r}, differ "
            "in whether they carry an offset; give all of them one, or none"
        )
    try:
        naive = pd.DatetimeIndex(moments).as_unit("ns").tz_localize(None)
    except pd.errors.OutOfBoundsDatetime:
        raise _outside(raw) from None
    if aware.all():
        return naive.to_numpy(), "offset"
    return _localize(raw, naive, zone), "wall"


def _with_offset(text: pd.Series) -> pd.Series:
    """Return times whose form says that they are UTC with a Z at their end.

    Interactive Brokers and FIX write UTC as 20250902-13:30:00; BigQuery and others write UTC behind it.
    """
    if text.str.fullmatch(_DASHED_UTC).all():
        return text.str.slice(0, 8) + " " + text.str.slice(9) + "Z"
    return text.str.replace(_NAMED_UTC, "Z", regex=True)


def _localize(raw: RawTable, naive: pd.DatetimeIndex, zone: ZoneInfo | None) -> NDArray[np.datetime64]:
    """Wall time in a zone to UTC; a time that the zone skips or repeats is refused, never guessed."""
    _require_24_hours(raw, naive.asi8)
    if zone is None:
        return naive.to_numpy()
    aware = naive.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    lost = aware.isna()
    if lost.any():
        row = int(np.argmax(lost))
        skipped = pd.isna(naive[row : row + 1].tz_localize(zone, ambiguous=True, nonexistent="NaT")[0])
        raise InputError(
            f"{raw.source}, {raw.where(row)}: {naive[row]} "
            f"{'does not exist' if skipped else 'occurs twice'} in {zone.key}, where clocks change "
            "then; give the zone the file is really in, or timestamps in UTC"
        )
    return aware.tz_convert("UTC").tz_localize(None).to_numpy()


def _require_24_hours(raw: RawTable, ns: NDArray[np.int64]) -> None:
    """Refuse times of a 12-hour clock without AM and PM: never beyond 12:59, and over again at one.

    Rows in the order of time run backwards after 12:59. Sorted ones have each time twice, where the
    market was open at both; else the hours after twelve stand before those of the morning.
    """
    for some in (ns[:_FIRST], ns):  # the first rows clear nearly every file
        hours = some // _NS_PER_HOUR % 24
        if hours.max() > 12 or hours.min() < 1:
            return
    back = np.flatnonzero(ns[1:] <= ns[:-1]) + 1
    at_one = (hours[back] == 1) & (hours[back - 1] == 12)
    at_one &= ns[back] // _NS_PER_DAY == ns[back - 1] // _NS_PER_DAY
    twice = ns[back] == ns[back - 1]
    there = np.isin(np.arange(1, 13), hours)
    around_twelve = not len(back) and there[0] and there[-1] and not there.all()
    if at_one.any() or twice.sum() >= _OFTEN * len(ns) > 0 or around_twelve:
        row = 0 if around_twelve else int(back[np.argmax(at_one if at_one.any() else twice)])
        raise InputError(
            f"{raw.source}, {raw.where(row)}: hours are never above 12 and begin again at one, as "
            "on a 12-hour clock that lost its AM and PM; export times of a 24-hour clock"
        )


def _outside(raw: RawTable) -> InputError:
    return InputError(f"{raw.source}: a timestamp lies outside 1990 to 2059; mend or remove the row")


def _require_years(raw: RawTable, moments: NDArray[np.datetime64]) -> None:
    ns = moments.astype("datetime64[ns]").view(np.int64)
    outside = (ns < FIRST_NS) | (ns >= END_NS)
    if outside.any():
        row = int(np.argmax(outside))
        raise InputError(
            f"{raw.source}, {raw.where(row)}: {pd.Timestamp(moments[row])} lies outside 1990 to 2059; "
            "mend or remove the row"
        )

"""The session clock: New York wall time with its daylight saving.

Source: section 3 of ``docs/environment.md``. ``m(t)`` is minutes since midnight in New York.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import ArrayLike, NDArray

NEW_YORK = ZoneInfo("America/New_York")
RTH_FIRST_MINUTE = 570
"""09:30, the first minute of the regular session."""
RTH_LAST_MINUTE = 1019
"""16:59, the last minute of the regular session."""

FIRST_NS = 631_152_000_000_000_000
"""1990-01-01 in UTC, in nanoseconds since 1970: from here on the clock is right."""
END_NS = 2_840_140_800_000_000_000
"""2060-01-01 in UTC: until here it is."""

_NS_PER_MINUTE = 60_000_000_000
MINUTES_PER_DAY = 1440


@cache
def _offset_table(zone: ZoneInfo = NEW_YORK) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the hours (UTC, in minutes since 1970) at which the offset changes, and the offsets."""
    moment, end = datetime(1990, 1, 1, tzinfo=UTC), datetime(2060, 1, 1, tzinfo=UTC)
    first = moment.astimezone(zone).utcoffset()
    assert first is not None
    previous = int(first.total_seconds()) // 60
    changes, offsets = [np.iinfo(np.int64).min], [previous]
    while moment < end:
        delta = moment.astimezone(zone).utcoffset()
        assert delta is not None
        offset = int(delta.total_seconds()) // 60
        if offset != previous:  # walk back to the hour of the change
            hour = moment
            while hour.astimezone(zone).utcoffset() == delta:
                hour -= timedelta(hours=1)
            changes.append(int((hour + timedelta(hours=1)).timestamp()) // 60)
            offsets.append(offset)
            previous = offset
        moment += timedelta(days=1)
    return np.array(changes, np.int64), np.array(offsets, np.int64)


def utc_offset_minutes(timestamps_ns: ArrayLike, zone: ZoneInfo = NEW_YORK) -> NDArray[np.int64]:
    """Return a zone's offset from UTC in minutes, -300 or -240 in New York, of the same shape."""
    utc = np.asarray(timestamps_ns, np.int64) // _NS_PER_MINUTE
    changes, offsets = _offset_table(zone)
    return offsets[np.searchsorted(changes, utc, side="right") - 1]


def _local_minutes(timestamps_ns: ArrayLike) -> NDArray[np.int64]:
    utc = np.asarray(timestamps_ns, np.int64) // _NS_PER_MINUTE
    changes, offsets = _offset_table()
    return utc + offsets[np.searchsorted(changes, utc, side="right") - 1]


def new_york_minutes(timestamps_ns: ArrayLike) -> NDArray[np.int32]:
    """Return minutes since midnight in New York.

    Args:
        timestamps_ns: int64 nanoseconds since 1970 in UTC, any shape, years 1990 to 2059.

    Returns:
        int32 of the same shape, 0 to 1439.
    """
    return (_local_minutes(timestamps_ns) % MINUTES_PER_DAY).astype(np.int32)


def new_york_dates(timestamps_ns: ArrayLike) -> NDArray[np.int32]:
    """Return New York calendar dates as int32 days since 1970-01-01, of the same shape."""
    return (_local_minutes(timestamps_ns) // MINUTES_PER_DAY).astype(np.int32)


def new_york_to_utc_ns(date: str, minute: int) -> int:
    """Return UTC nanoseconds of a New York wall time, e.g. ``("2025-03-10", 570)``."""
    local = datetime.fromisoformat(date).replace(tzinfo=NEW_YORK) + timedelta(minutes=minute)
    return int(local.timestamp()) * 1_000_000_000


def in_regular_session(minutes: ArrayLike) -> NDArray[np.bool_]:
    """Return True where a New York minute lies in 09:30 to 16:59."""
    m = np.asarray(minutes)
    return (m >= RTH_FIRST_MINUTE) & (m <= RTH_LAST_MINUTE)

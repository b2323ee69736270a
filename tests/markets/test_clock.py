"""The New York clock against literal moments of the daylight-saving days, and against pandas."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from markets.clock import (
    END_NS,
    FIRST_NS,
    in_regular_session,
    new_york_dates,
    new_york_minutes,
    new_york_to_utc_ns,
    utc_offset_minutes,
)


def ns(text: str) -> int:
    return pd.Timestamp(text, tz="UTC").as_unit("ns").value


def days(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


# UTC, New York minute, New York date; the clock goes forward on 2025-03-09 and back on 2025-11-02.
LITERAL = [
    ("2025-01-06 14:30:00", 9 * 60 + 30, "2025-01-06"),
    ("2025-01-06 21:59:00", 16 * 60 + 59, "2025-01-06"),
    ("2025-07-07 13:30:00", 9 * 60 + 30, "2025-07-07"),
    ("2025-03-09 06:59:00", 1 * 60 + 59, "2025-03-09"),
    ("2025-03-09 07:00:00", 3 * 60, "2025-03-09"),
    ("2025-03-09 06:59:59", 1 * 60 + 59, "2025-03-09"),
    ("2025-11-02 05:59:00", 1 * 60 + 59, "2025-11-02"),
    ("2025-11-02 06:00:00", 1 * 60, "2025-11-02"),
    ("2025-11-02 06:59:00", 1 * 60 + 59, "2025-11-02"),
    ("2025-11-02 07:00:00", 2 * 60, "2025-11-02"),
    ("2025-01-07 04:59:00", 23 * 60 + 59, "2025-01-06"),
    ("2025-01-07 05:00:00", 0, "2025-01-07"),
    ("2025-07-08 03:59:00", 23 * 60 + 59, "2025-07-07"),
    ("2025-07-08 04:00:00", 0, "2025-07-08"),
    # Until 2006 daylight saving ran from April to October.
    ("2006-03-20 14:30:00", 9 * 60 + 30, "2006-03-20"),
    ("2007-03-20 14:30:00", 10 * 60 + 30, "2007-03-20"),
    ("1990-01-01 00:00:00", 19 * 60, "1989-12-31"),
]


@pytest.mark.parametrize(("utc", "minute", "day"), LITERAL)
def test_minutes_and_dates_of_known_moments(utc, minute, day):
    assert new_york_minutes(ns(utc)) == minute
    assert new_york_dates(ns(utc)) == days(day)


def test_every_half_hour_of_seventy_years_agrees_with_pandas():
    index = pd.date_range("1990-01-01", "2059-12-31 23:30", freq="30min", tz="UTC").as_unit("ns")
    local = index.tz_convert("America/New_York")
    assert np.array_equal(new_york_minutes(index.asi8), local.hour * 60 + local.minute)
    wall = local.tz_localize(None).normalize()
    assert np.array_equal(new_york_dates(index.asi8), wall.as_unit("s").asi8 // 86_400)


def test_shapes_and_types():
    stamps = np.full((2, 3), ns("2025-01-06 14:30"))
    minutes = new_york_minutes(stamps)
    assert (minutes.shape, minutes.dtype) == ((2, 3), np.int32)
    assert new_york_dates(stamps).dtype == np.int32


@pytest.mark.parametrize(
    ("day", "minute", "utc"),
    [
        ("2025-03-07", 570, "2025-03-07 14:30"),
        ("2025-03-10", 570, "2025-03-10 13:30"),
        ("2025-10-31", 1019, "2025-10-31 20:59"),
        ("2025-11-03", 1019, "2025-11-03 21:59"),
        ("2025-11-02", 1080, "2025-11-02 23:00"),
        ("2025-01-06", 1440, "2025-01-07 05:00"),
    ],
)
def test_wall_time_to_utc(day, minute, utc):
    assert new_york_to_utc_ns(day, minute) == ns(utc)


def test_the_regular_session_is_half_past_nine_to_four_fifty_nine():
    assert in_regular_session([569, 570, 960, 1019, 1020]).tolist() == [False, True, True, True, False]


def test_the_range_of_the_clock():
    assert ns("1990-01-01") == FIRST_NS
    assert ns("2060-01-01") == END_NS


@pytest.mark.parametrize(
    "name", ["America/New_York", "Europe/London", "Asia/Tokyo", "America/Sao_Paulo"]
)
def test_a_zones_offset_changes_in_its_own_minute(name):
    """At the hour itself, and not a nanosecond before; New York's where no zone is named."""
    index = pd.date_range("2004-12-31", "2026-01-02", freq="1h", tz="UTC").as_unit("ns")

    def expected(moments, zone):
        wall = moments.tz_convert(zone).tz_localize(None)
        return (wall.asi8 - moments.asi8) // 60_000_000_000

    zone = ZoneInfo(name)
    assert np.array_equal(utc_offset_minutes(index.asi8, zone), expected(index, name))
    early = index - pd.Timedelta(1, "ns")
    assert np.array_equal(utc_offset_minutes(early.asi8, zone), expected(early, name))
    assert np.array_equal(utc_offset_minutes(index.asi8), expected(index, "America/New_York"))

"""Evenings under the next day's date are told as such, in every zone, sorted or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from markets import Bars
from markets.clock import new_york_minutes
from markets.file_facts import FileFacts
from markets.quality.time_zone import clock_faults
from markets.quality.trading_dates import trading_dates
from markets.readers import read_bars
from markets.synthetic.bars import synthetic_bars
from tests.sentences import refuses


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic_bars("ES", days=9, seed=31, start="2025-06-02", session="all")


def dated(bars: Bars, zone: str, trading: bool) -> pd.DataFrame:
    """Return bars with calendar or trading dates, and times of day, of a zone."""
    utc = pd.DatetimeIndex(bars.frame.index)
    day = utc.tz_convert("America/New_York").tz_localize(None) + pd.Timedelta(hours=6)
    wall = utc.tz_convert(zone).tz_localize(None)
    date = day.normalize() if trading else wall.normalize()
    return bars.frame.assign(date=date, clock=wall - wall.normalize())


def save(frame: pd.DataFrame, path: Path, columns: int) -> Path:
    clock = (frame["date"] + frame["clock"]).dt.strftime("%H:%M:%S")
    if columns == 2:
        times = {"date": frame["date"].dt.strftime("%Y%m%d"), "time": clock}
    else:
        times = {"timestamp": frame["date"].dt.strftime("%Y-%m-%d ") + clock}
    pd.DataFrame({**times, **frame[["open", "high", "low", "close", "volume"]]}).to_csv(
        path, index=False
    )
    return path


@pytest.mark.parametrize("zone", ["America/New_York", "America/Chicago", "UTC"])
@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("ordered", [False, True])
def test_dates_of_trading_days_are_refused(
    bars: Bars, tmp_path: Path, zone: str, columns: int, ordered: bool
) -> None:
    frame = dated(bars, zone, trading=True)
    if ordered:
        frame = frame.assign(at=frame["date"] + frame["clock"]).sort_values("at", kind="stable")
    path = save(frame, tmp_path / "bars.csv", columns)
    with refuses():
        read_bars(path, "ES", timezone=zone)
    right = save(dated(bars, zone, trading=False), path, columns)
    assert read_bars(right, "ES", timezone=zone).digest == bars.digest


def test_a_wrong_zone_is_not_taken_for_trading_dates(bars: Bars, tmp_path: Path) -> None:
    for zone in ("Asia/Tokyo", "Europe/Berlin", "America/Los_Angeles"):
        path = save(dated(bars, zone, trading=False), tmp_path / "bars.csv", 1)
        with refuses():
            read_bars(path, "ES")


def test_friday_evenings_beside_sunday_evenings_are_no_trading_dates() -> None:
    """Where both are there, the Friday's bars are wrong for another reason."""
    week = synthetic_bars("ES", days=14, seed=3, start="2025-06-02", session="all").timestamps_ns
    local = pd.DatetimeIndex(week, tz="UTC").tz_convert("America/New_York")
    thursday = week[(local.day_of_week == 3) & (local.hour == 18)]
    a_day = 24 * 3600 * 10**9
    both = np.unique(np.concatenate([week, thursday + a_day]))
    assert trading_dates(both) is None
    without_sunday = both[
        pd.DatetimeIndex(both, tz="UTC").tz_convert("America/New_York").day_of_week != 6
    ]
    found = trading_dates(without_sunday)
    assert found is not None
    hours = pd.DatetimeIndex(without_sunday, tz="UTC").tz_convert("America/New_York")
    assert found.bars == (hours.hour == 18).sum()  # of all evenings
    friday = ((hours.hour == 18) & (hours.day_of_week == 4)).sum()
    assert friday < found.bars
    assert found.message.startswith(f"{friday:,} bars lie at 18:00 to 18:59 New York time on Fridays")


@pytest.mark.parametrize(
    ("monday", "friday", "halt", "day", "sunday", "told"),
    [
        (30, 30, 0, 60, 0, True),
        (30, 29, 0, 60, 0, False),  # too few on a Friday to look at closely
        (60, 30, 0, 60, 0, True),  # half of Monday's
        (62, 30, 0, 60, 0, False),
        (50, 40, 5, 60, 0, True),  # a tenth of Monday's in the halt of other days
        (50, 40, 6, 60, 0, False),
        (50, 40, 0, 25, 0, True),  # half of Monday's in the morning of other days
        (50, 40, 0, 24, 0, False),
        (50, 40, 0, 60, 1, False),  # the exchange opens on Sundays
    ],
)
def test_how_many_bars_a_friday_evening_has(
    monday: int, friday: int, halt: int, day: int, sunday: int, told: bool
) -> None:
    """Of one week: bars at 18:00 of two days, and at 17:00 and 10:00 of a Tuesday."""
    counts = {("02", 18): monday, ("06", 18): friday, ("03", 17): halt, ("03", 10): day,
              ("08", 18): sunday}  # fmt: skip
    ns = [
        pd.Timestamp(f"2025-06-{date} {hour}:00", tz="America/New_York").value + minute * 60 * 10**9
        for (date, hour), bars in counts.items()
        for minute in np.arange(bars) * 0.9
    ]
    found = trading_dates(np.sort(np.array(ns, np.int64)))
    assert (found is not None) == told
    if found is not None:
        assert (found.kind, found.bars) == ("trading_dates", monday + friday)
        assert found.message.startswith(f"{friday} bars lie at 18:00 to 18:59 New York time on Fridays")


def test_trading_dates_are_all_that_is_told_of_a_clock(bars: Bars) -> None:
    """Though evenings under the next date lie in closed hours too."""
    evening = new_york_minutes(bars.timestamps_ns) >= 1080
    ns = bars.timestamps_ns + evening * (24 * 3600 * 10**9)
    order = np.argsort(ns)
    volume = bars.frame["volume"].to_numpy()[order]
    (fault,) = clock_faults(ns[order], FileFacts("wall"), volume)
    fridays = pd.DatetimeIndex(bars.frame.index[evening]).tz_convert("America/New_York")
    hour = int((fridays.hour == 18).sum())
    assert (fault.kind, fault.bars, fault.mend) == ("trading_dates", hour, "export calendar dates")
    friday = int(((fridays.hour == 18) & (fridays.day_of_week == 3)).sum())
    assert fault.message.startswith(f"{friday} bars lie at 18:00 to 18:59 New York time on Fridays")

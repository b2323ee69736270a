"""True files of a part of the day are read; the same parts in another zone's time are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from markets import Bars
from markets.clock import new_york_minutes
from markets.file_facts import FileFacts
from markets.quality.inspection import inspect
from markets.quality.time_zone import clock_faults
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

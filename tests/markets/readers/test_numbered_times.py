"""Times written as numbers: read where they can mean one thing, else refused by what they look like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from markets import Bars
from markets.readers import read_bars, read_frame
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

"""Clocks of twelve hours and prices in 32nds are called by their names; true ones are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from markets import Bars
from markets.readers import read_bars, read_frame
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
     ("110'162", "110.5078125"), (" 99^31 ", "99.96875")],
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

"""Days under two dates are refused; days that merely look alike are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from markets import Bars
from markets.quality.contents.copied_rows import copied_rows
from markets.quality.pieces import ROWS
from markets.readers import read_bars
from markets.synthetic.bars import synthetic_bars
from tests.markets.quality.contents.made_contents import made
from tests.sentences import refuses


@pytest.fixture(scope="module", params=["rth", "all"])
def bars(request: pytest.FixtureRequest) -> Bars:
    return synthetic_bars("NQ", days=8, seed=17, start="2025-07-07", session=request.param)


def with_copy(bars: Bars, of: str, to: str, hours: int) -> pd.DataFrame:
    """Return bars in which some hours stand under a second date, in the place of its own."""
    frame = bars.frame
    source, target = pd.Timestamp(of, tz="UTC"), pd.Timestamp(to, tz="UTC")
    span = pd.Timedelta(hours=hours)
    copy = frame[(frame.index >= source) & (frame.index < source + span)]
    rest = frame[(frame.index < target) | (frame.index >= target + span)]
    return pd.concat([rest, copy.set_axis(copy.index + (target - source))]).sort_index()


@pytest.mark.parametrize(
    ("of", "to", "hours"),
    [
        ("2025-07-08", "2025-07-10", 24),
        ("2025-07-08 13:30", "2025-07-09 13:30", 5),
        ("2025-07-07 13:30", "2025-07-14 13:30", 24),
    ],
)
def test_hours_under_two_dates_are_refused(
    bars: Bars, tmp_path: Path, of: str, to: str, hours: int
) -> None:
    path = tmp_path / "bars.csv"
    with_copy(bars, of, to, hours).rename_axis("timestamp").to_csv(path)
    with refuses():
        read_bars(path, "NQ")
    bars.frame.to_csv(path)
    assert read_bars(path, "NQ").digest == bars.digest


def test_quiet_stretches_that_look_alike_are_no_copies(bars: Bars, tmp_path: Path) -> None:
    frame = bars.frame.copy()
    flat = np.arange(len(frame)) % 900 < 120
    frame.loc[flat, ["open", "high", "low", "close"]] = frame["close"].iloc[0]
    frame.loc[flat, "volume"] = 21.0
    path = tmp_path / "NQ.csv"
    frame.to_csv(path)
    assert np.array_equal(read_bars(path, "NQ").frame["close"], frame["close"])


@pytest.mark.parametrize("lengths", [(100,), (99,), (400, 130), (130, 99), (99, 300, 101)], ids=str)
def test_copied_rows_are_counted_and_the_first_named(lengths: tuple[int, ...]) -> None:
    """Runs of a hundred bars and more, all as many rows after their originals."""
    rng = np.random.default_rng(len(lengths))
    rows, apart = 3000, 1000
    close = 6000 + 0.25 * rng.integers(-400, 400, rows)
    volume = rng.integers(100, 9000, rows).astype(float)
    volume[::3] = 64 * rng.integers(9, 90, len(volume[::3])) + 21  # rows that are looked up
    bars = made(volume, close)
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    starts, at = [], 50
    for length in lengths:
        starts.append(at)
        for column in columns:
            column[at + apart : at + apart + length] = column[at : at + length]
        at += length + 60
    found = list(copied_rows(bars))
    long = [(start, length) for start, length in zip(starts, lengths, strict=True) if length >= 100]
    assert len(found) == bool(long)
    if long:
        first, length = long[0]
        assert found[0].count == sum(length for _, length in long)
        copy, original = (
            pd.Timestamp(bars.ns[row], tz="UTC").strftime("%Y-%m-%d %H:%M")
            for row in (first + apart, first)
        )
        words = (
            f"{length} bars from {copy} UTC on have the prices and volumes of those from {original} on"
        )
        assert found[0].message.startswith(words)
    for column in columns:  # one column that differs makes no copies
        other = {id(one): one.copy() for one in columns}
        column[apart:] += 0.25 * (1 + np.arange(rows - apart) % 3)
        assert not list(copied_rows(bars))
        column[:] = other[id(column)]


@pytest.mark.parametrize("first", [50, ROWS - 60, ROWS + 11, 2 * ROWS - 1])
def test_copies_are_found_wherever_in_a_long_file_they_stand(first: int) -> None:
    """Rows are looked through in pieces, and counted from the file's begin."""
    rng = np.random.default_rng(first)
    rows, apart, length = 3 * ROWS, 2 * ROWS // 3, 260
    bars = made(
        rng.integers(100, 9000, rows).astype(float), 6000 + 0.25 * rng.integers(-400, 400, rows)
    )
    assert not list(copied_rows(bars))
    for column in (bars.open, bars.high, bars.low, bars.close, bars.volume):
        column[first + apart : first + apart + length] = column[first : first + length]
    (found,) = copied_rows(bars)
    assert found.count == length
    original = pd.Timestamp(bars.ns[first], tz="UTC").strftime("%Y-%m-%d %H:%M")
    assert f"the prices and volumes of those from {original} on" in found.message


def test_bars_of_one_price_are_not_looked_up() -> None:
    """Copies are told by rows that moved; where only those that did not are alike, there are none."""
    bars = made(np.arange(900) % 300 * 64.0 + 21, 6000 + 0.25 * (np.arange(900) % 300))
    (found,) = copied_rows(bars)
    assert found.count == 599  # all rows but the first, whose open is its own close
    for column in (bars.open, bars.high, bars.low):
        column[:] = bars.close
    assert not list(copied_rows(bars))


@pytest.mark.parametrize("length", [99, 100, 170])
def test_copies_may_begin_with_the_first_row_and_end_with_the_last(length: int) -> None:
    rng = np.random.default_rng(length)
    rows = 900
    volume = 64.0 * rng.integers(9, 90, rows) + rng.choice([20.0, 21.0], rows)
    bars = made(volume, 6000 + 0.25 * rng.integers(-400, 400, rows))
    for column in (bars.open, bars.high, bars.low, bars.close, bars.volume):
        column[rows - length :] = column[:length]
    found = list(copied_rows(bars))
    assert [one.count for one in found] == [length] * (length >= 100)
    if found:
        assert "of those from 2025-01-06 14:30 on" in found[0].message


@pytest.mark.parametrize(("closes", "told"), [(29, False), (30, True)])
def test_a_run_that_stands_there_twice_has_many_closes_of_its_own(closes: int, told: bool) -> None:
    """Those of the rest of the file do not count."""
    rng = np.random.default_rng(closes)
    rows, apart, length = 2000, 900, 120
    volume = 64.0 * rng.integers(9, 90, rows) + 21
    bars = made(volume, 6000 + 0.25 * rng.permutation(rows))
    bars.close[100 : 100 + length] = 7000 + np.arange(length) % closes
    bars.open[101 : 101 + length] = bars.close[100 : 100 + length]
    for column in (bars.open, bars.high, bars.low, bars.close, bars.volume):
        column[100 + apart : 100 + apart + length] = column[100 : 100 + length]
    assert [one.count for one in copied_rows(bars)] == [length] * told

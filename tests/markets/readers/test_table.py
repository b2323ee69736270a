"""Columns as they are read; and a bar's close is moved back by the bar's own length."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from foundation.errors import InputError
from markets.readers import read_bars
from markets.readers.table import (
    MOST_TURNS,
    Options,
    RawTable,
    moved_to_open,
    require_columns,
    with_facts,
)
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars
from tests.sentences import refuses


@pytest.mark.parametrize("bar", ["1min", "1s"])
def test_bars_stamped_by_their_close_are_moved_by_their_own_length(tmp_path: Path, bar: str) -> None:
    minutes = synthetic_bars("ES", days=1, seed=3)
    bars = minutes if bar == "1min" else second_bars(minutes, seed=3)
    frame = bars.frame.copy()
    if bar == "1s":
        frame = frame[frame.index < frame.index[0] + pd.Timedelta(minutes=30)]
    opened, closed = tmp_path / "open.csv", tmp_path / "close.csv"
    frame.to_csv(opened, index_label="timestamp")
    frame.set_axis(frame.index + pd.Timedelta(bar)).to_csv(closed, index_label="timestamp")
    wanted = read_bars(opened, "ES").frame
    found = read_bars(closed, "ES", stamped="close").frame
    pd.testing.assert_frame_equal(found, wanted)
    assert found.index[0] == minutes.frame.index[0]


def raw(**columns: object) -> RawTable:
    return RawTable(pa.table(columns), "made.csv", lambda row: f"row {row + 1}")


EXACT = [6470.1, 2**24 + 1, 0.1 + 2**-50, 123456789.25, 1e-9]
"""Numbers that float32 has not."""


@pytest.mark.parametrize(
    "column",
    [
        EXACT,
        [repr(value) for value in EXACT],
        [repr(value).encode() for value in EXACT],
        [f" {value!r} " for value in EXACT],
        pa.array([repr(value) for value in EXACT], pa.large_string()),
    ],
    ids=["numbers", "text", "bytes", "spaces", "large text"],
)
def test_numbers_are_read_with_all_their_digits(column: object) -> None:
    found = raw(close=column).numbers("close")
    assert found.dtype == np.float64
    assert found.tolist() == EXACT


def test_an_empty_cell_is_no_number() -> None:
    for column in ([1.5, None, 2.0], ["1.5", None, "2.0"]):
        assert str(raw(close=column).numbers("close").tolist()) == "[1.5, nan, 2.0]"
    assert np.isnan(raw(close=pa.nulls(3)).numbers("close")).tolist() == [True] * 3
    assert raw(volume=[2**53 + 2]).numbers("volume").tolist() == [2.0**53 + 2]


@pytest.mark.parametrize("kind", [str, int, bytes])
@pytest.mark.parametrize("count", [2, MOST_TURNS - 1, MOST_TURNS, MOST_TURNS + 1, 200])
def test_turns_are_the_rows_that_name_another_instrument(kind: type, count: int) -> None:
    """All are counted, and the times of the first are kept."""
    rows = [number // 3 % 7 for number in range(3 * count + 2)]
    cells = [kind(str(number), "ascii") if kind is bytes else kind(number) for number in rows]
    table = raw(symbol=cells)
    turns = table.turns("symbol")
    wanted = [row for row in range(1, len(rows)) if rows[row] != rows[row - 1]]
    assert turns.tolist() == wanted
    assert len(wanted) == count
    index = pd.date_range("2025-01-06 14:30", periods=len(rows), freq="min", tz="UTC")
    frame = with_facts(pd.DataFrame(index=index), "made.csv", "wall", Options(), ("a",), turns)
    file = frame.attrs["file"]
    assert file.turns == count
    assert file.turn_ns == tuple(int(index[row].as_unit("ns").value) for row in wanted[:MOST_TURNS])
    assert raw(symbol=cells[:1] * 9).turns("symbol").tolist() == []
    assert raw(symbol=[*cells[:3], None]).turns("symbol").tolist() == [3]


@pytest.mark.parametrize("stamps", ["wall", "offset", "epoch"])
def test_a_file_says_of_itself_what_was_told(stamps: str) -> None:
    index = pd.date_range("2025-01-06 14:30", periods=3, freq="min", tz="UTC")
    frame = pd.DataFrame(index=index)
    options = Options("America/Chicago", "ES")
    file = with_facts(frame, "a.zip", stamps, options, ["ESH5", "ESM5"], None, "b.csv").attrs["file"]  # type: ignore[arg-type]
    assert file.stamps == stamps
    assert file.timezone == ("America/Chicago" if stamps == "wall" else None)
    assert (file.contracts, file.name, file.member) == (("ESH5", "ESM5"), "a.zip", "b.csv")
    assert (file.turns, file.turn_ns) == (0, ())


@pytest.mark.parametrize(
    ("seconds", "length"),
    [([0, 60, 120], 60), ([1, 2, 3], 1), ([0, 1, 2], 1), ([30, 90, 150], 60), ([0], 60), ([7], 60)],
    ids=str,
)
def test_a_close_is_moved_by_one_bar(seconds: list[int], length: int) -> None:
    index = pd.DatetimeIndex(pd.Timestamp("2025-01-06", tz="UTC") + pd.to_timedelta(seconds, "s"))
    for options, own, moved in (
        (Options(), "open", 0),
        (Options(), "close", length),
        (Options(stamped="open"), "close", 0),
        (Options(stamped="close"), "open", length),
    ):
        found = moved_to_open(index, options, own)  # type: ignore[arg-type]
        assert list(index - found) == [pd.Timedelta(moved, "s")] * len(index)


def test_different_cells_stand_in_the_order_of_their_first_rows() -> None:
    table = raw(symbol=["NQ", None, "ES", "NQ", "RTY", "ES", "YM"])
    assert table.distinct("symbol") == ("NQ", "ES", "RTY", "YM")
    assert table.distinct("symbol", 3) == ("NQ", "ES")  # an empty cell is one of the three
    assert raw(symbol=[7, 3, 7]).distinct("symbol") == ("7", "3")


def test_columns_that_are_missing_or_there_twice_are_all_named() -> None:
    names = ["time", "open", "close", "close", "volume", "volume"]
    require_columns(names, ["time", "open"], "a.csv", "give both")
    for wanted in (["time", "close", "open", "volume"], ["time", "high", "open", "low"]):
        with refuses():
            require_columns(names, wanted, "a.csv", "give both")


def test_numbers_beyond_those_that_floats_hold_are_the_nearest() -> None:
    assert raw(volume=[2**53 + 1, 3, None]).numbers("volume").tolist()[:2] == [2.0**53, 3.0]
    assert raw(volume=pa.array([2**63 + 2**11 + 1], pa.uint64())).numbers("volume").tolist() == [
        2.0**63 + 2**11
    ]
    exact = pa.array([Decimal("6470.25"), None, Decimal("-0.10")], pa.decimal128(9, 2))
    assert str(raw(close=exact).numbers("close").tolist()) == "[6470.25, nan, -0.1]"


@pytest.mark.parametrize("count", [19, 20, 21, 45])
def test_twenty_different_cells_are_told(count: int) -> None:
    """However often each comes: those of the first rows."""
    names = [f"S{number}" for number in range(count)]
    table = raw(symbol=[name for name in names for _ in range(3)])
    assert table.distinct("symbol") == tuple(names[:20])
    assert table.different("symbol") == count
    assert raw(symbol=["", "A", None]).distinct("symbol") == ("", "A")
    assert raw(symbol=["", "A", None, "A"]).different("symbol") == 3


@pytest.mark.parametrize("row", [0, 1, 3])
def test_a_cell_that_is_no_number_is_shown_by_its_own_row(row: int) -> None:
    cells: list[str | None] = [None, "1.5", "2", "3"]
    cells[row] = "6" * 39 + "x y"
    with pytest.raises(InputError, match=rf"made\.csv, row {row + 1}: close is '{'6' * 39}x', which"):
        raw(close=cells).numbers("close")

"""Which index of a Parquet file holds its times, and what is asked of its columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foundation.errors import InputError
from markets.readers import read_frame
from markets.readers.parquet import _index_of_times

KINDS = {
    "When": pa.timestamp("ns"),
    "later": pa.timestamp("us", "UTC"),
    "row": pa.int64(),
    "a": pa.string(),
}


def schema(note: Any) -> pa.Schema:
    text = note if isinstance(note, str) else json.dumps(note)
    return pa.schema(list(KINDS.items()), metadata={"pandas": text})


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        (["When"], ("when", True)),
        (["row", "When"], ("when", True)),
        (["row"], ("row", False)),
        (["a"], ("a", False)),
        (["When", "later"], None),  # which of them is not said
        (["row", "a"], None),
        (["gone", "a"], ("a", False)),
        (["gone"], None),
        ([{"kind": "range"}, 3, "When"], ("when", True)),
        ([{"kind": "range"}], None),
        ([], None),
        ("When", None),
    ],
    ids=str,
)
def test_the_index_that_pandas_noted_holds_the_times(
    stored: Any, found: tuple[str, bool] | None
) -> None:
    assert _index_of_times(schema({"index_columns": stored})) == found


@pytest.mark.parametrize("note", ["", "{", "[1]", "3", "{}", '{"index_columns": 3}', "[" * 100_000])
def test_a_damaged_note_names_no_index(note: str) -> None:
    assert _index_of_times(schema(note)) is None
    assert _index_of_times(pa.schema(list(KINDS.items()))) is None


def frame(rows: int = 3) -> pd.DataFrame:
    index = pd.date_range("2025-09-02 13:30", periods=rows, freq="min", tz="UTC")
    names = ("open", "high", "low", "close", "volume")
    columns = {name: 6000.0 + np.arange(rows) for name in names}
    return pd.DataFrame({"timestamp": index, **columns})


def test_a_column_that_is_there_twice_in_any_case_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    frame().assign(Close=1.0).to_parquet(path)
    with pytest.raises(InputError, match=r"bars\.parquet: the header names close more than once"):
        read_frame(path)
    frame().assign(Note=1.0, note=2.0).to_parquet(path)
    assert read_frame(path)["close"].tolist() == [6000.0, 6001.0, 6002.0]


def test_only_the_columns_that_are_read_need_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six of eight bytes, four times: of a thousand rows 192,000 bytes."""
    path = tmp_path / "bars.parquet"
    frame(1000).assign(**{f"note {number}": 1.0 for number in range(9)}).to_parquet(path)
    monkeypatch.setattr("markets.file_sizes.available_memory", lambda: 192_000)
    assert len(read_frame(path)) == 1000
    monkeypatch.setattr("markets.file_sizes.available_memory", lambda: 191_999)
    with pytest.raises(InputError, match=r"reading it would need at least .* for 1,000 rows"):
        read_frame(path)


@pytest.mark.parametrize("row", [0, 2])
def test_a_row_is_named_by_its_number_from_one(tmp_path: Path, row: int) -> None:
    path = tmp_path / "bars.parquet"
    cells = ["6000", "6001", "6002"]
    cells[row] = "x"
    pq.write_table(pa.Table.from_pandas(frame().assign(High=cells).drop(columns="high")), path)
    with pytest.raises(InputError, match=rf"bars\.parquet, row {row + 1}: high is 'x'"):
        read_frame(path)

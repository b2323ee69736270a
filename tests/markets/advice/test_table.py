"""A table of advice is what its columns say, whatever notes are beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from markets.advice.table import COLUMNS, About, AdviceTable, TableKey, load_table, save_table
from tests.sentences import refuses


@pytest.fixture
def path(tmp_path: Path) -> Path:
    values: dict[str, Any] = {
        "row": [1, 4],
        "status": ["ok", "ok"],
        "hold": 1.0,
        "buy": 0.0,
        "sell": 0.0,
    }
    numbers = dict.fromkeys(("confidence", "latency_ms"), 0.5)
    counts = dict.fromkeys(("attempts", "prompt_tokens", "completion_tokens"), 1)
    frame = pd.DataFrame({name: {**values, **numbers, **counts}.get(name, "") for name in COLUMNS})
    frame["time"] = pd.date_range("2025-01-06", periods=2, freq="min", tz="UTC")
    table = AdviceTable(About(TableKey("0", "rules", "rules", ""), "ES", 20), frame)
    save_table(tmp_path / "advice.parquet", table)
    return tmp_path / "advice.parquet"


def test_a_damaged_note_of_pandas_makes_no_other_table(path: Path) -> None:
    good = load_table(path).frame
    table = pq.read_table(path)
    note = json.loads(table.schema.metadata[b"pandas"])
    note["index_columns"] = ["status"]
    pq.write_table(
        table.replace_schema_metadata({**table.schema.metadata, b"pandas": json.dumps(note)}), path
    )
    assert "status" not in pq.read_table(path).to_pandas().columns  # what was read before
    pd.testing.assert_frame_equal(load_table(path).frame, good)


@pytest.mark.parametrize("name", ["row", "status"])
def test_a_row_without_a_bar_or_an_outcome_is_refused(path: Path, name: str) -> None:
    table = pq.read_table(path)
    at = table.schema.get_field_index(name)
    empty = pa.nulls(len(table), table.schema.field(name).type)
    pq.write_table(table.set_column(at, table.schema.field(name), empty), path)
    with refuses():
        load_table(path)

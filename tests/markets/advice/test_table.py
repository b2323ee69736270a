"""A table of advice is what its columns say, whatever notes are beside them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foundation.errors import InputError
from markets.advice.table import (
    COLUMNS,
    About,
    AdviceTable,
    TableKey,
    check_market,
    load_table,
    require_latency,
    save_table,
)
from markets.advice.view import MarketView
from markets.bars import FEATURES
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


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({"row": [0, 19]}, True),
        ({"row": [18, 19]}, True),
        ({"row": [19, 20]}, False),
        ({"row": [-1, 4]}, False),
        ({"row": [4, 4]}, False),
        ({"row": [4, 1]}, False),
        ({"hold": [0.5, 1.0], "buy": [0.5, 0.0]}, True),
        ({"confidence": [0.0, 1.0]}, True),
        ({"confidence": [0.5, 1.001]}, False),
        ({"confidence": [-0.001, 0.5]}, False),
        ({"confidence": [0.5, None]}, False),
        ({"hold": [1.0, 0.9985]}, False),
        ({"hold": [1.0, 0.9995]}, True),
        ({"hold": [1.0, 0.5], "buy": [0.0, 0.502]}, False),
        ({"hold": [1.0, 1.1], "sell": [0.0, -0.1]}, False),
        ({"status": ["ok", "late"], "hold": [1.0, None], "confidence": [0.5, None]}, True),
        ({"status": ["late", "ok"], "hold": [1.0, None]}, False),
        ({"latency_ms": [0.0, None]}, True),
        ({"latency_ms": [0.5, -0.001]}, False),
        ({"latency_ms": [np.inf, 0.5]}, False),
        ({"latency_ms": [-np.inf, 0.5]}, False),
        ({"status": ["ok", "late"], "latency_ms": [0.5, -1.0]}, False),
    ],
    ids=str,
)
def test_rows_rise_within_their_bars_and_chances_sum_to_one(
    path: Path, change: dict[str, Any], fits: bool
) -> None:
    table = pq.read_table(path)
    for name, values in change.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, pa.array(values, table.schema.field(name).type))
    pq.write_table(table, path)
    if fits:
        assert load_table(path).rows.tolist() == change.get("row", [1, 4])
    else:
        with pytest.raises(InputError, match=r"from 0 to 19|sum to one|latency of bar"):
            load_table(path)


@pytest.mark.parametrize(
    ("took", "fits"),
    [([0.0, 1e9], True), ([0.5, -0.001], False), ([0.5, None], True), ([math.inf, 0.5], False)],
)
def test_the_time_of_an_answer_is_a_number_from_0(
    path: Path, took: list[float | None], fits: bool
) -> None:
    table = pq.read_table(path)
    at = table.schema.get_field_index("latency_ms")
    pq.write_table(table.set_column(at, "latency_ms", pa.array(took, pa.float64())), path)
    if fits:
        found = load_table(path).frame["latency_ms"].to_numpy()
        np.testing.assert_array_equal(found, np.array(took, np.float64))
    else:
        with refuses():
            load_table(path)


def test_answers_of_a_batch_do_not_say_how_long_they_took(path: Path) -> None:
    """They are zero milliseconds in its column, which a model can't be."""
    frame = pd.concat([load_table(path).frame] * 2, ignore_index=True)
    frame["status"], frame["latency_ms"] = ["ok", "ok", "late", "ok"], [0.0, 30.0, 0.0, 0.0]

    def made_by(advisor: str, took: list[float]) -> AdviceTable:
        key = TableKey("0", advisor, "tiny", "1")
        return AdviceTable(About(key, "ES", 20), frame.assign(latency_ms=took))

    chat, rules = (made_by(advisor, [0.0, 30.0, 0.0, 0.0]) for advisor in ("chat", "rules"))
    assert chat.timed.tolist() == [False, True, False, False]
    assert rules.timed.tolist() == [True] * 4
    assert chat.totals()["latency_ms"] == {"median": 30.0, "p95": 30.0}
    with refuses():
        require_latency(chat, None, "here")
    require_latency(chat, 0.0, "here")
    require_latency(rules, None, "here")
    require_latency(made_by("chat", [1.0, 30.0, 0.0, 1.0]), None, "here")  # the late one is no advice


def test_a_latency_that_is_none_is_named_with_its_bar(path: Path) -> None:
    table = pq.read_table(path)
    at = table.schema.get_field_index("latency_ms")
    pq.write_table(table.set_column(at, "latency_ms", pa.array([0.5, -2.0])), path)
    with refuses():
        load_table(path)


def test_totals_are_of_all_questions_and_times_of_those_with_advice(path: Path) -> None:
    one = load_table(path)
    frame = pd.concat([one.frame] * 3, ignore_index=True)
    frame["status"] = ["ok", "late", "ok", "failed", "late", "ok"]
    frame["attempts"], frame["prompt_tokens"] = range(1, 7), range(10, 70, 10)
    frame["completion_tokens"] = [0, 1, 2, 3, 4, 5]
    frame["latency_ms"] = [5.0, 999.0, 10.0, 999.0, 999.0, 30.0]
    found = AdviceTable(one.about, frame).totals()
    assert found == {
        "questions": 6,
        "advice": 3,
        "without advice": {"late": 2, "failed": 1},
        "requests": 21,
        "prompt_tokens": 210,
        "completion_tokens": 15,
        "latency_ms": {"median": 10.0, "p95": pytest.approx(28.0)},
    }
    frame.loc[4:, "latency_ms"] = np.nan  # not known of the last answer
    assert AdviceTable(one.about, frame).totals()["latency_ms"] == {"median": 7.5, "p95": 9.75}
    none = AdviceTable(one.about, frame[frame["status"] == "late"]).totals()
    assert (none["advice"], none["latency_ms"]) == (0, {"median": None, "p95": None})


def a_table(**more: Any) -> AdviceTable:
    """Return three answers, each number of them another."""
    frame = pd.DataFrame(
        {
            "row": [3, 7, 19],
            "time": pd.date_range("2025-01-06 14:30", periods=3, freq="min", tz="UTC", unit="ns"),
            "status": ["ok", "late", "ok"],
            "hold": [0.25, None, 0.5],
            "buy": [0.625, None, 0.375],
            "sell": [0.125, None, 0.125],
            "confidence": [0.75, None, 0.0625],
            "reason": ["rises", "", "\u2603 falls"],
            "latency_ms": [12.345, 60_000.0, None],
            "attempts": [1, 5, 2],
            "prompt_tokens": [100, 0, 300],
            "completion_tokens": [7, 0, 9],
            "detail": ["", "slow", "none"],
            "prompt_sha256": ["a" * 64, "b" * 64, "c" * 64],
            "content": ["{...}", "", "{}"],
        }
    )
    key = TableKey("d1", "chat", "tiny", "2-ab", "temperature 0")
    return AdviceTable(About(key, "NQ", 20, "2024-06-30", True, 33, **more), frame)


def test_a_table_is_read_back_whole_from_its_file_and_its_folder(tmp_path: Path) -> None:
    made = a_table()
    save_table(tmp_path / "advice.parquet", made)
    schema = pq.read_schema(tmp_path / "advice.parquet")
    assert {field.name: field.type for field in schema} == COLUMNS
    for place in (tmp_path, tmp_path / "advice.parquet"):
        found = load_table(place)
        assert found.about == made.about
        assert list(found.frame) == list(COLUMNS)
        for name in COLUMNS:
            wanted = [None if one != one else one for one in made.frame[name].tolist()]
            assert [None if one != one else one for one in found.frame[name].tolist()] == wanted, name


@pytest.mark.parametrize("number", [0, 2])
def test_a_table_of_another_format_is_for_another_version(number: int, tmp_path: Path) -> None:
    save_table(tmp_path / "advice.parquet", a_table(format=number))
    with refuses():
        load_table(tmp_path)


def test_what_is_no_table_is_named(tmp_path: Path) -> None:
    save_table(tmp_path / "advice.parquet", a_table())
    whole = pq.read_table(tmp_path / "advice.parquet")
    for place, table in (
        ("bare", whole.replace_schema_metadata({})),
        ("short", whole.drop_columns(["detail"])),
    ):
        (tmp_path / place).mkdir()
        pq.write_table(table, tmp_path / place / "advice.parquet")
        with refuses():
            load_table(tmp_path / place)
    for gone in (tmp_path / "none", tmp_path / "none.parquet"):
        with refuses():
            load_table(gone)


def test_advice_is_of_the_very_bars_it_was_made_from() -> None:
    """Others are refused that are as many, and of the same contract."""
    count = np.arange(20.0)
    features = np.zeros((20, len(FEATURES)), np.float32)
    view = MarketView("NQ", 0.25, count.astype(np.int64), count, count, count, features, 0)
    table = a_table()
    own = msgspec.structs.replace(table.about.key, data=view.digest)
    check_market(AdviceTable(msgspec.structs.replace(table.about, key=own), table.frame), view, "here")
    with refuses():
        check_market(table, view, "here")

"""The store: claims, journals that were cut off, and what it refuses."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import msgspec
import numpy as np
import pytest

from markets.advice.answers import FAILED, MALFORMED, OK
from markets.advice.store import RANGE_BARS, AdviceStore, Asked, Result, open_store
from markets.advice.table import About, TableKey, load_table
from markets.advice.view import MarketView
from tests.sentences import refuses


def about(view: MarketView, model: str = "tiny") -> About:
    return About(TableKey(view.digest, "chat", model, "1-a"), view.symbol, len(view))


@pytest.fixture
def store(tmp_path: Path, view: MarketView) -> AdviceStore:
    return open_store(tmp_path / "table", about(view), view.timestamps_ns)


def good(row: int) -> Result:
    return Result(row, OK, 0.2, 0.5, 0.3, 0.9, "why", 12.0, 1)


def hold(folder: Path, row: int, view: MarketView, claimed: object, let_go: object) -> None:
    other = open_store(folder, about(view), view.timestamps_ns)
    with other.claim(other.range_of(row)) as journal:
        assert journal is not None
        claimed.set()  # type: ignore[attr-defined]
        let_go.wait(30)  # type: ignore[attr-defined]


def test_answers_come_back_as_a_table(store: AdviceStore) -> None:
    with store.claim(200) as journal:
        assert journal is not None
        journal.write([Asked(250), good(250), Asked(201), Result(201, MALFORMED, detail="no")])
    table = store.collect()
    assert table.rows.tolist() == [201, 250]
    assert table.usable.tolist() == [False, True]
    assert table.probabilities[1].tolist() == pytest.approx([0.2, 0.5, 0.3])
    assert table.totals()["without advice"] == {"malformed": 1}
    again = load_table(store.folder)
    assert again.about == table.about
    assert again.frame["time"].astype("int64").tolist() == store.timestamps_ns[[201, 250]].tolist()


def test_a_line_cut_off_by_a_kill_is_dropped_and_the_rest_kept(store: AdviceStore) -> None:
    with store.claim(200) as journal:
        assert journal is not None
        journal.write([good(201), good(202)])
    path = store.journal_path(200)
    whole = path.read_bytes()
    for cut in (1, 2, 17, len(whole) // 2 - 1):
        path.write_bytes(whole[:-cut])
        with store.claim(200) as journal:
            assert journal is not None
            assert list(journal.state.results) == [201]
            journal.write([good(203)])
        assert store.collect().rows.tolist() == [201, 203]


def test_a_damaged_line_is_refused(store: AdviceStore) -> None:
    store.journal_path(200).write_bytes(b'{"kind":"result","row":"x"}\n')
    with refuses():
        store.collect()


@pytest.mark.parametrize("beyond", [False, True])
def test_an_answer_about_a_bar_that_is_not_there_is_refused(store: AdviceStore, beyond: bool) -> None:
    """Before the first bar as after the last, which a count from the end would be."""
    with store.claim(200) as journal:
        assert journal is not None
        journal.write([good(len(store.timestamps_ns) if beyond else -1), good(201)])
    with refuses():
        store.collect()


def test_a_failed_request_is_asked_again_and_an_answer_is_not(store: AdviceStore) -> None:
    with store.claim(200) as journal:
        assert journal is not None
        journal.write([Result(201, FAILED), Result(202, MALFORMED), Asked(203), Asked(204, "b.jsonl")])
    assert store.left(np.arange(201, 206)).tolist() == [201, 203, 205]


def test_a_range_is_worked_on_by_one_process_and_let_go_of_when_it_is_killed(
    store: AdviceStore, view: MarketView
) -> None:
    context = multiprocessing.get_context("spawn")
    claimed, let_go = context.Event(), context.Event()
    process = context.Process(target=hold, args=(store.folder, 201, view, claimed, let_go))
    process.start()
    assert claimed.wait(60)
    with store.claim(200) as journal:
        assert journal is None
    with store.claim(200 + RANGE_BARS) as journal:
        assert journal is not None
    process.kill()
    process.join()
    with store.claim(200) as journal:
        assert journal is not None


def test_another_key_is_refused_by_name(store: AdviceStore, view: MarketView, tmp_path: Path) -> None:
    with refuses():
        open_store(store.folder, about(view, "other"), view.timestamps_ns)
    other = about(view)
    other.cutoff = "2024-01-01"
    with refuses():
        open_store(store.folder, other, view.timestamps_ns)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with refuses():
        open_store(tmp_path / "full", about(view), view.timestamps_ns)


@pytest.mark.parametrize("name", ["data", "advisor", "model", "prompt", "sampling", "cutoff"])
def test_what_a_table_was_made_with_is_named_where_it_differs(
    store: AdviceStore, view: MarketView, name: str
) -> None:
    own = about(view)
    own.key = msgspec.structs.replace(own.key, data="0" * 64)
    other = about(view)
    if name == "cutoff":
        own.cutoff, other.cutoff = "2024-01-01", ""
        other.key = own.key
    else:
        other.key = msgspec.structs.replace(own.key, **{name: "9" * 64})
    open_store(store.folder / "own", own, view.timestamps_ns)
    with refuses():
        open_store(store.folder / "own", other, view.timestamps_ns)
    found = open_store(store.folder / "own", own, view.timestamps_ns)
    assert found.about == own

"""A pass over a server that is a function: what is asked, what is left alone, and what is counted."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from markets.advice import batch
from markets.advice.answers import (
    CUT_OFF,
    FAILED,
    LATE,
    MALFORMED,
    OK,
    REFUSED,
    Advice,
    Reply,
    read_content,
)
from markets.advice.batch import forget_batch, write_batch
from markets.advice.chat.client import ChatSettings
from markets.advice.chat.prompt import PromptSettings, question
from markets.advice.passes import (
    PassCounts,
    prompt_digest,
    question_id,
    run_chat,
    run_rules,
    to_result,
)
from markets.advice.replay import Replay, replay
from markets.advice.rules import RulesAdvisor
from markets.advice.store import RANGE_BARS, AdviceStore, Asked, Result, open_store
from markets.advice.table import About, AdviceTable, TableKey
from markets.advice.view import MarketView
from tests.sentences import refuses

PROMPT = PromptSettings(bars=5)
SETTINGS = ChatSettings("http://offline/v1", "tiny")


@pytest.fixture
def store(tmp_path: Path, view: MarketView) -> AdviceStore:
    key = TableKey(view.digest, "chat", "tiny", PROMPT.version, SETTINGS.sampling)
    about = About(key, "ES", len(view), prompt_bars=PROMPT.bars)
    return open_store(tmp_path / "table", about, view.timestamps_ns)


def answer(row: int) -> str:
    buy = (row % 100) / 100
    parts = {"hold": 0.0, "buy": buy, "sell": 1 - buy, "confidence": 0.25, "reason": f"bar {row}"}
    return json.dumps(parts)


class Server:
    """Answers each question by its bar, and keeps what it was asked."""

    def __init__(self, view: MarketView, reply: Callable[[int], Reply] | None = None) -> None:
        self.settings = SimpleNamespace(concurrency=3)
        self.rows = {question(view, row, PROMPT): row for row in range(100, len(view))}
        self.reply = reply or (lambda row: read_content(answer(row)))
        self.asked: dict[int, list[str]] = {}
        self.most = self.now = 0

    async def ask(self, text: str, name: str) -> Reply:
        row = self.rows[text]
        self.asked.setdefault(row, []).append(name)
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        return self.reply(row)


def run(store: AdviceStore, view: MarketView, server: Server, rows: Any, **more: Any) -> PassCounts:
    asked = np.array(rows, np.int64)
    return asyncio.run(run_chat(store, view, server, asked, PROMPT, **more))  # type: ignore[arg-type]


def test_every_bar_is_asked_once_and_its_own_answer_kept(store: AdviceStore, view: MarketView) -> None:
    """Over three ranges; a second pass asks nothing, a third only what is new."""
    rows = [190, 199, 200, 201, 399, 400, 401]
    server, told = Server(view), []
    counts = run(store, view, server, rows, on_result=told.append)
    assert counts == PassCounts(sent=7, answered=7)
    assert sorted(server.asked) == rows
    assert server.most > 1
    assert server.asked == {row: [question_id(store.about.key, row)] for row in rows}
    table = store.collect()
    assert table.rows.tolist() == rows
    assert table.frame["reason"].tolist() == [f"bar {row}" for row in rows]
    assert table.frame["buy"].tolist() == [np.float32(row % 100 / 100) for row in rows]
    texts = [prompt_digest(question(view, row, PROMPT)) for row in rows]
    assert table.frame["prompt_sha256"].tolist() == texts
    assert sorted(result.row for result in told) == rows
    again = Server(view)
    assert run(store, view, again, rows) == PassCounts()
    assert again.asked == {}
    assert run(store, view, again, [*rows, 402]) == PassCounts(sent=1, answered=1)


def test_what_failed_is_asked_again_and_what_was_answered_otherwise_is_not(
    store: AdviceStore, view: MarketView
) -> None:
    replies = {210: Reply(FAILED), 211: Reply(LATE), 212: Reply(MALFORMED, content="{")}
    first = Server(view, lambda row: replies.get(row) or read_content(answer(row)))
    assert run(store, view, first, range(210, 215)).answered == 5
    second = Server(view)
    assert run(store, view, second, range(210, 215)) == PassCounts(sent=1, answered=1)
    assert list(second.asked) == [210]
    assert store.collect().frame["status"].tolist() == [OK, LATE, MALFORMED, OK, OK]


def test_a_question_in_doubt_is_counted_and_one_in_a_batch_left_alone(
    store: AdviceStore, view: MarketView
) -> None:
    with store.claim(200) as journal:
        assert journal is not None
        journal.write([Asked(201), Asked(202, "b.jsonl"), Asked(203), Result(203, LATE)])
    server = Server(view)
    counts = run(store, view, server, range(200, 206))
    assert counts == PassCounts(sent=4, answered=4, in_doubt=1)
    assert sorted(server.asked) == [200, 201, 204, 205]
    with store.claim(200) as journal:
        assert journal is not None
        assert journal.state.asked == {202: "b.jsonl"}


def test_bars_that_others_hold_are_counted_once(store: AdviceStore, view: MarketView) -> None:
    server = Server(view)
    with store.claim(200) as journal:
        assert journal is not None
        counts = run(store, view, server, [199, 200, 201, 202, 400])
        assert counts == PassCounts(sent=2, answered=2, elsewhere=3)
        with refuses(r"[\d ,]+ and later"):
            write_then_forget(store, view)
    assert sorted(server.asked) == [199, 400]
    rules = run_rules(store, view, RulesAdvisor(), np.array([199, 300, 500]))
    assert rules == PassCounts(answered=2)


def write_then_forget(store: AdviceStore, view: MarketView) -> None:
    """Write a batch of another range, and forget one whose bars another process holds."""
    path = store.folder / "b.jsonl"
    write_batch(store, view, np.array([405]), SETTINGS, PROMPT, path)
    with store.claim(400):
        forget_batch(store, "b.jsonl")


def test_once_asked_to_stop_it_sends_no_more(store: AdviceStore, view: MarketView) -> None:
    server, told = Server(view), []
    stop = lambda: len(told) >= 4  # noqa: E731
    counts = run(store, view, server, range(190, 220), on_result=told.append, stop=stop)
    assert 4 <= counts.answered == counts.sent <= 4 + 3
    assert run(store, view, Server(view), range(190, 220)).sent == 30 - counts.sent


@pytest.mark.parametrize("most", [1, 5, 7, 12])
def test_a_batch_file_holds_no_more_requests_than_services_take(
    store: AdviceStore, view: MarketView, monkeypatch: pytest.MonkeyPatch, most: int, tmp_path: Path
) -> None:
    """Over several ranges; the next file goes on with the rest, and each is forgotten by itself."""
    monkeypatch.setattr(batch, "MOST_REQUESTS", most)
    rows = np.array([190, 195, 199, 200, 201, 202, 203, 400, 401, 402])
    with store.claim(200) as journal:
        assert journal is not None
        journal.write([Result(202, LATE), Result(203, FAILED)])
    left, parts = [row for row in rows.tolist() if row != 202], []
    for number in range(-(-len(left) // most)):
        path = tmp_path / f"{number}.jsonl"
        count = write_batch(store, view, rows, SETTINGS, PROMPT, path)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        parts.append([int(line["custom_id"].partition("-")[0]) for line in lines])
        assert count == len(lines) == len(left[number * most : (number + 1) * most])
    assert [row for part in parts for row in part] == left
    assert len(store.left(rows)) == 0
    assert forget_batch(store, "0.jsonl") == len(parts[0])
    assert store.left(rows).tolist() == parts[0]


@pytest.mark.parametrize(
    ("most", "wanted"), [(4, [190, 401, 402, 600]), (5, [100, 190, 401, 402, 600]), (50, None)]
)
def test_a_batch_that_is_written_again_with_more_bars_keeps_its_own(
    store: AdviceStore,
    view: MarketView,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    most: int,
    wanted: list[int] | None,
) -> None:
    """Those of ranges that are not asked about again, too, and no more than services take."""
    monkeypatch.setattr(batch, "MOST_REQUESTS", most)
    path = tmp_path / "b.jsonl"
    first = [190, 401, 402, 600]
    assert write_batch(store, view, np.array(first), SETTINGS, PROMPT, path) == 4
    more = np.array([100, 191, 203, 402])
    whole = wanted or sorted({*first, *more.tolist()})
    assert write_batch(store, view, more, SETTINGS, PROMPT, path) == len(whole)
    lines = [json.loads(line)["custom_id"] for line in path.read_text().splitlines()]
    assert lines == [batch.custom_id(store, row) for row in whole]
    out = {row: name for state in store.states() for row, name in state.asked.items()}
    assert out == dict.fromkeys(whole, "b.jsonl")


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({}, False),
        ({"prompt_sha256": "0" * 64}, True),
        ({"buy": 0.125}, True),
        ({"hold": 0.125}, True),
        ({"sell": 0.125}, True),
        ({"confidence": 0.125}, True),
        ({"content": "{"}, True),
        ({"status": MALFORMED}, True),
    ],
    ids=str,
)
@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_replay_names_the_bar_that_differs(
    store: AdviceStore, view: MarketView, change: dict[str, Any], differs: bool, place: int
) -> None:
    replies = {301: Reply(MALFORMED, content="no JSON"), 303: Reply(LATE)}
    server = Server(view, lambda row: replies.get(row) or read_content(answer(row)))
    run(store, view, server, range(300, 305))
    table = store.collect()
    for name, value in change.items():
        table.frame.loc[place, name] = value
    found = replay(table, view)
    assert (found.replayed, found.without) == (4, 1)
    assert found.differing == [300 + place] * differs


def test_a_replay_of_other_bars_differs_everywhere(store: AdviceStore, view: MarketView) -> None:
    from dataclasses import replace

    run(store, view, Server(view), range(300, 303))
    moved = replace(view, close=view.close + 0.25, high=view.high + 0.25, low=view.low + 0.25)
    assert question(moved, 301, PROMPT) != question(view, 301, PROMPT)
    assert replay(store.collect(), moved).differing == [300, 301, 302]


def test_ranges_hold_two_hundred_bars(store: AdviceStore) -> None:
    found = store.ranges([0, RANGE_BARS - 1, RANGE_BARS, 5 * RANGE_BARS + 7])
    assert {first: rows.tolist() for first, rows in found.items()} == {
        0: [0, 199],
        200: [200],
        1000: [1007],
    }
    assert [store.range_of(row) for row in (0, 199, 200, 1007)] == [0, 0, 200, 1000]


def test_bars_that_others_let_go_of_meanwhile_are_asked_about_at_the_end(
    store: AdviceStore, view: MarketView
) -> None:
    server = Server(view)
    with ExitStack() as held:
        held.enter_context(store.claim(200))

        def let_go(result: Result) -> None:
            if result.row == 600:
                held.close()

        counts = run(store, view, server, [199, 200, 201, 600], on_result=let_go)
    assert counts == PassCounts(sent=4, answered=4)
    assert list(server.asked) == [199, 600, 200, 201]


def test_an_answer_is_on_the_disk_before_it_is_told(store: AdviceStore, view: MarketView) -> None:
    told: list[int] = []

    def read_back(result: Result) -> None:
        (found,) = [one.results[result.row] for one in store.states() if result.row in one.results]
        assert found == result
        told.append(result.row)

    run(store, view, Server(view), [199, 200, 201], on_result=read_back)
    run_rules(store, view, RulesAdvisor(), np.array([299, 300, 400]), read_back)
    assert told == [199, 200, 201, 299, 300, 400]


def test_a_line_of_a_journal_holds_all_of_a_reply() -> None:
    advice = Advice(0.125, 0.25, 0.625, 0.5, "falls")
    found = to_result(7, Reply(OK, advice, "fine", "{...}", 1234.56789, 3, 50, 60), "the text")
    assert found == Result(
        7,
        OK,
        0.125,
        0.25,
        0.625,
        0.5,
        "falls",
        1234.568,
        3,
        50,
        60,
        "fine",
        found.prompt_sha256,
        "{...}",
    )
    assert found.prompt_sha256 == hashlib.sha256(b"the text").hexdigest()
    late = to_result(8, Reply(LATE, detail="slow", latency_ms=0.0004, attempts=2), "the text")
    assert late == Result(
        8, LATE, latency_ms=0.0, attempts=2, detail="slow", prompt_sha256=found.prompt_sha256
    )


@pytest.mark.parametrize("name", ["hold", "buy", "sell", "confidence"])
def test_a_replay_of_the_rules_holds_each_number_of_every_bar(
    store: AdviceStore, view: MarketView, name: str
) -> None:
    rows = np.array([199, 300, 400, 899])
    run_rules(store, view, RulesAdvisor(), rows)
    about = About(TableKey(view.digest, "rules", RulesAdvisor.model, ""), "ES", len(view))
    table = AdviceTable(about, store.collect().frame)
    assert replay(table, view) == Replay(4, 0, [])
    for place in (1, 3):
        table.frame.loc[place, name] += np.float32(2**-20)
    assert replay(table, view) == Replay(4, 0, [300, 899])


@pytest.mark.parametrize("masked", [False, True])
def test_a_replay_reads_what_a_model_wrote_and_asks_as_the_table_was_asked(
    store: AdviceStore, view: MarketView, masked: bool
) -> None:
    """One answer was taken for malformed and is none; one was cut off, and may be whole by chance."""
    prompt = PromptSettings(bars=7, masked=masked)
    replies = [
        read_content(answer(300)),
        Reply(MALFORMED, detail="not what was asked for", content=answer(301)),
        Reply(MALFORMED, detail=CUT_OFF, content=answer(302)),
        Reply(MALFORMED, detail="truncated", content="{"),
        Reply(LATE, detail="slow", content=""),
        Reply(REFUSED, detail="the model refused", content="no"),
        read_content(answer(306)),
    ]
    with store.claim(200) as journal:
        assert journal is not None
        journal.write(
            to_result(row, reply, question(view, row, prompt)) for row, reply in enumerate(replies, 300)
        )
    about = About(store.about.key, "ES", len(view), masked=masked, prompt_bars=7)
    table = AdviceTable(about, store.collect().frame)
    assert replay(table, view) == Replay(5, 2, [301])
    for other in ({"masked": not masked}, {"prompt_bars": 8}):
        about = About(store.about.key, "ES", len(view), **{"masked": masked, "prompt_bars": 7, **other})
        assert replay(AdviceTable(about, table.frame), view).differing == list(range(300, 307))

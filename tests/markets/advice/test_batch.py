"""Offline batches: a file out, an output back, and bars that are neither asked twice nor lost."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from markets.advice.answers import FAILED
from markets.advice.batch import forget_batch, read_batch, write_batch
from markets.advice.chat.client import ChatSettings
from markets.advice.chat.prompt import SYSTEM, PromptSettings, question
from markets.advice.passes import prompt_digest
from markets.advice.replay import replay
from markets.advice.store import AdviceStore, Asked, Result, open_store
from markets.advice.table import About, TableKey
from markets.advice.view import MarketView
from tests.sentences import refuses

SETTINGS, PROMPT = ChatSettings("http://offline/v1", "tiny"), PromptSettings(bars=5)
GOOD = {"hold": 0.2, "buy": 0.7, "sell": 0.1, "confidence": 0.8, "reason": "up"}


@pytest.fixture
def store(tmp_path: Path, view: MarketView) -> AdviceStore:
    key = TableKey(view.digest, "chat", "tiny", PROMPT.version, SETTINGS.sampling)
    about = About(key, "ES", len(view), prompt_bars=PROMPT.bars)
    return open_store(tmp_path / "table", about, view.timestamps_ns)


def requests(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def answer(name: str, content: object = GOOD, code: int = 200) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    body = {"choices": [{"message": {"content": text}}], "usage": {"prompt_tokens": 7}}
    return json.dumps({"custom_id": name, "response": {"status_code": code, "body": body}}) + "\n"


def test_a_batch_goes_out_once_and_comes_back(
    store: AdviceStore, view: MarketView, tmp_path: Path
) -> None:
    rows = view.rows(50)
    path, output = tmp_path / "batch.jsonl", tmp_path / "output.jsonl"
    assert write_batch(store, view, rows, SETTINGS, PROMPT, path) == len(rows)
    sent = requests(path)
    assert sent[0]["body"]["messages"][0]["content"] == SYSTEM
    assert {request["url"] for request in sent} == {"/v1/chat/completions"}
    assert len({request["custom_id"] for request in sent}) == len(rows)
    assert len(store.left(rows)) == 0  # no pass asks about them meanwhile
    with refuses():
        write_batch(store, view, rows, SETTINGS, PROMPT, tmp_path / "again.jsonl")
    whole = path.read_bytes()
    path.unlink()  # as if it had been killed before it was written
    assert write_batch(store, view, rows, SETTINGS, PROMPT, path) == len(rows)
    assert path.read_bytes() == whole

    names = [request["custom_id"] for request in sent]
    output.write_text(answer(names[0]) + answer(names[1], "no JSON") + answer(names[2], GOOD, 500))
    assert read_batch(store, view, PROMPT, output) == (2, 1)
    assert read_batch(store, view, PROMPT, output) == (0, 1)  # the failed one has no answer yet
    table = store.collect()
    assert table.frame["status"].tolist() == ["ok", "malformed", "failed"]
    assert store.left(rows).tolist() == [int(rows[2])]
    assert forget_batch(store, "batch.jsonl") == len(rows) - 3
    assert store.left(rows).tolist() == rows[2:].tolist()
    given_up = store.collect()
    assert given_up.frame["status"].tolist() == ["ok", "malformed", *["failed"] * (len(rows) - 2)]
    assert (replay(given_up, view).replayed, replay(given_up, view).differing) == (2, [])
    for row in (0, 1, 2):  # what was asked has its question's digest, whatever came of it
        given_up.frame.loc[given_up.frame.index[row], "prompt_sha256"] = "" if row < 2 else "0" * 64
    assert replay(given_up, view).differing == rows[:3].tolist()


def test_a_question_that_a_killed_pass_left_in_doubt_goes_into_a_batch(
    store: AdviceStore, view: MarketView, tmp_path: Path
) -> None:
    rows, path = np.arange(100, 104), tmp_path / "batch.jsonl"
    with store.claim(0) as journal:
        assert journal is not None
        journal.write([Asked(101), Result(102, FAILED), Asked(103, "other.jsonl")])
    assert write_batch(store, view, rows, SETTINGS, PROMPT, path) == 3
    assert [request["custom_id"].partition("-")[0] for request in requests(path)] == [
        "100",
        "101",
        "102",
    ]
    assert store.left(rows).tolist() == []


def test_a_file_of_something_else_is_not_written_over(
    store: AdviceStore, view: MarketView, tmp_path: Path
) -> None:
    path = tmp_path / "batch.jsonl"
    path.write_text("the output of another table\n")
    with refuses():
        write_batch(store, view, np.arange(100, 104), SETTINGS, PROMPT, path)
    assert path.read_text() == "the output of another table\n"
    assert len(store.left(np.arange(100, 104))) == 4  # none was marked


def test_an_answer_that_comes_while_its_batch_is_given_up_is_kept(
    store: AdviceStore, view: MarketView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, path = np.arange(100, 106), tmp_path / "batch.jsonl"
    write_batch(store, view, rows, SETTINGS, PROMPT, path)
    output = tmp_path / "output.jsonl"
    output.write_text(answer(requests(path)[0]["custom_id"]))
    ranges = AdviceStore.ranges

    def meanwhile(one: AdviceStore, given: Any) -> Any:
        """Read the output after what is out was looked up, as another process may."""
        monkeypatch.undo()
        assert read_batch(store, view, PROMPT, output) == (1, 0)
        return ranges(one, given)

    monkeypatch.setattr(AdviceStore, "ranges", meanwhile)
    assert forget_batch(store, "batch.jsonl") == 5
    assert store.collect().frame["status"].tolist() == ["ok", *["failed"] * 5]


def test_a_bar_that_went_into_another_batch_meanwhile_stays_there(
    store: AdviceStore, view: MarketView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, ranges = np.arange(100, 104), AdviceStore.ranges
    write_batch(store, view, rows, SETTINGS, PROMPT, tmp_path / "batch.jsonl")

    def meanwhile(one: AdviceStore, given: Any) -> Any:
        """Give up a bar and put it into another file, as another process may."""
        monkeypatch.undo()
        with store.claim(0) as journal:
            assert journal is not None
            journal.write([Result(102, FAILED), Asked(102, "other.jsonl")])
        return ranges(one, given)

    monkeypatch.setattr(AdviceStore, "ranges", meanwhile)
    assert forget_batch(store, "batch.jsonl") == 3
    assert store.left(rows).tolist() == [100, 101, 103]
    assert forget_batch(store, "other.jsonl") == 1


def test_a_file_written_again_has_all_that_is_out_in_it(
    store: AdviceStore, view: MarketView, tmp_path: Path
) -> None:
    """Also bars in a range that another process holds, and those that are not asked for again."""
    rows, path = view.rows(50), tmp_path / "batch.jsonl"
    write_batch(store, view, rows, SETTINGS, PROMPT, path)
    whole = path.read_bytes()
    with store.claim(200) as held:
        assert held is not None
        assert write_batch(store, view, rows[:1], SETTINGS, PROMPT, path) == len(rows)
    assert path.read_bytes() == whole


def test_two_calls_at_once_write_one_file_of_both(
    store: AdviceStore, view: MarketView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, path = view.rows(50), tmp_path / "batch.jsonl"
    later = Thread(target=write_batch, args=(store, view, rows[5:], SETTINGS, PROMPT, path))
    ranges = AdviceStore.ranges

    def meanwhile(one: AdviceStore, given: Any) -> Any:
        """Let the other call go as far as it can, after this one has looked for marks."""
        monkeypatch.undo()
        later.start()
        later.join(0.5)
        return ranges(one, given)

    monkeypatch.setattr(AdviceStore, "ranges", meanwhile)
    write_batch(store, view, rows[:5], SETTINGS, PROMPT, path)
    later.join()
    assert len(requests(path)) == len(rows)


def test_a_file_never_holds_more_than_services_take(
    store: AdviceStore, view: MarketView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the file was filled from later bars, while another process held the first."""
    monkeypatch.setattr("markets.advice.batch.MOST_REQUESTS", 5)
    rows, path = view.rows(40), tmp_path / "batch.jsonl"
    with store.claim(0) as held:
        assert held is not None
        assert write_batch(store, view, rows, SETTINGS, PROMPT, path) == 5
    whole = path.read_bytes()
    assert write_batch(store, view, rows, SETTINGS, PROMPT, path) == 5
    assert path.read_bytes() == whole
    assert len(store.left(rows)) == len(rows) - 5


@pytest.mark.parametrize(
    "line",
    [
        "{",
        '{"custom_id": 5}',
        answer("100-0000000000000000").strip(),
        answer("99999999999-0").strip(),
        answer("../../etc").strip(),
        "[" * 5000,
    ],
    ids=["cut off", "no name", "another question", "no bar", "a path", "deep array"],
)
def test_an_output_of_something_else_is_refused(
    store: AdviceStore, view: MarketView, tmp_path: Path, line: str
) -> None:
    output = tmp_path / "output.jsonl"
    output.write_text(line + "\n")
    with refuses():
        read_batch(store, view, PROMPT, output)
    with refuses():
        read_batch(store, view, PROMPT, tmp_path / "absent.jsonl")


def test_only_a_response_with_the_code_of_success_is_an_answer(
    store: AdviceStore, view: MarketView, tmp_path: Path
) -> None:
    rows, path, output = np.arange(100, 106), tmp_path / "batch.jsonl", tmp_path / "output.jsonl"
    write_batch(store, view, rows, SETTINGS, PROMPT, path)
    names = [request["custom_id"] for request in requests(path)]
    lines = [answer(name, GOOD, code) for name, code in zip(names, (200, 201, 204, 199), strict=False)]
    lines += [json.dumps({"custom_id": names[4], "response": None, "error": {"code": "x"}}) + "\n"]
    lines += [json.dumps({"custom_id": names[5], "response": {}}) + "\n", "\n"]
    output.write_text("".join(lines))
    assert read_batch(store, view, PROMPT, output) == (1, 5)
    frame = store.collect().frame
    assert frame["status"].tolist() == ["ok", *["failed"] * 5]
    said = ["201", "204", "199", "error", "error"]
    assert frame["detail"].tolist() == ["", *(f"the batch says {word}" for word in said)]
    digests = [prompt_digest(question(view, row, PROMPT)) for row in rows.tolist()]
    assert frame["prompt_sha256"].tolist() == digests
    assert frame["prompt_tokens"].tolist() == [7, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_line_is_as_long_as_may_be(
    store: AdviceStore, view: MarketView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    path, output = tmp_path / "batch.jsonl", tmp_path / "output.jsonl"
    write_batch(store, view, np.arange(100, 102), SETTINGS, PROMPT, path)
    first, last = (answer(request["custom_id"]).strip() for request in requests(path))
    output.write_text(f"{first}\n{last} {end}")
    monkeypatch.setattr("markets.advice.batch.MOST_LINE", len(last) + len(end))
    with refuses(r"[\d,]+ bytes"):
        read_batch(store, view, PROMPT, output)
    monkeypatch.setattr("markets.advice.batch.MOST_LINE", len(last) + 1 + len(end))
    assert read_batch(store, view, PROMPT, output) == (2, 0)

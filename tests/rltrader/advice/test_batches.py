"""``rltrader advise batch`` from bars to a table and back, with settings that are not the defaults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from markets.advice.chat.client import ChatSettings
from markets.advice.store import ABOUT
from markets.advice.table import load_table
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from rltrader.__main__ import app
from tests.sentences import check_error

GOOD = {"hold": 0.2, "buy": 0.7, "sell": 0.1, "confidence": 0.8, "reason": "up"}


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """How bars and table are named."""
    path = write_bars(synthetic_bars("ES", days=2, seed=5), tmp_path / "ES.csv")
    return ["--data", str(path), "--symbol", "ES", "--out", str(tmp_path / "table")]


def advise(*more: str) -> str:
    done = CliRunner().invoke(app, ["advise", *more])
    assert done.exit_code == 0, done.output
    return done.output


def test_what_comes_back_is_of_the_questions_that_went_out(words: list[str], tmp_path: Path) -> None:
    path, output = tmp_path / "batch.jsonl", tmp_path / "output.jsonl"
    how = ("--model", "tiny", "--every", "60", "--context", "33", "--masked")
    assert "13 requests" in advise("batch", "write", str(path), *words, *how)
    names = [json.loads(line)["custom_id"] for line in path.read_text().splitlines()]
    body = {"choices": [{"message": {"content": json.dumps(GOOD)}}], "usage": {"prompt_tokens": 7}}
    lines = [{"custom_id": name, "response": {"status_code": 200, "body": body}} for name in names[:-1]]
    refused = [{**line, "response": {"status_code": 500}} for line in lines]
    output.write_text("".join(json.dumps(line) + "\n" for line in refused))
    told = advise("batch", "read", str(output), *words)
    assert told == ("0 new answers, 12 requests failed and are to be asked again; 0 bars with advice\n")
    output.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "12 new answers; 12 bars with advice" in advise("batch", "read", str(output), *words)
    table = load_table(tmp_path / "table")
    assert (table.about.prompt_bars, table.about.masked) == (33, True)
    # Their digests are of what was asked: rebuilt from the bars, every question is the same.
    bars = [word for word in words if word not in ("--out", str(tmp_path / "table"))]
    told = advise("replay", str(tmp_path / "table"), *bars)
    assert told == "12 transcripts read again, 0 questions without one\nall are as the table has them\n"
    assert "1 bars are to be asked again" in advise("batch", "forget", path.name, *words)


def test_a_batch_is_of_a_table_that_is_there_and_of_its_bars(words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "batch.jsonl"
    for command in ("read", "forget"):
        check_error(CliRunner().invoke(app, ["advise", "batch", command, str(path), *words]).exception)
    bad = ["advise", "batch", "write", str(path), *words, "--model", "tiny", "--url", "here"]
    check_error(CliRunner().invoke(app, bad).exception)
    assert not (tmp_path / "table").exists()
    advise(
        "batch",
        "write",
        str(path),
        *words,
        "--model",
        "tiny",
        "--url",
        "http://here/v1",
        "--every",
        "100",
    )
    write_bars(synthetic_bars("ES", days=2, seed=6), tmp_path / "other.csv")
    others = ["--data", str(tmp_path / "other.csv"), *words[2:]]
    for command in ("read", "forget"):
        check_error(CliRunner().invoke(app, ["advise", "batch", command, str(path), *others]).exception)
    assert "8 bars are to be asked again" in advise("batch", "forget", str(path), *words)


def test_a_batch_is_asked_as_the_options_say(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr("markets.advice.batch.write_batch", lambda *given: told.append(given) or 1234)
    more = ("--model", "tiny", "--every", "7", "--context", "33", "--masked", "--temperature", "0.375")
    more = (*more, "--max-tokens", "123", "--constrain", "none", "--cutoff", "2024-06-30")
    said = advise("batch", "write", "questions.jsonl", *words, *more, "--session", "all")
    assert said == (
        "1,234 requests in questions.jsonl; read the output with: rltrader advise batch read\n"
    )
    ((store, view, rows, settings, prompt, file),) = told
    assert settings == ChatSettings(
        "http://offline/v1", "tiny", temperature=0.375, max_tokens=123, constrain="none"
    )
    assert (prompt.bars, prompt.masked, file) == (33, True, Path("questions.jsonl"))
    np.testing.assert_array_equal(rows, view.rows(7))
    about = store.about
    assert (about.cutoff, about.masked, about.prompt_bars, about.key.data) == (
        *("2024-06-30", True, 33),
        view.digest,
    )
    told.clear()
    advise("batch", "write", "b", *words, *more, "--session", "all", "--url", "http://here/v1")
    assert told[0][3].url == "http://here/v1"


@pytest.mark.parametrize("session", ["rth", "all"])
@pytest.mark.parametrize("command", ["batch write", "batch read", "batch forget", "replay"])
def test_the_market_is_seen_in_the_session_that_was_asked_for(
    command: str, session: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def stop(bars: Any, session: str) -> None:
        asked.append((bars.files, bars.symbols, session))
        raise KeyboardInterrupt

    where = "tables" if command == "replay" else "batches"
    monkeypatch.setattr(f"rltrader.advice.{where}.read_view", stop)
    monkeypatch.setattr("markets.advice.table.load_table", lambda path: None)
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / ABOUT).touch()
    given = words if command != "replay" else words[:-2]
    CliRunner().invoke(app, ["advise", *command.split(), "name", *given, "--session", session])
    assert asked == [((tmp_path / "ES.csv",), ("ES",), session)]


def test_a_batch_is_forgotten_by_its_files_name(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr("rltrader.advice.batches._open", lambda *_: ("view", "store"))
    monkeypatch.setattr("markets.advice.batch.forget_batch", lambda *given: told.append(given) or 1234)
    said = advise("batch", "forget", "some/where/batch.jsonl", *words)
    assert (told, said) == ([("store", "batch.jsonl")], "1,234 bars are to be asked again\n")

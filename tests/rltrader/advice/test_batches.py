"""``rltrader advise batch`` from bars to a table and back, with settings that are not the defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

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

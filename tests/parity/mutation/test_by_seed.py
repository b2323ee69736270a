"""Runs by seed: each is judged once, written at once and told; another run's lines are refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundation.files import json_digest
from foundation.json_lines import read_json_lines
from foundation.json_reading import Artifact
from parity.mutation.by_seed import Ledger, counted, judge_seeds
from tests.sentences import refuses

LINE = Artifact("line of a test", "remove the file to begin anew")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "lines.jsonl", LINE, {"pair": "this one", "transitions": 64})


def test_each_seed_is_judged_once_and_written_before_the_next(ledger: Ledger) -> None:
    asked: list[int] = []
    told: list[tuple[int, int, int]] = []

    def judge(seed: int) -> Mapping[str, Any]:
        written = [line["seed"] for line in read_json_lines(ledger.path, LINE)]
        assert written == [4, *asked]
        asked.append(seed)
        return {"found": seed * 10}

    first = judge_seeds(ledger, [4], lambda seed: {"found": 40})
    assert first == [{"run": ledger.run, "seed": 4, "found": 40}]
    with ledger.path.open("a") as file:
        file.write('{"run": "')  # cut off
    lines = judge_seeds(
        ledger, range(3, 7), judge, lambda line, done, of: told.append((line["seed"], done, of))
    )
    assert asked == [3, 5, 6]
    assert told == [(3, 2, 4), (5, 3, 4), (6, 4, 4)]
    assert [(line["seed"], line["found"]) for line in lines] == [(4, 40), (3, 30), (5, 50), (6, 60)]
    assert ledger.lines() == lines == judge_seeds(ledger, [5, 3], judge)
    judge_seeds(ledger, [9, 4], lambda seed: {}, lambda line, done, of: told.append((9, done, of)))
    assert told[-1] == (9, 5, 5)  # those that lie there count


@pytest.mark.parametrize("place", range(3))
def test_one_line_of_another_run_is_refused(place: int, ledger: Ledger) -> None:
    other = replace(ledger, asked={"pair": "another one", "transitions": 65})
    for seed in range(3):
        judge_seeds(ledger, [seed], lambda seed: {})
    text = ledger.path.read_text().splitlines()
    text[place] = text[place].replace(ledger.run, other.run)
    ledger.path.write_text("\n".join(text))
    with refuses():
        ledger.lines()  # the account is its own
    with refuses():
        judge_seeds(other, [7], lambda seed: {})
    before = ledger.path.read_text()
    ledger.path.with_suffix(".asked.json").unlink()
    with refuses():
        ledger.lines()
    assert ledger.path.read_text() == before


def test_lines_that_are_all_of_this_run_need_no_account(ledger: Ledger, tmp_path: Path) -> None:
    """So what several folders hold of one run can be put together."""
    assert ledger.lines() == []
    account = tmp_path / "lines.asked.json"
    assert json.loads(account.read_text()) == {"pair": "this one", "transitions": 64}
    judge_seeds(ledger, [3, 1], lambda seed: {})
    account.unlink()
    lines = [{"run": json_digest({"transitions": 64, "pair": "this one"}), "seed": n} for n in (3, 1)]
    assert ledger.lines() == lines
    account.write_text('{"pair": "of an earlier run, of which no line is left"}')
    assert ledger.lines() == lines
    assert json.loads(account.read_text()) == {"pair": "this one", "transitions": 64}


def test_what_lines_come_to() -> None:
    lines: list[dict[str, Any]] = [{"seconds": 0.25}, {"seconds": 1.5}, {"seconds": 10}]
    assert counted(lines, ["an alarm"]) == {
        "runs": 3,
        "alarms": ["an alarm"],
        "at_most": pytest.approx(0.8646496378284162),  # p where (1 - p)^3 + 3 p (1 - p)^2 is 0.05
        "seconds": 11.8,
    }
    assert counted([], []) == {"runs": 0, "alarms": [], "at_most": 1.0, "seconds": 0}

"""Exit codes: 0 is said of what was proved alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from parity import Report
from parity.command.main import app
from parity.harness.findings import Answer, FieldVerdict
from parity.learning.statistics import EQUIVALENT
from tests.parity.command.small_pairs import honest

PAIR = "tests.parity.command.small_pairs:honest"


def code(*words: str | Path) -> int:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code


def field(word: str, **values: Any) -> FieldVerdict:
    return FieldVerdict("x", "equal", ("int32", "int32"), word, compared=9, **values)


REPORTS: dict[str, tuple[list[FieldVerdict], list[Answer], int, int]] = {
    "same": ([field("equal")], [Answer("info keys", "same", "so")], 1, 0),
    "rounding": ([field("rounding", rounding=3)], [Answer("info keys", "note", "so")], 1, 0),
    "accepted": ([field("accepted", accepted=3)], [Answer("info keys", "accepted", "so")], 1, 0),
    "beyond": ([field("rounding", rounding=3, beyond=1)], [], 1, 1),
    "logic": ([field("logic", logic=1)], [], 1, 1),
    "contract": ([field("contract", logic=1)], [], 1, 1),
    "an answer": ([field("equal")], [Answer("info keys", "different", "so")], 1, 1),
    "not enough seen": ([field("equal")], [], 0, 1),
}
"""Fields, answers, how often an episode ended, exit code."""


@pytest.mark.parametrize("name", REPORTS)
def test_a_check_ends_with_0_where_both_sides_are_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields, answers, ends, expected = REPORTS[name]
    made = {"when": "2026-11-27T12:00:00", "device": "a device", "versions": {}}
    seen = {"an episode ends": ends}
    report = Report(honest.name, PAIR, fields, answers, [], None, seen, {"visited": 9}, made=made)
    monkeypatch.setattr("parity.harness.verify.verify", lambda *_, **__: report)
    monkeypatch.setattr(
        "parity.harness.output.certificate.issue", lambda *_: {"verdict": report.verdict}
    )
    assert code("check", PAIR, "--quiet", "--out", tmp_path) == expected
    assert (tmp_path / "certificate.json").is_file()


@pytest.mark.parametrize(
    ("share", "least", "expected"),
    [
        (0.9, None, 0),
        (None, None, 0),
        (0.9, 0.9, 0),
        (0.89, 0.9, 1),
        (1.0, 1.0, 0),
        (None, 0.5, 1),  # nothing was judged, so nothing is shown
        (None, 0.0, 1),
        (0.0, 0.0, 0),
    ],
)
def test_a_share_of_killed_mutants_must_be_reached(
    share: float | None,
    least: float | None,
    expected: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = {"pair": "tiny", "survivors": [], "likely_equivalent": [], "score": {"score": share}}
    monkeypatch.setattr("parity.mutation.run.measure", lambda *_: report)
    monkeypatch.setattr("parity.mutation.page.sentence", lambda report: "so many")
    asked = [] if least is None else ["--at-least", str(least)]
    assert code("mutate", PAIR, "--quiet", "--out", tmp_path, *asked) == expected


@pytest.mark.parametrize("many", [0, 1, 2])
def test_one_false_alarm_is_one_too_many(
    many: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = {
        "pair": "tiny",
        "runs": 9,
        "at_most": 0.3,
        "seconds": 1.0,
        "alarms": [{"seed": seed, "said": ["x differs"]} for seed in range(many)],
    }
    monkeypatch.setattr("parity.command.alarms.count_alarms", lambda *_: result)
    assert code("alarms", PAIR, "--quiet", "--out", tmp_path) == (1 if many else 0)


@pytest.mark.parametrize("verdict", [EQUIVALENT, "different", "not enough seeds", "unknown"])
def test_two_trainers_learn_the_same_only_where_that_was_shown(
    verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = SimpleNamespace(name="tiny")
    monkeypatch.setattr("parity.learning.tables.read_results", lambda *_, **__: table)
    monkeypatch.setattr("parity.learning.compare.margin_of", lambda *_: 0.5)
    monkeypatch.setattr("parity.learning.compare.compare", lambda *_, **__: {"verdict": verdict})
    for name in ("reason", "render"):
        monkeypatch.setattr(f"parity.learning.page.{name}", lambda report: "so")
    words = ["learning", "a.csv", "b.csv", "--margin", "0.5", "--out", tmp_path]
    assert code(*words) == (0 if verdict == EQUIVALENT else 1)

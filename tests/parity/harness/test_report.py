"""The verdict of a report: anything that differs, or was never seen, is told and does not pass."""

from __future__ import annotations

import dataclasses
from typing import Any
from xml.etree import ElementTree

import pytest

from parity import Report
from parity.harness.findings import Answer, FieldVerdict, SmallestCase
from parity.harness.modes.free_run import FreeRun
from parity.harness.report import DIFFERENT, SAME, UNSEEN, rounding_words
from tests.sentences import refuses


def field(word: str = "equal", name: str = "x", **values: Any) -> FieldVerdict:
    return FieldVerdict(name, "equal", ("int32", "int32"), word, compared=9, **values)


def report(fields: Any = (), answers: Any = (), seen: Any = None) -> Report:
    branches = {"an episode ends": 1} if seen is None else seen
    return Report("tiny", "", list(fields), list(answers), [], None, branches, {"visited": 9})


BAD = {
    "logic": [field("logic", logic=1)],
    "contract": [field("contract", logic=1)],
    "beyond": [field("rounding", rounding=2, beyond=1)],
    "not compared": [field("not compared", "reward", why="of another shape")],
    "accepted and beyond": [field("accepted", accepted=2, beyond=1, why="known")],
}
GOOD = {
    "equal": [field()],
    "rounding": [field("rounding", rounding=1, largest_ulps=1.0)],
    "accepted": [field("accepted", accepted=1, why="known")],
    "drawn": [field("drawn")],
    "not compared": [field("not compared", "obs.x", why="of another shape")],
}
STATUSES = ("same", "different", "accepted", "note", "not asked")


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("kind", BAD)
def test_one_field_that_fails_makes_the_pair_different(kind: str, first: bool) -> None:
    others = [one for many in GOOD.values() for one in many]
    fields = BAD[kind] + others if first else others + BAD[kind]
    for seen in ({"an episode ends": 0}, {"an episode ends": 1}):
        made = report(fields, seen=seen)
        assert (made.verdict, made.passed) == (DIFFERENT, False)
        assert made.differences == [BAD[kind][0].sentence()]
    assert report(others).verdict == SAME


@pytest.mark.parametrize("status", STATUSES)
def test_an_answer_fails_the_pair_where_it_is_different_and_nowhere_else(status: Any) -> None:
    answers = [
        Answer("q1", "same", "a"),
        Answer("q2", status, "b", reason="c"),
        Answer("q3", "note", "d"),
    ]
    made = report(GOOD["equal"], answers)
    assert made.verdict == (DIFFERENT if status == "different" else SAME)
    assert made.differences == (["q2: b"] if status == "different" else [])
    assert made.accepted == (["q2 (c)"] if status == "accepted" else [])


def test_every_difference_is_told() -> None:
    answers = [Answer(f"q{n}", "different", "so") for n in range(3)]
    fields = [field("logic", name, logic=1) for name in ("x", "y", "z")]
    made = report([*fields, field("accepted", "w", accepted=3, why="known")], answers)
    told = [one.sentence() for one in fields] + [f"q{n}: so" for n in range(3)]
    assert made.differences == told == made.to_dict()["differences"]
    assert str(made).splitlines()[1:7] == [f"  {one}" for one in told]
    assert made.accepted == ["w in 3 cases (known)"]


@pytest.mark.parametrize("verdict", ["accepted", "logic"])
def test_what_was_accepted_is_told_whatever_else_a_field_is(verdict: str) -> None:
    made = report([field(verdict, accepted=1_234, logic=verdict == "logic", why="known")])
    assert made.accepted == ["x in 1,234 cases (known)"]
    assert "accepted: x in 1,234 cases (known)" in str(made)


@pytest.mark.parametrize("lacking", [("a",), ("c",), ("a", "c"), ("a", "b", "c")])
def test_one_branch_that_was_never_seen_is_no_pass(lacking: tuple[str, ...]) -> None:
    seen = {name: 0 if name in lacking else 5 for name in "abc"}
    made = report(GOOD["equal"], seen=seen)
    assert (made.verdict, made.passed, made.missing) == (UNSEEN, False, list(lacking))
    assert made.to_dict()["missing"] == list(lacking)
    assert [f"  never seen: {name}" in str(made) for name in lacking] == [True] * len(lacking)
    suite = ElementTree.fromstring(made.to_junit())
    assert suite.get("failures") == "1"


def test_every_aspect_is_a_test_and_what_is_wrong_fails() -> None:
    answers = [Answer(status, status, "so") for status in STATUSES]  # type: ignore[arg-type]
    fields = [field("logic", "x", logic=1), field("equal", "y"), field("contract", "z", logic=1)]
    unlike = [field("not compared", name, why="so") for name in ("obs.a", "reward")]
    made = report([*fields, *unlike], answers, {"a": 0, "b": 1})
    aspects = dict(made.aspects())
    named = ["field x", "field y", "field z", "field reward"]
    assert list(aspects) == [*named, "same", "different", "accepted", "note", "coverage"]
    assert {name for name, text in aspects.items() if text} == {
        *("field x", "field z", "field reward", "different", "coverage")
    }
    suite = ElementTree.fromstring(made.to_junit())
    assert (suite.get("tests"), suite.get("failures")) == ("9", "5")
    assert [one.get("name") for one in suite if len(one)] == [
        "field x",
        "field z",
        "field reward",
        "different",
        "coverage",
    ]
    assert made.field("z") is fields[2]
    assert made.answer("note") is answers[3]


def test_where_no_number_was_compared_nothing_passes() -> None:
    drawn = FieldVerdict("x", "", ("", ""), "drawn")
    unseen = FieldVerdict("y", "", ("", ""), "unseen")
    asked = Answer("draws within a step", "not asked", "so")
    lack = "a step after which y can be compared"
    for fields, answers, missing in (
        ([], [], ["a number to compare"]),
        ([drawn], [asked], ["a number to compare"]),
        ([unseen], [Answer("info keys", "same", "so")], ["a number to compare", lack]),
        ([unseen, field()], [], [lack]),
        ([drawn], [Answer("draws within a step", "same", "so")], []),
    ):
        made = report(fields, answers)
        assert made.missing == missing == made.to_dict()["missing"]
        assert (made.verdict, made.passed) == ((UNSEEN, False) if missing else (SAME, True))
        assert [name for name in dict(made.aspects()) if name.startswith("field")] == [
            f"field {one.name}" for one in fields if one.verdict == "equal"
        ]
        suite = ElementTree.fromstring(made.to_junit())
        assert suite.get("failures") == ("1" if missing else "0")
    assert unseen.sentence() == "y could be compared in no case: every step ended in a restart"


def test_rounding_is_told_with_its_size_its_cases_and_where_it_is_largest() -> None:
    sizes: dict[str, Any] = {"rounding": 1_234, "largest": 0.0123456, "largest_ulps": 7.4}
    one = FieldVerdict("x", "", ("", ""), "rounding", compared=56_789, **sizes)
    many = "1,234 of 56,789 cases"
    assert rounding_words(one) == f"rounding: x by up to 0.012 (7 ulps) in {many}"
    one.largest_at = {"y": 3, "z": [0.5, 2.0]}
    at = ", largest at y 3, z [0.5, 2]"
    assert rounding_words(one) == f"rounding: x by up to 0.012 (7 ulps) in {many}{at}"
    one.largest_ulps = 0.0
    assert rounding_words(one) == f"rounding: x falls on the other side of a threshold in {many}"


def test_all_that_passes_with_a_word_is_told_in_the_text() -> None:
    fields = [
        field("rounding", "x", rounding=3, largest=0.5, largest_ulps=2.0),
        field("accepted", "y", accepted=4, rounding=5, largest_ulps=1.0, why="known"),
        field("equal", "z"),
        field("rounding", "w", rounding=1, largest=0.25, largest_ulps=1.0),
    ]
    answers = [Answer("q1", "accepted", "a", reason="so it is"), Answer("q2", "note", "b")]
    made = report(fields, answers, {"b": 0, "c": 2, "a": 0})
    made.unchecked = ["one part", "another part"]
    assert made.missing == ["a", "b"]
    assert str(made).splitlines() == [
        "tiny: not enough seen",
        "  never seen: a",
        "  never seen: b",
        "  accepted: y in 4 cases (known)",
        "  accepted: q1 (so it is)",
        f"  {rounding_words(fields[0])}",
        f"  {rounding_words(fields[3])}",
        "  not checked: one part",
        "  not checked: another part",
    ]
    for word in ("rounding", "accepted", "logic"):
        assert report([field(word)]).missing == []


def test_control_characters_of_names_and_findings_are_escaped_in_xml() -> None:
    odd = "a\x1b[31m red\x00 one\nof two\ud800"
    made = report([field("logic", odd, logic=1)], [Answer(odd, "different", odd)])
    made.pair = odd
    suite = ElementTree.fromstring(made.to_junit())
    shown = "a\\x1b[31m red\\x00 one\\nof two\\ud800"
    assert suite.get("name") == shown
    assert [case.get("name") for case in suite] == [f"field {shown}", shown, "coverage"]
    assert {case.get("classname") for case in suite} == {shown}
    failure = suite[1].find("failure")
    assert failure is not None
    assert failure.get("message") == shown


def test_a_field_or_question_that_is_not_there_is_refused_with_those_that_are() -> None:
    made = report([field(), field(name="y")], [Answer("q1", "same", "a")])
    assert (made.field("y").name, made.answer("q1").text) == ("y", "a")
    for ask in (made.field, made.answer, report().field, report().answer):
        with refuses():
            ask("q2")


def test_a_report_s_values_are_told_whole() -> None:
    verdict, answer = field("logic", logic=2), Answer("q1", "note", "so", "a", "b", "known")
    case = SmallestCase({"x": 1}, 0, {"x": 2}, {"x": 3}, 4, "drawn", "again", {"at": "home"})
    run = FreeRun(3, 16, 40, {"x": [0.5]}, {"x": 1.5}, "x comes apart")
    made = Report(
        "tiny", "some:pair", [verdict], [answer], [case], run, {"an end": 0, "a start": 3},
        {"drawn": 9}, ["a part"], ["reward: known"], {"when": "now"}, {"seed": 7}, 1.23456,
    )  # fmt: skip
    assert made.to_dict() == {
        "format": 1,
        "pair": "tiny",
        "place": "some:pair",
        "verdict": "different",
        "differences": [verdict.sentence()],
        "fields": [{**dataclasses.asdict(verdict), "passed": False}],
        "smallest": [
            {
                "state": {"x": 1},
                "action": 0,
                "reference": {"x": 2},
                "port": {"x": 3},
                "cases": 4,
                "source": "drawn",
                "command": "again",
                "described": {"at": "home"},
            }
        ],
        "contract": [
            {
                "question": "q1",
                "status": "note",
                "text": "so",
                "reference": "a",
                "port": "b",
                "reason": "known",
            }
        ],
        "free_run": {
            "steps": 3,
            "episodes": 16,
            "compared": 40,
            "largest": {"x": [0.5]},
            "growth": {"x": 1.5},
            "apart": "x comes apart",
        },
        "seen": {"an end": 0, "a start": 3},
        "missing": ["an end"],
        "cases": {"drawn": 9},
        "unchecked": ["a part"],
        "unused": ["reward: known"],
        "made": {"when": "now"},
        "settings": {"seed": 7},
        "seconds": 1.23,
    }
    assert str(made).splitlines() == [
        "tiny: different",
        f"  {verdict.sentence()}",
        "  never seen: an end",
        "  not checked: a part",
    ]

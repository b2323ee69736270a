"""The page of a pair: the verdict, where rounding is largest, nothing cut, no request outside."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from parity import Accepted, Port, Report, verify
from parity.harness.findings import Answer, FieldVerdict, SmallestCase, state_words
from parity.harness.modes.free_run import FreeRun
from parity.harness.output.page import _tiles, _verdict, render
from parity.harness.output.write import write_report
from parity.harness.report import rounding_words
from tests.foundation.report.layout import layout_faults, needs_browser, outside_requests
from tests.parity.harness.lander import pair, program
from tests.snapshots import Snapshot


@pytest.fixture(scope="module")
def bad() -> Report:
    """Return a report with every part of the page: faults, accepted ones, what is unchecked."""
    changed = Port.functional(lambda: program(limit=21, single=True, gravity=0.1001, stale=True))
    known = (Accepted("reward", "a reason of a few words"), Accepted("free run", "as the reward"))
    return verify(
        pair(changed, accepted=known), place="tests.parity.harness.lander:pair", transitions=300
    )


@pytest.fixture(scope="module")
def good() -> Report:
    return verify(pair(), transitions=300, resets=100)


def test_where_rounding_is_largest_is_on_the_page_and_printed(good: Report) -> None:
    assert good.passed
    speed = good.field("speed")
    place = state_words(speed.largest_at)
    assert place.startswith("height ")
    assert ", speed " in place
    assert f"rounding is largest at {place}" in render(good.to_dict())
    assert f"largest at {place}" in rounding_words(speed)
    assert rounding_words(speed) in str(good)
    assert not good.field("steps").largest_at


def test_a_state_is_told_in_few_words() -> None:
    state = {"x": 0.123456789, "open": True, "near": [1, 2], "map": [[0] * 6] * 6}
    assert state_words(state) == "x 0.123457, open True, near [1, 2], map of shape (6, 6)"
    assert state_words({f"f{n}": n for n in range(10)}).endswith("f7 7 and 2 more")
    assert state_words({}) == ""


def test_fields_beyond_their_bound_are_told_of_rounding_and_not_of_logic() -> None:
    kinds: dict[str, dict[str, Any]] = {
        "a": {"verdict": "logic", "logic": 3, "beyond": 1},
        "b": {"verdict": "contract", "logic": 3, "beyond": 1},
        "c": {"verdict": "rounding", "rounding": 9, "beyond": 2, "largest_ulps": 7},
        "d": {"verdict": "rounding", "rounding": 9, "largest_ulps": 2},
        "e": {"verdict": "accepted", "accepted": 9, "beyond": 2},
        "f": {"verdict": "equal"},
    }
    fields = [FieldVerdict(name, "", ("", ""), compared=9, **values) for name, values in kinds.items()]
    report = Report("tiny", "", fields, [], [], None, {}, {"visited": 9})
    logic, rounding = _tiles(report.to_dict())[1:3]
    assert (logic.value, logic.below, logic.bad) == ("2", "a, b", True)
    assert (rounding.value, rounding.bad) == ("2", True)
    assert rounding.below == "up to 7 units in the last place, c; beyond the bound: c, e"
    report.fields = fields[3:4]
    logic, rounding = _tiles(report.to_dict())[1:3]
    assert (logic.value, logic.below, logic.bad) == ("0", "none", False)
    assert (rounding.below, rounding.bad) == ("up to 2 units in the last place, d", False)


def made_up(**changes: Any) -> Report:
    """Return a report with every part, of which no two numbers are alike."""
    first = SmallestCase(
        {"x": 1.25, "grid": [[3, 4], [5, 6]]}, 2, {"x": 7.5, "reward": 8.25},
        {"x": 9.5, "reward": 10.25}, 11, "drawn", "again --state 'x'", {"board": "a\nb"},
    )  # fmt: skip
    second = SmallestCase({"x": 12.0}, {"arm": 13}, {"done": True}, {"done": False}, 14, "boundary")
    sizes: dict[str, Any] = {"largest": 0.015625, "largest_ulps": 16.0, "largest_at": {"x": 17}}
    fields = [
        FieldVerdict("x", "rule 1", ("float64", "float32"), "logic", 118, 19, 20, 21, 22, growth=1.023),
        FieldVerdict("y", "rule 2", ("int64", "int32"), "rounding", 124, 25, **sizes, growth=0.026),
        FieldVerdict("z", "rule 3", ("int8", "bool"), "accepted", 127, accepted=28, why="known"),
        FieldVerdict("w", "rule 4", ("bool", "int8"), "contract", 129, logic=30, beyond=31),
        FieldVerdict("v", "rule 5", ("int16", "int8"), "rounding", 132, 33, beyond=34, why="too far"),
        FieldVerdict("u", "", ("float16", ""), "not compared", why="only the reference has it"),
        FieldVerdict("t", "rule 6", ("uint8", "int8"), "equal", 135),
    ]
    answers = [
        Answer("question 1", "same", "finding 1"),
        Answer("question 2", "different", "finding 2"),
        Answer("question 3", "accepted", "finding 3", reason="known too"),
        Answer("question 4", "note", "finding 4"),
        Answer("question 5", "not asked", "finding 5"),
    ]
    run = FreeRun(36, 37, 38, {"x": [0.25, 0.5, 0.75, 0.875], "y": [0.0, 1.0]}, {"x": 1.039})
    made = {"when": "2026-11-27T12:00:00", "device": "a card", "versions": {"jax": "4", "numpy": "2"}}
    values: dict[str, Any] = {
        "pair": "a made-up pair", "place": "some:pair", "fields": fields, "answers": answers,
        "smallest": [first, second], "free_run": run, "seen": {"an end": 40, "a start": 1_041},
        "cases": {"visited": 42, "drawn": 1_043}, "unchecked": ["one part", "another part"],
        "unused": ["x: never", "y: nor this"], "made": made,
        "settings": {"transitions": 44, "resets": 45, "seed": 46}, "seconds": 47.25,
    }  # fmt: skip
    return Report(**{**values, **changes})


@pytest.mark.parametrize("kind", ["different", "same", "not enough seen"])
def test_every_part_of_a_report_is_on_its_page(kind: str, tmp_path: Path, snapshot: Snapshot) -> None:
    report = made_up()
    if kind != "different":
        passed = [one for one in report.fields if one.passed]
        report = made_up(
            fields=passed,
            answers=[one for one in report.answers if one.status != "different"],
            smallest=[],
            free_run=None,
            unchecked=[],
            unused=[],
            seen={"an end": 40, "a start": 0, "a turn": 0} if kind != "same" else {"an end": 1},
        )
    assert report.verdict == kind
    write_report(tmp_path, report, {"a": 1, "pair": "a made-up pair"})
    snapshot("out", tmp_path)


def test_every_field_and_answer_is_marked_by_whether_it_fails() -> None:
    marks = re.findall(r'class="mark (\w+)">([^<]*)</span>', render(made_up().to_dict()))
    assert marks == [
        *(("bad", "logic"), ("good", "rounding"), ("warn", "accepted"), ("bad", "contract")),
        *(("bad", "rounding"), ("bad", "not compared"), ("good", "equal")),
        *(("good", "same"), ("bad", "different"), ("warn", "accepted"), ("warn", "note")),
        ("warn", "not asked"),
    ]
    observed = FieldVerdict("obs.u", "", ("", ""), "not compared", why="so")
    page = render(made_up(fields=[observed]).to_dict())
    assert 'class="mark warn">not compared' in page


def test_the_first_sentence_is_the_verdict_with_what_it_rests_on() -> None:
    report = made_up().to_dict()
    verdict = _verdict(report)
    assert (verdict.tone, verdict.headline) == ("bad", "The port is another environment")
    assert verdict.reason == "x differs by logic in 20 of 118 cases."
    verdict = _verdict({**report, "differences": ["question 2: finding 2", "another"]})
    assert verdict.reason == "Question 2: finding 2."
    for fields, answers, many in ((0, 0, 0), (1, 0, 1), (0, 1, 1), (2, 1, 3), (2, 2, 4)):
        told = {
            **report,
            "verdict": "same",
            "fields": [{"accepted": n} for n in (0, 5, 7)][: fields + 1],
            "contract": [{"status": one} for one in ("same", "note", *["accepted"] * answers)],
        }
        verdict = _verdict(told)
        assert verdict.tone == "good"
        if many:
            assert verdict.headline == ("The port is the same environment but for accepted differences")
            assert verdict.reason.startswith(f"{many} accepted, with reasons below; all else differs")
        else:
            assert verdict.headline == "The port is the same environment"
            assert verdict.reason == "Nothing differs but by rounding."
    verdict = _verdict({**report, "verdict": "not enough seen", "missing": ["a", "b"]})
    assert (verdict.tone, verdict.headline) == ("warn", "Not enough was seen")
    assert verdict.reason == "Nothing differs, and no case reached: a, b."


def test_the_tiles_count_all_cases_and_the_questions_that_were_asked() -> None:
    steps, logic, rounding, questions = _tiles(made_up().to_dict())
    assert (steps.value, steps.below, steps.bad) == ("1,085", "42 visited, 1,043 drawn", False)
    assert (logic.value, logic.below, logic.bad) == ("2", "x, w", True)
    assert (rounding.value, rounding.bad) == ("2", True)
    assert rounding.below == "up to 16 units in the last place, y; beyond the bound: v"
    assert (questions.value, questions.bad) == ("3 of 4", True)
    report = made_up(fields=[], answers=made_up().answers[2:], cases={"visited": 3})
    steps, logic, rounding, questions = _tiles(report.to_dict())
    assert (steps.value, logic.value, rounding.value, rounding.below) == ("3", "0", "0", "")
    assert (questions.value, questions.bad) == ("2 of 2", False)


@pytest.mark.costly
def test_the_page_says_its_verdict_first(bad: Report) -> None:
    page = render(bad.to_dict())
    assert page.index("The port is another environment") < page.index("Smallest cases")
    assert "envparity case tests.parity.harness.lander:pair" in page
    assert "a reason of a few words" in page
    assert render(bad.to_dict()) == page


@pytest.mark.parametrize("name", ["good", "bad"])
def test_the_page_asks_for_nothing_outside_itself(name: str, request: pytest.FixtureRequest) -> None:
    assert outside_requests(render(request.getfixturevalue(name).to_dict())) == []


@needs_browser
@pytest.mark.parametrize("name", ["good", "bad"])
def test_nothing_is_cut_on_a_screen_or_a_phone(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    assert layout_faults(render(request.getfixturevalue(name).to_dict()), tmp_path) == []

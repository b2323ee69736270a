"""The page of a pair's mutants: its score first, nothing cut, nothing asked for outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from parity.mutation.page import _tiles, _verdict, render, summarize
from parity.mutation.recorder import NOTHING, ROUNDING
from parity.mutation.score import CRASHED, SURVIVED, UNJUDGED
from parity.mutation.trial import KILLED
from tests.foundation.report.layout import layout_faults, needs_browser, outside_requests

LONG = "environment.transition(state, action_that_was_clipped, parameters.of_the_whole_episode)"


PATH = "some_package/environments/classic_control/mountain_car_continuous.py"


def _mutant(number: int, outcome: str) -> dict[str, Any]:
    return {
        "path": PATH,
        "line": 10 + number,
        "start": number,
        "operator": ["constant", "comparison", "argument order"][number % 3],
        "old": LONG if number % 2 else "0.5",
        "new": LONG.replace("state, ", "") if number % 2 else "0.5000001",
        "outcome": outcome,
        "by": "field velocity: logic" if outcome == KILLED else "",
    }


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    outcomes = [KILLED, SURVIVED, ROUNDING, NOTHING, UNJUDGED, CRASHED] * 3
    lines = [_mutant(number, outcome) for number, outcome in enumerate(outcomes)]
    return {
        **summarize(lines),
        "pair": "MountainCarContinuous-v0, Gymnasium and gymnax",
        "in_all": 240,
        "never_run": 40,
        "modules": ["gymnax.environments.classic_control.continuous_mountain_car"],
        "settings": {"place": "examples.pairs.mountain_car_continuous:pair", "seed": 0, "sample": 18},
        "made": {"when": "2026-11-27T12:00:00", "device": "a device", "versions": {"jax": "0.10.2"}},
    }


def test_the_score_comes_first_and_survivors_are_named(report: dict[str, Any]) -> None:
    page = render(report)
    assert page.index("6 of 9 mutants killed") < page.index("Survivors") < page.index("By kind of")
    assert "mountain_car_continuous.py:11" in page
    assert outside_requests(page) == []
    assert render(report) == page


@needs_browser
def test_nothing_is_cut_on_a_screen_or_a_phone(report: dict[str, Any], tmp_path: Path) -> None:
    assert layout_faults(render(report), tmp_path) == []


@pytest.mark.parametrize(
    ("outcomes", "level", "title", "words"),
    [
        ([KILLED, CRASHED], "good", "Every mutant that changes something is found", "2 of 2 mutants"),
        (
            [KILLED, UNJUDGED, UNJUDGED],
            "warn",
            "Every mutant that was judged and changes something is found",
            "0 had no effect, 2 took too long.",
        ),
        ([KILLED, SURVIVED], "warn", "1 mutant survives", "1 of 2 mutants killed: 50.0%"),
        ([SURVIVED] * 3 + [CRASHED], "warn", "3 mutants survive", "1 of 4 mutants killed: 25.0%"),
        (
            [ROUNDING, NOTHING, NOTHING],
            "warn",
            "No mutant changed anything",
            "None of 3 mutants changed anything: 1 changed nothing but by rounding, 2 had no effect.",
        ),
        (
            [NOTHING, UNJUDGED, UNJUDGED],
            "warn",
            "No mutant was judged",
            "None of 3 mutants was killed or survived: 0 changed nothing but by rounding, 1 had no "
            "effect, 2 took too long.",
        ),
    ],
)
def test_the_verdict_says_what_was_judged_and_what_was_not(
    outcomes: list[str], level: str, title: str, words: str
) -> None:
    said = _verdict(summarize([_mutant(number, outcome) for number, outcome in enumerate(outcomes)]))
    assert (said.tone, said.headline) == (level, title)
    assert words in said.reason


def test_a_summary_counts_each_outcome_by_kind_and_lists_each_in_its_place() -> None:
    outcomes = [KILLED, SURVIVED, ROUNDING, CRASHED, SURVIVED, UNJUDGED, UNJUDGED, NOTHING]
    lines = [_mutant(number, outcome) for number, outcome in enumerate(outcomes)]
    lines[4]["path"] = "a.py"
    told = summarize(lines)
    assert told["tried"] == 8
    assert {name: told["score"][name] for name in (KILLED, CRASHED, SURVIVED, UNJUDGED)} == {
        KILLED: 1,
        CRASHED: 1,
        SURVIVED: 2,
        UNJUDGED: 2,
    }
    assert told["score"]["score"] == 0.5
    zero = dict.fromkeys(("tried", "killed", "survived", "rounding", "no_effect", "not_judged"), 0)
    assert told["by_kind"] == {
        "argument order": {**zero, "tried": 2, "rounding": 1, "not_judged": 1},
        "comparison": {**zero, "tried": 3, "survived": 2, "no_effect": 1},
        "constant": {**zero, "tried": 3, "killed": 2, "not_judged": 1},
    }
    assert list(told["by_kind"]) == sorted(told["by_kind"])
    assert told["survivors"] == [{"at": "a.py:14", **lines[4]}, {"at": f"{PATH}:11", **lines[1]}]
    assert told["likely_equivalent"] == [{"at": f"{PATH}:12", **lines[2]}]
    assert told["without_effect"] == [{"at": f"{PATH}:17", **lines[7]}]
    assert [one["at"] for one in told["not_judged"]] == [f"{PATH}:15", f"{PATH}:16"]


def test_the_tiles_show_every_count(report: dict[str, Any]) -> None:
    counts = {"survivors": 5, "likely_equivalent": 7, "without_effect": 11, "not_judged": 2}
    several = {**report, **{name: [{}] * count for name, count in counts.items()}}
    assert [(one.label, one.value, one.bad) for one in _tiles(several)] == [
        ("Killed", "66.7%", False),
        ("Survivors", "5", True),
        ("Likely equivalent", "7", False),
        ("Without effect", "11", False),
    ]
    assert _tiles(several)[0].below == "interval 35% to 88%"
    nothing = _tiles(summarize([_mutant(0, NOTHING)]))
    assert not nothing[1].bad
    assert (nothing[0].value, nothing[0].below) == ("\u2013", "nothing to judge")

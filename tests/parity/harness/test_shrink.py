"""Smallest cases: the pair's own words for a state, and its own way to see one again."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np
import pytest

from parity import Pair, Port, Report
from parity.command.main import _json
from parity.command.one_case import show_case
from parity.harness import cases as make
from parity.harness.findings import SmallestCase
from parity.harness.judge import Judge
from parity.harness.output.page import render
from parity.harness.shrink import smallest_cases
from tests.parity.harness.lander import pair, program
from tests.parity.harness.sides import tiny
from tests.sentences import refuses


def cases_of(one: Pair, command: str = "") -> list[SmallestCase]:
    base = make.visited(one, 64, 0)
    judge = Judge(one, base)
    return smallest_cases(judge, [judge.step(base)], command)


def late(**changes: Any) -> Pair:
    """Return a pair whose port lets an episode last a step longer."""
    return pair(Port.functional(lambda: program(limit=21)), **changes)


def words(state: dict[str, Any]) -> dict[str, Any]:
    return {"at": f"{state['height']:.1f} high", "falling": bool(state["speed"] < 0)}


def again(state: dict[str, Any], action: Any) -> str:
    return f"ship --steps {state['steps']} --action {action}"


def test_the_pairs_own_words_and_command_stand_with_the_case() -> None:
    told = cases_of(late(describe=words, command=again), "envparity case some:pair")
    assert told
    for one in told:
        assert one.described["at"].endswith(" high")
        assert one.described["falling"] in ("True", "False")
        assert one.command == f"ship --steps {one.state['steps']} --action {one.action}"


def test_without_them_there_are_none_and_the_command_is_ours() -> None:
    told = cases_of(late(), "envparity case some:pair")
    assert told
    assert all(one.described == {} for one in told)
    assert all(one.command.startswith("envparity case some:pair --state '{") for one in told)
    assert cases_of(pair(describe=words, command=again)) == []


def test_they_are_on_the_page() -> None:
    smallest = cases_of(late(describe=words, command=again))
    made = {"when": "2026-11-27T12:00:00", "device": "a device", "versions": {}}
    report = Report("a ship", "", [], [], smallest, None, {}, {}, made=made)
    page = render(report.to_dict())
    assert " high" in page
    assert "ship --steps" in page


@pytest.mark.parametrize(
    "changes",
    [
        {"describe": 3},
        {"command": "ship"},
        {"describe": lambda state: "a word"},
    ],
    ids=["describe", "command", "a word"],
)
def test_words_that_cannot_be_are_refused(changes: Any) -> None:
    with refuses():
        cases_of(late(**changes))


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_the_command_of_a_case_without_a_number_shows_it_again(odd: float) -> None:
    """A name may have a quote in it, too."""

    class Odd(tiny.Tiny):
        def reset(self, seed: int) -> Any:
            super().reset(seed)
            self.levels[0] = odd
            return self.seen()

    def side(wrong: bool) -> Any:
        def step(one: tiny.Tiny, action: Any) -> Any:
            obs, _, *others = one.step(action)
            return obs, 7.0 if wrong and one.count == 3 else 8.0, *others

        def read(one: tiny.Tiny) -> dict[str, Any]:
            return {**tiny.read(one), "pilot's": one.count * 0.5}

        return tiny.side(step, make=Odd, read=read)

    one = tiny.pair(side(True), reference=side(False))
    (told,) = cases_of(one, "envparity case odd:pair")
    words = shlex.split(told.command)
    assert words[:3] == ["envparity", "case", "odd:pair"]
    assert (words[3], words[5], len(words)) == ("--state", "--action", 7)
    state, action = _json("--state", words[4]), _json("--action", words[6])
    assert state == {**told.state, "levels": [str(odd), told.state["levels"][1]]}
    lines, wrong = show_case(one, state, action)
    assert wrong
    assert [line.split()[:2] for line in lines if " logic " in line] == [["reward", "logic"]]

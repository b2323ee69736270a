"""Smallest cases: the pair's own words for a state, and its own way to see one again."""

from __future__ import annotations

from typing import Any

import pytest

from parity import Pair, Port, Report
from parity.harness import cases as make
from parity.harness.findings import SmallestCase
from parity.harness.judge import Judge
from parity.harness.output.page import render
from parity.harness.shrink import smallest_cases
from tests.parity.harness.lander import pair, program
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

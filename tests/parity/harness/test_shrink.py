"""Smallest cases: the pair's own words for a state, and its own way to see one again."""

from __future__ import annotations

import json
import shlex
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from parity import Pair, Port, Report, integer, near
from parity.command.main import _json
from parity.command.main import _json as json_of
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


def test_the_command_reaches_the_program_as_it_was_meant_whatever_names_hold() -> None:
    """A shell ends a text in quotes at the next quote, and a state's names may have one."""
    names = {"levels": "pilot's levels", "count": "count", "open": 'it\'s "open" $HOME `now`'}

    def read(one: tiny.Tiny) -> dict[str, Any]:
        return {names[name]: value for name, value in tiny.read(one).items()}

    def write(one: tiny.Tiny, state: dict[str, Any]) -> None:
        tiny.write(one, {name: state[shown] for name, shown in names.items()})

    def step(one: tiny.Tiny, action: Any) -> Any:
        return one.step(int(action["arm's"]))

    def late(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, *others = step(one, action)
        return obs, reward + 1, *others

    space = spaces.Dict({"arm's": spaces.Discrete(2), "\\": spaces.Discrete(2)})
    changes: dict[str, Any] = {"read": read, "write": write, "action_space": lambda one: space}
    told = cases_of(
        tiny.pair(tiny.side(late, **changes), reference=tiny.side(step, **changes), state={}),
        "envparity case some:pair",
    )
    assert told
    for one in told:
        *begins, _, state, _, action = shlex.split(one.command)
        assert begins == ["envparity", "case", "some:pair"]
        assert json.loads(state) == one.state
        assert json.loads(action) == one.action
        assert set(one.state) == set(names.values())
        assert set(one.action) == {"action.arm's", "action.\\"}


@pytest.mark.parametrize(("first", "second"), [(np.nan, 1.5), (np.inf, 0.25), (-np.inf, 2.0)])
def test_a_command_with_what_is_no_finite_number_is_read_as_that_state(
    first: float, second: float
) -> None:
    class Unset(tiny.Tiny):
        def reset(self, seed: int) -> Any:
            super().reset(seed)
            self.levels = np.array([first, second])
            return self.seen()

    def wrong(one: Any, action: Any) -> Any:
        obs, reward, *others = one.step(action)
        return obs, reward + 1, *others

    one = tiny.pair(tiny.side(wrong, make=Unset), reference=tiny.side(make=Unset), state={})
    (told, *_) = cases_of(one, "envparity case some:pair")
    *_, state, _, action = shlex.split(told.command)
    lines, differs = show_case(one, json_of("--state", state), json_of("--action", action))
    assert differs
    assert any(line.split()[:2] == ["reward", "logic"] for line in lines), lines
    shown = json_of("--state", state)
    assert np.array_equal(np.asarray(shown["levels"], float), told.state["levels"], equal_nan=True)


def test_of_each_set_of_fields_the_simplest_case_is_told_with_how_often_it_was_met() -> None:
    """The flag is wrong from 5, 6, 7 and 8 steps, of which 5 cannot be; the reward from 2 and 8."""

    def step(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, *others = one.step(action)
        one.open ^= one.count in (6, 7, 8, 9)
        return obs, reward + (one.count in (3, 9)), *others

    def given(counts: list[int], level: float, source: str) -> make.Cases:
        many = len(counts)
        state = {"levels": np.tile([level, 2.0], (many, 1)), "open": np.zeros(many, bool)}
        state["count"] = np.array(counts)
        return make.Cases(state, {"action": np.ones(many, int)}, np.full(many, source))

    domain = {"count": integer(0, tiny.LIMIT - 1) | near(8)}
    one = tiny.pair(tiny.side(step), state=domain, possible=lambda state: state["count"] != 5)
    judge = Judge(one, make.visited(one, 16, 0))
    evidence = [
        judge.step(given([2, 2, 0, 7, 8], 1234.5678, "visited")),
        judge.step(given([7, 6, 7, 8, 1], 3.0, "drawn")),
    ]
    told = smallest_cases(judge, evidence)
    assert [(one.state, one.action, one.cases, one.source) for one in told] == [
        ({"levels": [3.0, 2.0], "open": False, "count": 6}, 0, 4, "drawn"),
        ({"levels": [1234.5678, 2.0], "open": False, "count": 2}, 0, 2, "visited"),
        ({"levels": [3.0, 2.0], "open": False, "count": 8}, 0, 2, "drawn"),
    ]
    assert [(one.reference, one.port) for one in told] == [
        ({"open": False}, {"open": True}),
        ({"reward": 1.5}, {"reward": 2.5}),
        ({"open": False, "reward": 1.5}, {"open": True, "reward": 2.5}),
    ]
    assert {one.command for one in told} == {""}
    rare = [judge.step(given([at], 3.0, "drawn")) for at in (2, 8, 8)]
    assert [list(one.reference) for one in smallest_cases(judge, rare)] == [
        ["open", "reward"],
        ["reward"],
    ]


def test_what_both_sides_came_to_is_told_in_double_precision() -> None:
    heavier = cases_of(pair(Port.functional(lambda: program(gravity=0.1001))))
    told = next(one for one in heavier if "speed" in one.port)
    push = 0.25 if told.action == 1 else 0.0
    for gravity, side in ((0.1, told.reference), (0.1001, told.port)):
        assert abs(side["speed"] - (told.state["speed"] - gravity + push)) < 1e-15

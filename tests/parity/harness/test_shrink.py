"""Smallest cases: the pair's own words for a state, and its own way to see one again."""

from __future__ import annotations

import json
import shlex
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from parity import Pair, Port, Report, integer, near, real
from parity.command.main import _json
from parity.command.main import _json as json_of
from parity.command.one_case import show_case
from parity.harness import cases as make
from parity.harness.findings import SmallestCase
from parity.harness.judge import Judge
from parity.harness.modes.played_port import play_port
from parity.harness.output.page import render
from parity.harness.shrink import PLACES, smallest_cases
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
            bad = wrong and one.count == 3 and not np.isfinite(one.levels[0])
            return obs, 7.0 if bad else 8.0, *others

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
        judge.step(given([1, 7, 6, 7, 8], 3.0, "drawn")),  # in rows of the first ones, too
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


def given(levels: Any, count: Any, action: Any = 1, source: str = "visited") -> make.Cases:
    """Return cases of a tiny pair, a row for each count."""
    many = len(count)
    state = {"levels": np.broadcast_to(levels, (many, 2)).astype(float), "count": np.array(count)}
    state["open"] = np.zeros(many, bool)
    return make.Cases(state, {"action": np.full(many, action)}, np.full(many, source))


def test_a_case_that_cannot_be_met_again_is_told_as_it_was() -> None:
    """Of those that were met, the one that is shortest to write."""
    fault = {"on": True}

    def step(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, *others = one.step(action)
        return obs, reward + 2 * (fault["on"] and one.count in (8, 11)), *others

    one = tiny.pair(tiny.side(step))
    judge = Judge(one, make.visited(one, 16, 0))
    cases = given([[1234.5, 2.0]], [1, 7, 7, 10, 4, 7, 7], source="drawn")
    cases.state["levels"][2:] = [[1e6, 2.0], [4.5, 6.0], [4.5, 6.0], [4.5, 6.0], [12.5, 3.0]]
    evidence = [judge.step(given([[3.5, 2.0]], [0, 1])), judge.step(cases)]
    fault["on"] = False
    (told,) = smallest_cases(judge, evidence, "envparity case some:pair")
    assert told.state == {"levels": [4.5, 6.0], "open": False, "count": 7}
    assert (told.reference, told.port) == ({"reward": 7.5}, {"reward": 9.5})
    assert (told.action, told.cases, told.source) == (1, 5, "drawn")


def test_six_sets_of_fields_are_told_and_every_case_is_counted() -> None:
    """Of seven, the seldom one is left out."""

    def step(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, over, cut, info = one.step(action)
        wrong = one.count
        obs = {**obs, "count": obs["count"] + (wrong in (1, 4, 5, 7))}
        one.open ^= wrong in (3, 4, 6, 7)
        return obs, reward + (wrong in (2, 5, 6, 7)), over, cut, info

    one = tiny.pair(tiny.side(step), state={})
    judge = Judge(one, make.visited(one, 16, 0))
    counts = [*[0] * 70, *[1] * 40, *[2] * 30, *[3] * 25, *[4] * 5, *[5] * 2, 6, *[0] * 160]
    told = smallest_cases(judge, [judge.step(given([[3.0, 2.0]], counts))])
    assert [(sorted(one.reference), one.cases) for one in told] == [
        (["obs.count"], 230),
        (["reward"], 40),
        (["open"], 30),
        (["obs.count", "open"], 25),
        (["obs.count", "reward"], 5),
        (["open", "reward"], 2),
    ]
    assert [one.state["count"] for one in told] == [0, 1, 2, 3, 4, 5]
    assert told[0].reference == {"obs.count": 1}
    assert told[0].port == {"obs.count": 2}


def test_a_value_is_made_simple_again_after_another_one_was() -> None:
    """What is wrong only where the count is at least the second level can be 0 once that is 0, and
    stays so: another value is no simpler."""

    def split(one: tiny.Tiny) -> Any:
        return {"steps": one.count, "first": one.levels[0], "second": np.array([one.levels[1]])}

    def put(one: tiny.Tiny, state: Any) -> None:
        one.count, one.open = int(state["steps"]), False
        one.levels = np.array([state["first"], state["second"][0]])

    def step(one: tiny.Tiny, action: Any) -> Any:
        wrong = one.count >= one.levels[1] and one.levels[0] > 2.25
        obs, reward, *others = one.step(action)
        return obs, reward + wrong, *others

    domains = {"steps": integer(0, 9), "first": real(-9, 9) | near(2.5), "second": real(0, 9)}
    changes: dict[str, Any] = {"read": split, "write": put}
    one = tiny.pair(tiny.side(step, **changes), reference=tiny.side(**changes), state=domains)
    judge = Judge(one, make.visited(one, 16, 0))
    state = {"steps": np.array([7]), "first": np.array([3.25]), "second": np.array([[6.5]])}
    cases = make.Cases(state, {"action": np.array([1])}, np.array(["drawn"]))
    (told,) = smallest_cases(judge, [judge.step(cases)])
    assert told.state == {"steps": 0, "first": 2.5, "second": [0.0]}
    assert told.action == 0


def wrong_reward(where: Any) -> Any:
    def step(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, *others = one.step(action)
        return obs, reward + where(one, action), *others

    return step


def test_actions_are_made_simple_within_the_space_of_either_side_or_the_pair_s_domain() -> None:
    space = spaces.Discrete(6, start=2)
    bare, three = {"action_space": None}, {"action_space": lambda one: space}
    step = wrong_reward(lambda one, action: action >= 4)
    for mine, theirs, domain, simplest in (
        (three, bare, None, 7),
        (bare, three, None, 7),
        (bare, bare, integer(0, 5), 5),
        (three, bare, integer(4, 6) | near(5), 5),
    ):
        one = tiny.pair(tiny.side(step, **theirs), reference=tiny.side(**mine), action=domain, state={})
        judge = Judge(one, make.visited(one, 16, 0))
        (told,) = smallest_cases(judge, [judge.step(given([[3.0, 2.0]], [4], action=6))])
        assert (told.action, told.state["count"]) == (simplest, 4)


@pytest.mark.parametrize("which", ["reference", "port"])
def test_of_a_side_that_is_only_played_no_command_is_told(which: str) -> None:
    step = wrong_reward(lambda one, action: one.count == 3)
    sides = {"reference": tiny.side(), "port": tiny.side(step)}
    sides[which].write = None
    one = tiny.pair(**sides)
    base = play_port(one, 64, 0).cases if which == "port" else make.visited(one, 64, 0)
    judge = Judge(one, base)
    evidence = [judge.step(base)]
    (told,) = smallest_cases(judge, evidence, "envparity case some:pair")
    assert told.command == ""
    assert told.state["count"] == 2
    assert told.port["reward"] == told.reference["reward"] + 1
    assert told.cases == int(evidence[0].wrong("reward").sum())


@pytest.mark.parametrize("name", ["levels", "truncated"])
def test_a_first_or_last_field_that_is_wrong_alone_has_its_case(name: str) -> None:
    def step(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, over, cut, info = one.step(action)
        one.levels[0] += name == "levels" and one.count == 4
        return obs, reward, over, cut ^ (name == "truncated" and one.count == 4), info

    one = tiny.pair(tiny.side(step), state={})
    judge = Judge(one, make.visited(one, 16, 0))
    (told,) = smallest_cases(judge, [judge.step(given([[8.0, 2.0]], [5, 3, 1]))])
    assert (list(told.reference), told.state["count"], told.cases) == ([name], 3, 1)


def test_all_words_of_a_pair_are_told_of_the_state_that_is_shown() -> None:
    def words(state: dict[str, Any]) -> dict[Any, Any]:
        return {"at": state["count"], 7: [float(one) for one in state["levels"]], "open": state["open"]}

    one = tiny.pair(
        tiny.side(wrong_reward(lambda one, action: one.count == 4)),
        describe=words,
        command=lambda state, action: f"{state['count']} {state['levels'][1]} and {action}",
        state={},
    )
    judge = Judge(one, make.visited(one, 16, 0))
    (told,) = smallest_cases(judge, [judge.step(given([[8.5, 2.0]], [5, 3, 1]))], "unused")
    assert told.described == {"at": "3", "7": "[8.5, 2.0]", "open": "False"}
    assert told.command == "3 2.0 and 0"


def test_what_both_sides_came_to_is_told_in_double_precision() -> None:
    heavier = cases_of(pair(Port.functional(lambda: program(gravity=0.1001))))
    told = next(one for one in heavier if "speed" in one.port)
    push = 0.25 if told.action == 1 else 0.0
    for gravity, side in ((0.1, told.reference), (0.1001, told.port)):
        assert abs(side["speed"] - (told.state["speed"] - gravity + push)) < 1e-15


@pytest.mark.parametrize("size", [3, PLACES + 1])
def test_each_number_of_a_small_array_is_made_simpler_by_itself(size: int) -> None:
    class Wide(tiny.Tiny):
        def reset(self, seed: int) -> Any:
            super().reset(seed)
            self.levels = np.random.default_rng(seed).uniform(1, 2, size)
            return self.seen()

    def side(by: float) -> Any:
        def step(one: Any, action: Any) -> Any:
            obs, _, *others = one.step(action)
            return obs, by * (one.levels[1] > 0.5), *others

        return tiny.side(step, make=Wide)

    (told,) = cases_of(tiny.pair(side(1.0), reference=side(0.0)), "")
    levels = told.state["levels"]
    assert (levels == [0, 1, 0]) if size == 3 else (min(levels) >= 1)

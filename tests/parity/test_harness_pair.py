"""A pair's declaration: what it may be made of, what it holds, and what it is told of otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity import Accepted, Pair, Port, Reference, close, integer, real
from parity.harness.cases import LANES, drawn, possible, visited
from parity.harness.judge import Judge
from parity.harness.questions import OF_DRAWS, QUESTIONS
from parity.harness.shrink import smallest_cases
from parity.harness.sides.batched import BatchedSide
from parity.harness.sides.functional import FunctionalSide
from parity.harness.sides.mutable import MutableSide
from tests.parity.harness.sides import tiny
from tests.parity.harness.test_cases import even, fitting, text
from tests.sentences import refuses

WRONG: dict[str, dict[str, Any]] = {
    "a number for the reference": {"reference": 3},
    "a class for the port": {"port": tiny.Tiny},
    "nothing for the port": {"port": None},
    "a rule for a domain": {"state": {"levels": real(0, 1), "count": close()}},
    "a range for a domain": {"state": {"count": range(3)}},
    "nothing for a domain": {"state": {"count": None}},
    "a domain for a rule": {"rules": {"obs": close(), "reward": real(0, 1)}},
    "a word for a rule": {"rules": {"levels": "exact"}},
    "nothing for a rule": {"rules": {"levels": None}},
    "words for words": {"describe": {"at": "home"}},
    "a text for a command": {"command": "again"},
    "an array of what is possible": {"possible": np.ones(3, bool)},
    "a flag of what is legal": {"legal": True},
    "a case for a draw": {"draw": ({}, 1)},
    "a number for a policy": {"policy": 0},
    "a number for an action": {"action": 3},
    "a flag for a branch": {"branches": {"ends": lambda *_: None, "begins": True}},
    "nothing for a branch": {"branches": {"ends": None}},
    "a branch of a name that is taken": {"branches": {"an episode ends": lambda *_: None}},
    "a difference by itself": {"accepted": Accepted("reward", "known")},
    "a name of a difference": {"accepted": (Accepted("reward", "known"), "obs")},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_part_that_is_of_another_kind_is_refused(name: str) -> None:
    values = {"name": "a pair", "reference": tiny.side(), "port": tiny.side(), **WRONG[name]}
    with refuses():
        Pair(**values)


def test_each_side_knows_the_other_one() -> None:
    one = tiny.pair()
    assert one.reference is not one.port
    assert one.reference.partner is one.port
    assert one.port.partner is one.reference


def test_only_a_name_and_two_sides_must_be_given() -> None:
    mine, theirs = tiny.side(), tiny.side()
    one = Pair("bare", mine, theirs)
    assert (one.name, one.reference, one.port) == ("bare", mine, theirs)
    assert (one.state, one.rules, one.branches, one.accepted) == ({}, {}, {}, ())
    others = ("action", "possible", "legal", "draw", "policy", "describe", "command")
    assert {name: getattr(one, name) for name in others} == dict.fromkeys(others)
    full = tiny.pair(state={"count": integer(0, 3)}, rules={"obs": close(2)}, action=real(0, 1))
    assert full.state["count"] == integer(0, 3)
    assert full.rules["obs"].ulps == 2
    assert full.action == real(0, 1)


def test_an_accepted_difference_names_one_or_several_and_why() -> None:
    one, several = Accepted("reward", "known"), Accepted(("obs", "levels", "count"), "known too")
    assert (one.names, several.names) == (("reward",), ("obs", "levels", "count"))
    assert (one.reason, one.where, several.reason) == ("known", None, "known too")
    for reason in ("", " \n"):
        with refuses():
            Accepted(("obs", "levels"), reason)


def test_sides_are_made_of_environments_of_every_kind() -> None:
    for kind in (Reference, Port):
        made = kind.mutable(
            tiny.Tiny,
            read=tiny.read,
            reset_one=lambda one, seed: one.reset(seed),
            step_one=lambda one, action: one.step(action),
        )
        assert isinstance(made, MutableSide)
        assert not made.can_write
        functional = kind.functional(lambda: None)  # type: ignore[arg-type,return-value]
        assert isinstance(functional, FunctionalSide)
        gymnasium = kind.gymnasium(tiny.Tiny, tiny.read)
        assert isinstance(gymnasium, MutableSide)
        assert gymnasium.language == "Gymnasium"
        gymnax = kind.gymnax(lambda: None)
        assert isinstance(gymnax, FunctionalSide)
        assert gymnax.language == "gymnax"
    assert Port.batched is BatchedSide
    assert not hasattr(Reference, "batched")


ANSWERS: dict[str, dict[str, Any]] = {
    "a policy of one action": {"policy": lambda rng, obs, state: 1},
    "a policy of too few": {"policy": lambda rng, obs, state: np.zeros(15, int)},
    "a policy of a list": {"policy": lambda rng, obs, state: [0] * 16},
    "a policy of words": {"policy": lambda rng, obs, state: {"arm": np.array(["up"] * 16)}},
    "a policy with a part too long": {
        "policy": lambda rng, obs, state: {"arm": np.zeros(16), "leg": np.zeros((17, 2))}
    },
    "a draw of a state alone": {"draw": lambda rng, count: {"count": np.zeros(count)}},
    "a draw of three": {"draw": lambda rng, count: ({}, np.zeros(count), 1)},
    "a draw of an array": {"draw": lambda rng, count: (np.zeros(count), np.zeros(count))},
    "a command of words": {"command": lambda state, action: ["again", "--state"]},
    "a command of nothing": {"command": lambda state, action: None},
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_a_function_of_a_pair_returns_is_refused_where_it_is_of_another_kind(name: str) -> None:
    def wrong(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, *others = one.step(action)
        return obs, reward + 1, *others

    one = tiny.pair(tiny.side(wrong), **ANSWERS[name])
    with refuses():
        base = visited(one, 32, 0)
        drawn(one, base, 8, 0)
        judge = Judge(one, base)
        smallest_cases(judge, [judge.step(base)])


@pytest.mark.parametrize("form", [list, np.int8, np.uint8], ids=["list", "int8", "uint8"])
def test_what_is_allowed_may_be_said_in_other_forms_than_flags(form: Any) -> None:
    def legal(state: Any, action: Any) -> Any:
        return form(fitting(state, action))

    base = visited(tiny.pair(), 160, 0)
    one = tiny.pair(legal=legal, possible=lambda state: form(even(state)))
    assert text(visited(one, 160, 3)) == text(visited(tiny.pair(legal=fitting), 160, 3))
    assert text(drawn(one, base, 60, 3)) == text(
        drawn(tiny.pair(legal=fitting, possible=even), base, 60, 3)
    )


@pytest.mark.parametrize(
    "said",
    [
        True,
        np.ones((2, LANES), bool),
        np.ones((LANES, 1), bool),
        np.ones(LANES - 1, bool),
        np.ones(LANES),
    ],
    ids=["one for all", "two rows", "an axis more", "one less", "numbers"],
)
@pytest.mark.parametrize("name", ["possible", "legal"])
def test_a_rule_that_says_no_flag_a_case_is_refused(name: str, said: Any) -> None:
    base = visited(tiny.pair(), LANES, 0)
    one = tiny.pair(**{name: lambda *_: said})
    with refuses():
        possible(one, base)


def test_a_policy_and_a_draw_may_return_what_is_an_array() -> None:
    def policy(rng: np.random.Generator, obs: Any, state: Any) -> Any:
        return tuple_of(state["count"] % 2)

    def tuple_of(values: Any) -> Any:
        return {"arm": values.astype(np.int8)}

    def step(one: tiny.Tiny, action: Any) -> Any:
        return one.step(action["arm"])

    one = tiny.pair(tiny.side(step), reference=tiny.side(step), policy=policy)
    taken = visited(one, 48, 0).action
    assert {name: (value.dtype, value.shape) for name, value in taken.items()} == {
        "action.arm": (np.int8, (48,))
    }


def test_questions_have_one_name_each() -> None:
    assert len(set(QUESTIONS)) == len(QUESTIONS) == 23
    assert OF_DRAWS in QUESTIONS
    assert np.all([name == name.strip().lower() for name in QUESTIONS])

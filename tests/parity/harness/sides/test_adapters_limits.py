"""A time limit that no case came to is not called the same, and one that is left out cuts nothing."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from parity import Pair, Reference, integer
from parity.harness import cases as make
from parity.harness.judge import Judge
from parity.harness.sides.adapters import time_limit
from parity.harness.verify import _seen, _unchecked_info, _unchecked_limit
from tests.parity.harness.sides import tiny

LIMIT = 40


class Walk(gymnasium.Env[Any, Any]):
    """A place that every step moves, and that ends an episode beyond 1.3."""

    action_space = gymnasium.spaces.Discrete(2)
    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (), np.float64)
    ends = True

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.place = 0.5
        return np.float64(self.place), {}

    def step(self, action: Any) -> Any:
        self.place += 0.25
        return np.float64(self.place), 0.0, self.ends and self.place > 1.3, False, {}


class Endless(Walk):
    ends = False


def side(kind: Any = Walk, limit: int | None = LIMIT, writes: bool = True, **options: Any) -> Any:
    def one() -> Any:
        return kind() if limit is None else gymnasium.wrappers.TimeLimit(kind(), limit)

    def write(walk: Any, state: Any) -> None:
        walk.place = float(state["place"])

    return Reference.gymnasium(
        one, lambda walk: {"place": walk.place}, write if writes else None, **options
    )


def judged(reference: Any, port: Any, **changes: Any) -> Any:
    pair = Pair("walk", reference, port, **changes)
    base = make.visited(pair, 64, 0)
    judge = Judge(pair, base)
    evidence = [judge.step(base)]
    if reference.can_write:
        evidence.append(judge.step(make.drawn(pair, base, 400, 0)))
    return judge, evidence


CUT = f"the reference's time limit of {LIMIT} steps (time) cuts an episode off"


@pytest.mark.parametrize("limit", [LIMIT, 30])
def test_a_limit_that_no_case_came_to_is_not_seen_until_its_steps_have_a_domain(limit: int) -> None:
    judge, evidence = judged(side(), side(limit=limit))
    assert _seen(judge, evidence)[CUT] == 0
    assert not any(one.wrong(name).any() for one in evidence for name in one.labels)
    judge, evidence = judged(side(), side(limit=limit), state={"time": integer(0, LIMIT - 1)})
    assert _seen(judge, evidence)[CUT] > 0
    assert any(one.wrong("truncated").any() for one in evidence) == (limit != LIMIT)
    assert _unchecked_limit(judge, evidence) == []


@pytest.mark.parametrize("changes", [{"time": None}, {"writes": False}], ids=str)
def test_a_limit_that_no_case_can_be_placed_at_is_told_as_not_checked(changes: Any) -> None:
    judge, evidence = judged(side(**changes), side(**({} if "writes" in changes else changes)))
    assert not any("time limit" in name for name in _seen(judge, evidence))
    assert _unchecked_limit(judge, evidence) == [
        f"the reference's time limit of {LIMIT} steps: no case came to it"
    ]


def test_a_limit_whose_steps_are_left_out_cuts_off_no_case_that_has_nothing_to_do_with_it() -> None:
    """The wrapper counts the steps of whatever it steps: those of many cases are no episode."""
    one = side(time=None)
    state = {"place": np.zeros(3 * LIMIT)}
    taken = {"action": np.zeros(3 * LIMIT, np.int64)}
    assert not one.transition(state, taken, np.arange(3 * LIMIT)).outcome["truncated"].any()


def test_the_limit_is_the_nearest_of_all_and_of_gymnasium_alone() -> None:
    assert time_limit(side()) == LIMIT
    assert time_limit(side(lambda: gymnasium.wrappers.TimeLimit(Walk(), 9))) == 9
    assert time_limit(side(limit=None)) is None
    assert time_limit(tiny.side()) is None


def test_what_the_references_reset_tells_is_listed_as_not_checked() -> None:
    class Telling(Walk):
        def reset(self, **given: Any) -> Any:
            return super().reset(**given)[0], {"mask": np.ones(2), "lives": 3}

    pair = Pair("walk", side(Telling), side())
    pair.reference.reset(np.arange(2))
    assert _unchecked_info(pair) == ["the info of the reference's reset: lives, mask"]
    silent = Pair("walk", side(), side(Telling))
    silent.reference.reset(np.arange(2))
    assert _unchecked_info(silent) == _unchecked_info(tiny.pair()) == []


def test_a_pair_that_says_so_needs_no_end_and_counts_those_that_are_seen() -> None:
    for kind, endless in ((Endless, False), (Endless, True), (Walk, True)):
        judge, evidence = judged(side(kind, None), side(kind, None), endless=endless)
        seen = _seen(judge, evidence).get("an episode ends")
        assert seen is None if kind is Endless and endless else (seen != 0) == (kind is Walk)

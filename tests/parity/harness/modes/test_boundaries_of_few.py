"""Boundaries in narrow domains and states that may not occur, and values that are seldom taken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from parity import Pair, integer, near, real
from parity.harness import cases as make
from parity.harness.modes.boundaries import (
    FEW_VALUES,
    OFFSETS,
    boundary,
    how_clipped,
    how_ended,
    how_jumped,
    how_valued,
)
from parity.harness.sides.side import Steps
from parity.harness.trees import Array, Fields
from tests.parity.harness.sides import tiny


class Slope:
    """A place and a depth in single precision, of which the sum ends an episode above seven."""

    def __init__(self) -> None:
        self.place, self.depth, self.turns = np.float32(0), np.float32(0), 0

    def reset(self, seed: int) -> Any:
        self.place, self.depth = np.random.default_rng(seed).uniform(0, 3, 2).astype(np.float32)
        self.turns = 0
        return self.place

    def step(self, action: int) -> Any:
        self.place = self.place * (1.5 if action == 1 else 1.25)
        self.turns += 1
        return np.float32(self.place), 0.0, bool(self.place + self.depth > 7), False, {}


def slope(**changes: Any) -> Pair:
    def put(one: Slope, state: Any) -> None:
        one.place, one.depth, one.turns = state["place"], state["depth"], int(state["turns"])

    def side() -> Any:
        return tiny.side(
            make=Slope,
            read=lambda one: {"place": one.place, "depth": one.depth, "turns": one.turns},
            write=put,
        )

    values: dict[str, Any] = {
        "state": {"place": real(0, 8), "depth": real(0.5, 4), "turns": integer(0, 9)},
        **changes,
    }
    return Pair("a slope", side(), side(), **values)


def known(many: int = 300, lowest: float = 0.5) -> make.Cases:
    rng = np.random.default_rng(5)
    state = {
        "place": rng.uniform(0, 8, many),
        "depth": rng.uniform(lowest, 4, many),
        "turns": rng.integers(0, 10, many),
    }
    return make.Cases(state, {"action": np.arange(many) % 2}, np.full(many, "drawn"))


def beside(one: Pair, cases: make.Cases, seed: int = 0) -> tuple[make.Cases, Steps]:
    reference = one.reference
    count = len(cases)
    steps = reference.transition(cases.state, cases.action, np.zeros(count, int), double=True)
    found = boundary(one, cases, how_ended(cases.state, steps), seed, how_ended, 24)
    assert found is not None
    again = reference.transition(found.state, found.action, np.zeros(len(found), int), double=True)
    return found, again


def test_a_boundary_is_found_to_every_digit_though_the_state_is_held_in_fewer() -> None:
    one = slope()
    found, steps = beside(one, known())
    count = len(found) // (1 + len(OFFSETS))
    ended = steps.outcome["terminated"].reshape(-1, count)
    for offset, row in zip((0.0, *OFFSETS), ended, strict=True):
        assert row.tolist() == [offset > 0] * count, offset
    # whole numbers and actions are those of the state that ends an episode
    blocks = found.state["turns"].reshape(-1, count)
    assert (blocks == blocks[:1]).all()
    assert len(set(blocks[0].tolist())) > 3
    actions = found.action["action"].reshape(-1, count)
    assert (actions == actions[:1]).all()
    assert set(actions[0].tolist()) == {0, 1}
    assert len(np.unique(found.state["place"].reshape(-1, count)[0])) > count // 2
    assert set(found.source.tolist()) == {"boundary"}


def test_states_beside_a_boundary_lie_in_their_domain_and_are_possible() -> None:
    low, _ = beside(slope(), known(lowest=-2.0))
    assert low.state["depth"].min() >= 0.5
    assert (low.state["depth"] == 0.5).any()
    all_of_them, _ = beside(slope(), known())
    few, _ = beside(slope(possible=lambda state: state["depth"] < 2), known())
    kept = all_of_them.state["depth"] < 2
    assert 0 < kept.sum() < len(kept)
    assert few.state["depth"].tolist() == all_of_them.state["depth"][kept].tolist()
    legal, _ = beside(slope(legal=lambda state, action: action["action"] == 1), known())
    assert set(legal.action["action"].tolist()) == {1}


def test_other_boundaries_are_sought_with_another_seed() -> None:
    first, again, other = (beside(slope(), known(), seed)[0].state["place"] for seed in (0, 0, 1))
    assert first.tolist() == again.tolist()
    assert not np.isin(first, other).any()


def test_nothing_is_sought_where_the_reference_cannot_be_put_or_no_number_has_a_fraction() -> None:
    cases = known()
    code = np.arange(300) % 2
    whole = slope(state={"turns": integer(0, 9)})
    assert boundary(whole, cases, code, 0, how_ended) is None
    sealed = slope()
    sealed.reference.write = None  # type: ignore[attr-defined]
    assert boundary(sealed, cases, code, 0, how_ended) is None
    # where what was seen is not done again between the two, there is no boundary
    assert (
        boundary(slope(), cases, code, 0, lambda before, steps: np.zeros(len(steps.final), int)) is None
    )
    assert (
        boundary(slope(), cases, code, 0, lambda before, steps: np.ones(len(steps.final), int)) is None
    )


def steps_of(many: int, ended: Any = (), **parts: Any) -> Steps:
    flags = np.isin(np.arange(many), ended)
    outcome = {"reward": np.zeros(many), "terminated": flags, "truncated": flags & False}
    outcome |= {name: parts.pop(name) for name in ("reward",) if name in parts}
    return Steps(parts.get("state", {}), parts.get("obs", {}), outcome, np.ones(many, bool))


@pytest.mark.parametrize("kind", [np.uint8, np.int16, bool, np.float64])
def test_the_value_that_comes_most_often_is_what_others_are_held_to(kind: Any) -> None:
    values = np.array([1, 0, 1, 1, 0, 1, 1], kind)
    steps = steps_of(7, obs={"obs.a": values})
    code = how_valued(frozenset(), steps)({}, steps)
    assert code.tolist() == ([0] * 7 if kind is np.float64 else [0, 1, 0, 0, 1, 0, 0])
    paid = steps_of(7, reward=values.astype(np.float64))
    assert how_valued(frozenset(), paid)({}, paid).tolist() == [0, 1, 0, 0, 1, 0, 0]


def test_values_in_steps_that_end_an_episode_neither_count_nor_are_found() -> None:
    rewards = np.array([2.0, 2, 2, 5, 2, 9])
    steps = steps_of(6, ended=(3, 5), reward=rewards)
    assert how_valued(frozenset(), steps)({}, steps).tolist() == [0] * 6  # there is one value elsewhere
    on = steps_of(6, ended=(5,), reward=rewards)
    code_of = how_valued(frozenset(), on)
    assert code_of({}, on).tolist() == [0, 0, 0, 1, 0, 0]
    # other steps are held to what was taken before: 7 was never seen
    other = steps_of(3, ended=(2,), reward=np.array([7.0, 2, 7]))
    assert code_of({}, other).tolist() == [1, 0, 0]
    many = np.r_[np.zeros(20), np.arange(FEW_VALUES + 5)]
    late = steps_of(len(many), ended=range(20 + FEW_VALUES, len(many)), reward=many)
    assert how_valued(frozenset(), late)({}, late).max() == 1  # of those that go on there are few


def test_fields_that_are_drawn_have_no_code_and_the_others_keep_their_own() -> None:
    rewards, flags = np.array([0.0, 0, 1, 0]), np.array([0, 0, 0, 1])
    steps = steps_of(4, reward=rewards, obs={"obs.a": np.stack([flags * 0, flags], axis=1)})
    for random, expected in (
        (frozenset[str](), [0, 0, 1, 3]),
        (frozenset({"reward"}), [0, 0, 0, 2]),
        (frozenset({"obs.a"}), [0, 0, 1, 0]),
        (frozenset({"reward", "obs.a"}), [0, 0, 0, 0]),
    ):
        assert how_valued(random, steps)({}, steps).tolist() == expected


def state_steps(many: int, **state: Array) -> Steps:
    return steps_of(many, state=state)


def test_half_of_a_domain_is_no_jump_and_a_little_more_is_the_last_that_counts() -> None:
    one = slope()
    before: Fields = {
        "place": np.zeros(6),
        "depth": np.full(6, 0.5),
        "turns": np.zeros(6, np.int64),
    }
    place = np.array([4.0, 4.1, -4.1, 0.0, 8.0, 0.0])
    depth = 0.5 + np.array([0.0, 0.0, 0.0, 1.75, 1.76, -1.76])
    steps = state_steps(6, place=place, depth=depth, turns=np.full(6, 9))
    assert how_jumped(one)(before, steps).tolist() == [0, 1, 1, 0, 2, 2]


def test_the_last_place_that_a_step_leaves_a_number_at_counts_and_whole_numbers_have_none() -> None:
    one = replace(
        slope(),
        state={
            "place": real(0, 8) | near(2.5, 8.0),
            "depth": real(0.5, 4) | near(0.75),
            "turns": integer(0, 9) | near(3),
        },
    )
    place = np.array([0.0, 8.0, 2.5, 1.0, 1.0, 1.0, 2.5, 1.0])
    depth = np.array([1.0, 1.0, 1.0, 0.5, 4.0, 0.75, 4.0, 1.0])
    steps = state_steps(8, place=place, depth=depth, turns=np.array([3, 0, 9, 3, 0, 9, 3, 3]))
    # low, high and the one other aim of the first; then those of the second
    assert how_clipped(one)({}, steps).tolist() == [1, 2, 3, 4, 5, 6, 5, 0]

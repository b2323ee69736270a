"""Cases of a pair: states that are visited and drawn are a matter of the seed, and all may occur."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity import integer, real
from parity.harness.cases import (
    LANES,
    Actions,
    Cases,
    drawn,
    possible,
    simpler_actions,
    visited,
)
from parity.harness.spaces import Leaf
from parity.harness.trees import Array, Fields
from tests.parity.harness.sides.tiny import LIMIT, pair
from tests.sentences import refuses


def text(cases: Cases) -> str:
    values = [*cases.state.values(), *cases.action.values()]
    return str([value.tolist() for value in values])


@pytest.fixture(scope="module")
def base() -> Cases:
    return visited(pair(), 160, 0)


def test_each_seed_visits_and_draws_states_of_its_own(base: Cases) -> None:
    seen = [text(visited(pair(), 160, seed)) for seed in range(4)]
    assert seen[0] == text(base)
    made = [text(drawn(pair(), base, 100, seed)) for seed in range(4)]
    assert made[0] == text(drawn(pair(), base, 100, 0))
    assert len({*seen, *made}) == 8


@pytest.mark.parametrize("count", [1, LANES, LANES + 1, 100])
def test_at_least_as_many_are_visited_as_were_asked_for(count: int) -> None:
    cases = visited(pair(), count, 3)
    assert len(cases) == -(-count // LANES) * LANES
    assert cases.played is not None
    assert cases.seeds is not None
    assert len(cases.seeds) == len(cases)
    assert set(cases.source) == {"visited"}


def test_episodes_begin_anew_one_by_one() -> None:
    base = visited(pair(), 40 * LANES, 0)
    steps = base.state["count"].reshape(-1, LANES)
    ended = steps == LIMIT - 1
    assert ended.any()
    for lane in range(LANES):
        for row in range(1, len(steps)):
            begun = steps[row, lane] == 0
            assert begun or steps[row, lane] == steps[row - 1, lane] + 1
            assert begun or not ended[row - 1, lane]
    first = [base.state["levels"][row, 1] for row in np.flatnonzero(base.state["count"] == 0)]
    assert len(set(first)) == len(first)  # of another seed each


def test_a_lane_keeps_to_its_action_for_long_and_another_changes_all_the_time() -> None:
    rng = np.random.default_rng(0)
    actions = Actions(pair(action=integer(0, 999)), rng)
    state: Fields = {"count": np.zeros(LANES, int)}
    taken = np.stack([actions.next({}, state)["action"] for _ in range(400)])
    changes = (taken[1:] != taken[:-1]).mean(0)
    assert changes[0] < 0.08
    assert changes[-1] > 0.95
    assert (np.diff(changes) > -0.1).all()


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_as_many_are_drawn_as_were_asked_for(base: Cases, count: int) -> None:
    cases = drawn(pair(), base, count, 0)
    assert len(cases) == count
    assert set(cases.source) == {"drawn"}
    assert cases.state.keys() == base.state.keys()


def test_declared_fields_are_drawn_anew_together_and_one_by_one(base: Cases) -> None:
    cases = drawn(pair(), base, 4000, 1)
    old_levels = {tuple(row) for row in base.state["levels"].tolist()}
    kept = np.array([tuple(row) in old_levels for row in cases.state["levels"].tolist()])
    assert 0.1 < kept.mean() < 0.2  # three in ten rows are mixed, and of these half keep a field
    counts = np.bincount(cases.state["count"], minlength=LIMIT)
    assert len(counts) == LIMIT
    assert counts.min() > 100
    new = cases.state["levels"][~kept]
    assert 0 <= new.min() <= new.max() <= 1e9
    opened = base.state["open"].mean()  # has no domain, and keeps what was visited
    assert abs(cases.state["open"].mean() - opened) < 0.1


def of_one_s_own(rng: np.random.Generator, count: int) -> tuple[Fields, Any]:
    state = {
        "levels": np.full((count, 2), 3.5),
        "count": rng.integers(0, LIMIT, count),
        "open": np.ones(count, bool),
    }
    return state, rng.integers(0, 2, count)


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_half_of_the_drawn_cases_are_the_pair_s_own(base: Cases, count: int) -> None:
    cases = drawn(pair(draw=of_one_s_own), base, count, 0)
    assert len(cases) == count
    own = (cases.state["levels"] == 3.5).all(1)
    assert own.sum() == -(-count // 2)


def even(state: Fields) -> Array:
    return np.asarray(state["count"] % 2 == 0)


def fitting(state: Fields, action: Fields) -> Array:
    """A door that is open may only be closed."""
    return np.asarray(~state["open"] | (action["action"] == 0))


@pytest.mark.parametrize(
    "changes", [{"possible": even}, {"legal": fitting}, {"possible": even, "legal": fitting}]
)
@pytest.mark.parametrize("draw", [None, of_one_s_own])
def test_no_state_that_cannot_occur_and_no_action_that_is_not_allowed_is_drawn(
    base: Cases, changes: Any, draw: Any
) -> None:
    one = pair(draw=draw, **changes)
    cases = drawn(one, base, 200, 2)
    assert len(cases) == 200
    assert even(cases.state).all() == ("possible" in changes)
    assert fitting(cases.state, cases.action).all() == ("legal" in changes)
    kept = possible(one, base)
    expected = np.ones(len(base), bool)
    expected &= even(base.state) | ("possible" not in changes)
    expected &= fitting(base.state, base.action) | ("legal" not in changes)
    assert text(kept) == text(base.rows(np.flatnonzero(expected)))
    if "legal" in changes:
        played = visited(one, 320, 2)
        assert fitting(played.state, played.action).all()


def test_a_domain_with_a_fraction_is_none_for_actions_that_are_whole_numbers() -> None:
    """They would be cut to whole numbers, and the last action would hardly ever be tried."""
    for action in (None, integer(0, 1)):
        assert set(visited(pair(action=action), 64, 0).action["action"]) == {0, 1}
    with refuses():
        visited(pair(action=real(0, 1)), 64, 0)


def test_every_step_of_every_episode_that_is_visited_draws_from_a_seed_of_its_own() -> None:
    seeds = visited(pair(), 20 * LANES, 0).seeds
    assert seeds is not None
    assert len(seeds) == len(set(seeds.tolist())) == 20 * LANES


def test_simpler_actions_are_of_the_kind_that_the_space_has() -> None:
    box = {"action": Leaf("box", (1,), "float32", np.array([-1.0]), np.array([2.5]))}
    found = simpler_actions(box, "action", 0.123456, None)
    assert found[:3] == [0, 1, -1]
    assert {0.1, 0.12, 0.123, 2.5, -1.0} <= set(found)
    whole = {"action": Leaf("discrete", (), "int64", np.array(2), np.array(6))}
    assert simpler_actions(whole, "action", 5, None) == [2, 6, 4]
    assert simpler_actions(whole, "action", 5, integer(3, 5)) == [3, 4]
    wide = {"action": Leaf("box", (2,), "float32", np.zeros(2), np.ones(2))}
    assert simpler_actions(wide, "action", 0.5, None) == simpler_actions({}, "action", 1, None) == []

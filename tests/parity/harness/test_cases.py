"""Cases of a pair: states that are visited and drawn are a matter of the seed, and all may occur."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from gymnasium import spaces

from parity import Port, integer, real
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
from tests.parity.harness import lander
from tests.parity.harness.sides.tiny import LIMIT, Tiny, pair, read, side
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


def drawing() -> Any:
    """Return a functional reference each of whose steps draws a push of its own."""

    def program() -> Any:
        made = lander.program()

        def step(key: Any, state: Any, action: Any) -> Any:
            push = jax.random.uniform(key, minval=-0.01, maxval=0.01)
            return made.step(key, state._replace(speed=state.speed + push), action)

        return made._replace(step=step)

    return lander.pair(reference=Port.functional(program))


@pytest.mark.parametrize("kind", ["an object", "functions"])
def test_an_episode_goes_on_from_its_step_until_it_is_over_in_either_way(kind: str) -> None:
    one = pair() if kind == "an object" else drawing()
    base = visited(one, 40 * LANES, 0)
    steps, seeds = base.played, base.seeds
    assert steps is not None
    assert seeds is not None
    terminated, truncated = (steps.outcome[name] for name in ("terminated", "truncated"))
    assert (terminated & ~truncated).any()
    assert (truncated & ~terminated).any()
    over = (terminated | truncated).reshape(-1, LANES)[:-1]
    begins: list[Any] = []
    for name, values in base.state.items():
        now, after = (one.reshape(-1, LANES, *one.shape[1:]) for one in (values, steps.state[name]))
        assert np.array_equal(now[1:][~over], after[:-1][~over]), name
        begins.append(np.concatenate([now[0], now[1:][over]]))
    places = [tuple(row.reshape(-1)) for row in begins[0]]
    assert len(set(places)) == len(places) == LANES + over.sum()  # each start is of another seed
    again = one.reference.transition(base.state, base.action, seeds)
    for name, value in again.fields.items():
        assert np.array_equal(value, steps.fields[name]), name
    if kind == "functions":
        other = one.reference.transition(base.state, base.action, seeds + 1)
        assert (other.state["speed"] != steps.state["speed"]).all()


def test_some_of_the_cases_are_those_with_all_that_belongs_to_them(base: Cases) -> None:
    rows = [70, 3, 41]
    some = base.rows(rows)
    assert len(some) == 3
    assert base.played is not None
    assert base.seeds is not None
    assert some.played is not None
    assert some.seeds is not None
    for name in base.state:
        assert np.array_equal(some.state[name], base.state[name][rows])
    for name, value in base.played.fields.items():
        assert np.array_equal(some.played.fields[name], value[rows])
    assert some.action["action"].tolist() == base.action["action"][rows].tolist()
    assert some.seeds.tolist() == base.seeds[rows].tolist()
    base.source[3] = "marked"
    assert base.rows(rows).source.tolist() == ["visited", "marked", "visited"]
    base.source[3] = "visited"
    bare = Cases(base.state, base.action, base.source).rows(rows)
    assert (bare.played, bare.seeds) == (None, None)


def test_a_policy_is_asked_with_what_is_seen_and_with_the_state() -> None:
    def policy(rng: np.random.Generator, obs: Fields, state: Fields) -> Any:
        assert sorted(obs) == ["obs.count", "obs.near"]
        assert sorted(state) == ["count", "levels", "open"]
        assert np.array_equal(obs["obs.near"], state["levels"])
        assert np.array_equal(obs["obs.count"], state["count"])
        return {"arm": state["count"] % 2, "leg": (obs["obs.near"][:, 1] > 1.0) * 3}

    cases = visited(
        pair(
            side(lambda one, action: one.step(action["arm"])),
            reference=side(lambda one, action: one.step(action["arm"])),
            policy=policy,
        ),
        320,
        0,
    )
    assert sorted(cases.action) == ["action.arm", "action.leg"]
    assert cases.action["action.arm"].tolist() == (cases.state["count"] % 2).tolist()
    assert cases.action["action.leg"].tolist() == (3 * (cases.state["levels"][:, 1] > 1.0)).tolist()
    assert {0, 3} == set(cases.action["action.leg"].tolist())


def test_actions_are_of_the_space_that_either_side_has_or_of_the_pair_s_domain() -> None:
    rng = np.random.default_rng(0)
    bare, three = side(action_space=None), side(action_space=lambda one: spaces.Discrete(3, start=4))
    for sides in ({"reference": bare, "port": three}, {"reference": three, "port": side()}):
        drawn_ones = Actions(pair(**sides), rng).draw(200)["action"]
        assert (set(drawn_ones.tolist()), drawn_ones.dtype) == ({4, 5, 6}, np.int64)
    neither: dict[str, Any] = {"reference": bare, "port": bare}
    with refuses():
        Actions(pair(**neither), rng)
    fractions = Actions(pair(action=real(0.25, 0.5), **neither), rng).draw(50)["action"]
    assert fractions.dtype == np.float32
    assert (fractions.min(), fractions.max()) == (0.25, 0.5)
    counts = Actions(pair(action=integer(7, 9), **neither), rng).draw(50)["action"]
    assert (set(counts.tolist()), counts.dtype) == ({7, 8, 9}, np.int64)
    two = spaces.Dict({"a": spaces.Box(-1, 1, (2,)), "b": spaces.Discrete(3)})
    octets = spaces.Box(0, 255, (2,), np.uint8)  # what is beyond it would wrap round
    for space, domain in ((two, real(0, 1)), (octets, integer(-1, 9)), (octets, integer(0, 256))):
        with refuses():
            Actions(pair(reference=side(action_space=lambda one, s=space: s), action=domain), rng)
    octet = pair(reference=side(action_space=lambda one: octets), action=integer(0, 255))
    assert Actions(octet, rng).draw(99)["action"].max() == 255


def test_a_lane_keeps_to_its_action_for_long_and_another_changes_all_the_time() -> None:
    rng = np.random.default_rng(0)
    for legal in (None, lambda state, action: action["action"] < 990):
        actions = Actions(pair(action=integer(0, 999), legal=legal), rng)
        state: Fields = {"count": np.zeros(LANES, int)}
        taken = np.stack([actions.next({}, state)["action"] for _ in range(400)])
        changed = taken[1:] != taken[:-1]
        changes = changed.mean(0)
        assert changes[0] < 0.08
        assert changes[-1] > 0.95
        assert (np.diff(changes) > -0.1).all()
        assert (changed[:, 8] & ~changed[:, 9]).mean() > 0.1  # each lane at its own times
        assert (taken.max() < 990) == (legal is not None)


def test_every_part_of_an_action_changes_and_is_drawn_until_it_is_legal() -> None:
    space = spaces.Dict({"a": spaces.Discrete(500), "b": spaces.Box(0, 1, (2,))})
    two = side(action_space=lambda one: space)

    def legal(state: Fields, action: Fields) -> Array:
        return np.asarray((action["action.b"][:, 1] < 0.3) & (action["action.a"] > 20))

    for rule in (None, legal):
        actions = Actions(pair(reference=two, legal=rule), np.random.default_rng(0))
        state: Fields = {"count": np.zeros(LANES, int)}
        rows = [actions.next({}, state) for _ in range(60)]
        taken = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        assert {n: (v.shape, str(v.dtype)) for n, v in taken.items()} == {
            "action.a": ((60, LANES), "int64"),
            "action.b": ((60, LANES, 2), "float32"),
        }
        for values in (taken["action.a"], taken["action.b"][..., 0], taken["action.b"][..., 1]):
            assert (values[1:, -1] != values[:-1, -1]).mean() > (0.8 if rule is None else 0.5)
        held = [legal(state, row).all() for row in rows]
        assert held == [rule is not None] * 60


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
    old = [row for row in cases.state["levels"].tolist() if tuple(row) in old_levels]
    assert len({tuple(row) for row in old}) > 0.9 * len(base)  # of every case that was visited
    some = drawn(pair(action=integer(0, 999)), base, 300, 0)
    assert len(set(some.action["action"].tolist())) > 150  # actions are drawn anew
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


def other_draw(**changes: Any) -> Any:
    """Return a draw of one's own with some parts made of the count of cases in another way."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Fields, Any]:
        state, action = of_one_s_own(rng, count)
        made = {name: change(count) for name, change in changes.items()}
        action = made.pop("action", action)
        return {name: v for name, v in {**state, **made}.items() if v is not None}, action

    return draw


OTHERS: dict[str, Any] = {
    "a field less": {"open": lambda count: None},
    "a field more": {"weight": np.zeros},
    "an action of other parts": {"action": lambda count: {"arm": np.zeros(count, int)}},
    "a place more": {"levels": lambda count: np.ones((count, 3))},
    "a row less": {"count": lambda count: np.zeros(count - 1, int)},
    "a row less of actions": {"action": lambda count: np.zeros(count - 1, int)},
    "an axis of actions more": {"action": lambda count: np.zeros((count, 1), int)},
    "a count with a fraction": {"count": lambda count: np.full(count, 2.5)},
    "a number for a flag": {"open": lambda count: np.ones(count, int)},
    "an action with a fraction": {"action": lambda count: np.full(count, 0.5)},
}


@pytest.mark.parametrize("name", OTHERS)
def test_cases_of_one_s_own_in_another_form_than_visited_ones_are_refused(
    name: str, base: Cases
) -> None:
    with refuses():
        drawn(pair(draw=other_draw(**OTHERS[name])), base, 10, 0)


def test_cases_of_one_s_own_are_taken_in_the_form_of_visited_ones(base: Cases) -> None:
    narrow = other_draw(
        levels=lambda count: [[1.5, 2.5]] * count,
        count=lambda count: np.full(count, 3, np.int8),
        action=lambda count: np.ones(count, np.uint8),
    )
    cases = drawn(pair(draw=narrow), base, 10, 0).rows(np.arange(5))
    assert cases.state["levels"].tolist() == [[1.5, 2.5]] * 5
    assert cases.state["count"].tolist() == [3] * 5
    assert cases.action["action"].tolist() == [1] * 5
    for name in base.state:
        assert cases.state[name].dtype == base.state[name].dtype
    assert cases.action["action"].dtype == base.action["action"].dtype


DOMAINS: dict[str, Any] = {
    "whole for a fraction": {"levels": integer(0, 5)},
    "a fraction for whole": {"count": real(0, 5)},
    "a fraction for a flag": {"open": real(0, 1)},
    "2 for a flag": {"open": integer(0, 2)},
    "-1 for a flag": {"open": integer(-1, 1)},
    "no such fields": {"count": integer(0, 5), "weight": real(0, 1), "age": integer(0, 1)},
}


@pytest.mark.parametrize("name", DOMAINS)
def test_a_domain_of_another_kind_than_its_field_is_refused(name: str, base: Cases) -> None:
    with refuses():
        drawn(pair(state=DOMAINS[name]), base, 10, 0)


def test_numbers_are_drawn_for_every_place_and_in_double_precision_and_flags_stay_flags() -> None:
    def narrow(one: Tiny) -> dict[str, Any]:
        return {**read(one), "levels": one.levels.astype(np.float32)}

    state = {"levels": real(0, 1e3), "count": integer(2, 9), "open": integer(0, 1)}
    one = pair(side(read=narrow), reference=side(read=narrow), state=state)
    cases = drawn(one, visited(one, 160, 0), 1000, 0)
    levels, opened = cases.state["levels"], cases.state["open"]
    assert (levels.dtype, cases.state["count"].dtype, opened.dtype) == (np.float64, np.int64, bool)
    new = (levels <= 1e3).all(1)
    assert new.sum() > 700
    assert (levels[new, 0] != levels[new, 1]).mean() > 0.9
    assert (levels[new] != levels[new].astype(np.float32)).any(0).all()  # more digits than single
    assert 0.3 < opened.mean() < 0.7
    assert set(cases.state["count"].tolist()) >= set(range(2, 10))
    assert set(cases.action["action"].tolist()) == {0, 1}


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
    assert simpler_actions(whole, "action", 5, integer(3, 5)) == [3]
    assert simpler_actions(whole, "action", 5, integer(3, 6)) == [3, 6, 4]
    wide = {"action": Leaf("box", (2,), "float32", np.zeros(2), np.ones(2))}
    wide["action"].high[1] = 0.25  # each place of an array has ends of its own
    assert 1 in simpler_actions(wide, "action", 0.5, None)
    assert simpler_actions(wide, "action", 0.5, None, 1) == [0]
    assert simpler_actions(wide, "action", 0.5, None, 2) == simpler_actions({}, "action", 1, None) == []

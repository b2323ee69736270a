"""Objects that are stepped: every row from its own state and seed, nothing left of the row before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from foundation.errors import InputError
from parity.harness.sides.mutable import MutableSide
from tests.parity.harness.sides import tiny
from tests.sentences import refuses


def state_of(rows: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "levels": rng.random((rows, 2)),
        "count": np.arange(rows) % 11,
        "open": np.arange(rows) % 2 == 0,
    }


class Sticky(tiny.Tiny):
    """After an end it does nothing until it is reset; its step changes its state in place."""

    over = False

    def reset(self, seed: int) -> Any:
        self.over = False
        return super().reset(seed)

    def step(self, action: int) -> Any:
        if self.over:
            return self.seen(), -1.0, False, False, {}
        self.levels *= 2.0
        out = super().step(action)
        self.over = bool(out[2] or out[3])
        return out


def test_every_row_is_stepped_from_its_own_state_whatever_came_before_it() -> None:
    side = tiny.side(make=Sticky, write=lambda one, state: vars(one).update(state))
    state = state_of(40)
    state["count"][[3, 4, 20]] = tiny.LIMIT - 1
    before = {name: value.copy() for name, value in state.items()}
    actions = {"action": np.arange(40) % 2}
    for turn in range(2):
        done = side.transition(state, actions, np.arange(40))
        factor = np.where(actions["action"] == 1, 2.5, 1.5)[:, None]
        assert np.array_equal(done.state["levels"], before["levels"] * factor), turn
        assert np.array_equal(done.state["count"], before["count"] + 1)
        assert (done.outcome["reward"] >= 0).all()
        assert done.ended.sum() == 3
    for name, value in state.items():
        assert np.array_equal(value, before[name])  # what was handed over is left as it was


def drawing(seeds: list[int]) -> MutableSide:
    def reseed(one: Any, seed: int) -> None:
        seeds.append(seed)
        one.rng = np.random.default_rng(seed)

    def step(one: Any, action: Any) -> Any:
        obs, _, *others = one.step(action)
        return obs, one.rng.random(), *others

    class Drawing(tiny.Tiny):
        rng = np.random.default_rng(0)

    return tiny.side(step, Drawing, reseed=reseed)


def test_every_row_draws_from_its_own_seed_in_cases_and_in_lanes() -> None:
    used = list[int]()
    side, seeds = drawing(used), np.array([5, 9, 5, 2])
    actions = {"action": np.zeros(4, int)}
    done = side.transition(state_of(4), actions, seeds)
    assert used == seeds.tolist()
    expected = [np.random.default_rng(seed).random() for seed in seeds]
    assert done.outcome["reward"].tolist() == expected
    lanes = side.lanes(seeds, state_of(4))
    used.clear()
    assert lanes.advance(actions, seeds).outcome["reward"].tolist() == expected
    assert used == seeds.tolist()


def test_an_outcome_in_another_form_is_the_same_outcome() -> None:
    state, actions = state_of(12), {"action": np.ones(12, int)}
    state["count"][3] = tiny.LIMIT - 1
    plain = tiny.side().transition(state, actions, np.arange(12)).outcome
    other = tiny.returning(
        reward=lambda r: [r], terminated=lambda t: np.array([int(t)]), truncated=float
    )
    done = other.transition(state, actions, np.arange(12)).outcome
    assert plain["terminated"].sum() == 1
    for name, value in plain.items():
        assert (done[name].dtype, done[name].tolist()) == (value.dtype, value.tolist()), name


def test_resets_come_from_their_seeds_and_lanes_begin_where_they_are_put() -> None:
    side = tiny.side()
    shown = side.reset(np.array([3, 4, 3]))
    for row, seed in enumerate((3, 4, 3)):
        one = tiny.Tiny()
        one.reset(seed)
        assert np.array_equal(shown.state["levels"][row], one.levels)
        assert np.array_equal(shown.obs["obs.near"][row], one.levels)
    lanes: Any = side.lanes(np.arange(3), state_of(3))
    for name, value in state_of(3).items():
        assert np.array_equal(lanes.start.state[name], value)
    first = lanes.advance({"action": np.ones(3, int)}, np.arange(3))
    second = lanes.advance({"action": np.ones(3, int)}, np.arange(3))
    assert np.array_equal(second.state["count"], first.state["count"] + 1)


@pytest.mark.parametrize("row", [0, 2])
def test_a_whole_number_that_a_field_cannot_hold_is_refused(row: int) -> None:
    side = tiny.side(read=lambda one: {**tiny.read(one), "count": np.int8(one.count)})
    state = state_of(3)
    state["count"] = state["count"].astype(np.int64)
    state["count"][row] = 1000
    with pytest.raises(InputError, match="count"):
        side.transition(state, {"action": np.zeros(3, int)}, np.arange(3))


def test_what_every_step_tells_in_one_shape_is_told() -> None:
    def step(one: Any, action: Any) -> Any:
        *out, _ = one.step(action)
        told = {"heat": np.full(2, one.count), "deep": {"n": one.count}, "name": "x"}
        wide = {"map": np.ones(one.count)}
        return *out, {**told, **wide, **({"late": 1} if one.count > 2 else {})}

    done = tiny.side(step).transition(state_of(4), {"action": np.zeros(4, int)}, np.arange(4))
    assert set(done.told) == {"heat", "deep.n"}
    assert done.told["heat"].tolist() == [[n, n] for n in range(1, 5)]
    assert done.info == {"heat", "deep", "name", "map", "late"}


class InPlace(tiny.Tiny):
    """It never makes another array, and may end in both ways at once."""

    def step(self, action: int) -> Any:
        self.levels += 1.0
        self.count += 1
        return {"near": self.levels, "count": self.count}, 0.0, self.count > 2, self.count > 3, {}


def test_what_was_shown_stays_as_it_was_while_an_object_goes_on() -> None:
    def put(one: Any, state: Any) -> None:
        one.levels[:] = state["levels"]
        one.count, one.open = int(state["count"]), bool(state["open"])

    side, state = tiny.side(make=InPlace, write=put), state_of(6)
    actions, seeds = {"action": np.zeros(6, int)}, np.arange(6)
    done = side.transition(state, actions, seeds)
    lanes: Any = side.lanes(seeds, state)
    first = lanes.advance(actions, seeds)
    lanes.advance(actions, seeds)
    for steps in (done, first):
        assert np.array_equal(steps.state["levels"], state["levels"] + 1)
        assert np.array_equal(steps.obs["obs.near"], state["levels"] + 1)
        assert steps.outcome["terminated"].tolist() == [False, False, True, True, True, True]
        assert steps.outcome["truncated"].tolist() == [False, False, False, True, True, True]
    assert np.array_equal(lanes.start.state["levels"], state["levels"])


@pytest.mark.parametrize("ends", ["terminated", "truncated"])
def test_what_is_remembered_of_an_end_of_either_kind_is_cleared(ends: str) -> None:
    side = tiny.side(make=Sticky, write=lambda one, state: vars(one).update(state))
    state = state_of(12)
    state["count"][:] = 0
    rows = [2, 3, 11]  # one after another, and the last before the next call
    if ends == "terminated":
        state["count"][rows] = tiny.LIMIT - 1
    else:
        state["levels"][rows, 1] = 8.0
    actions = {"action": np.ones(12, int)}
    for _ in range(2):
        done = side.transition(state, actions, np.arange(12))
        assert np.flatnonzero(done.outcome[ends]).tolist() == rows
        assert done.ended.sum() == 3
        assert np.array_equal(done.state["levels"], state["levels"] * 2.5)


class Whole(tiny.Tiny):
    """Its level is a whole number until the first step."""

    def reset(self, seed: int) -> Any:
        super().reset(seed)
        self.levels = np.array([3, 4])
        return self.seen()


def test_a_state_that_is_whole_until_the_first_step_is_put_as_it_is_afterwards() -> None:
    """Whoever asks for the dtypes before any step."""
    side, state = tiny.side(make=Whole), state_of(3)
    assert side.native()["levels"] == np.int64
    done = side.transition(state, {"action": np.array([1, 0, 1])}, np.arange(3))
    assert np.array_equal(done.state["levels"], state["levels"] * [[1.25], [0.75], [1.25]])
    assert side.native()["levels"] == np.float64


@pytest.mark.parametrize("lacking", [("count",), ("open", "levels")])
def test_a_state_without_a_field_is_refused_in_cases_and_in_lanes(lacking: tuple[str, ...]) -> None:
    state = {name: value for name, value in state_of(2).items() if name not in lacking}
    side = tiny.side()
    with refuses():
        side.transition(state, {"action": np.zeros(2, int)}, np.arange(2))
    with refuses():
        side.lanes(np.arange(2), state)


def test_what_cannot_be_put_in_a_state_says_so_in_cases_and_in_lanes() -> None:
    side = tiny.side(write=None)
    assert not side.can_write
    with refuses():
        side.transition(state_of(2), {"action": np.zeros(2, int)}, np.arange(2))
    with refuses():
        side.lanes(np.arange(2), state_of(2))
    assert side.lanes(np.arange(2), None).advance({"action": np.ones(2, int)}, np.arange(2)) is not None

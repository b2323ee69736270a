"""Objects that are stepped: every row from its own state and seed, nothing left of the row before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box

from foundation.errors import InputError
from parity import Port
from parity.harness.sides.mutable import MutableSide
from parity.harness.sides.wide_actions import widened
from tests.parity.harness.sides import tiny
from tests.sentences import refuses


def state_of(rows: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "levels": rng.random((rows, 2)),
        "count": np.arange(rows) % 11,
        "open": np.arange(rows) % 2 == 0,
    }


class Sticky(tiny.Ending):
    """After an end it does nothing until it is reset; its step changes its state in place."""

    def step(self, action: int) -> Any:
        if self.over:
            return self.seen(), -1.0, False, False, {}
        self.levels *= 2.0
        return super().step(action)


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
        wide = {"map": np.ones(one.count), "pair": np.ones(1 if one.count < 3 else 2)}
        seldom = {"late": 1} if one.count > 2 else {"early": 1}
        return *out, {**told, **wide, **seldom}

    done = tiny.side(step).transition(state_of(4), {"action": np.zeros(4, int)}, np.arange(4))
    assert set(done.told) == {"heat", "deep.n"}
    assert done.told["heat"].tolist() == [[n, n] for n in range(1, 5)]
    assert done.info == {"heat", "deep", "name", "map", "pair", "early", "late"}


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


class Narrow:
    """Adds its action to its level, in single precision; tells what it was handed."""

    wide = np.float32
    action_space = Box(-1.0, 1.0, (), np.float32)
    observation_space = Box(-9.0, 7.0, (1,), np.float32)

    def reset(self, seed: int) -> Any:
        self.level, self.count = self.wide(seed / 3), seed
        return np.array([self.level])

    def step(self, action: Any) -> Any:
        handed = (self.level.dtype.itemsize, np.asarray(action).dtype.itemsize)
        self.level, self.count = self.wide(self.level + action), self.count + 1
        told = {"handed": np.array(handed)}
        return np.array([self.level]), float(self.level), self.count > 99, self.count > 49, told


class Wide(Narrow):
    wide = np.float64  # type: ignore[assignment]


def precise(**changes: Any) -> MutableSide:
    def put(one: Any, state: Any) -> None:
        assert state["count"].dtype == np.int64
        one.level, one.count = state["level"], int(state["count"])

    values: dict[str, Any] = {
        "make": Narrow,
        "make_double": Wide,
        "write": put,
        "read": lambda one: {"level": one.level, "count": one.count},
        "reset_one": lambda one, seed: one.reset(seed),
        "step_one": lambda one, action: one.step(action),
        "action_space": lambda one: one.action_space,
        "observation_space": lambda one: one.observation_space,
        **changes,
    }
    made: MutableSide = Port.mutable(**values)
    return made


@pytest.mark.parametrize(("double", "size"), [(False, 4), (True, 8)])
def test_what_computes_in_double_precision_is_put_and_stepped_in_it(double: bool, size: int) -> None:
    side, seeds = precise(), np.array([4, 5, 7])
    dtype = np.float64 if double else np.float32
    shown = side.reset(seeds, double)
    assert shown.state["level"].dtype == dtype
    assert shown.state["level"].tolist() == [dtype(seed / 3) for seed in seeds]
    state = {"level": np.array([1 / 3, 0.1, 2 / 7]), "count": np.array([3, 4, 99])}
    given = np.array([0.1, -0.2, 0.3], np.float32)
    done = side.transition(state, {"action": given}, seeds, double)
    lanes: Any = side.lanes(seeds, state, double)
    along = lanes.advance({"action": given}, seeds)
    for steps in (done, along):
        assert steps.state["level"].dtype == steps.obs["obs"].dtype == dtype
        expected = [dtype(dtype(a) + dtype(b)) for a, b in zip(state["level"], given, strict=True)]
        assert steps.state["level"].tolist() == expected
        assert steps.state["count"].tolist() == [4, 5, 100]
        assert steps.told["handed"].tolist() == [[size, 4 if not double else 8]] * 3
        assert steps.outcome["terminated"].tolist() == [False, False, True]
    alone: Any = side.lanes(seeds, None, double).advance({"action": given}, seeds)  # type: ignore[arg-type]
    assert alone.state["level"].dtype == dtype
    if double:
        plain = precise(make_double=None)
        assert plain.reset(seeds, True).state["level"].dtype == np.float32
        mixed = plain.transition(state, {"action": given}, seeds, True)
        assert mixed.told["handed"].tolist() == [[8, 8]] * 3


def test_whole_actions_are_handed_over_as_they_are_in_either_precision() -> None:
    actions = {"a": np.array([1, 2]), "b": np.array([0.5, 0.1], np.float32), "c": np.array([True])}
    made = widened(actions)
    assert [value.dtype for value in made.values()] == [np.int64, np.float64, bool]
    assert made["b"].tolist() == [0.5, float(np.float32(0.1))]


def test_the_spaces_of_an_object_are_its_own_two() -> None:
    spaces = precise().spaces()
    for name, low, high in (("action", -1.0, 1.0), ("obs", -9.0, 7.0)):
        ((_, leaf),) = (spaces[name] or {}).items()
        assert (leaf.low.min(), leaf.high.max()) == (low, high)
    assert tiny.side().spaces()["obs"] is None
    assert precise(action_space=None, observation_space=None).nest() is None
    assert precise().nest() == "action"


def test_each_row_is_begun_and_stepped_within_its_own_watch() -> None:
    seen: list[tuple[int, str]] = []

    @contextmanager
    def watch(row: int) -> Iterator[None]:
        seen.append((row, "in"))
        yield
        seen.append((row, "out"))

    def reseed(one: Any, seed: int) -> None:
        seen.append((seed, "draws"))

    def reset(one: Any, seed: int) -> Any:
        seen.append((seed, "begins"))
        return one.reset(seed)

    side = precise(reseed=reseed, reset_one=reset)
    state = {"level": np.zeros(3), "count": np.array([3, 49, 5])}
    side.transition(state, {"action": np.zeros(3)}, np.arange(3))
    seen.clear()
    side.reset(np.array([7, 8]), False, watch)
    assert seen == [(0, "in"), (7, "begins"), (0, "out"), (1, "in"), (8, "begins"), (1, "out")]
    seen.clear()
    side.transition(state, {"action": np.zeros(3)}, np.array([10, 11, 12]), False, watch)
    assert seen == [
        *((0, "in"), (10, "draws"), (0, "out"), (1, "in"), (11, "draws"), (1, "out")),
        *((0, "begins"), (2, "in"), (12, "draws"), (2, "out")),
    ]


def test_one_lane_begins_another_episode_and_the_others_go_on() -> None:
    side = precise(observation_space=None)
    lanes: Any = side.lanes(np.array([4, 5, 6]), None)
    assert lanes.start.state["count"].tolist() == [4, 5, 6]
    assert lanes.start.obs["obs"].tolist() == [[np.float32(seed / 3)] for seed in (4, 5, 6)]
    began = lanes.restart(1, 30)
    assert (began.state["count"].tolist(), began.state["level"].tolist()) == ([30], [10.0])
    assert began.obs["obs"].tolist() == [[10.0]]
    done = lanes.advance({"action": np.zeros(3)}, np.arange(3))
    assert done.state["count"].tolist() == [5, 31, 7]


@pytest.mark.parametrize("cut", [False, True])
def test_a_last_observation_that_is_handed_out_counts_whichever_way_it_ends(cut: bool) -> None:
    """Of one that restarts by itself: at 50 steps it is cut off, at 100 it ends."""

    def step(one: Any, action: Any) -> Any:
        obs, reward, over, limit, _ = one.step(action)
        if not (over or limit):
            return obs, reward, over, limit, {}
        return one.reset(0), reward, over and not cut, cut and limit, {"final_obs": obs}

    side = precise(step_one=step, hands_out_final=False)
    state = {"level": np.array([1.0, 2.0, 3.0]), "count": np.array([3, 99, 4])}
    done = side.transition(state, {"action": np.full(3, 0.5)}, np.arange(3))
    assert done.ended.tolist() == [False, True, False]
    assert done.obs["obs"].tolist() == [[1.5], [2.5], [3.5]]
    assert done.state["level"].tolist() == [1.5, 0.0, 3.5]
    assert done.final_of("obs").tolist() == [True] * 3
    assert done.final_of("level").tolist() == [True, False, True]
    assert done.restart is not None
    assert done.restart.obs["obs"].tolist() == [[1.5], [0.0], [3.5]]
    assert done.restart.obs["final obs"][1].tolist() == [2.5]

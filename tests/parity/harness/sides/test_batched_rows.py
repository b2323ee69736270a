"""Copies in one object: each call's seeds, draws and precision; restarts row by row; a single copy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete

from parity import Port
from parity.harness.sides.batched import BatchedSide
from tests.sentences import refuses

SPACE = Dict({"push": Box(-1.0, 1.0, (), np.float32), "kind": Discrete(3)})
SEEN = Box(-9.0, 7.0, (1,), np.float32)


class Rows:
    """Levels that are pushed and counted; cut off at 50 steps, ended at 100. It logs its calls."""

    wide: Any = np.float32

    def __init__(self, copies: int) -> None:
        self.copies, self.log = copies, list[Any]()
        self.level, self.count = np.zeros(copies, self.wide), np.zeros(copies, np.int64)

    def reset(self, seed: list[int]) -> Any:
        self.log.append(("reset", [*seed]))
        self.level, self.count = self.wide(np.array(seed) / 3), np.array(seed) % 7
        return self.level[:, None], {"seeds": seed}

    def step(self, actions: Any) -> Any:
        self.log.append(("step", actions["push"].dtype.itemsize, self.level.dtype.itemsize))
        self.level = (self.level + actions["push"]).astype(self.wide)
        self.count = self.count + 1 + actions["kind"]
        return self.shown()

    def shown(self) -> Any:
        cut, over = self.count >= 50, self.count >= 100
        told = {"heat": self.count * 10, "_mask": cut, "final_word": self.count, "pair": np.zeros(5)}
        return self.level[:, None], self.level * 2, over, cut, told


class WideRows(Rows):
    wide = np.float64


class Again(Rows):
    """Begins another episode within the step that ends one, at level -1."""

    def shown(self) -> Any:
        obs, reward, over, cut, _ = super().shown()
        ended = over | cut
        self.level, self.count = (
            np.where(ended, self.wide(-1), self.level),
            np.where(ended, 0, self.count),
        )
        told = {"final_obs": obs} if ended.any() and self.hands_out(ended) else {}
        return self.level[:, None], reward, over, cut, told

    def hands_out(self, ended: Any) -> bool:
        return True


class Seldom(Again):
    """Hands it out where an episode of its first copy ended."""

    def hands_out(self, ended: Any) -> bool:
        return bool(ended[0])


def write(env: Any, state: Any) -> None:
    env.log.append(("write", state["level"].dtype.itemsize, [*state["count"]]))
    env.level, env.count = state["level"], state["count"]


def side(make: Any = Rows, **options: Any) -> BatchedSide:
    values: dict[str, Any] = {
        "read": lambda env: {"level": env.level, "count": env.count},
        "write": write,
        "restarts": "never",
        "batch": 2,
        "action_space": lambda env: SPACE,
        "observation_space": lambda env: SEEN,
        "make_double": WideRows,
        **options,
    }
    made: BatchedSide = Port.batched(make, **values)
    return made


STATE = {"level": np.array([1 / 3, 0.1, 2 / 7]), "count": np.array([3, 48, 98])}
ACTIONS = {"action.push": np.array([0.1, -0.2, 0.3], np.float32), "action.kind": np.array([0, 1, 2])}
SEEDS = np.array([4, 9, 6])


def log_of(one: BatchedSide, double: bool = False) -> list[Any]:
    env = one._env(double)
    log, env.log = env.log, []
    return list(log)


@pytest.mark.parametrize(("double", "size"), [(False, 4), (True, 8)])
def test_each_call_has_its_own_seeds_states_and_precision(double: bool, size: int) -> None:
    drawn: list[Any] = []
    one = side(reseed=lambda env, seeds: drawn.append([*seeds]))
    shown = one.reset(SEEDS, double)
    dtype = np.float64 if double else np.float32
    assert shown.state["level"].tolist() == shown.obs["obs"][:, 0].tolist() == dtype(SEEDS / 3).tolist()
    assert shown.state["count"].tolist() == [4, 2, 6]
    assert log_of(one, double) == [("reset", [0, 0]), ("reset", [4, 9]), ("reset", [6, 6])]
    one.native()
    log_of(one)
    done = one.transition(STATE, ACTIONS, SEEDS, double)
    calls = [
        *(("reset", [4, 9]), ("write", size, [3, 48]), ("step", size, size)),
        *(("reset", [6, 6]), ("write", size, [98, 98]), ("step", size, size)),
    ]
    assert log_of(one, double)[-6:] == calls
    assert drawn == [[4, 9], [6, 6]]
    pairs = zip(STATE["level"], ACTIONS["action.push"], strict=True)
    expected = [dtype(dtype(a) + dtype(b)) for a, b in pairs]
    assert done.state["level"].tolist() == done.obs["obs"][:, 0].tolist() == expected
    assert done.state["level"].dtype == dtype
    assert done.outcome["reward"].tolist() == [2 * value for value in expected]
    assert done.outcome["terminated"].tolist() == [False, False, True]
    assert done.outcome["truncated"].tolist() == [False, True, True]
    assert done.told.keys() == {"heat"}
    assert done.told["heat"].tolist() == [40, 500, 1010]
    assert done.info == {"heat", "final_word", "pair"}
    assert done.final.tolist() == [True] * 3
    lanes: Any = one.lanes(SEEDS, STATE, double)
    assert lanes.start.state["level"].tolist() == dtype(STATE["level"]).tolist()
    drawn.clear()
    along = lanes.advance(ACTIONS, SEEDS + 1)
    assert drawn == [[5, 10, 7]]
    assert along.state["level"].tolist() == expected
    assert lanes._env.log[-1] == ("step", size, size)
    free: Any = one.lanes(SEEDS, None, double)
    assert free.start.state["count"].tolist() == [4, 2, 6]
    assert free.start.state["level"].dtype == dtype


def test_without_another_environment_double_precision_is_handed_over_alone() -> None:
    one = side(make_double=None)
    assert one.reset(SEEDS, True).state["level"].dtype == np.float32
    one.transition(STATE, ACTIONS, SEEDS, True)
    assert log_of(one, True)[-2:] == [("write", 8, [98, 98]), ("step", 8, 8)]


def test_the_spaces_of_a_copy_are_its_own_two() -> None:
    spaces = side().spaces()
    assert set(spaces["action"] or {}) == {"action.push", "action.kind"}
    ((_, leaf),) = (spaces["obs"] or {}).items()
    assert (leaf.low.min(), leaf.high.max()) == (-9.0, 7.0)
    assert side().nest() == {"push": "action.push", "kind": "action.kind"}
    none = side(action_space=None, observation_space=None)
    assert (none.spaces(), none.nest()) == ({"action": None, "obs": None}, None)
    assert isinstance(side().environment(), Rows)
    assert side().can_write
    assert not side(write=None).can_write


def test_an_end_of_either_kind_restarts_its_copy_alone_and_shows_its_last_observation() -> None:
    done = side(Again, restarts="same step").transition(STATE, ACTIONS, SEEDS)
    level = np.float32(STATE["level"]) + ACTIONS["action.push"]
    assert done.ended.tolist() == [False, True, True]
    assert done.final.tolist() == [True, False, False]
    assert done.obs["obs"][:, 0].tolist() == level.tolist()
    assert done.state["level"].tolist() == [level[0], 0, 0]
    assert done.final_of("obs").tolist() == [True] * 3
    assert done.restart is not None
    assert done.restart.state["level"].tolist() == [level[0], -1, -1]
    assert done.restart.obs["obs"][:, 0].tolist() == [level[0], -1, -1]
    assert done.restart.obs["final obs"][1:, 0].tolist() == level[1:].tolist()
    late = side(Again, restarts="next step").transition(STATE, ACTIONS, SEEDS)
    assert late.restart is None
    assert late.final.tolist() == [True] * 3


def test_one_call_without_last_observations_is_none_at_all() -> None:
    """Both of the last call's rows ended, and the second row of the first."""
    done = side(Seldom, restarts="same step").transition(STATE, ACTIONS, SEEDS)
    assert done.final_of("obs").tolist() == [True, False, False]
    assert done.restart is not None
    assert list(done.restart.obs) == ["obs"]
    swapped = {name: value[[1, 0, 2]] for name, value in STATE.items()}
    told = side(Seldom, restarts="same step").transition(swapped, ACTIONS, SEEDS)
    assert told.final_of("obs").tolist() == [True] * 3


def test_flags_are_flags_whatever_they_are_of() -> None:
    def step(env: Any, actions: Any) -> Any:
        obs, reward, over, cut, told = env.step(actions)
        return obs, reward, over.astype(np.int8) * 3, cut.astype(float) * -0.5, told

    done = side(step_all=step).transition(STATE, ACTIONS, SEEDS)
    assert done.outcome["terminated"].tolist() == [False, False, True]
    assert done.outcome["truncated"].tolist() == [False, True, True]


def test_states_that_lack_a_field_or_cannot_be_put_are_refused() -> None:
    with refuses():
        side().transition({"level": STATE["level"]}, ACTIONS, SEEDS)
    with refuses():
        side().lanes(SEEDS, {"count": STATE["count"]})
    for ask in (
        lambda one: one.transition(STATE, ACTIONS, SEEDS),
        lambda one: one.lanes(SEEDS, STATE),
    ):
        with refuses():
            ask(side(write=None))


class WholeRows(Rows):
    """Its levels are whole numbers until the first step."""

    def reset(self, seed: list[int]) -> Any:
        super().reset(seed)
        self.level = self.count + 1
        return self.level[:, None]


def test_states_that_are_whole_until_the_first_step_are_put_as_they_are_afterwards() -> None:
    one = side(WholeRows)
    assert one.native()["level"] == np.int64
    done = one.transition(STATE, ACTIONS, SEEDS)
    level = np.float32(STATE["level"]) + ACTIONS["action.push"]
    assert done.state["level"].tolist() == level.tolist()
    assert one.native()["level"] == np.float32


@pytest.mark.parametrize("restarts", ["same step", "next step", "never"])
def test_a_single_copy_is_a_side_of_its_own(restarts: Any) -> None:
    drawn: list[Any] = []
    many = side(Again, restarts=restarts, reseed=lambda env, seeds: drawn.append([*seeds]))
    many.partner = side()
    one = many.one()
    assert one.partner is many.partner
    assert one.hands_out_final == (restarts != "same step")
    shown = one.reset(SEEDS)
    assert shown.state["level"].tolist() == np.float32(SEEDS / 3).tolist()
    assert shown.obs["obs"].shape == (3, 1)
    done = one.transition(STATE, ACTIONS, SEEDS)
    assert drawn == [[4], [9], [6]]
    assert done.outcome["truncated"].tolist() == [False, True, True]
    assert done.outcome["terminated"].tolist() == [False, False, True]
    level = np.float32(STATE["level"]) + ACTIONS["action.push"]
    assert done.outcome["reward"].tolist() == (2 * level).tolist()
    if restarts == "same step":
        assert done.obs["obs"][:, 0].tolist() == level.tolist()
        assert done.restart is not None
        assert done.restart.state["level"].tolist() == [level[0], -1, -1]
    else:
        assert done.obs["obs"][:, 0].tolist() == done.state["level"].tolist() == [level[0], -1, -1]
    assert one.nest() == many.nest()
    assert one.reset(SEEDS, True).state["level"].dtype == np.float64
    assert not side(write=None).one().can_write
    plain = side(make_double=None).one()
    assert (plain.reseed, plain.reset(SEEDS, True).state["level"].dtype) == (None, np.float32)


@pytest.mark.parametrize(
    "step",
    [
        lambda out: (out[0][:1], *out[1:]),
        lambda out: (out[0], out[1][:1], *out[2:]),
        lambda out: (*out[:2], out[2].any(), *out[3:]),
    ],
)
def test_a_part_that_has_not_a_row_for_every_copy_is_refused(step: Any) -> None:
    with refuses():
        side(step_all=lambda env, actions: step(env.step(actions))).transition(STATE, ACTIONS, SEEDS)

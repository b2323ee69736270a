"""What gymnax's MountainCarContinuous, and other environments of it, do apart, without the harness."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pytest

from examples.pairs import acrobot, cartpole, mountain_car, mountain_car_continuous
from parity import Pair
from parity.harness.sides.side import Steps


@pytest.fixture(autouse=True)
def _as_foreign_code_runs() -> Iterator[None]:
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def stepped(pair: Pair, state: dict[str, float], action: Any) -> list[Steps]:
    """Step both sides of a pair once, from one state."""
    fields = {name: np.array([value]) for name, value in state.items()}
    actions = {"action": np.array([action])}
    return [
        side.transition(fields, actions, np.zeros(1, np.int64), True)
        for side in (pair.reference, pair.port)
    ]


def test_a_car_at_the_left_wall_is_stopped_by_gymnasium_alone() -> None:
    state = {"position": -1.19, "velocity": -0.07, "time": 0}
    mine, theirs = stepped(mountain_car_continuous.pair, state, np.float32([0.0]))
    assert mine.state["velocity"][0] == 0
    assert theirs.state["velocity"][0] < -0.06


def test_a_car_that_rolls_back_at_the_goal_is_paid_by_gymnax_alone() -> None:
    state = {"position": 0.46, "velocity": -0.005, "time": 0}
    mine, theirs = stepped(mountain_car_continuous.pair, state, np.float32([0.0]))
    assert (mine.outcome["reward"][0], theirs.outcome["reward"][0]) == (0, 100)
    assert (mine.outcome["terminated"][0], theirs.outcome["terminated"][0]) == (False, True)
    assert theirs.state["velocity"][0] == 0 > mine.state["velocity"][0]


@pytest.mark.parametrize("number", [0, 1])
def test_half_a_turn_has_another_sign_and_is_accepted(number: int) -> None:
    joint = acrobot.JOINTS[number]
    state = {**dict.fromkeys(acrobot.NAMES, 0.0), joint: np.pi, "time": 0}
    mine, theirs = stepped(acrobot.pair, state, 1)
    assert mine.state[joint][0] == np.pi
    assert theirs.state[joint][0] == -np.pi
    assert np.allclose(mine.obs["obs"], theirs.obs["obs"])
    covered = [bool(one.where({}, {}, mine.state)[0]) for one in acrobot.pair.accepted]
    assert covered == [one.names == (joint,) for one in acrobot.pair.accepted]
    assert sum(covered) == 1


@pytest.mark.parametrize(
    ("pair", "name", "legal", "outside", "times"),
    [
        (cartpole.pair, "x_dot", (0, 1), (-1, 2), 3.0),
        (mountain_car.pair, "velocity", (0, 2), (-1, 3), 2.0),
    ],
)
def test_gymnax_computes_with_actions_that_are_none(
    pair: Pair, name: str, legal: tuple[int, int], outside: tuple[int, int], times: float
) -> None:
    """The force of an action outside is so many times that of the nearest legal one."""
    fields = [one for one in pair.state if one != "time"]
    state: dict[str, float] = dict.fromkeys(fields, 0.0) | {"time": 0}

    def change(action: int) -> float:
        return float(stepped_port(pair, state, action).state[name][0])

    middle = (change(legal[0]) + change(legal[1])) / 2
    for inside, beyond in zip(legal, outside, strict=True):
        assert change(beyond) - middle == pytest.approx(times * (change(inside) - middle), rel=1e-6)
        with pytest.raises(AssertionError, match="invalid"):
            gymnasium_step(pair, beyond)


def stepped_port(pair: Pair, state: dict[str, float], action: int) -> Steps:
    fields = {name: np.array([value]) for name, value in state.items()}
    return pair.port.transition(fields, {"action": np.array([action])}, np.zeros(1, np.int64), True)


def gymnasium_step(pair: Pair, action: int) -> None:
    env: Any = pair.reference.environment()
    env.reset(seed=0)
    env.step(action)

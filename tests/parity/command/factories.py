"""Factories that the tests of the command name."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnax.environments.classic_control.cartpole import CartPole
from gymnax.environments.classic_control.pendulum import Pendulum

from parity import Program
from tests.parity.harness.sides.batched_cartpole import THETA, Carts, X

__all__ = ["CartPole", "Pendulum", "cartpole", "nothing"]


def cartpole() -> gymnasium.Env:  # type: ignore[type-arg]
    return gymnasium.make("CartPole-v1")


def nothing() -> object:
    return object()


class Lift(gymnasium.Env):  # type: ignore[type-arg]
    """A lift that is pulled up or left to fall; ports of it in several forms are below."""

    action_space = gymnasium.spaces.Discrete(2)
    observation_space = gymnasium.spaces.Box(-10.0, 10.0, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.height, self.speed = self.np_random.uniform(-0.5, 0.5), 0.0
        return np.array([self.height, self.speed], np.float32), {}

    def step(self, action: Any) -> Any:
        self.height, self.speed, reward, ended = moved(self.height, self.speed, action)
        return np.array([self.height, self.speed], np.float32), reward, ended, False, {}


def moved(height: float, speed: float, action: int, drag: float = 0.95) -> Any:
    """Return height, speed, reward and whether the episode ended, after one step."""
    speed = drag * speed + (0.11 if action == 1 else -0.1)
    height = height + speed
    ended = bool(height < -1.0 or height > 1.0)
    return height, speed, -10.0 if ended else 1.0 - height**2, ended


class NumpyLift:
    """Five values a step; reset takes a seed and returns an observation and an info."""

    drag = 0.95
    action_space = Lift.action_space

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.height, self.speed = 0.0, 0.0

    def shown(self) -> Any:
        return np.array([self.height, self.speed], np.float32)

    def reset(self, seed: int | None = None) -> Any:
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.height, self.speed = float(self.rng.uniform(-0.5, 0.5)), 0.0
        return self.shown(), {}

    def step(self, action: int) -> Any:
        out = moved(self.height, self.speed, action, self.drag)
        self.height, self.speed, reward, ended = out
        return self.shown(), reward, ended, False, {}


class WrongLift(NumpyLift):
    """Its drag is wrong in the seventh digit."""

    drag = 0.9500001


class LiftAgain(Lift):
    """A port that has Gymnasium's methods itself."""


class OldLift(NumpyLift):
    """Four values a step, and a reset without a seed."""

    def reset(self) -> Any:  # type: ignore[override]
        self.height, self.speed = float(self.rng.uniform(-0.5, 0.5)), 0.0
        return self.shown()

    def step(self, action: int) -> Any:
        obs, reward, ended, _, info = super().step(action)
        return obs, reward, ended, info


class HiddenLift:
    """All that it holds begins with an underscore, and it is seeded apart."""

    __slots__ = ("_height", "_rng", "_speed")

    def seed(self, seed: int) -> None:
        self._rng = np.random.RandomState(seed)

    def reset(self) -> Any:
        self._height, self._speed = np.float64(self._rng.uniform(-0.5, 0.5)), np.float64(0.0)
        return np.array([self._height, self._speed], np.float32)

    def step(self, action: int) -> Any:
        self._height, self._speed, reward, ended = moved(self._height, self._speed, action)
        return np.array([self._height, self._speed], np.float32), reward, ended, False, {}


class LiftState(NamedTuple):
    """What the pure functions hand on."""

    height: Any
    speed: Any


def program() -> Program:
    """Return the lift as pure functions."""

    def show(state: LiftState) -> Any:
        return jnp.stack([state.height, state.speed]).astype(jnp.float32)

    def reset(key: Any) -> Any:
        state = LiftState(jax.random.uniform(key, minval=-0.5, maxval=0.5), jnp.zeros(()))
        return show(state), state

    def step(key: Any, state: LiftState, action: Any) -> Any:
        speed = 0.95 * state.speed + jnp.where(action == 1, 0.11, -0.1)
        state = LiftState(state.height + speed, speed)
        ended = (state.height < -1.0) | (state.height > 1.0)
        reward = jnp.where(ended, -10.0, 1.0 - state.height**2)
        return show(state), state, reward, ended, jnp.asarray(False), {}

    return Program(reset, step, None, Lift.action_space, Lift.observation_space)


class LiftStruct(ctypes.Structure):
    """What a library in C would hold."""

    _fields_ = (("height", ctypes.c_double), ("speed", ctypes.c_double))


class StructLift:
    """Its state is a structure of C."""

    def __init__(self) -> None:
        self.lift = LiftStruct()

    def reset(self, seed: int) -> Any:
        self.lift.height, self.lift.speed = np.random.default_rng(seed).uniform(-0.5, 0.5), 0.0
        return np.array([self.lift.height, self.lift.speed], np.float32)

    def step(self, action: int) -> Any:
        out = moved(self.lift.height, self.lift.speed, action)
        self.lift.height, self.lift.speed, reward, ended = out
        return np.array([out[0], out[1]], np.float32), reward, ended, False, {}


class NumpyCartPole:
    """CartPole in NumPy, one copy of many; it counts its steps."""

    def __init__(self) -> None:
        self.state, self.steps, self.total = np.zeros(4), 0, 0.0

    def reset(self, seed: int) -> Any:
        self.state = np.random.default_rng(seed).uniform(-0.05, 0.05, (4,))
        self.steps, self.total = 0, 0.0
        return self.state.astype(np.float32)

    def step(self, action: int) -> Any:
        carts = Carts(1)
        carts.state, carts.time = self.state[None], np.array([self.steps])
        carts.move(np.array([action]))
        self.state, self.steps = carts.state[0], self.steps + 1
        ended = bool(abs(self.state[0]) > X or abs(self.state[2]) > THETA)
        return self.state.astype(np.float32), 1.0, ended, self.steps >= 500, {}


class Uncounted(NumpyCartPole):
    """It counts no steps, and adds up its rewards."""

    def reset(self, seed: int) -> Any:
        obs = super().reset(seed)
        del self.steps
        return obs

    def step(self, action: int) -> Any:
        self.steps = 0
        obs, reward, ended, _, info = super().step(action)
        del self.steps
        self.total += 0.5
        return obs, reward, ended, False, info


class Silent(NumpyLift):
    """Its reset returns nothing."""

    def reset(self, seed: int | None = None) -> Any:
        return None


class Batched(NumpyLift):
    """It steps several copies."""

    num_envs = 4


class Broken(NumpyLift):
    """Its step cannot be run."""

    def step(self, action: int) -> Any:
        raise ZeroDivisionError("a division by zero")


class Short(NumpyLift):
    """Its step returns the reward alone."""

    def step(self, action: int) -> Any:
        return 0.0


class Wagon(gymnasium.Env):  # type: ignore[type-arg]
    """Two lifts side by side, of which the second falls; a port in C is below."""

    action_space = gymnasium.spaces.Discrete(2)
    observation_space = gymnasium.spaces.Box(-10.0, 10.0, (4,), np.float64)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.left_height, self.right_height = self.np_random.uniform(-0.5, 0.5, 2).tolist()
        self.left_speed = self.right_speed = self.reward = 0.0
        return self.shown(), {}

    def shown(self) -> Any:
        return np.array([self.left_height, self.left_speed, self.right_height, self.right_speed])

    def step(self, action: Any) -> Any:
        left = moved(self.left_height, self.left_speed, action)
        right = moved(self.right_height, self.right_speed, 0)
        (self.left_height, self.left_speed), (self.right_height, self.right_speed) = left[:2], right[:2]
        self.reward = left[2] + right[2]
        return self.shown(), self.reward, left[3] or right[3], False, {}


class StructWagon:
    """Its state is two structures of C, whose members have the same names."""

    drag = 0.95

    def __init__(self) -> None:
        self.left, self.right = LiftStruct(), LiftStruct()
        self.reward = 0.0

    def reset(self, seed: int) -> Any:
        self.left.height, self.right.height = np.random.default_rng(seed).uniform(-0.5, 0.5, 2)
        self.left.speed = self.right.speed = 0.0
        return self.shown()

    def shown(self) -> Any:
        return np.array([self.left.height, self.left.speed, self.right.height, self.right.speed])

    def step(self, action: int) -> Any:
        left = moved(self.left.height, self.left.speed, action, self.drag)
        right = moved(self.right.height, self.right.speed, 0)
        (self.left.height, self.left.speed), (self.right.height, self.right.speed) = left[:2], right[:2]
        self.reward = left[2] + right[2]
        return self.shown(), self.reward, left[3] or right[3], False, {}


class WrongWagon(StructWagon):
    """The drag of its left lift alone is wrong in the seventh digit."""

    drag = 0.9500001


class GymnasiumWagon(StructWagon, gymnasium.Env):  # type: ignore[type-arg]
    """A reference, or a port with Gymnasium's methods, whose state is in structures of C."""

    action_space, observation_space = Wagon.action_space, Wagon.observation_space

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:  # type: ignore[override]
        return StructWagon.reset(self, 0 if seed is None else seed), {}


class Axle(ctypes.Structure):
    """A structure of structures and an array."""

    _fields_ = (("left", LiftStruct), ("right", LiftStruct), ("loads", ctypes.c_int * 3))


class Wagons:
    """Structures within structures beside numbers whose names are alike."""

    def __init__(self) -> None:
        self.axle, self.speed, self._speed, self.axle_right_speed = Axle(), 1.0, 2.0, 3.0


class Kept(NamedTuple):
    """What pure functions hand on that draw from a key of their own, and count steps."""

    height: Any
    wind: Any
    key: Any
    turns: Any


def keyed() -> Program:
    """Return a lift as pure functions whose state holds a key, and numbers that no other lift has."""

    def reset(key: Any) -> Any:
        state = Kept(jnp.zeros(()), jnp.ones(()), key, jnp.zeros((), jnp.int32))
        return state.height[None], state

    def step(key: Any, state: Kept, action: Any) -> Any:
        key, use = jax.random.split(state.key)
        height = state.height + jnp.where(action == 1, 1.0, -1.0) + jax.random.uniform(use)
        state = Kept(height, state.wind, key, state.turns + 1)
        return height[None], state, height, state.turns >= 7, jnp.asarray(False), {}

    return Program(reset, step, None, Lift.action_space, None)


def pair_of_actions() -> Program:
    """Return pure functions whose action is two numbers."""

    def step(key: Any, state: Any, action: Any) -> Any:
        return keyed().step(key, state, action["up"])

    return keyed()._replace(step=step)


class Closed(NumpyLift):
    """None of its numbers can be seen."""

    action_space = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.step = NumpyLift().step  # type: ignore[method-assign]

    def reset(self, seed: int | None = None) -> Any:
        lift = NumpyLift()
        self.step = lift.step  # type: ignore[method-assign]
        return lift.reset(seed)

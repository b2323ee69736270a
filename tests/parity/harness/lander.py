"""A small environment of our own, in NumPy and in JAX, in which tests plant faults: a ship that lands.

It falls, may fire its engine, bounces off a ceiling, and ends where it touches the ground (terminated)
or after twenty steps (truncated). It compiles in a fraction of a second.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from parity import Pair, Port, Program, integer, near, real
from parity.harness.sides.mutable import MutableSide

GRAVITY, THRUST, CEILING, LIMIT = 0.1, 0.25, 2.0, 20
DEFAULTS = {"gravity": GRAVITY, "thrust": THRUST, "ceiling": CEILING, "limit": LIMIT}


class Ship:
    """The reference: NumPy, in double precision."""

    def __init__(self, **changed: Any) -> None:
        self.settings = {**DEFAULTS, **changed}
        self.height, self.speed, self.steps = np.float64(1.0), np.float64(0.0), 0

    def reset(self, seed: int) -> Any:
        rng = np.random.default_rng(seed)
        self.height, self.speed, self.steps = np.float64(rng.uniform(0.5, 1.5)), np.float64(0.0), 0
        return self.observation()

    def observation(self) -> Any:
        return {"ship": np.array([self.height, self.speed], np.float32), "left": np.int32(self.left)}

    @property
    def left(self) -> int:
        return int(self.settings["limit"]) - self.steps

    def step(self, action: int) -> Any:
        push = self.settings["thrust"] if action == 1 else 0.0
        self.speed = self.speed - self.settings["gravity"] + push
        self.height = self.height + self.speed * 0.5
        if self.height > self.settings["ceiling"]:
            self.height, self.speed = np.float64(self.settings["ceiling"]), -self.speed
        self.steps += 1
        landed = bool(self.height <= 0)
        reward = 0.05 if not landed else 1.0 - abs(self.speed)
        return self.observation(), reward, landed, self.steps >= self.settings["limit"], {}


def read(ship: Ship) -> dict[str, Any]:
    return {"height": ship.height, "speed": ship.speed, "steps": ship.steps}


def write(ship: Ship, state: dict[str, Any]) -> None:
    ship.height, ship.speed, ship.steps = state["height"], state["speed"], int(state["steps"])


class Discrete:
    """An action space with the one attribute that is needed."""

    n = 2
    dtype = np.int64


def mutable(**changed: Any) -> MutableSide:
    return Port.mutable(
        make=lambda: Ship(**changed),
        read=read,
        write=write,
        reset_one=lambda ship, seed: ship.reset(seed),
        step_one=lambda ship, action: ship.step(action),
        action_space=lambda ship: Discrete(),
    )


class State(NamedTuple):
    height: Any
    speed: Any
    steps: Any


def program(**changed: Any) -> Program:
    """Return the port, with faults: other constants, or one of the names below set to True.

    ``exclusive``: the ground itself is no landing; ``stale``: a restart keeps the speed; ``narrow``:
    resets come from half of the range; ``constant``: from one height; ``single``: gravity is a constant
    in float32; ``other_order``: the same sums in another order.
    """
    fault = {**DEFAULTS, **changed}

    def observation(state: State) -> Any:
        ship = jnp.stack([state.height, state.speed]).astype(jnp.float32)
        return {"ship": ship, "left": jnp.asarray(fault["limit"] - state.steps, jnp.int32)}

    def reset(key: Any) -> Any:
        high = 1.0 if fault.get("narrow") else 1.5
        height = jax.random.uniform(key, minval=0.5, maxval=high)
        height = jnp.where(bool(fault.get("constant")), 1.0, height)
        state = State(height, jnp.zeros_like(height), jnp.asarray(0, jnp.int32))
        return observation(state), state

    def step(key: Any, state: State, action: Any) -> Any:
        gravity = jnp.float32(fault["gravity"]) if fault.get("single") else fault["gravity"]
        push = jnp.where(action == 1, fault["thrust"], 0.0)
        speed = state.speed - gravity + push
        if fault.get("other_order"):
            speed = (push - gravity) + state.speed
        height = state.height + speed * 0.5
        above = height > fault["ceiling"]
        height, speed = jnp.where(above, fault["ceiling"], height), jnp.where(above, -speed, speed)
        state = State(height, speed, state.steps + 1)
        landed = height < 0 if fault.get("exclusive") else height <= 0
        reward = jnp.where(landed, 1.0 - jnp.abs(speed), 0.05)
        return observation(state), state, reward, landed, state.steps >= fault["limit"], {}

    def auto_step(key: Any, state: State, action: Any) -> Any:
        obs, new, reward, landed, cut, info = step(key, state, action)
        first, fresh = reset(key)
        if fault.get("stale"):
            fresh = fresh._replace(speed=new.speed)
        ended = landed | cut
        shown = jax.tree.map(lambda a, b: jnp.where(ended, a, b), (first, fresh), (obs, new))
        return *shown, reward, landed, cut, {**info, "final_observation": obs}

    return Program(reset, step, auto_step, Discrete())


def pair(port: Any = None, **changes: Any) -> Pair:
    values: dict[str, Any] = {
        "name": "a ship that lands",
        "reference": mutable(),
        "port": port if port is not None else Port.functional(program),
        "state": {
            "height": real(0.001, CEILING) | near(CEILING),
            "speed": real(-2, 2),
            "steps": integer(0, LIMIT - 1) | near(LIMIT - 1),
        },
        **changes,
    }
    return Pair(**values)

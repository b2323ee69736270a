"""CartPole in NumPy, many copies at once, which restart by themselves as EnvPool's do.

Tests plant faults in how it restarts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np

from examples.pairs.cartpole import NAMES, THETA, X, pair
from parity import Pair, Port

LIMIT = 500


class Carts:
    """Copies of CartPole. ``fault``: "stale", "final", "late", "ended" or none.

    ``stale``: the pole's speed outlives a restart; ``final``: what is handed out as the last
    observation is the next episode's first; ``late``: another episode begins in the step after the
    end; ``ended``: the time limit is told as an end of its own.
    """

    def __init__(self, copies: int, fault: str = "", handed_out: bool = True) -> None:
        self.fault, self.handed_out = fault, handed_out
        self.state, self.time = np.zeros((copies, 4)), np.zeros(copies, np.int64)
        self.over = np.zeros(copies, bool)
        self.rng = np.random.default_rng(0)

    def reset(self, seed: Any) -> Any:
        self.rng, self.time = np.random.default_rng(seed), np.zeros_like(self.time)
        self.begin(np.ones(len(self.time), bool))
        self.over[:] = False
        return self.state.astype(np.float32)

    def begin(self, which: Any) -> None:
        fresh = self.rng.uniform(-0.05, 0.05, (len(which), 4))
        if self.fault == "stale":
            fresh[:, 3] = np.where(self.time > 0, self.state[:, 3], fresh[:, 3])
        self.state = np.where(which[:, None], fresh, self.state)
        self.time = np.where(which, 0, self.time)

    def move(self, actions: Any) -> None:
        x, speed, angle, turn = self.state.T
        force, cos, sin = np.where(actions == 1, 10.0, -10.0), np.cos(angle), np.sin(angle)
        temp = (force + 0.05 * np.square(turn) * sin) / 1.1
        theta_acc = (9.8 * sin - cos * temp) / (0.5 * (4.0 / 3.0 - 0.1 * np.square(cos) / 1.1))
        x_acc = temp - 0.05 * theta_acc * cos / 1.1
        moved = (x + 0.02 * speed, speed + 0.02 * x_acc, angle + 0.02 * turn, turn + 0.02 * theta_acc)
        self.state, self.time = np.stack(moved, axis=1), self.time + 1

    def step(self, actions: Any) -> Any:
        again, before = self.over.copy(), (self.state, self.time)
        self.move(actions)
        if again.any():  # a step that only begins another episode
            self.state = np.where(again[:, None], before[0], self.state)
            self.begin(again)
        terminated = ((np.abs(self.state[:, 0]) > X) | (np.abs(self.state[:, 2]) > THETA)) & ~again
        truncated = (self.time >= LIMIT) & ~again
        reward, last = np.where(again, 0.0, 1.0), self.state.astype(np.float32)
        if self.fault == "ended":
            terminated, truncated = terminated | truncated, truncated & False
        ended = terminated | truncated
        if self.next_step:
            self.over = ended
            return last, reward, terminated, truncated, {}
        self.begin(ended)
        first = self.state.astype(np.float32)
        told = {"final_obs": first if self.fault == "final" else last} if ended.any() else {}
        return first, reward, terminated, truncated, told if self.handed_out else {}

    @property
    def next_step(self) -> bool:
        return self.fault == "late"


class LateCarts(Carts):
    """The same, which begins another episode in the step after an end, as EnvPool does."""

    next_step = True  # type: ignore[assignment]


def read(carts: Carts) -> dict[str, Any]:
    return {**dict(zip(NAMES, carts.state.T, strict=True)), "time": carts.time}


def write(carts: Carts, state: dict[str, Any]) -> None:
    carts.state = np.stack([state[name] for name in NAMES], axis=1)
    carts.time = state["time"]


def carts_pair(make: Any = Carts, **options: Any) -> Pair:
    space = gymnasium.make("CartPole-v1")
    port = Port.batched(
        make=make,
        read=read,
        write=write,
        reset_all=lambda carts, seeds: carts.reset(seeds),
        action_space=lambda carts: space.action_space,
        observation_space=lambda carts: space.observation_space,
        **options,
    )
    return replace(pair, name="CartPole-v1, Gymnasium and NumPy", port=port)

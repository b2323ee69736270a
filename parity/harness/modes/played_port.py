"""A port that cannot be put in a state: it plays by itself, and the reference is put in its states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.harness.cases import LANES, Actions, Cases
from parity.harness.pair import Pair
from parity.harness.sides.batched import BatchedSide
from parity.harness.sides.side import Moments, Steps, join_moments, join_steps, take_moments
from parity.harness.trees import Array, Fields, join, take

UNCHECKED = (
    "drawn states, states about boundaries, and smaller cases of what is wrong: the port cannot be put "
    "in a state (give write); it plays by itself, and the reference is put in each state that it shows"
)
NO_WAY = (
    "neither side can be put in a state, so no step of one can be held to a step of the other; give "
    "the reference write, (environment, state as read returns it) -> None"
)


@dataclass
class PlayedPort:
    """What a port did while it played.

    Attributes:
        cases: the states that it showed and the actions taken there, with what it did.
        begun: steps that only began another episode, of a port that does so in the step after an end.
    """

    cases: Cases
    begun: Steps | None


def play_port(pair: Pair, count: int, seed: int) -> PlayedPort:
    """Let the port play at least ``count`` steps by itself, several episodes side by side."""
    rng = np.random.default_rng([seed, 10])  # 1 is of what the reference plays beside it
    actions, player = Actions(pair, rng), _Player(pair, rng)
    states, taken, steps, begun, used = [], [], [], [], []
    total = 0
    while total < count:
        state, action = player.now.state, actions.next(player.now.obs, player.now.state)
        seeds = rng.integers(0, 2**31, LANES)
        done, counts = player.step(action, seeds)
        rows = np.flatnonzero(counts)
        if len(rows) < LANES:
            begun.append(done.rows(np.flatnonzero(player.began)))
            done = done.rows(rows)
        states.append(take(state, rows))
        taken.append(take(action, rows))
        steps.append(done)
        used.append(seeds[rows])
        total += len(rows)
    played = join_steps(steps)
    cases = Cases(join(states), join(taken), np.full(total, "visited"), played, np.concatenate(used))
    return PlayedPort(cases, join_steps(begun) if begun else None)


class _Player:
    """Steps the port's lanes and knows the moment that each of them is in."""

    def __init__(self, pair: Pair, rng: np.random.Generator) -> None:
        self._pair, self._rng = pair, rng
        port = pair.port
        self._next_step = isinstance(port, BatchedSide) and port.restarts == "next step"
        self.over, self.began = np.zeros(LANES, bool), np.zeros(LANES, bool)
        self._begin()

    def _begin(self) -> None:
        """Begin an episode in every lane."""
        lanes: Any = self._pair.port.lanes(self._rng.integers(0, 2**31, LANES), None)
        self._lanes, self.now = lanes, lanes.start
        self.over[:] = False

    def step(self, action: Fields, seeds: Array) -> tuple[Steps, Array]:
        """Take a step in every lane; return it, and which lanes were within an episode: bool (N,)."""
        done: Steps = self._lanes.advance(action, seeds)
        within = ~self.over
        self.began = self.over & self._next_step
        if done.restart is not None:  # an ended lane shows the next episode's start already
            done.restart = self.now = _begun(done.restart)
            return done, within
        self.now = Moments(done.state, done.obs)
        self.over = (self.over & ~self.began) | (done.ended & ~self.began)
        if hasattr(self._lanes, "restart"):
            for row in np.flatnonzero(self.over):
                new = self._lanes.restart(int(row), int(self._rng.integers(0, 2**31)))
                self.now = _with_row(self.now, int(row), new)
            self.over[:] = False
        elif not self._next_step and self.over.all():
            self._begin()
        return done, within


def _begun(restart: Moments) -> Moments:
    """Return the moments after a restart, without what was handed out of the end."""
    obs = {name: value for name, value in restart.obs.items() if not name.startswith("final ")}
    return Moments(restart.state, obs)


def _with_row(moments: Moments, row: int, new: Moments) -> Moments:
    parts = [take_moments(moments, slice(0, row)), new, take_moments(moments, slice(row + 1, None))]
    return join_moments(parts)

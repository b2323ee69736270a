"""Gymnasium's FrozenLake, which draws in its step, against a port written for it in JAX.

``envparity check examples.pairs.frozen_lake:pair``
"""

from typing import Any, NamedTuple

import gymnasium
import jax
import jax.numpy as jnp

from parity import Pair, Port, Program, Reference, integer

DESC = ((0, 0, 0, 0), (0, 1, 0, 1), (0, 0, 0, 1), (1, 0, 0, 2))  # 1: a hole, 2: the goal
MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))


class State(NamedTuple):
    """Where the walker is, and the steps taken."""

    cell: Any
    time: Any


def lake(turns=(-1, 0, 1), goal=1.0):
    """Return FrozenLake as pure functions; ``turns`` are how the ice may turn a step, in quarters."""

    def reset(key):
        state = State(jnp.int32(0), jnp.int32(0))
        return state.cell, state

    def step(key, state, action):
        share = jax.random.uniform(key)  # as Gymnasium draws: one number, held against sums of chances
        turn = jnp.array(turns)[(share >= 1 / 3) * 1 + (share >= 2 / 3)]
        move, letters = jnp.array(MOVES)[(action + turn) % 4], jnp.array(DESC)
        place = jnp.array([state.cell // 4, state.cell % 4])
        over = letters[place[0], place[1]] > 0
        place = jnp.where(over, place, jnp.clip(place + move, 0, 3))
        letter, cell = letters[place[0], place[1]], (place[0] * 4 + place[1]).astype(jnp.int32)
        state = State(cell, state.time + 1)
        reward = jnp.where(~over & (letter == 2), goal, 0.0)
        return cell, state, reward, letter > 0, state.time >= 100, {"prob": jnp.where(over, 1.0, 1 / 3)}

    space = gymnasium.spaces.Discrete
    return Program(reset, step, None, space(4), space(16))


def write(env, state):
    """Put the walker in a cell."""
    env.s = int(state["cell"])


def lake_pair(**fault):
    """Return the pair, with a fault in the port or none."""
    return Pair(
        name="FrozenLake-v1, Gymnasium and JAX",
        reference=Reference.gymnasium(
            lambda: gymnasium.make("FrozenLake-v1"), lambda env: {"cell": env.s}, write
        ),
        port=Port.functional(lambda: lake(**fault)),
        state={"cell": integer(0, 15), "time": integer(0, 99)},
    )


pair = lake_pair()

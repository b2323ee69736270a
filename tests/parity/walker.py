"""A pair of its own for the engine's tests: a walker on a line, mutable and functional.

It shows that the engine knows nothing of trading, and its faults are chosen by the test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from parity.engine.compare import close, exact
from parity.engine.pair import BatchStep, Case, Choices, Fields, FunctionalSide, MutableSide, Pair

WALL = 10
LONGEST = 12


class Walker:
    """Walks left (0) or right (1); falls off at the wall, and is out of time after LONGEST steps."""

    def __init__(self) -> None:
        self.place, self.steps, self.begun = 0, 0, 0

    def reset(self, start: int) -> np.ndarray:
        self.place, self.steps, self.begun = start, 0, start
        return self.observe()

    def observe(self) -> np.ndarray:
        return np.array([self.place / 3, self.steps / LONGEST], np.float32)

    def masks(self) -> np.ndarray:
        return np.array([self.place > -WALL, True])

    def step(self, action: int) -> Fields:
        self.place += 1 if action == 1 else -1
        self.steps += 1
        fell = self.place >= WALL
        return {
            "obs": self.observe(),
            "reward": np.float32(self.place / 7),
            "terminated": np.bool_(fell),
            "truncated": np.bool_(not fell and self.steps >= LONGEST),
        }


Move = Callable[[jax.Array, jax.Array], jax.Array]


def honest(place: jax.Array, action: jax.Array) -> jax.Array:
    """Move as the reference does."""
    return place + 2 * action - 1


def stuck_at_seven(place: jax.Array, action: jax.Array) -> jax.Array:
    """Move as the reference does, but never right of 7."""
    return jnp.where((place == 7) & (action == 1), place, honest(place, action))


def walker_pair(
    move: Move = honest, reward_error: float = 0.0, forget: bool = False, required: str = "fell"
) -> Pair:
    """Declare the walker.

    Args:
        move: the port's way of moving.
        reward_error: relative error of the port's reward.
        forget: the port's restart keeps the old step count.
        required: the branch that must be seen.
    """

    def observe(state: dict[str, jax.Array], params: Any) -> jax.Array:
        one = [state["place"].astype(jnp.float32) / 3, state["steps"].astype(jnp.float32) / LONGEST]
        return jnp.stack(one, axis=-1)

    def masks(state: dict[str, jax.Array], params: Any) -> jax.Array:
        return jnp.stack([state["place"] > -WALL, jnp.ones_like(state["place"], bool)], axis=-1)

    def begin(worlds: jax.Array, starts: jax.Array, params: Any) -> dict[str, jax.Array]:
        return {"place": starts, "steps": jnp.zeros_like(starts), "begun": starts}

    def step(key: jax.Array, state: dict[str, jax.Array], action: jax.Array, params: Any) -> BatchStep:
        place, steps = move(state["place"], action), state["steps"] + 1
        final = {"place": place, "steps": steps, "begun": state["begun"]}
        fell = place >= WALL
        late = ~fell & (steps >= LONGEST)
        start = jax.random.randint(key, place.shape, 0, 3)
        fresh = {"place": start, "steps": steps if forget else jnp.zeros_like(steps), "begun": start}
        after = jax.tree.map(lambda new, old: jnp.where(fell | late, new, old), fresh, final)
        reward = place.astype(jnp.float32) / 7 * (1 + reward_error)
        outcome = {"reward": reward, "terminated": fell, "truncated": late}
        return BatchStep(observe(after, params), after, observe(final, params), final, outcome)

    def case(choices: Choices, world: int) -> Case:
        corner = choices.aim(("anywhere", "at the wall"))
        place = choices.integer(-9, 9) if corner == "anywhere" else WALL - 1
        state = {"place": place, "steps": choices.integer(0, LONGEST - 1), "begun": 0}
        return Case(world, state, choices.integer(0, 1), (corner,))

    def inject(env: Walker, state: Mapping[str, int]) -> None:
        env.place, env.steps, env.begun = (int(state[name]) for name in ("place", "steps", "begun"))

    def read(env: Walker) -> Fields:
        return {name: np.int32(getattr(env, name)) for name in ("place", "steps", "begun")}

    def policy(rng: np.random.Generator, masks: np.ndarray, obs: np.ndarray) -> int:
        return int(rng.random() < 0.7) if masks.all() else 1

    return Pair(
        name="walker",
        worlds=["line"],
        reference=MutableSide(
            make=lambda world: Walker(),
            reset=lambda env, start: env.reset(start),
            inject=inject,
            read=read,
            observe=lambda env: env.observe(),
            masks=lambda env: env.masks(),
            step=lambda env, action: env.step(action),
        ),
        port=FunctionalSide(
            params=None,
            begin=begin,
            inject=lambda worlds, fields, params: fields,
            step=step,
            observe=observe,
            masks=masks,
            read=lambda state, params: state,
            form="test",
        ),
        rules={
            **{
                name: exact()
                for name in ("place", "steps", "begun", "masks", "terminated", "truncated")
            },
            "obs": close(ulps=1),
            "reward": close(ulps=1),
        },
        starts=[np.arange(3)],
        begun=lambda fields: (np.zeros_like(fields["begun"]), fields["begun"]),
        max_steps=LONGEST,
        policies={"mostly right": policy},
        case=case,
        coverage=lambda before, actions, after: {"fell": int(after["terminated"].sum()), "flew": 0},
        required=frozenset([required]),
        describe=lambda world, state: {"place": state["place"]},
        command=lambda case: f"walk --from {case.state['place']} --action {case.action}",
    )

"""Replay on the port of what the reference did, batched and jitted as a trainer runs it."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from parity.engine.pair import Fields, Pair
from parity.engine.record import Recording


class Replay(NamedTuple):
    """What the port did on a recording's actions.

    Attributes:
        before: fields at the beginning of each lane, (N, ...).
        after: fields after each step and before any restart, (N, L, ...).
        restarted: bool (N, L); where the port began another episode.
        restart: fields at the first restart of each lane, (N, ...).
        untouched: bool (N, L); where no restart happened, the state and observation handed out are the
            final ones, value for value.
    """

    before: Fields
    after: Fields
    restarted: NDArray[np.bool_]
    restart: Fields
    untouched: NDArray[np.bool_]


def _moment(side: _Functions, state: Any, obs: jax.Array, params: Any) -> dict[str, jax.Array]:
    return {**side.read(state, params), "obs": obs, "masks": side.masks(state, params)}


def _same(a: Any, b: Any) -> jax.Array:
    """Return whether two batches agree value for value, where there is no number too: bool (N,)."""
    flags = [
        jnp.all(((x == y) | ((x != x) & (y != y))).reshape(x.shape[0], -1), axis=1)
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    ]
    return jnp.stack(flags).all(0)


class _Functions(NamedTuple):
    """What of a port is compiled; equal for all pairs of one port, so that they share it."""

    step: Any
    observe: Any
    masks: Any
    read: Any


@partial(jax.jit, static_argnums=0)
def _run(
    side: _Functions, key: jax.Array, state: Any, actions: jax.Array, params: Any
) -> tuple[Any, ...]:
    """Scan the port's own batched step over actions of shape (L, N, ...)."""
    first = _moment(side, state, side.observe(state, params), params)

    def body(carry: tuple[Any, ...], action: jax.Array) -> tuple[tuple[Any, ...], Any]:
        state, key, restart, ended_before = carry
        key, now = jax.random.split(key)
        out = side.step(now, state, action, params)
        done = out.outcome["terminated"] | out.outcome["truncated"]
        fresh = _moment(side, out.state, out.obs, params)
        take = done & ~ended_before

        def pick(new: jax.Array, old: jax.Array) -> jax.Array:
            return jnp.where(take.reshape(-1, *(1,) * (new.ndim - 1)), new, old)

        restart = jax.tree.map(pick, fresh, restart)
        after = {**_moment(side, out.final_state, out.final_obs, params), **out.outcome}
        untouched = done | _same((out.state, out.obs), (out.final_state, out.final_obs))
        return (out.state, key, restart, ended_before | done), (after, done, untouched)

    ended_before = jnp.zeros(actions.shape[1], bool)
    (_, _, restart, _), (after, done, untouched) = jax.lax.scan(
        body, (state, key, first, ended_before), actions
    )
    return first, after, done, restart, untouched


def replay(pair: Pair, recording: Recording, seed: int = 0) -> Replay:
    """Run the port on a recording.

    Args:
        pair: the pair; only its port is driven.
        recording: from :mod:`parity.engine.record`; its shape decides what is compiled, so equal
            shapes compile once.
        seed: seeds the starts of restarted episodes.
    """
    side = pair.port
    functions = _Functions(side.step, side.observe, side.masks, side.read)
    worlds = jnp.asarray(recording.worlds)
    if recording.injected:
        names = set(pair.rules) & set(recording.before) - {"obs", "masks"}
        fields = {name: jnp.asarray(recording.before[name]) for name in sorted(names)}
        state = jax.jit(side.inject)(worlds, fields, side.params)
    else:
        state = jax.jit(side.begin)(worlds, jnp.asarray(recording.starts), side.params)
    actions = jnp.asarray(np.swapaxes(recording.actions, 0, 1))
    before, after, done, restart, untouched = _run(
        functions, jax.random.key(seed), state, actions, side.params
    )

    def host(fields: dict[str, jax.Array]) -> Fields:
        return {name: np.asarray(value) for name, value in fields.items()}

    def lanes_first(x: Any) -> Any:
        return np.moveaxis(np.asarray(x), 0, 1)

    return Replay(
        before=host(before),
        after={name: lanes_first(value) for name, value in after.items()},
        restarted=lanes_first(done),
        restart=host(restart),
        untouched=lanes_first(untouched),
    )

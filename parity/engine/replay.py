"""Replay on the port of what the reference did, batched and jitted as a trainer runs it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
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


MOST_BYTES = 128 << 20
"""What a program of a shape that several recordings share may write."""


class Shape(NamedTuple):
    """Steps and lanes of a compiled program."""

    steps: int
    lanes: int


def shape_of(recording: Recording) -> Shape:
    """Return the shape that holds a recording and nothing else."""
    return Shape(recording.actions.shape[1], len(recording.lengths))


def shared_shape(*recordings: Recording) -> Shape | None:
    """Return a shape that holds each of some recordings, so that one program is compiled for all.

    What is beyond a recording is computed and thrown away, which takes less time than another program
    takes to compile. None where that would write more than :data:`MOST_BYTES`.
    """
    shapes = [shape_of(recording) for recording in recordings]
    shape = Shape(max(one.steps for one in shapes), max(one.lanes for one in shapes))
    row = max(
        sum(x.nbytes for x in recording.after.values()) / (own.steps * own.lanes)
        for recording, own in zip(recordings, shapes, strict=True)
    )
    return shape if row * shape.steps * shape.lanes <= MOST_BYTES else None


def _widened(recording: Recording, shape: Shape) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Return which lane each of a shape's lanes is, and actions (N, L, ...): the last goes on."""
    steps, lanes = shape_of(recording)
    assert max(steps - shape.steps, lanes - shape.lanes) <= 0, (steps, lanes, shape)
    places = np.minimum(np.arange(shape.lanes), lanes - 1)
    return places, recording.actions[places][:, np.minimum(np.arange(shape.steps), steps - 1)]


def _arguments(pair: Pair, recording: Recording, seed: int, shape: Shape | None) -> tuple[Any, ...]:
    """Return what :func:`_run` is given for a recording."""
    side = pair.port
    functions = _Functions(side.step, side.observe, side.masks, side.read)
    lanes, chosen = _widened(recording, shape or shape_of(recording))
    worlds = jax.device_put(recording.worlds[lanes])
    if recording.injected:
        names = set(pair.rules) & set(recording.before) - {"obs", "masks"}
        fields = {name: jax.device_put(recording.before[name][lanes]) for name in sorted(names)}
        state = jax.jit(side.inject)(worlds, fields, side.params)
    else:
        state = jax.jit(side.begin)(worlds, jax.device_put(recording.starts[lanes]), side.params)
    actions = jax.device_put(np.swapaxes(chosen, 0, 1))
    return functions, jax.random.key(seed), state, actions, side.params


def replay(
    pair: Pair,
    recording: Recording,
    seed: int = 0,
    shape: Shape | None = None,
    tracing: AbstractContextManager[None] | None = None,
) -> Replay:
    """Run the port on a recording.

    Args:
        pair: the pair; only its port is driven.
        recording: from :mod:`parity.engine.record`.
        seed: seeds the starts of restarted episodes.
        shape: of the program that is compiled, which holds the recording; equal shapes compile once. By
            default the recording's own.
        tracing: entered while the port's own lines are executed, which is as its programs are traced.
    """
    steps, lanes = shape_of(recording)
    with tracing or nullcontext():
        arguments = _arguments(pair, recording, seed, shape)
        _run.trace(*arguments)
    before, after, done, restart, untouched = _run(*arguments)

    def host(fields: dict[str, jax.Array]) -> Fields:
        return {name: np.asarray(value)[:lanes] for name, value in fields.items()}

    def lanes_first(x: Any) -> Any:
        return np.moveaxis(np.asarray(x)[:steps, :lanes], 0, 1)

    first, restarted = host(before), lanes_first(done)
    never = ~restarted.any(axis=1)  # within the recording
    begun = host(restart)
    return Replay(
        before=first,
        after={name: lanes_first(value) for name, value in after.items()},
        restarted=restarted,
        restart={name: _put(value, never, first[name]) for name, value in begun.items()},
        untouched=lanes_first(untouched),
    )


def _put(values: NDArray[Any], where: NDArray[np.bool_], others: NDArray[Any]) -> NDArray[Any]:
    """Return values (N, ...) with others on some lanes, bool (N,)."""
    changed = np.array(values)
    changed[where] = others[where]
    return changed

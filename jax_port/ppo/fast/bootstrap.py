"""The values of what truncations cut off: rare, so they are gathered and valued some at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jax_port.envs.state import EnvParams
from jax_port.ppo.fast.scale_out import BY_ENVIRONMENT, EVERYWHERE, on_each_device
from jax_port.ppo.networks import Network, Params
from jax_port.ppo.observations import reconstruct_obs
from jax_port.ppo.running_statistics import Scale

BOOTSTRAP_CHUNK = 1024
"""Truncated transitions that are valued at a time."""


class Cut(NamedTuple):
    """Where episodes were truncated and what they led to, leaves (T, N, ...), scales (T, D)."""

    truncated: jax.Array
    step_idx: jax.Array
    position: jax.Array
    scale: Scale


def value_of_cut(
    cut: Cut,
    weights: Params,
    network: Network,
    params: EnvParams,
    rows: int = BOOTSTRAP_CHUNK,
    mesh: Mesh | None = None,
) -> jax.Array:
    """Return the value of what each truncation cut off, elsewhere 0: float32 (T, N).

    Truncations are rare, so they are gathered and valued some ``rows`` at a time; on several devices
    each gathers its own.

    Args:
        cut: the transitions.
        weights, network: the value's.
        params: of the environment.
        rows: valued at a time; static.
        mesh: devices over which environments are split; None for one. Static.
    """

    def valued(cut: Cut, weights: Params, params: EnvParams) -> jax.Array:
        return _valued(cut, weights, network, params, rows)

    split, whole = BY_ENVIRONMENT, EVERYWHERE
    cut_given: Any = Cut(*(split,) * 3, whole)  # type: ignore[arg-type]
    given = (cut_given, whole, whole)
    return on_each_device(valued, mesh, given, split)(cut, weights, params)


def _valued(cut: Cut, weights: Params, network: Network, params: EnvParams, rows: int) -> jax.Array:
    """Return :func:`value_of_cut` of one device's transitions."""
    steps, envs = cut.truncated.shape
    size = steps * envs
    chunk = min(rows, size)
    flags = cut.truncated.reshape(-1)
    count = jnp.sum(flags.astype(jnp.int32))
    (where,) = jnp.nonzero(flags, size=size, fill_value=size)
    where = jnp.concatenate([where.astype(jnp.int32), jnp.full(chunk, size, jnp.int32)])
    step_idx, position = cut.step_idx.reshape(-1), cut.position.reshape(size, -1)

    def more(carry: tuple[jax.Array, jax.Array]) -> jax.Array:
        return carry[0] < count

    def value(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        done, found = carry
        here = jax.lax.dynamic_slice(where, (done,), (chunk,))
        some = jnp.minimum(here, size - 1)
        scale = jax.tree.map(lambda x: x[some // envs], cut.scale)
        values = network.value(weights, reconstruct_obs(step_idx[some], position[some], scale, params))
        return done + chunk, found.at[here].set(values, mode="drop")

    start = (jnp.int32(0), jnp.zeros(size, jnp.float32))
    _, found = jax.lax.while_loop(more, value, start)
    return found.reshape(steps, envs)

"""A minibatch a few rows at a time: only those that matter, and as many as a cache holds.

What is summed over rows does not depend on the portions but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jax_port.ppo.networks import Network, Params

CHUNKS = 8
MIN_CHUNK, CHUNKED_FROM = 256, 1024
"""A minibatch of at least CHUNKED_FROM transitions is given to the policy in so many chunks at most,
none smaller than MIN_CHUNK, where products become slow."""

VALUE_CHUNK = 1024
"""Transitions given to the value MLP at a time on a CPU."""


def choices_first(masks: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the rows of masks (B, A) that leave a choice, in order, then the others; and their count.

    Where the mask leaves one action, its probability is one whatever the weights, so the policy need
    not be asked: no gradient, no entropy, a ratio of one.
    """
    forced = jnp.sum(masks.astype(jnp.int32), axis=1) <= 1
    so_far = jnp.cumsum((~forced).astype(jnp.int32))
    count = so_far[-1]
    row = jnp.arange(forced.shape[0], dtype=jnp.int32)
    place = jnp.where(forced, count + row - so_far, so_far - 1)  # a sort takes four times as long
    return jnp.zeros_like(row).at[place].set(row, unique_indices=True), count


def chunk_size(size: int) -> int:
    """Return how many rows to hand the policy at a time: an eighth of many, all of few."""
    return max(MIN_CHUNK, -(-size // CHUNKS)) if size >= CHUNKED_FROM else size


def value_chunk_size(size: int) -> int:
    """Return how many rows to hand the value MLP at a time: what a cache holds."""
    return min(size, VALUE_CHUNK)


def choices_alone(network: Network) -> Callable[[Params, jax.Array, jax.Array], jax.Array]:
    """Return logits asked of the policy only where the mask leaves a choice.

    It is a :data:`jax_port.ppo.rollout.LogitsFn`. Elsewhere some logits are zero.
    """

    def logits_of(weights: Params, obs: jax.Array, masks: jax.Array) -> jax.Array:
        size = obs.shape[0]
        chunk = chunk_size(size)
        if chunk == size:
            return network.policy(weights, obs)
        order, count = choices_first(masks)
        order = jnp.pad(order, (0, -size % chunk), constant_values=size)

        def body(number: jax.Array, logits: jax.Array) -> jax.Array:
            rows = jax.lax.dynamic_slice(order, (number * chunk,), (chunk,))
            some = network.policy(weights, obs[jnp.minimum(rows, size - 1)])
            return logits.at[rows].set(some, mode="drop")

        start = jnp.zeros(masks.shape, jnp.float32)
        return jax.lax.fori_loop(0, (count + chunk - 1) // chunk, body, start)

    return logits_of


def in_chunks(
    of: Callable[[jax.Array, jax.Array], Any], order: jax.Array, count: jax.Array | int, chunk: int
) -> Any:
    """Return the sum of of(rows, counted) over the first ``count`` rows, some at a time.

    Args:
        of: rows, int32 (chunk,), and which of them count, bool (chunk,) -> a pytree of sums.
        order: int32 (B,), rows.
        count: how many of them; chunks beyond are not asked for.
        chunk: rows at a time.
    """
    size = order.shape[0]
    order = jnp.pad(order, (0, -size % chunk))

    def one(number: jax.Array | int) -> Any:
        rows = jax.lax.dynamic_slice(order, (number * chunk,), (chunk,))
        return of(rows, number * chunk + jnp.arange(chunk, dtype=jnp.int32) < count)

    def body(number: jax.Array, carry: Any) -> Any:
        return jax.tree.map(jnp.add, carry, one(number))

    shapes = jax.eval_shape(one, 0)
    start = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    return jax.lax.fori_loop(0, (count + chunk - 1) // chunk, body, start)

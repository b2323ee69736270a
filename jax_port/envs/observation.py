"""An observation as one row: bars out of the market's table, then what belongs to one account.

Joining the two parts of many rows costs a CPU more than reading the bars: the window is written once
for itself and once more beside its tail. So on a CPU a batch of rows is read a few numbers too wide,
which is one copy, and the columns at the end are written over.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap


def row_at(table: jax.Array, oldest: jax.Array, tail: jax.Array, bars: int) -> jax.Array:
    """Return some bars of a table, oldest first, followed by a tail; quick under ``jax.vmap``.

    Args:
        table: float32 (T, F), a row a bar, where T is at least ``bars`` and another.
        oldest: int32 scalar, the first bar; at most T - ``bars`` - 1, so that a bar follows the last.
        tail: float32 (P,), P at most F.
        bars: how many; static.

    Returns:
        float32 (bars * F + P,).
    """
    assert len(tail.shape) == 1, tail.shape
    assert tail.shape[0] <= table.shape[1], (tail.shape, table.shape)
    row = partial(_row, bars=bars)
    quick = custom_vmap(row)

    @quick.def_vmap
    def rows(
        size: int, batched: list[bool], table: jax.Array, oldest: jax.Array, tail: jax.Array
    ) -> tuple[jax.Array, bool]:
        if jax.default_backend() != "cpu" or batched != [False, True, True]:
            axes = [0 if one else None for one in batched]
            return jax.vmap(row, in_axes=axes)(table, oldest, tail), True
        return _rows(table, oldest, tail, bars=bars), True

    return quick(table, oldest, tail)


def _row(table: jax.Array, oldest: jax.Array, tail: jax.Array, *, bars: int) -> jax.Array:
    window = jax.lax.dynamic_slice(table, (oldest, jnp.int32(0)), (bars, table.shape[1]))
    return jnp.concatenate([window.reshape(-1), tail])


def _rows(table: jax.Array, oldest: jax.Array, tails: jax.Array, *, bars: int) -> jax.Array:
    """Do so for oldest (N,) and tails (N, P), the tails a column at a time."""
    features, numbers = table.shape[1], table.reshape(-1)
    width = bars * features
    wide = (width + tails.shape[1],)
    rows = jax.vmap(lambda first: jax.lax.dynamic_slice(numbers, (first,), wide))(oldest * features)
    for number, column in enumerate(tails.T):
        rows = jax.lax.dynamic_update_slice(rows, column[:, None], (0, width + number))
    return rows

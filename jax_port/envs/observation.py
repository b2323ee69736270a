"""Observations: a window of the market's bars, then what belongs to one account, as one row.

Joining the two parts of many rows costs a CPU more than reading the bars: the window is written once
for itself and once more beside its tail. So on a CPU a batch of rows is read a few numbers too wide,
which is one copy, and the columns at the end are written over. On a GPU every number of a batch is
looked up by itself, so that neighbouring threads write neighbouring numbers: 1.9 G rows a second on an
H100, where joined rows make 0.9 G.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

from jax_port.envs.form import Form
from jax_port.envs.state import EnvParams, EnvState


def observe_at(step_idx: jax.Array, position: jax.Array, params: EnvParams) -> jax.Array:
    """Return what an account sees before bar ``step_idx`` (int32 scalar): float32, (220 + P,).

    Args:
        step_idx: a bar of a market, so that at least one follows the window.
        position: float32 (P,), the position features.
        params: configuration and bars.
    """
    oldest = step_idx - params.window_size
    return row_at(params.market.features, oldest, position, params.window_size, params.form)


def window_at(step_idx: jax.Array, params: EnvParams) -> jax.Array:
    """Return the window_size bars before bar ``step_idx`` (int32 scalar): float32, (window, 11)."""
    alone = observe_at(step_idx, jnp.zeros(0, jnp.float32), params)
    return alone.reshape(params.window_size, -1)


def observe_window(state: EnvState, params: EnvParams) -> jax.Array:
    """Return the market part of an observation: float32, (window, 11)."""
    return window_at(state.step_idx, params)


def row_at(
    table: jax.Array, oldest: jax.Array, tail: jax.Array, bars: int, form: Form = "cpu"
) -> jax.Array:
    """Return some bars of a table, oldest first, followed by a tail; quick under ``jax.vmap``.

    Args:
        table: float32 (T, F), a row a bar, where T is at least ``bars`` and another.
        oldest: int32 scalar, the first bar; at most T - ``bars`` - 1, so that a bar follows the last.
        tail: float32 (P,), P at most F.
        bars: how many; static.
        form: how a batch of rows is read; static.

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
        if batched != [False, True, True]:
            axes = [0 if one else None for one in batched]
            return jax.vmap(row, in_axes=axes)(table, oldest, tail), True
        many = _rows if form == "cpu" else _rows_by_number
        return many(table, oldest, tail, bars=bars), True

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


def _rows_by_number(table: jax.Array, oldest: jax.Array, tails: jax.Array, *, bars: int) -> jax.Array:
    """Do so for oldest (N,) and tails (N, P), every number of a row looked up by itself."""
    features = table.shape[1]
    width = bars * features
    column = jnp.arange(width + tails.shape[1], dtype=jnp.int32)[None, :]
    rows = table.reshape(-1).at[oldest[:, None] * features + column].get(mode="clip")
    for number in range(tails.shape[1]):
        rows = jnp.where(column == width + number, tails[:, number : number + 1], rows)
    return rows

"""Rows of many accounts are those of each."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.envs.form import FORMS, Form
from jax_port.envs.observation import row_at

BARS = 3
TABLE = jnp.arange(40, dtype=jnp.float32).reshape(10, 4)


def test_a_row_is_the_bars_and_then_the_tail() -> None:
    row = row_at(TABLE, jnp.int32(2), jnp.array([-1.0, -2.0]), BARS)
    assert row.dtype == jnp.float32
    assert row.tolist() == [*range(8, 20), -1, -2]


def test_rows_of_many_are_those_of_each_up_to_the_last_bar_but_one() -> None:
    """The last window that a bar follows is read as it lies, not moved back to make room."""
    oldest = jnp.array([6, 0, 3], jnp.int32)
    tails = -jnp.arange(1, 13, dtype=jnp.float32).reshape(3, 4)
    rows = jax.jit(jax.vmap(row_at, in_axes=(None, 0, 0, None)), static_argnums=3)
    np.testing.assert_array_equal(
        rows(TABLE, oldest, tails, BARS),
        [row_at(TABLE, at, tail, BARS) for at, tail in zip(oldest, tails, strict=True)],
    )
    assert rows(TABLE, oldest, tails, BARS)[0].tolist() == [*range(24, 36), -1, -2, -3, -4]


@pytest.mark.parametrize("batched", [(0, 0, 0), (0, None, None), (None, 0, None), (None, None, 0)])
def test_whatever_is_batched_rows_are_the_same(batched: tuple[int | None, ...]) -> None:
    given = (jnp.stack([TABLE, TABLE + 100]), jnp.array([1, 5], jnp.int32), -TABLE[:2, :3])
    chosen = [each if axis == 0 else each[0] for each, axis in zip(given, batched, strict=True)]
    rows = jax.vmap(lambda *of: row_at(*of, BARS), in_axes=batched)(*chosen)
    for number, row in enumerate(rows):
        one = [each[number] if axis == 0 else each for each, axis in zip(chosen, batched, strict=True)]
        np.testing.assert_array_equal(row, row_at(*one, BARS))


def test_no_tail_is_the_window_alone() -> None:
    rows = jax.vmap(lambda at: row_at(TABLE, at, jnp.zeros(0), BARS))(jnp.array([0, 6], jnp.int32))
    np.testing.assert_array_equal(rows, [np.arange(12), np.arange(24, 36)])


def test_a_tail_wider_than_a_bar_is_refused() -> None:
    with pytest.raises(AssertionError, match="4"):
        row_at(TABLE, jnp.int32(0), jnp.zeros(5), BARS)


def test_many_rows_off_a_cpu_are_the_same() -> None:
    oldest, tails = jnp.array([6, 2], jnp.int32), -TABLE[:2]
    rows = jax.vmap(row_at, in_axes=(None, 0, 0, None))
    here = rows(TABLE, oldest, tails, BARS)
    there = jax.vmap(lambda *given: row_at(TABLE, *given, BARS, "gpu"))
    assert "dynamic_update_slice" not in str(jax.make_jaxpr(there)(oldest, tails))
    np.testing.assert_array_equal(there(oldest, tails), here)


@pytest.mark.parametrize("form", FORMS)
def test_rows_at_the_end_of_a_large_table_are_its_own(form: Form) -> None:
    """Of so many numbers that neither float32 nor 24 bits count them."""
    bars, features = 1_200_000, 15
    assert bars * features > 2**24
    numbers = np.arange(bars * features, dtype=np.int64) * 31 % 65_521
    table = numbers.astype(np.float32).reshape(bars, features)
    oldest = np.array([0, 2**19, 2**20 + 1, 559_240, 559_241, bars - BARS - 1], np.int32)
    tails = -np.arange(1, 1 + 2 * len(oldest), dtype=np.float32).reshape(-1, 2)
    rows = jax.vmap(lambda *given: row_at(jnp.asarray(table), *given, BARS, form))(
        jnp.asarray(oldest), jnp.asarray(tails)
    )
    for at, tail, row in zip(oldest, tails, rows, strict=True):
        np.testing.assert_array_equal(row, [*table[at : at + BARS].ravel(), *tail])

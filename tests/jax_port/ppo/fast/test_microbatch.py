"""Rows in portions: none left out, none twice, none that was not asked for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.fast.microbatch import choices_first, chunk_size, in_chunks, value_chunk_size


def test_choices_come_first_and_in_order() -> None:
    masks = jnp.array([[1, 0, 0], [1, 1, 1], [0, 0, 1], [1, 1, 0], [1, 0, 0]], bool)
    order, count = choices_first(masks)
    assert order.tolist() == [1, 3, 0, 2, 4]
    assert int(count) == 2


@pytest.mark.parametrize("free", [False, True])
def test_all_or_none_leave_a_choice(free: bool) -> None:
    masks = jnp.stack([jnp.ones(5, bool), jnp.full(5, free)], axis=1)
    order, count = choices_first(masks)
    assert order.tolist() == [0, 1, 2, 3, 4]
    assert int(count) == 5 * free


@pytest.mark.parametrize("count", [0, 1, 3, 4, 9, 10])
@pytest.mark.parametrize("chunk", [1, 4, 10])
def test_the_first_rows_are_summed_once(count: int, chunk: int) -> None:
    order = jnp.array([3, 1, 4, 0, 5, 9, 2, 6, 8, 7], jnp.int32)
    values = 2.0 ** jnp.arange(10, dtype=jnp.float32)

    def of(rows: jax.Array, counted: jax.Array) -> tuple[jax.Array, jax.Array]:
        assert rows.shape == counted.shape == (chunk,)
        return jnp.sum(jnp.where(counted, values[rows], 0.0)), jnp.sum(jnp.ones_like(rows))

    total, asked = jax.jit(lambda n: in_chunks(of, order, n, chunk))(jnp.int32(count))
    assert float(total) == float(np.sum(2.0 ** np.asarray(order[:count])))
    assert int(asked) == -(-count // chunk) * chunk


def test_sizes_of_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [chunk_size(n) for n in (100, 1023, 1024, 4096, 4100)] == [100, 1023, 256, 512, 513]
    assert [value_chunk_size(n) for n in (100, 1024, 4096)] == [100, 1024, 1024]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert value_chunk_size(1_000_000) == 1_000_000

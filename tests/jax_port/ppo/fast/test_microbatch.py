"""Rows in portions: none left out, none twice, none that was not asked for."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.fast.microbatch import (
    choices_alone,
    choices_first,
    chunk_size,
    in_chunks,
    value_chunk_size,
)
from jax_port.ppo.networks import Network


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


def test_sizes_of_portions() -> None:
    assert [chunk_size(n) for n in (100, 1023, 1024, 4096, 4100)] == [100, 1023, 256, 512, 513]
    assert [value_chunk_size(n) for n in (100, 1024, 4096)] == [100, 1024, 1024]


@pytest.mark.parametrize("choices", [0, 1, 255, 256, 257, 700, 1030])
def test_every_row_with_a_choice_gets_logits_of_its_own(choices: int) -> None:
    """1030 rows are asked 256 at a time; others fill up the last portion, or get zeros."""
    size, actions = 1030, 3
    rng = np.random.default_rng(choices)
    masks = np.zeros((size, actions), bool)
    masks[np.arange(size), rng.integers(0, actions, size)] = True
    free = rng.permutation(size)[:choices]
    masks[free] = True
    obs = rng.uniform(1.0, 2.0, (size, 5)).astype(np.float32)
    network = Network(
        policy=lambda weights, seen: weights * seen[:, :actions], value=lambda _, seen: seen[:, 0]
    )
    weights: Any = jnp.float32(2.0)
    logits = np.asarray(choices_alone(network)(weights, jnp.asarray(obs), jnp.asarray(masks)))
    asked = np.asarray(logits.any(axis=1))
    assert asked[free].all()
    assert asked.sum() == min(-(-choices // 256) * 256, size)
    np.testing.assert_array_equal(logits[asked], 2.0 * obs[asked, :actions])


def test_few_rows_are_asked_all_at_once() -> None:
    asked = []

    def policy(weights: Any, seen: Any) -> Any:
        asked.append(seen.shape)
        return weights * seen

    network = Network(policy=policy, value=lambda _, seen: seen[:, 0])
    obs, masks = jnp.ones((1023, 2)), jnp.tile(jnp.array([[True, False]]), (1023, 1))
    weights: Any = jnp.float32(3.0)
    logits = choices_alone(network)(weights, obs, masks)
    assert asked == [(1023, 2)]
    np.testing.assert_array_equal(np.asarray(logits), 3.0)

"""Advantages by their equation, and standardised by all of a minibatch."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.fast.scale_out import AXIS
from jax_port.ppo.gae import ADVANTAGE_EPS, gae, standardize

STEPS, ENVS = 17, 5


@pytest.mark.parametrize(("gamma", "gae_lambda"), [(0.99, 0.95), (1.0, 1.0), (0.9, 0.0), (0.0, 0.7)])
def test_an_advantage_is_the_sum_of_what_came_better_than_expected(
    gamma: float, gae_lambda: float
) -> None:
    keys = jax.random.split(jax.random.key(2), 5)
    rewards, values = (np.asarray(jax.random.normal(key, (STEPS, ENVS))) for key in keys[:2])
    begins = np.asarray(jax.random.uniform(keys[2], (STEPS + 1, ENVS)) < 0.3)
    last = np.asarray(jax.random.normal(keys[3], (ENVS,)))
    found = gae(
        *map(jnp.asarray, (rewards, values, begins[:-1], last, begins[-1])),
        jnp.float32(gamma),
        jnp.float32(gae_lambda),
    )
    after = np.vstack([values[1:], last])
    for env in range(ENVS):
        for step in range(STEPS):
            wanted, weight = 0.0, 1.0
            for later in range(step, STEPS):
                on = not begins[later + 1, env]
                delta = rewards[later, env] + gamma * after[later, env] * on - values[later, env]
                wanted += weight * delta
                weight *= gamma * gae_lambda * on
            assert found[0][step, env] == pytest.approx(wanted, rel=1e-4, abs=1e-5)
    np.testing.assert_array_equal(found[1], found[0] + values)


def test_a_minibatch_has_mean_zero_and_the_sample_s_deviation() -> None:
    advantages = jax.random.normal(jax.random.key(3), (12,)) * 4.0 + 2.0
    plain = np.asarray(advantages, np.float64)
    wanted = (plain - plain.mean()) / (plain.std(ddof=1) + ADVANTAGE_EPS)
    np.testing.assert_allclose(standardize(advantages), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("devices", [2, 3])
def test_devices_standardise_by_all_of_a_minibatch(devices: int) -> None:
    shares = jax.random.normal(jax.random.key(1), (devices, 8)) * 3.0 + 1.0
    found = jax.vmap(partial(standardize, axis=AXIS), axis_name=AXIS)(shares)
    whole = standardize(shares.reshape(-1)).reshape(shares.shape)
    np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-6)


def test_advantages_that_hardly_differ_are_not_blown_up() -> None:
    """The deviation, 2^0.5 times 1e-8 here, has 1e-8 added to it; equal advantages are zeros."""
    found = standardize(jnp.array([0.0, 2e-8], jnp.float32))
    np.testing.assert_allclose(found, [-1 / (1 + 2**0.5), 1 / (1 + 2**0.5)], rtol=1e-5)
    assert standardize(jnp.full(3, 7.0)).tolist() == [0.0, 0.0, 0.0]

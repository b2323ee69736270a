"""Running statistics on raw prices: thousands of steps far from zero leave no trace of float32."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from stable_baselines3.common.running_mean_std import RunningMeanStd

from jax_port.ppo.running_statistics import (
    RunningMoments,
    init_moments,
    normalize,
    scale_of,
    update_moments,
)

STEPS, ENVS = 10_000, 8


@pytest.fixture(scope="module")
def prices() -> NDArray[np.float32]:
    """Like an index future: mean 5000, deviation 10; float32 (STEPS, ENVS, 2), one feature centred."""
    raw = np.random.default_rng(0).standard_normal((STEPS, ENVS, 2)) * 10 + [5000.0, 0.0]
    return raw.astype(np.float32)


@pytest.fixture(scope="module")
def moments(prices: NDArray[np.float32]) -> RunningMoments:
    @jax.jit
    def run(batches: jax.Array) -> RunningMoments:
        def body(moments: RunningMoments, batch: jax.Array) -> tuple[RunningMoments, None]:
            return update_moments(moments, batch), None

        return jax.lax.scan(body, init_moments((2,)), batches)[0]

    return run(jnp.asarray(prices))


def test_observations_are_normalised_as_in_float64(
    prices: NDArray[np.float32], moments: RunningMoments
) -> None:
    exact = RunningMeanStd(shape=(2,))
    for batch in prices.astype(np.float64):
        exact.update(batch)
    np.testing.assert_allclose(moments.mean, exact.mean, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(moments.var, exact.var, rtol=1e-12)
    seen = prices[-1000:].reshape(-1, 2)
    expected = (seen - exact.mean) / np.sqrt(exact.var + 1e-8)
    assert np.abs(expected).max() > 3
    np.testing.assert_allclose(normalize(scale_of(moments), jnp.asarray(seen)), expected, atol=1e-6)


def test_statistics_in_float32_would_be_off(
    prices: NDArray[np.float32], moments: RunningMoments
) -> None:
    """The same formulas in float32 miss by a thousand times as much, so the test above can fail."""
    mean, var, count = np.float32([0, 0]), np.float32([1, 1]), np.float32(1e-4)
    for batch in prices:
        size = np.float32(ENVS)
        delta, total = batch.mean(0) - mean, count + size
        spread = var * count + batch.var(0) * size + delta**2 * count * size / total
        mean, var, count = mean + delta * size / total, spread / total, total
    off = np.abs(mean.astype(np.float64) - np.asarray(moments.mean)) / np.sqrt(var)
    assert off[0] > 3e-4
    assert off[1] < 1e-5

"""What the GPU's program sees of the bars is what the environment shows, to the last bit."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.registry import phase_of
from jax_port.ppo.fast.gpu_rollout import raw_observations
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars


@pytest.mark.parametrize(
    "config", [EnvConfig.phase1(), EnvConfig.phase2(window_size=7)], ids=["1", "2"]
)
def test_observations_are_the_environment_s(config: EnvConfig) -> None:
    phase = phase_of(config)
    markets = [prepare(synthetic_bars(name, days=2, seed=3), config) for name in ("ES", "RTY")]
    params = phase.make_params(stack(markets), config)
    starts = params.market.starts[:, 0]
    places = jnp.arange(0, len(starts), 97, dtype=jnp.int32)
    first, last = config.window_size, params.market.features.shape[0] - 1
    bars = jnp.concatenate([starts[places], jnp.array([first, last], jnp.int32)])
    places = jnp.concatenate([places, jnp.zeros(2, jnp.int32)])
    states = jax.vmap(phase.reset_at, in_axes=(0, None))(places, params)
    states = replace(states, step_idx=bars)
    position = jax.vmap(phase.observe_position, in_axes=(0, None))(states, params)
    seen = raw_observations(states.step_idx, position, params)
    assert seen.dtype == jnp.float32
    shown = jax.vmap(phase.observe, in_axes=(0, None))(states, params)
    np.testing.assert_array_equal(seen, shown)
    features = np.asarray(params.market.features)
    width = config.window_size * features.shape[1]
    for row, bar in zip(np.asarray(seen), np.asarray(bars), strict=True):
        window = features[bar - config.window_size : bar].ravel()
        np.testing.assert_array_equal(row[:width], window)


def test_raw_observations_of_a_long_market_are_those_of_its_own_bars() -> None:
    """Of so many numbers that neither float32 nor 24 bits count them."""
    bars, window = 1_600_000, 20
    numbers = np.arange(bars * 11, dtype=np.int64) * 31 % 65_521
    table = numbers.astype(np.float32).reshape(bars, 11)
    at = np.array([20, 65_555, 65_556, 1_525_201, 1_525_222, bars - 1], np.int32)
    position = -np.arange(1, 31, dtype=np.float32).reshape(6, 5)
    market = SimpleNamespace(features=jnp.asarray(table))
    params: Any = SimpleNamespace(market=market, window_size=window)
    expected = [
        np.concatenate([table[end - window : end].ravel(), tail])
        for end, tail in zip(at, position, strict=True)
    ]
    found = raw_observations(jnp.asarray(at), jnp.asarray(position), params)
    np.testing.assert_array_equal(found, expected)

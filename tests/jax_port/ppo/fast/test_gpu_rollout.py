"""What the GPU's program sees of the bars is what the environment shows, to the last bit."""

from __future__ import annotations

from dataclasses import replace

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

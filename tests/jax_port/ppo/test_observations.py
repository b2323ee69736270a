"""Observations made anew, in a market of more bars than 16 bits count."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.observations import reconstruct_obs
from jax_port.ppo.running_statistics import Scale

BARS, WINDOW = 200_000, 3


@pytest.mark.parametrize(("each", "form"), [(False, "cpu"), (True, "cpu"), (True, "gpu")])
def test_an_observation_is_its_own_window_and_position_scaled(each: bool, form: str) -> None:
    numbers = np.arange(BARS * 2, dtype=np.int64) * 31 % 65_521
    features = numbers.astype(np.float32).reshape(BARS, 2)
    market = SimpleNamespace(features=jnp.asarray(features))
    params: Any = SimpleNamespace(market=market, window_size=WINDOW, form=form)
    at = np.array([3, 32_768, 32_769, 65_536, 131_073, BARS - 1], np.int32)
    position = np.arange(12, dtype=np.float32).reshape(6, 2) * 100 - 300
    shape = (6, 8) if each else (8,)
    rng = np.random.default_rng(0)
    high = rng.uniform(0, 60_000, shape).astype(np.float32)
    low = rng.uniform(-5, 5, shape).astype(np.float32)
    inv = rng.uniform(1e-4, 1e-3, shape).astype(np.float32)
    raw = np.stack(
        [
            np.concatenate([features[end - WINDOW : end].ravel(), tail])
            for end, tail in zip(at, position, strict=True)
        ]
    )
    far = (raw.astype(np.float64) - high - low) * inv
    assert (np.abs(far) > 10).any()
    assert (np.abs(far) < 10).mean() > 0.3
    scale = Scale(jnp.asarray(high), jnp.asarray(low), jnp.asarray(inv))
    found = reconstruct_obs(jnp.asarray(at), jnp.asarray(position), scale, params)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, np.clip(far, -10, 10), rtol=1e-5, atol=1e-5)

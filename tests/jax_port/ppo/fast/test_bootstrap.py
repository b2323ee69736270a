"""Every truncation is valued, however many there are beside what is valued at a time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.registry import phase_of
from jax_port.ppo.fast import bootstrap
from jax_port.ppo.fast.bootstrap import Cut, value_of_cut
from jax_port.ppo.observations import reconstruct_obs
from jax_port.ppo.running_statistics import Scale
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

CONFIG = EnvConfig.phase1()
STEPS, ENVS = 5, 6


@pytest.mark.parametrize(
    ("steps", "envs", "rows", "share"),
    [
        *((STEPS, ENVS, rows, share) for rows in (1, 4, 7, 30, 1024) for share in (0.0, 0.5, 1.0)),
        (128, 1024, 1024, 0.02),  # the trainer's own sizes, some 2,600 of them
    ],
)
def test_each_truncation_is_valued_with_its_own_step_s_scale(
    steps: int, envs: int, rows: int, share: float
) -> None:
    phase = phase_of(CONFIG)
    params = phase.make_params(stack([prepare(synthetic_bars("ES", days=2, seed=1), CONFIG)]), CONFIG)
    size = CONFIG.window_size * params.market.features.shape[1] + phase.position_features
    rng = np.random.default_rng(0)
    truncated = rng.random((steps, envs)) < share
    bars = rng.integers(200, 400, (steps, envs)).astype(np.int32)
    position = rng.normal(size=(steps, envs, phase.position_features)).astype(np.float32)
    numbers = (rng.normal(size=(steps, size)).astype(np.float32) for _ in range(3))
    scale = Scale(*map(jnp.asarray, numbers))
    network: Any = SimpleNamespace(value=lambda weights, obs: jnp.tanh(obs @ weights))
    weights: Any = jnp.asarray(rng.normal(size=size).astype(np.float32) / 100)
    cut = Cut(jnp.asarray(truncated), jnp.asarray(bars), jnp.asarray(position), scale)
    found = np.asarray(value_of_cut(cut, weights, network, params, rows))
    assert found.dtype == np.float32
    for step in {*range(0, steps, 25), *range(min(steps, 6)), steps - 1}:
        own = jax.tree.map(lambda x, at=step: x[at], scale)
        obs = reconstruct_obs(cut.step_idx[step], cut.position[step], own, params)
        wanted = np.where(truncated[step], network.value(weights, obs), 0.0)
        np.testing.assert_allclose(found[step], wanted, rtol=1e-5, atol=1e-6)
    assert (found[truncated] != 0).all()


def test_every_device_values_its_own_truncations(monkeypatch: pytest.MonkeyPatch) -> None:
    """By weights, bars and scales that each holds all of."""
    asked: list[Any] = []

    def each(function: Any, *divided: Any) -> Any:
        asked.append(divided)
        return lambda *given: given

    monkeypatch.setattr(bootstrap, "on_each_device", each)
    mesh: Any = "mesh"
    cut = Cut("truncated", "bars", "position", "scales")  # type: ignore[arg-type]
    given: Any = value_of_cut(cut, "weights", "network", "params", 3, mesh)  # type: ignore[arg-type]
    assert given == (cut, "weights", "params")
    split, whole = PartitionSpec(None, "env"), PartitionSpec()
    assert asked == [(mesh, (Cut(split, split, split, whole), whole, whole), split)]  # type: ignore[arg-type]

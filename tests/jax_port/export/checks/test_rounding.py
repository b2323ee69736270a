"""Rounding of layers is bounded, not by much, and what it explains of probabilities is no more."""

from __future__ import annotations

import numpy as np
import pytest

from jax_port.data.data_loader import prepare
from jax_port.export.bundle import POLICY
from jax_port.export.checks.rounding import layer_rounding, probability_limit, rounding_of
from jax_port.export.stages import in_float32, in_float64
from jax_port.ppo.policy import load_policy
from jax_port.ppo.settings import NetworkSpec
from parity.export_chain.observations import of_episodes
from tests.jax_port.export.made_bundle import bars, config_of, raw_bundle
from tests.jax_port.made_policy import make_policy


def test_rounding_is_bounded_and_not_by_much() -> None:
    policy = load_policy(raw_bundle() / POLICY)
    batch = next(of_episodes(policy, prepare(bars(), config_of(1)), 1000))
    exact, narrow = (make(policy, batch.obs, batch.masks) for make in (in_float64, in_float32))
    bounds = rounding_of(policy, exact, "float32")
    for layer in ("policy_0", "policy_1", "action_head", "value_head"):
        apart = np.abs(exact[layer] - narrow[layer]).max(axis=1)
        assert (apart <= bounds[layer] + 1e-7).all()
        assert apart.max() > bounds[layer].max() / 50
    assert np.median(bounds["action_head"]) < 1e-6


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("spread", [0.0, 1.0, 200.0])
@pytest.mark.parametrize("spec", [NetworkSpec((16, 16), (8,)), NetworkSpec((24, 8), (5,), "tanh")])
def test_layers_of_logits_far_apart_stay_within_their_bounds(spread: float, spec: NetworkSpec) -> None:
    market = prepare(bars(), config_of(1))
    policy = make_policy(market, config_of(1), spread=spread, spec=spec)
    batch = next(of_episodes(policy, market, 200))
    exact, narrow = (make(policy, batch.obs, batch.masks) for make in (in_float64, in_float32))
    bounds = layer_rounding(policy, narrow["clipped"], "float32")
    # The observation itself is rounded to float32 before the first layer.
    seen = np.abs(exact["clipped"] - narrow["clipped"]).max()
    for layer in ("policy_0", "policy_1", "action_head", "value_head"):
        apart = np.abs(exact[layer] - narrow[layer]).max(axis=1)
        assert (apart <= bounds[layer] + 50 * seen * max(1.0, spread)).all()
    assert bounds["action_head"].max() < 1e-4 * max(0.1, np.abs(exact["action_head"]).max())


def test_what_rounding_explains_grows_with_the_logits_and_not_beyond() -> None:
    logits = np.array([[1.0, 0.0, -1.0], [200.0, 0.0, -200.0]])
    chances = np.array([[0.66, 0.25, 0.09], [0.5, 0.5, 0.0]])
    limit = probability_limit(chances, logits, np.zeros(2))
    assert 1e-6 < limit[0].max() < 5e-6  # once any probability could be off by 1e-4 of itself
    assert 1e-4 < limit[1].max() < 1e-3
    assert probability_limit(chances, logits, np.full(2, np.inf)).max() <= 1.0 + 1e-6
    assert limit[1, 2] == 1e-6

"""Rounding of layers is bounded, not by much, and what it explains of probabilities is no more."""

from __future__ import annotations

import math

import numpy as np
import pytest

from jax_port.data.data_loader import prepare
from jax_port.export.bundle import POLICY
from jax_port.export.checks.rounding import (
    _activated,
    layer_rounding,
    layer_roundings,
    probability_limit,
)
from jax_port.export.stages import in_float32, in_float64
from jax_port.ppo.policy import Policy, load_policy
from jax_port.ppo.settings import NetworkSpec
from markets import EnvConfig
from parity.export_chain.observations import of_episodes
from tests.jax_port.export.made_bundle import bars, config_of, raw_bundle
from tests.jax_port.made_policy import make_policy


def test_rounding_is_bounded_and_not_by_much() -> None:
    policy = load_policy(raw_bundle() / POLICY)
    batch = next(of_episodes(policy, prepare(bars(), config_of(1)), 1000))
    exact, narrow = (make(policy, batch.obs, batch.masks) for make in (in_float64, in_float32))
    bounds = layer_rounding(policy, exact["clipped"], "float32")
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
    # Both networks round, hence twice; and a logit less its row's log-sum moves by twice as much.
    for row, r in ((0, 1e-6), (1, 3e-5)):
        apart = 2 * r + 16 * 2.0**-24 * (1.0, 200.0)[row]
        told = probability_limit(chances, logits, np.full(2, r))[row]
        wanted = [p * math.expm1(2 * apart) + 1e-6 for p in chances[row].tolist()]
        assert told.tolist() == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_bounds_are_the_formula_number_by_number(activation: str) -> None:
    """Of two layers of each MLP, whose errors come from sums, biases and activations alike."""
    rng = np.random.default_rng(2)
    spec = NetworkSpec((3,), (2,), activation)
    sizes = {"policy_0": (4, 3), "action_head": (3, 3), "value_0": (4, 2), "value_head": (2, 1)}
    layers = {
        name: {"kernel": rng.normal(size=size), "bias": 5 * rng.normal(size=size[1])}
        for name, size in sizes.items()
    }
    policy = Policy(spec, {"params": layers}, None, EnvConfig.phase1())
    seen = 10 * rng.normal(size=(2, 4))
    unit = 8 * 2.0**-24
    found = layer_rounding(policy, seen, "float32")
    assert set(found) == set(sizes)
    for names in (("policy_0", "action_head"), ("value_0", "value_head")):
        for row in range(2):
            x, error = [float(v) for v in seen[row]], [0.0] * 4
            for name in names:
                kernel, bias = layers[name]["kernel"], layers[name]["bias"]
                made, off = [], []
                for n in range(len(bias)):
                    column = [float(kernel[i, n]) for i in range(len(x))]
                    made.append(sum(a * w for a, w in zip(x, column, strict=True)) + bias[n])
                    terms = sum(abs(a * w) for a, w in zip(x, column, strict=True)) + abs(bias[n])
                    carried = sum((e * w) ** 2 for e, w in zip(error, column, strict=True)) ** 0.5
                    off.append(carried + unit * terms)
                assert found[name][row] == pytest.approx(max(off), rel=1e-9)
                if activation == "tanh":
                    x = [math.tanh(y) for y in made]
                    slope = [
                        1 - math.tanh(max(abs(y) - e, 0)) ** 2 for y, e in zip(made, off, strict=True)
                    ]
                else:
                    x = [max(y, 0.0) for y in made]
                    slope = [float(y + e > 0) for y, e in zip(made, off, strict=True)]
                error = [s * e + unit * abs(v) for s, e, v in zip(slope, off, x, strict=True)]


def test_sums_in_double_precision_have_bounds_as_much_narrower_as_their_unit() -> None:
    policy = load_policy(raw_bundle() / POLICY)
    batch = next(of_episodes(policy, prepare(bars(), config_of(1)), 100))
    exact = in_float64(policy, batch.obs, batch.masks)
    both = layer_roundings(policy, exact["clipped"])
    narrow, wide = both["float32"], both["float64"]
    assert narrow.keys() == wide.keys()
    for layer, bounds in narrow.items():
        np.testing.assert_allclose(wide[layer], bounds * 2.0**-29, rtol=0.1)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_kinds_of_sums_that_are_bounded_together_are_bounded_as_each_alone(activation: str) -> None:
    spec = NetworkSpec((16, 8), (8,), activation)
    policy = make_policy(prepare(bars(), config_of(1)), config_of(1), spread=3.0, spec=spec)
    seen = 10 * np.random.default_rng(3).normal(
        size=(50, len(policy.params["params"]["policy_0"]["kernel"]))
    )
    together = layer_roundings(policy, seen)
    assert set(together) == {"float32", "float64"}
    for kind, bounds in together.items():
        alone = layer_rounding(policy, seen, kind)
        assert bounds.keys() == alone.keys() == {*spec.layers}
        for layer, bound in bounds.items():
            np.testing.assert_array_equal(bound, alone[layer])
    assert layer_roundings(policy, seen, ("float64",)).keys() == {"float64"}


def test_a_unit_that_rounding_may_switch_on_passes_its_error_on() -> None:
    output, error = np.array([[-1e-9, -1e-7, 0.0, 2.0]]), np.full((1, 4), 1e-8)
    switched, slope = _activated(output, error, "relu")
    assert switched.tolist() == [[0.0, 0.0, 0.0, 2.0]]
    assert slope.tolist() == [[1.0, 0.0, 1.0, 1.0]]

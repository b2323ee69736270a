"""Weights under other libraries' names: what has no place in two plain MLPs is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jax_port.export.layers import from_sb3, same_bits, sb3_spec, to_flax, to_sb3, to_torch, unshared
from tests.jax_port.export.made_bundle import made_policy
from tests.sentences import refuses


@pytest.mark.parametrize("name", ["action_net", "action_net.scale", "mlp_extractor.policy_net.0"])
def test_a_tensor_that_is_no_weight_or_bias_of_a_layer_is_refused(name: str) -> None:
    policy = made_policy(1)
    weights = to_sb3(to_torch(policy.params))
    assert from_sb3(weights, policy.spec).keys() == to_torch(policy.params).keys()
    with refuses():
        from_sb3({**weights, name: np.zeros(1)}, policy.spec)


@pytest.mark.parametrize("name", ["policy_0.weight", "value_0.weight", "action_head.bias"])
def test_a_single_number_in_a_layers_place_is_refused(name: str) -> None:
    policy = made_policy(1)
    with refuses():
        to_flax({**to_torch(policy.params), name: np.float32(0.5)}, policy.spec)


def test_a_first_weight_of_a_single_number_is_a_layer_of_no_width() -> None:
    weights = {**to_sb3(to_torch(made_policy(1).params)), "mlp_extractor.policy_net.0.weight": 0.5}
    with refuses():
        sb3_spec({name: np.asarray(value) for name, value in weights.items()}, "relu")


def test_an_odd_name_beside_shared_layers_is_refused() -> None:
    state: dict[str, Any] = {
        "mlp_extractor.shared_net.0.weight": np.zeros((4, 4)),
        "mlp_extractor.policy_net.0.weight": np.zeros((2, 4)),
    }
    assert "mlp_extractor.policy_net.2.weight" in unshared(state)
    for odd in ("mlp_extractor.policy_net.weight", "mlp_extractor.value_net.0.1.weight"):
        with refuses():
            unshared({**state, odd: np.zeros(2)})


def test_each_weight_and_each_statistic_of_another_policy_is_named() -> None:
    policy = made_policy(1)
    statistics = policy.statistics
    assert statistics is not None
    assert same_bits(policy, made_policy(1)) == []
    for name, value in statistics.items():
        other = {**statistics, name: np.nextafter(value, np.inf)}
        assert same_bits(policy, replace(policy, statistics=other)) == [name]
    named = to_torch(policy.params)
    for name, value in named.items():
        changed = {**named, name: np.nextafter(value, np.float32(np.inf))}
        other_policy = replace(policy, params=to_flax(changed, policy.spec))
        assert same_bits(policy, other_policy) == [name]


def test_another_sign_of_nothing_and_another_shape_are_other_bits() -> None:
    policy = made_policy(1)
    bias = np.zeros(3, np.float32)
    named = {**to_torch(policy.params), "action_head.bias": bias}
    plus, minus = (
        replace(policy, params=to_flax({**named, "action_head.bias": sign}, policy.spec))
        for sign in (bias, -bias)
    )
    assert same_bits(plus, minus) == ["action_head.bias"]
    layers = {name: dict(kinds) for name, kinds in plus.params["params"].items()}
    layers["policy_1"]["kernel"] = layers["policy_1"]["kernel"].reshape(8, 32)
    other = replace(policy, params={"params": layers})
    zeros = {
        name: {**kinds, "kernel": np.zeros_like(kinds["kernel"])} for name, kinds in layers.items()
    }
    square = {**zeros, "policy_1": {**zeros["policy_1"], "kernel": np.zeros((16, 16), np.float32)}}
    assert "policy_1.weight" in same_bits(plus, other)
    assert same_bits(
        replace(policy, params={"params": zeros}), replace(policy, params={"params": square})
    ) == ["policy_1.weight"]

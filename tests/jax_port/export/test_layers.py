"""Weights under other libraries' names: what has no place in two plain MLPs is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jax_port.export.layers import (
    from_sb3,
    layer_names,
    same_bits,
    sb3_layer,
    sb3_spec,
    to_flax,
    to_sb3,
    to_torch,
    unshared,
)
from jax_port.ppo.settings import NetworkSpec
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


def test_both_mlps_get_all_layers_that_they_share_before_their_own() -> None:
    """Two shared ones, then one of the policy and two of the value; heads stay as they are."""
    shared = [f"mlp_extractor.shared_net.{n}" for n in (0, 2)]
    own = ["mlp_extractor.policy_net.0", *(f"mlp_extractor.value_net.{n}" for n in (0, 2))]
    layers = [*shared, *own, "action_net", "value_net"]
    state = {f"{layer}.{kind}": object() for layer in layers for kind in ("weight", "bias")}
    moved = {
        "policy_net.0": shared[0], "policy_net.2": shared[1], "policy_net.4": own[0],
        "value_net.0": shared[0], "value_net.2": shared[1], "value_net.4": own[1],
        "value_net.6": own[2],
    }  # fmt: skip
    expected = {
        f"mlp_extractor.{new}.{kind}": state[f"{old}.{kind}"]
        for new, old in moved.items()
        for kind in ("weight", "bias")
    }
    heads = {name: value for name, value in state.items() if not name.startswith("mlp_extractor.")}
    assert unshared(state) == {**expected, **heads}
    plain = {name: value for name, value in state.items() if "shared" not in name}
    assert unshared(plain) == plain
    for odd in ("4.scale", "x.weight", "-2.bias"):
        with refuses():
            unshared({**state, f"mlp_extractor.value_net.{odd}": object()})


def test_names_there_and_back_are_each_their_own() -> None:
    spec = NetworkSpec((6, 5, 4), (3, 2), "tanh")
    names = layer_names(spec)
    assert [sb3_layer(name) for name in names] == [
        *(f"mlp_extractor.policy_net.{n}" for n in (0, 2, 4)), "action_net",
        *(f"mlp_extractor.value_net.{n}" for n in (0, 2)), "value_net",
    ]  # fmt: skip
    weights = {f"{name}.{kind}": object() for name in names for kind in ("weight", "bias")}
    theirs = to_sb3(weights)
    assert from_sb3(theirs, spec) == weights
    for name in names:
        for kind in ("weight", "bias"):
            assert theirs[f"{sb3_layer(name)}.{kind}"] is weights[f"{name}.{kind}"]
    sizes = [(6, 9), (5, 6), (4, 5), (7, 4), (3, 9), (2, 3), (1, 2)]
    shaped = {
        f"{sb3_layer(name)}.weight": np.zeros(size) for name, size in zip(names, sizes, strict=True)
    }
    assert sb3_spec(shaped, "tanh") == spec


def test_statistics_that_one_side_alone_has_are_other_bits() -> None:
    policy = made_policy(1)
    bare = replace(policy, statistics=None)
    assert policy.statistics
    for one, other in ((policy, bare), (bare, policy)):
        assert same_bits(one, other) == sorted(policy.statistics)

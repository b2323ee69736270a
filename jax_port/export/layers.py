"""The names and places of weights here, in PyTorch and in Stable-Baselines3.

Every weight goes by its layer's name, never by the order in which something was built. A Flax kernel
is (in, out); torch's weight is its transpose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jax_port.ppo.policy import Policy
from jax_port.ppo.settings import NetworkSpec
from markets import InputError

Weights = dict[str, NDArray[np.float32]]

SHARED = "mlp_extractor.shared_net."
"""Layers of SB3 1.x that policy and value share."""
MLPS = ("policy", "value")
KINDS = ("weight", "bias")
SB3_HEADS = {"action_head": "action_net", "value_head": "value_net"}


def layer_names(spec: NetworkSpec) -> list[str]:
    """Return all layers' names, MLP by MLP, the policy's first."""
    return [name for mlp in spec.mlps.values() for name in mlp]


def sb3_layer(name: str) -> str:
    """Return SB3's name of a layer: ``policy_1`` is its policy MLP's third module."""
    if name in SB3_HEADS:
        return SB3_HEADS[name]
    mlp, number = name.rsplit("_", 1)
    return f"mlp_extractor.{mlp}_net.{2 * int(number)}"


def to_torch(params: Mapping[str, Any]) -> Weights:
    """Return Flax weights as torch's, by our layers' names: NAME.weight (out, in), NAME.bias."""
    weights: Weights = {}
    for name, kinds in params["params"].items():
        weights[f"{name}.weight"] = np.ascontiguousarray(np.asarray(kinds["kernel"], np.float32).T)
        weights[f"{name}.bias"] = np.asarray(kinds["bias"], np.float32)
    return weights


def to_flax(weights: Mapping[str, NDArray[Any]], spec: NetworkSpec) -> dict[str, Any]:
    """Return what :func:`to_torch` gave as Flax weights.

    Raises:
        InputError: a layer is missing, there is one more, or a shape does not fit.
    """
    wanted = {f"{name}.{kind}" for name in layer_names(spec) for kind in KINDS}
    if wanted != set(weights):
        odd = sorted(wanted ^ set(weights))
        raise InputError(
            f"the weights do not fit the network: {', '.join(odd[:4])} missing, or of another "
            "network; give the weights of a policy with the same layers"
        )
    layers = {
        name: {
            "kernel": np.ascontiguousarray(np.asarray(weights[f"{name}.weight"], np.float32).T),
            "bias": np.asarray(weights[f"{name}.bias"], np.float32),
        }
        for name in layer_names(spec)
    }
    _check_shapes(layers, spec)
    return {"params": layers}


def to_sb3(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Return weights under SB3's names."""
    return {_renamed(name, sb3_layer): value for name, value in weights.items()}


def from_sb3(weights: Mapping[str, Any], spec: NetworkSpec) -> dict[str, Any]:
    """Return weights under our names.

    Raises:
        InputError: there is a weight that an MlpPolicy of this shape does not have.
    """
    ours = {sb3_layer(name): name for name in layer_names(spec)}
    for name in weights:
        layer, _, kind = name.rpartition(".")
        if layer not in ours or kind not in KINDS:
            raise InputError(
                f"{name}: this weight has no place in two plain MLPs; give a MaskablePPO with "
                "MlpPolicy and no feature extractor of its own"
            )
    return {_renamed(name, ours.__getitem__): value for name, value in weights.items()}


def sb3_spec(weights: Mapping[str, Any], activation: str) -> NetworkSpec:
    """Return the network's shape as SB3's weights show it."""

    def sizes(mlp: str) -> tuple[int, ...]:
        widths, number = [], 0
        while (name := f"mlp_extractor.{mlp}_net.{2 * number}.weight") in weights:
            widths.append(int(weights[name].shape[0]) if weights[name].ndim else 0)
            number += 1
        return tuple(widths)

    return NetworkSpec(sizes("policy"), sizes("value"), activation)


def unshared(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy's tensors with the shared layers, where there are any, in both MLPs.

    Before SB3 2.0 ``net_arch=[64, dict(pi=[32], vf=[32])]`` meant one layer that both see the features
    through, and ``[64, 64]`` two. Each MLP with a copy of them computes the same.
    """
    shared = {name: value for name, value in state.items() if name.startswith(SHARED)}
    if not shared:
        return dict(state)
    modules = 2 * sum(name.endswith(".weight") for name in shared)  # each with its activation
    tensors = {name: value for name, value in state.items() if not name.startswith("mlp_extractor.")}
    for mlp in MLPS:
        head = f"mlp_extractor.{mlp}_net."
        tensors |= {head + name.removeprefix(SHARED): value for name, value in shared.items()}
        for name, value in state.items():
            if name.startswith(head):
                number, _, kind = name.removeprefix(head).partition(".")
                if not number.isdecimal() or kind not in KINDS:
                    raise InputError(
                        f"{name}: no layer has this name; give a MaskablePPO with MlpPolicy"
                    )
                tensors[f"{head}{int(number) + modules}.{kind}"] = value
    return tensors


def same_bits(one: Policy, other: Policy) -> list[str]:
    """Return the names of weights and statistics whose bits differ; none means identical."""

    def arrays(policy: Policy) -> dict[str, NDArray[Any]]:
        return {**to_torch(policy.params), **(policy.statistics or {})}

    left, right = arrays(one), arrays(other)
    names = sorted(set(left) | set(right))
    return [
        name
        for name in names
        if name not in left
        or name not in right
        or left[name].shape != right[name].shape
        or np.asarray(left[name]).tobytes() != np.asarray(right[name]).tobytes()
    ]


def _renamed(name: str, rename: Any) -> str:
    layer, kind = name.rsplit(".", 1)
    return f"{rename(layer)}.{kind}"


def _check_shapes(layers: Mapping[str, Mapping[str, NDArray[Any]]], spec: NetworkSpec) -> None:
    for names in spec.mlps.values():
        first = layers[names[0]]["kernel"]
        size = first.shape[0] if first.ndim else 0
        for name in names:
            kernel, bias = layers[name]["kernel"], layers[name]["bias"]
            if kernel.ndim != 2 or kernel.shape[0] != size or bias.shape != kernel.shape[1:]:
                raise InputError(
                    f"layer {name} is {kernel.shape} with a bias of {bias.shape}, and {size} numbers "
                    "come in; give weights that fit each other"
                )
            size = kernel.shape[1]

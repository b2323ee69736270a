"""An MLP of dense layers whose gradients are arranged for a CPU's matrix products.

XLA gives a product to its fast kernel on a CPU only where the left side is summed along its last
axis. The weights' gradient of a layer is x^T g, summed over transitions, which the usual layout,
(B, features), has first: 137 GFLOP/s where 200 are to be had. So what is kept for the way back lies
feature by feature, (features, B), and every product of both ways has the axis where the kernel wants
it. The barriers keep XLA from folding the small transposes back into the products.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jax_port.ppo.networks import ACTIVATIONS
from jax_port.ppo.settings import NetworkSpec

Layers = tuple[tuple[jax.Array, jax.Array], ...]
"""Kernels (inputs, outputs) and biases (outputs,), first layer first."""

Kept = tuple[Layers, jax.Array, tuple[jax.Array, ...]]
"""What the way back needs: layers, inputs (B, D), and what each hidden layer gave, (features, B)."""


def policy_layers(weights: Mapping[str, Any], spec: NetworkSpec) -> Layers:
    """Return the policy MLP and its head out of an actor-critic's weights."""
    return _layers(weights, "policy", "action_head", len(spec.pi))


def value_layers(weights: Mapping[str, Any], spec: NetworkSpec) -> Layers:
    """Return the value MLP and its head out of an actor-critic's weights."""
    return _layers(weights, "value", "value_head", len(spec.vf))


def _layers(weights: Mapping[str, Any], name: str, head: str, depth: int) -> Layers:
    named = weights["params"]
    found = [named[f"{name}_{number}"] for number in range(depth)] + [named[head]]
    return tuple((layer["kernel"], layer["bias"]) for layer in found)


def mlp(layers: Layers, x: jax.Array, activation: str) -> jax.Array:
    """Return the head's outputs (..., A) for inputs (..., D), as flax's own layers do.

    Args:
        layers: hidden ones and the head, which has no activation.
        x: float32 (..., D).
        activation: "relu" or "tanh".
    """
    out = _mlp(layers, x.reshape(-1, x.shape[-1]), activation)
    return out.reshape(*x.shape[:-1], out.shape[1])


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _mlp(layers: Layers, x: jax.Array, activation: str) -> jax.Array:
    act = ACTIVATIONS[activation]
    for kernel, bias in layers[:-1]:
        x = act(x @ kernel + bias[None])
    kernel, bias = layers[-1]
    return x @ kernel + bias[None]


def _product(left: jax.Array, right: jax.Array, along: tuple[int, int]) -> jax.Array:
    """Return the product summed along one axis of each side."""
    return jax.lax.dot_general(left, right, (((along[0],), (along[1],)), ((), ())))


def _barrier(x: jax.Array) -> jax.Array:
    return jax.lax.optimization_barrier(x)


def _forward(layers: Layers, x: jax.Array, activation: str) -> tuple[jax.Array, Kept]:
    act = ACTIVATIONS[activation]

    def layer(number: int, given: jax.Array) -> jax.Array:
        kernel, bias = layers[number]
        inputs = 0 if number else 1  # x alone lies (B, features)
        return _product(_barrier(kernel.T), given, (1, inputs)) + bias[:, None]

    wide, hidden = x, []
    for number in range(len(layers) - 1):
        wide = act(layer(number, wide))
        hidden.append(wide)
    return layer(len(layers) - 1, wide).T, (layers, x, tuple(hidden))


def _slope(given: jax.Array, activation: str) -> jax.Array:
    """Return the activation's derivative, from what the activation gave."""
    if activation == "relu":
        return (given > 0).astype(given.dtype)
    return 1.0 - jnp.square(given)


def _backward(activation: str, kept: Kept, out: jax.Array) -> tuple[Layers, jax.Array]:
    layers, x, hidden = kept
    grads: list[tuple[jax.Array, jax.Array]] = []
    g = out.T
    for number in reversed(range(len(layers))):
        if number < len(hidden):
            g = g * _slope(hidden[number], activation)
        if number:
            of_kernel = _barrier(_product(hidden[number - 1], g, (1, 1)))
        else:
            of_kernel = _barrier(_product(g, x, (1, 0))).T
        grads.append((of_kernel, jnp.sum(g, axis=1)))
        if number:
            g = _product(layers[number][0], g, (1, 0))
    return tuple(reversed(grads)), _product(g, layers[0][0], (0, 1))


_mlp.defvjp(_forward, _backward)

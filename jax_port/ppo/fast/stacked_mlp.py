"""The policy's and the value's layers side by side: one product on a GPU where there were two.

Both networks read the same observation and have the same hidden sizes, so their first layers are one
matrix (D, 2 H), hidden layers are pairs (2, H, H'), and the two heads are one matrix (2 H, A + 1) with
zeros where a head does not look. The first layer's bias is a row of its matrix, met by an input that is
always one: its gradient then comes with the product. What hidden layers give is kept for the way back
in the precision of the products, and every bias, activation and rounding is part of the product before
it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jax_port.ppo.networks import ACTIVATIONS
from jax_port.ppo.settings import NetworkSpec

LANES = 64
"""Inputs are filled up with zeros to a multiple of so many, as matrix units like it."""

Params = Any


class Stacked(NamedTuple):
    """Weights, float32 or as the products take them.

    Attributes:
        first: (D', 2 H); its row D is the bias, those after it are zero.
        hidden: of each further layer, kernels (2, H, H') and biases (2, H'), the policy's first.
        head: (2 H', A + 1); the first A columns are the action head, the last the value head.
        bias: (A + 1,), of the heads.
    """

    first: jax.Array
    hidden: tuple[tuple[jax.Array, jax.Array], ...]
    head: jax.Array
    bias: jax.Array


def can_stack(spec: NetworkSpec) -> bool:
    """Return whether the two networks have the same hidden sizes."""
    return spec.pi == spec.vf


def padded_size(obs_size: int) -> int:
    """Return the length of an input row: the observation, a one, and zeros."""
    return -(-(obs_size + 1) // LANES) * LANES


def stack(params: Params, spec: NetworkSpec) -> Stacked:
    """Return an actor-critic's weights, or a tree like them, side by side."""
    layers = params["params"]

    def pair(number: int, kind: str) -> jax.Array:
        return jnp.stack([layers[f"{name}_{number}"][kind] for name in ("policy", "value")])

    first = [
        jnp.concatenate([layers[name]["kernel"], layers[name]["bias"][None]])
        for name in ("policy_0", "value_0")
    ]
    rows = first[0].shape[0]
    policy, value = layers["action_head"], layers["value_head"]
    upper = jnp.pad(policy["kernel"], ((0, 0), (0, 1)))
    lower = jnp.pad(value["kernel"], ((0, 0), (policy["kernel"].shape[1], 0)))
    return Stacked(
        first=jnp.pad(jnp.concatenate(first, axis=1), ((0, padded_size(rows - 1) - rows), (0, 0))),
        hidden=tuple((pair(n, "kernel"), pair(n, "bias")) for n in range(1, len(spec.pi))),
        head=jnp.concatenate([upper, lower]),
        bias=jnp.concatenate([policy["bias"], value["bias"]]),
    )


def unstack(stacked: Stacked, spec: NetworkSpec, obs_size: int) -> Params:
    """Return what :func:`stack` was given."""
    wide, last, actions = spec.pi[0], spec.pi[-1], stacked.bias.shape[0] - 1
    layers: dict[str, Any] = {}
    for side, name in enumerate(("policy", "value")):
        block = stacked.first[:, side * wide : (side + 1) * wide]
        layers[f"{name}_0"] = {"kernel": block[:obs_size], "bias": block[obs_size]}
        for number, (kernel, bias) in enumerate(stacked.hidden, start=1):
            layers[f"{name}_{number}"] = {"kernel": kernel[side], "bias": bias[side]}
    layers["action_head"] = {
        "kernel": stacked.head[:last, :actions],
        "bias": stacked.bias[:actions],
    }
    layers["value_head"] = {"kernel": stacked.head[last:, actions:], "bias": stacked.bias[actions:]}
    return {"params": layers}


def as_inputs(obs: jax.Array, dtype: Any) -> jax.Array:
    """Return normalised observations (B, D) as input rows (B, D') of a precision."""
    size, width = obs.shape
    rest = padded_size(width) - width - 1
    parts = [obs, jnp.ones((size, 1), obs.dtype), jnp.zeros((size, rest), obs.dtype)]
    return jnp.concatenate(parts, axis=1).astype(dtype)


def in_precision(stacked: Stacked, dtype: Any) -> Stacked:
    """Return weights as products take them; biases that are added stay float32."""
    return Stacked(
        first=stacked.first.astype(dtype),
        hidden=tuple((kernel.astype(dtype), bias) for kernel, bias in stacked.hidden),
        head=stacked.head.astype(dtype),
        bias=stacked.bias,
    )


def outputs(weights: Stacked, x: jax.Array, activation: str) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """Return logits and values, float32 (B, A + 1), and what each hidden layer gave, (B, 2 H).

    Products are summed in float32.

    Args:
        weights: from :func:`in_precision`.
        x: from :func:`as_inputs`, in the same precision.
        activation: "relu" or "tanh".
    """
    act = ACTIVATIONS[activation]
    given = act(_dot(x, weights.first)).astype(x.dtype)
    kept = [given]
    for kernel, bias in weights.hidden:
        wide = _dot_pairs(_pairs(given), kernel, "bki,kij->bkj") + bias[None]
        given = act(wide).astype(x.dtype).reshape(x.shape[0], -1)
        kept.append(given)
    return _dot(given, weights.head) + weights.bias[None], tuple(kept)


def gradients(
    weights: Stacked, x: jax.Array, kept: tuple[jax.Array, ...], out: jax.Array, activation: str
) -> Stacked:
    """Return the weights' gradients, float32.

    Args:
        weights, x, activation: as :func:`outputs` was given them.
        kept: what hidden layers gave.
        out: float32 (B, A + 1), gradients of the outputs.
    """
    wide = out.astype(x.dtype)
    head = _own_blocks(jnp.einsum("bi,bj->ij", kept[-1], wide, preferred_element_type=jnp.float32))
    g = _through_heads(wide, weights.head) * _slope(_pairs(kept[-1]), activation)
    hidden = []
    for number in reversed(range(len(weights.hidden))):
        kernel, _ = weights.hidden[number]
        below = _pairs(kept[number])
        of_bias = jnp.sum(g.astype(jnp.float32), axis=0)
        hidden.append((_dot_pairs(below, g, "bki,bkj->kij"), of_bias))
        g = jnp.einsum("bkj,kij->bki", g, kernel, preferred_element_type=x.dtype)
        g = g * _slope(below, activation)
    flat = g.reshape(x.shape[0], -1)
    first = jnp.einsum("bi,bj->ij", x, flat, preferred_element_type=jnp.float32)
    return Stacked(first, tuple(reversed(hidden)), head, jnp.sum(out, axis=0))


def _pairs(x: jax.Array) -> jax.Array:
    """Return (B, 2 H) as (B, 2, H)."""
    return x.reshape(x.shape[0], 2, -1)


def _dot(left: jax.Array, right: jax.Array) -> jax.Array:
    return jnp.dot(left, right, preferred_element_type=jnp.float32)


def _dot_pairs(left: jax.Array, right: jax.Array, axes: str) -> jax.Array:
    product: jax.Array = jnp.einsum(axes, left, right, preferred_element_type=jnp.float32)
    return product


def _slope(given: jax.Array, activation: str) -> jax.Array:
    """Return the activation's derivative, from what the activation gave."""
    if activation == "relu":
        return (given > 0).astype(given.dtype)
    return 1 - given * given


def _own_blocks(head: jax.Array) -> jax.Array:
    """Return a gradient of the heads (2 H, A + 1) with zeros where a head does not look."""
    rows, columns = head.shape
    of_policy = (jnp.arange(rows) < rows // 2)[:, None]
    of_actions = (jnp.arange(columns) < columns - 1)[None, :]
    return jnp.where(of_policy == of_actions, head, 0.0)


def _through_heads(out: jax.Array, head: jax.Array) -> jax.Array:
    """Return the gradients (B, 2, H) before the heads: a few products of a column and a row.

    Fewer columns than a matrix unit takes: a product would write all of it once more.
    """
    wide, actions = head.shape[0] // 2, head.shape[1] - 1
    g, w = out.astype(jnp.float32), head.astype(jnp.float32)
    policy = sum(
        (g[:, n, None] * w[None, :wide, n] for n in range(actions)),
        start=jnp.zeros((), jnp.float32),
    )
    value = g[:, actions, None] * w[None, wide:, actions]
    return jnp.concatenate([policy, value], axis=1).reshape(-1, 2, wide).astype(out.dtype)

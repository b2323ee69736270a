"""The actor-critic as the GPU's form of the trainer uses it: weights packed, one call for both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp

from jax_port.ppo.fast import stacked_mlp as stacked
from jax_port.ppo.own.module import OwnModule
from jax_port.ppo.policy import Module, make_network
from jax_port.ppo.settings import TrainSettings

LINE = 128
"""Numbers in a line of the weights of a network of the user's own."""
Packed = Any
"""Weights as products read them, a pytree of float32 arrays."""


class GpuNetwork(NamedTuple):
    """Functions of an actor-critic.

    Attributes:
        pack: the network's weights, or a tree like them, to :data:`Packed`.
        unpack: back.
        inputs: normalised observations float32 (B, D) to input rows.
        rounded: packed weights in the precision of the products.
        infer: (rounded weights, input rows) to logits and values, float32 (B, A + 1).
        forward: the same, and what :attr:`backward` needs.
        backward: (rounded weights, input rows, what forward kept, gradients of the outputs) to those of
            the packed weights, float32.
        line: numbers in a line, where all weights are put into one array.
    """

    pack: Callable[[Any], Packed]
    unpack: Callable[[Packed], Any]
    inputs: Callable[[jax.Array], jax.Array]
    rounded: Callable[[Packed], Packed]
    infer: Callable[[Packed, jax.Array], jax.Array]
    forward: Callable[[Packed, jax.Array], tuple[jax.Array, Any]]
    backward: Callable[[Packed, jax.Array, Any, jax.Array], Packed]
    line: int


def gpu_network(settings: TrainSettings, num_actions: int, obs_size: int) -> GpuNetwork:
    """Return the network of these settings; side by side where its two halves have the same sizes."""
    spec = settings.network
    dtype = jnp.bfloat16 if settings.precision == "bf16" else jnp.float32
    if settings.own is not None or not stacked.can_stack(spec):
        module: Module = make_network(spec, dtype, num_actions)
        if settings.own is not None:
            module = OwnModule(settings.own, num_actions)

        def both(params: Packed, x: jax.Array) -> jax.Array:
            logits, values = cast(Any, module.apply(params, x))
            return jnp.concatenate([logits, values[:, None]], axis=1)

        def forward(params: Packed, x: jax.Array) -> tuple[jax.Array, Any]:
            return jax.vjp(lambda params: both(params, x), params)

        def backward(params: Packed, x: jax.Array, back: Any, out: jax.Array) -> Packed:
            del params, x
            return back(out)[0]

        line = spec.vf[-1] if settings.own is None else LINE

        def same(x: Any) -> Any:
            return x

        return GpuNetwork(same, same, same, same, both, forward, backward, line)
    act = spec.activation
    return GpuNetwork(
        pack=lambda params: stacked.stack(params, spec),
        unpack=lambda packed: stacked.unstack(packed, spec, obs_size),
        inputs=lambda obs: stacked.as_inputs(obs, dtype),
        rounded=lambda packed: stacked.in_precision(packed, dtype),
        infer=lambda weights, x: stacked.outputs(weights, x, act)[0],
        forward=lambda weights, x: stacked.outputs(weights, x, act),
        backward=lambda weights, x, kept, out: stacked.gradients(weights, x, kept, out, act),
        line=spec.pi[-1],
    )

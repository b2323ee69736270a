"""Layers that learn slower than the others, or not at all; for policies that begin with old weights.

A layer's rate is a factor on the learning rate, as a parameter group of ``torch.optim.Adam`` has one of
its own. A rate of zero freezes the layer: it has no gradient, so it does not count in the gradients'
norm, as a torch parameter without ``requires_grad`` does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jax_port.ppo.optimizer.hyperparameters import SMALLEST, Hyperparameter
from markets import InputError

LayerLearningRates = tuple[tuple[str, float], ...]
"""(layer, factor on the learning rate); layers that are not named have a factor of one."""


def checked(rates: Any, names: Sequence[str]) -> LayerLearningRates:
    """Return rates as sorted pairs.

    Args:
        rates: pairs of a layer and its factor, or a mapping.
        names: of the network's layers.

    Raises:
        InputError: no such layer, a layer twice, a factor that is negative or not finite in float32, or
            no layer left that learns.
    """
    pairs = [tuple(pair) for pair in (rates.items() if isinstance(rates, Mapping) else rates)]
    if len({name for name, _ in pairs}) < len(pairs):
        raise InputError("a layer is given two rates; give each one")
    for name, rate in pairs:
        if name not in names:
            raise InputError(f"no layer {name!r} to give a rate; choose from {', '.join(names)}")
        Hyperparameter(f"the rate of layer {name}", 1.0, "Factor on the learning rate.").check(rate)
        if 0 < rate < SMALLEST:  # which is zero on the device, and no frozen layer
            raise InputError(
                f"the rate of layer {name} is {rate!r}; give 0 to freeze it, or at least {SMALLEST}"
            )
    if len([1 for _, rate in pairs if rate == 0]) == len(names):
        raise InputError("every layer is frozen; leave one that learns")
    return tuple(sorted((str(name), float(rate)) for name, rate in pairs))


def factors(params: Any, rates: LayerLearningRates) -> Any:
    """Return each weight's factor, float32 scalars in the tree of ``params``."""
    known = dict(rates)
    return {
        "params": {
            layer: dict.fromkeys(kinds, jnp.float32(known.get(layer, 1.0)))
            for layer, kinds in params["params"].items()
        }
    }


def without_frozen(grads: Any, rates: LayerLearningRates) -> Any:
    """Return gradients that are zero in frozen layers."""
    frozen = {layer for layer, rate in rates if rate == 0}
    return {
        "params": {
            layer: jax.tree.map(jnp.zeros_like, kinds) if layer in frozen else kinds
            for layer, kinds in grads["params"].items()
        }
    }

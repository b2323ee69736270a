"""Every step of a decision by name, as the port's own code computes it, in 64 and in 32 bits."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jax_port.export.layers import layer_names
from jax_port.ppo.networks import masked_log_probs, mode
from jax_port.ppo.policy import Policy, decide, make_network
from jax_port.ppo.running_statistics import EPSILON, Scale, normalize

Stages = dict[str, NDArray[Any]]


def in_float64(policy: Policy, obs: NDArray[np.float32], masks: NDArray[np.bool_]) -> Stages:
    """Return all stages in float64, from the port's own module and formulas.

    Layers are taken before their activation, by name, and before the module casts its output down.

    Args:
        policy: network, weights, statistics.
        obs: (N, D), raw.
        masks: (N, A).

    Returns:
        "standardised", "clipped" (both the raw observation where the policy normalises nothing), each
        layer's output, "action" (int).
    """
    with jax.enable_x64(True):
        wide = jnp.asarray(obs, jnp.float64)
        standardised, clipped = _normalised(policy, wide)
        params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), policy.params)
        network = make_network(policy.spec, jnp.float64, len(masks[0]))
        stages = _layers(_run(network, params, clipped), policy)
        return {
            "standardised": np.asarray(standardised),
            "clipped": np.asarray(clipped),
            **stages,
            "action": np.asarray(
                mode(masked_log_probs(jnp.asarray(stages["action_head"]), jnp.asarray(masks)))
            ),
        }


def _normalised(policy: Policy, wide: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return observations standardised, and clipped too, in float64."""
    if policy.statistics is None:
        return wide, normalize(None, wide)
    mean, var = (jnp.asarray(policy.statistics[name], jnp.float64) for name in ("mean", "var"))
    spread = jnp.sqrt(var + EPSILON)
    clipped = normalize(Scale(mean, jnp.zeros_like(mean), 1.0 / spread), wide)
    return (wide - mean[None]) / spread[None], clipped


def in_float32(policy: Policy, obs: NDArray[np.float32], masks: NDArray[np.bool_]) -> Stages:
    """Return all stages but "standardised" as the port decides: in float32, compiled, in one batch."""
    with jax.default_matmul_precision("highest"):
        weights = jax.tree.map(jnp.asarray, policy.params)
        given = policy.network, weights, policy.scale, jnp.asarray(obs)
        clipped, inner = _look_inside(*given)
        action = _decide(*given, jnp.asarray(masks))
    return {"clipped": np.asarray(clipped), **_layers(inner, policy), "action": np.asarray(action)}


_decide = jax.jit(decide, static_argnums=0)
"""The very function that evaluation runs."""


@partial(jax.jit, static_argnums=0)
def _run(network: Any, params: Any, clipped: jax.Array) -> Any:
    _, inner = network.apply(params, clipped, capture_intermediates=True, mutable=["intermediates"])
    return inner


@partial(jax.jit, static_argnums=0)
def _look_inside(network: Any, params: Any, scale: Scale | None, obs: jax.Array) -> Any:
    clipped = normalize(scale, obs)
    return clipped, _run(network, params, clipped)


def _layers(inner: Any, policy: Policy) -> Stages:
    layers = inner["intermediates"]
    return {name: np.asarray(layers[name]["__call__"][0]) for name in layer_names(policy.spec)}


def lead(logits: NDArray[np.float64], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how far the best allowed logit lies above the next, (N,); infinite where it is alone."""
    allowed = np.where(masks, logits, -np.inf)
    best = np.sort(allowed, axis=1)
    return best[:, -1] - best[:, -2]

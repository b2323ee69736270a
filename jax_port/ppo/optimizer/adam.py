"""Adam as torch's, to the last bits of float32.

Source: Kingma and Ba 2014 (arXiv:1412.6980), ``torch.optim.Adam``. optax's own raises the betas to a
power in float32, where 1 - 0.999^t loses half its digits on the first steps (5e-5 relative); here
the correction is -expm1(t log beta), good to 1e-7. The state is optax's.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import optax

BETA_1, BETA_2 = 0.9, 0.999
EPS = 1e-5
"""Outside the root. MaskablePPO's value; torch's own default is 1e-8."""


def init(params: Any) -> optax.ScaleByAdamState:
    """Return moments that have seen nothing."""
    zeros = jax.tree.map(jnp.zeros_like, params)
    return optax.ScaleByAdamState(
        count=jnp.zeros((), jnp.int32), mu=zeros, nu=jax.tree.map(jnp.zeros_like, params)
    )


def update(
    params: Any,
    grads: Any,
    state: optax.ScaleByAdamState,
    learning_rate: jax.Array,
    factors: Any = None,
) -> tuple[Any, optax.ScaleByAdamState]:
    """Take one step: m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,
    p = p - (lr / (1 - b1^t)) m / (sqrt(v) / sqrt(1 - b2^t) + eps).

    Args:
        params: weights, float32.
        grads: like them.
        state: moments before.
        learning_rate: float32 scalar.
        factors: of the learning rate, a tree like the weights; one everywhere by default.
    """
    count = state.count + 1
    mu = jax.tree.map(lambda m, g: m + (1 - BETA_1) * (g - m), state.mu, grads)
    nu = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, state.nu, grads)
    step = learning_rate / _correction(BETA_1, count)
    root = jnp.sqrt(_correction(BETA_2, count))
    if factors is None:
        factors = jax.tree.map(lambda p: jnp.float32(1), params)
    moved = jax.tree.map(
        lambda p, m, v, f: p - step * f * (m / (jnp.sqrt(v) / root + EPS)), params, mu, nu, factors
    )
    return moved, optax.ScaleByAdamState(count, mu, nu)


def _correction(beta: float, count: jax.Array) -> jax.Array:
    """Return 1 - beta^t, float32, accurate also where beta^t is near one."""
    return -jnp.expm1(count.astype(jnp.float32) * math.log(beta))

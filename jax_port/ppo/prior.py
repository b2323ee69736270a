"""Advice as a prior on a policy's logits: logits + prior of the bar, before the mask.

Source: "Training with advice" in ``docs/advice.md``. The same sum stands in acting, in the loss and in
evaluation, so that the distribution that is learnt is the one that acts.
"""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp

from jax_port.envs.env_phase1_jax import BUY, HOLD, SELL
from jax_port.envs.state import EnvParams


def prior_at(step_idx: jax.Array, num_actions: int, params: EnvParams) -> jax.Array | None:
    """Return what advice adds to the logits at bars (B,): float32 (B, A); None without advice.

    The actions on an open trade share hold's.
    """
    table = params.market.prior
    if table is None:
        return None
    action = jnp.arange(num_actions)
    column = jnp.where((action == BUY) | (action == SELL), action, HOLD)
    return table[step_idx][:, column]


def shifted(logits: jax.Array, prior: jax.Array | None) -> jax.Array:
    """Return logits (B, A) with a prior added."""
    if prior is None:
        return logits
    chex.assert_equal_shape([logits, prior])
    return logits + prior

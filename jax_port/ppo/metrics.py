"""What one update did, in a few numbers."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_port.ppo.rollout import EpisodeStats, Rollout
from jax_port.ppo.settings import HyperParams
from jax_port.ppo.update import StepRecord


class Metrics(NamedTuple):
    """What one update did. Scalars but for ``ends``' two arrays.

    Attributes:
        ends: of the rollout's episodes, summed.
        loss, policy_loss, value_loss, entropy, approx_kl, clip_fraction: float32, means over the
            minibatches that were taken.
        explained_variance: float32, 1 - var(returns - values) / var(returns).
        minibatches: int32, gradient steps taken.
        learning_rate: float32, of this update.
    """

    ends: EpisodeStats
    loss: jax.Array
    policy_loss: jax.Array
    value_loss: jax.Array
    entropy: jax.Array
    approx_kl: jax.Array
    clip_fraction: jax.Array
    explained_variance: jax.Array
    minibatches: jax.Array
    learning_rate: jax.Array


def summarize(
    records: StepRecord, ends: EpisodeStats, rollout: Rollout, returns: jax.Array, hyper: HyperParams
) -> Metrics:
    """Return an update's metrics."""
    applied = records.applied
    count = jnp.maximum(jnp.sum(applied.astype(jnp.float32)), 1.0)

    def mean(x: jax.Array) -> jax.Array:
        # A minibatch that was refused may be infinite, and infinity times zero is no number.
        return jnp.sum(jnp.where(applied, x, 0.0)) / count

    terms = records.terms
    spread = jnp.var(returns)
    unexplained = jnp.var(returns - rollout.values)
    return Metrics(
        ends=ends,
        loss=mean(terms.loss),
        policy_loss=mean(terms.policy_loss),
        value_loss=mean(terms.value_loss),
        entropy=-mean(terms.entropy_loss),
        approx_kl=mean(terms.approx_kl),
        clip_fraction=mean(terms.clip_fraction),
        explained_variance=1.0 - unexplained / jnp.maximum(spread, 1e-12),
        minibatches=jnp.sum(records.applied.astype(jnp.int32)),
        learning_rate=hyper.learning_rate,
    )

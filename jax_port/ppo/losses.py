"""MaskablePPO's loss of a minibatch. Its gradients are what the trainer computes, in whatever way.

Source: sb3-contrib's ``MaskablePPO.train`` (2.9), Schulman et al. 2017 (arXiv:1707.06347). Where the
library differs from the paper, the library is followed.
"""

from __future__ import annotations

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from jax_port.ppo.gae import standardize
from jax_port.ppo.networks import Network, Params, entropy, log_prob, masked_log_probs
from jax_port.ppo.prior import shifted
from jax_port.ppo.settings import HyperParams


class Batch(NamedTuple):
    """B transitions.

    Attributes:
        obs: float32 (B, D), normalised.
        actions: int32 (B,).
        masks: bool (B, A).
        log_probs: float32 (B,), of the actions when they were taken.
        values: float32 (B,), then.
        advantages, returns: float32 (B,); advantages are not yet standardised.
        prior: float32 (B, A), what advice adds to the logits; None without.
    """

    obs: jax.Array
    actions: jax.Array
    masks: jax.Array
    log_probs: jax.Array
    values: jax.Array
    advantages: jax.Array
    returns: jax.Array
    prior: jax.Array | None = None


class LossTerms(NamedTuple):
    """Terms of one minibatch's loss, float32 scalars.

    Attributes:
        loss: policy_loss + ent_coef * entropy_loss + vf_coef * value_loss.
        policy_loss, value_loss: as minimised.
        entropy_loss: minus the mean entropy.
        approx_kl: mean of exp(d) - 1 - d, d the change of log probability.
        clip_fraction: share of ratios outside the clip range.
    """

    loss: jax.Array
    policy_loss: jax.Array
    value_loss: jax.Array
    entropy_loss: jax.Array
    approx_kl: jax.Array
    clip_fraction: jax.Array


def ppo_loss(
    params: Params, network: Network, batch: Batch, hyper: HyperParams
) -> tuple[jax.Array, LossTerms]:
    """Return the loss, and its terms.

    With r = pi(a|s) / pi_old(a|s), d = log r, and A standardised over the minibatch (ddof 1)::

        policy_loss  = -mean(min(A r, A clip(r, 1 - c, 1 + c)))
        entropy_loss = -mean(-sum_a pi(a|s) log pi(a|s))    over allowed actions
        value_loss   = mean((R - V)^2)                      V clipped about V_old, if asked for
        loss         = policy_loss + ent_coef entropy_loss + vf_coef value_loss
        approx_kl    = mean(exp(d) - 1 - d)

    Args:
        params, network: weights, and the policy and the value as functions of them.
        batch: B transitions, at least two.
        hyper: clip_range, clip_range_vf, ent_coef, vf_coef.
    """
    check_batch(batch)
    advantages = standardize(batch.advantages)
    logits = shifted(network.policy(params, batch.obs), batch.prior)
    log_probs = masked_log_probs(logits, batch.masks)
    change = log_prob(log_probs, batch.actions) - batch.log_probs
    ratio = jnp.exp(change)
    clipped = jnp.clip(ratio, 1.0 - hyper.clip_range, 1.0 + hyper.clip_range)
    values = clipped_values(network.value(params, batch.obs), batch.values, hyper.clip_range_vf)

    policy_loss = -jnp.mean(jnp.minimum(advantages * ratio, advantages * clipped))
    entropy_loss = -jnp.mean(entropy(log_probs, batch.masks))
    value_loss = jnp.mean(jnp.square(batch.returns - values))
    loss = policy_loss + hyper.ent_coef * entropy_loss + hyper.vf_coef * value_loss
    terms = LossTerms(
        loss=loss,
        policy_loss=policy_loss,
        value_loss=value_loss,
        entropy_loss=entropy_loss,
        approx_kl=jnp.mean(ratio - 1.0 - change),
        clip_fraction=jnp.mean((jnp.abs(ratio - 1.0) > hyper.clip_range).astype(jnp.float32)),
    )
    return loss, terms


def check_batch(batch: Batch) -> None:
    """Check a minibatch's shapes and kinds of numbers, while tracing.

    Raises:
        AssertionError: naming the array, what it is and what it must be.
    """
    size = batch.obs.shape[:1]
    chex.assert_rank([batch.obs, batch.masks], 2)
    chex.assert_type([batch.obs, batch.masks, batch.actions], [float, bool, int])
    chex.assert_shape([batch.masks], (*size, None), custom_message="masks")
    chex.assert_shape([batch.actions], size, custom_message="actions")
    for name in ("log_probs", "values", "advantages", "returns"):
        chex.assert_shape(getattr(batch, name), size, custom_message=name)
        chex.assert_type(getattr(batch, name), float)
    if batch.prior is not None:
        chex.assert_shape(batch.prior, batch.masks.shape, custom_message="prior")
        chex.assert_type(batch.prior, float)


def clipped_values(values: jax.Array, before: jax.Array, clip_range: jax.Array) -> jax.Array:
    """Return what the value loss compares with returns: values, or the clipped ones alone.

    No maximum of the two losses is taken, unlike in some other PPOs.

    Args:
        values: float32 (B,).
        before: float32 (B,), when the actions were taken.
        clip_range: float32 scalar; infinity for none.
    """
    chex.assert_equal_shape([values, before])
    near = jnp.clip(values - before, -clip_range, clip_range)
    return jnp.where(jnp.isfinite(clip_range), before + near, values)

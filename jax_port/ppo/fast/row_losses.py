"""MaskablePPO's loss of single transitions, an array for each output: what a kernel can take along.

The definition is :mod:`jax_port.ppo.update`'s; a test holds this to it.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_port.ppo.fast.columns import Columns, entropy, log_prob, masked_log_probs
from jax_port.ppo.gae import ADVANTAGE_EPS
from jax_port.ppo.update import HyperParams, predicted_values

STEP, FLAGS, TIME, LOG_PROB, VALUE, ADVANTAGE, RETURN, POSITION = range(8)
"""Words of a transition; position features are the last."""

MASK = 8
"""First bit of the mask in the word of flags, above the action."""


class Numbers(NamedTuple):
    """What the loss of a minibatch needs beside its transitions, float32 scalars.

    Attributes:
        mean, deviation: of its advantages; the deviation is the sample's.
        clip_range, clip_range_vf, ent_coef, vf_coef: as in
            :class:`jax_port.ppo.update.HyperParams`.
    """

    mean: jax.Array
    deviation: jax.Array
    clip_range: jax.Array
    clip_range_vf: jax.Array
    ent_coef: jax.Array
    vf_coef: jax.Array


class RowTerms(NamedTuple):
    """Terms of each transition's loss, float32 (R,); names as in ``LossTerms``."""

    policy_loss: jax.Array
    value_loss: jax.Array
    entropy_loss: jax.Array
    approx_kl: jax.Array
    clip_fraction: jax.Array


def numbers_of(mean: jax.Array, deviation: jax.Array, hyper: HyperParams) -> Numbers:
    """Return the numbers of a minibatch."""
    return Numbers(
        mean,
        deviation,
        hyper.clip_range,
        hyper.clip_range_vf,
        hyper.ent_coef,
        hyper.vf_coef,
    )


def as_real(words: jax.Array) -> jax.Array:
    """Return float32 numbers of their bits, int32."""
    return jax.lax.bitcast_convert_type(words, jnp.float32)


def as_word(x: jax.Array) -> jax.Array:
    """Return the bits of float32 numbers as int32."""
    return jax.lax.bitcast_convert_type(x.astype(jnp.float32), jnp.int32)


def row_terms(outputs: Columns, words: Columns, numbers: Numbers) -> RowTerms:
    """Return the terms of each transition.

    Args:
        outputs: logits of each action and the value, float32 (R,) each.
        words: of the transitions, int32 (R,) each.
        numbers: of the minibatch.
    """
    *logits, values = outputs
    flags = words[FLAGS]
    masks = [(flags >> (MASK + n) & 1) != 0 for n in range(len(logits))]
    old_log_prob, old_value, advantage, returns = (
        as_real(words[n]) for n in (LOG_PROB, VALUE, ADVANTAGE, RETURN)
    )
    advantage = (advantage - numbers.mean) / (numbers.deviation + ADVANTAGE_EPS)
    log_probs = masked_log_probs(logits, masks)
    change = log_prob(log_probs, flags & 0xFF) - old_log_prob
    ratio = jnp.exp(change)
    low, high = 1.0 - numbers.clip_range, 1.0 + numbers.clip_range
    clipped = jnp.minimum(jnp.maximum(ratio, low), high)
    return RowTerms(
        policy_loss=-jnp.minimum(advantage * ratio, advantage * clipped),
        value_loss=jnp.square(returns - predicted_values(values, old_value, numbers.clip_range_vf)),
        entropy_loss=-entropy(log_probs, masks),
        approx_kl=ratio - 1.0 - change,
        clip_fraction=jnp.where(jnp.abs(ratio - 1.0) > numbers.clip_range, 1.0, 0.0),
    )


def row_gradients(
    outputs: Columns, words: Columns, numbers: Numbers
) -> tuple[tuple[jax.Array, ...], RowTerms]:
    """Return the gradients of each transition's loss for its outputs, and its terms.

    The loss is policy_loss + ent_coef * entropy_loss + vf_coef * value_loss; a minibatch's is the mean.
    """

    def loss(outputs: tuple[jax.Array, ...]) -> tuple[jax.Array, RowTerms]:
        terms = row_terms(outputs, words, numbers)
        total = terms.policy_loss + numbers.ent_coef * terms.entropy_loss
        return total + numbers.vf_coef * terms.value_loss, terms

    total, back, terms = jax.vjp(loss, tuple(outputs), has_aux=True)
    return back(jnp.ones_like(total))[0], terms

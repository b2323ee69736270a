"""The masked categorical distribution, an array for each action, as one pass over a batch.

The definition is :mod:`jax_port.ppo.networks`'s, whose last axis is the action. Summing over so short
an axis costs a GPU a kernel each time; sums of a few arrays cost none.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import jax
import jax.numpy as jnp

from jax_port.envs.fast_rng import spread_words
from jax_port.ppo.networks import FORBIDDEN_LOGIT

Columns = Sequence[jax.Array]
"""For each action an array (N,)."""


def columns_of(x: jax.Array) -> list[jax.Array]:
    """Return the columns of an array (N, A)."""
    return [x[:, number] for number in range(x.shape[1])]


def _log_softmax(logits: Columns) -> list[jax.Array]:
    largest = jax.lax.stop_gradient(reduce(jnp.maximum, logits))
    shifted = [logit - largest for logit in logits]
    total = jnp.log(sum(jnp.exp(one) for one in shifted))
    return [one - total for one in shifted]


def masked_log_probs(logits: Columns, masks: Columns) -> list[jax.Array]:
    """Return :func:`jax_port.ppo.networks.masked_log_probs` of logits and masks, float32 (N,) each."""
    normal = _log_softmax(logits)
    return _log_softmax([jnp.where(m, x, FORBIDDEN_LOGIT) for x, m in zip(normal, masks, strict=True)])


def log_prob(log_probs: Columns, action: jax.Array) -> jax.Array:
    """Return the log probability of each action, float32 (N,)."""
    return sum(
        (jnp.where(action == number, one, 0.0) for number, one in enumerate(log_probs)),
        start=jnp.zeros_like(log_probs[0]),
    )


def entropy(log_probs: Columns, masks: Columns) -> jax.Array:
    """Return minus the sum of p log p over allowed actions, float32 (N,)."""
    parts = (jnp.where(m, jnp.exp(x) * x, 0.0) for x, m in zip(log_probs, masks, strict=True))
    return -sum(parts, start=jnp.zeros_like(log_probs[0]))


def sample(words: jax.Array, log_probs: Columns) -> jax.Array:
    """Draw an action from log probabilities, the largest after Gumbel noise: int32 (N,).

    Args:
        words: uint32 (2,), random.
        log_probs: of each action.
    """
    size = log_probs[0].shape[0]
    noisy = []
    for number, one in enumerate(log_probs):
        bits = spread_words(words, size, number * size)
        uniform = ((bits >> 9).astype(jnp.float32) + 0.5) * jnp.float32(2.0**-23)  # never 0 or 1
        noisy.append(one - jnp.log(-jnp.log(uniform)))
    best, action = noisy[0], jnp.zeros(size, jnp.int32)
    for number, one in enumerate(noisy[1:], start=1):
        action = jnp.where(one > best, number, action)
        best = jnp.maximum(best, one)
    return action

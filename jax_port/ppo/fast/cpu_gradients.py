"""The gradients of :func:`jax_port.ppo.losses.ppo_loss` as a CPU finds them soonest.

The value's network takes a minibatch in portions that fit a cache. The policy is asked only for
transitions that left it a choice: where the mask leaves one action, its probability is one whatever the
weights. Sums over portions equal the definition's means but for rounding; tests and the learner's suite
hold them to it.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_port.ppo.fast.microbatch import choices_first, chunk_size, in_chunks, value_chunk_size
from jax_port.ppo.fast.scale_out import mean_over
from jax_port.ppo.gae import standardize
from jax_port.ppo.losses import Batch, LossTerms, clipped_values
from jax_port.ppo.networks import Network, Params, entropy, log_prob, masked_log_probs
from jax_port.ppo.prior import shifted
from jax_port.ppo.settings import HyperParams
from jax_port.ppo.update import GatherFn, GradientFn


def value_sum(
    params: Params, network: Network, batch: Batch, counted: jax.Array, hyper: HyperParams
) -> jax.Array:
    """Return sum((R - V)^2), without a factor of one half.

    When value clipping is on, V is the clipped value alone, with no maximum.

    Args:
        params, network: weights and network.
        batch: some transitions of a minibatch.
        counted: bool (B,), False where a transition only fills up the batch.
        hyper: clip_range_vf.
    """
    values = network.value(params, batch.obs)
    predicted = clipped_values(values, batch.values, hyper.clip_range_vf)
    squares = jnp.square(batch.returns - predicted)
    return jnp.sum(jnp.where(counted, squares, 0.0))


class PolicySums(NamedTuple):
    """The policy's terms, summed over transitions: names as in :class:`LossTerms`."""

    policy_loss: jax.Array
    entropy_loss: jax.Array
    approx_kl: jax.Array
    clip_fraction: jax.Array


def policy_sums(
    params: Params,
    network: Network,
    batch: Batch,
    advantages: jax.Array,
    counted: jax.Array,
    hyper: HyperParams,
) -> tuple[jax.Array, PolicySums]:
    """Return the policy's part of the loss, summed over transitions, and its terms.

    -sum(min(A r, A clip(r, 1 - c, 1 + c))) - ent_coef sum(H).

    Args:
        params, network: weights and network.
        batch: some transitions of a minibatch.
        advantages: float32 (B,), theirs, standardised over the whole minibatch.
        counted: bool (B,), False where a transition only fills up the batch.
        hyper: clip_range and ent_coef.
    """
    logits = shifted(network.policy(params, batch.obs), batch.prior)
    log_probs = masked_log_probs(logits, batch.masks)
    change = log_prob(log_probs, batch.actions) - batch.log_probs
    ratio = jnp.exp(change)
    clipped = jnp.clip(ratio, 1.0 - hyper.clip_range, 1.0 + hyper.clip_range)

    def total(x: jax.Array) -> jax.Array:
        return jnp.sum(jnp.where(counted, x, 0.0))

    sums = PolicySums(
        policy_loss=-total(jnp.minimum(advantages * ratio, advantages * clipped)),
        entropy_loss=-total(entropy(log_probs, batch.masks)),
        approx_kl=total(ratio - 1.0 - change),
        clip_fraction=total((jnp.abs(ratio - 1.0) > hyper.clip_range).astype(jnp.float32)),
    )
    loss = sums.policy_loss + hyper.ent_coef * sums.entropy_loss
    return loss, jax.tree.map(jax.lax.stop_gradient, sums)


def value_gradients(
    params: Params, network: Network, numbers: jax.Array, gather: GatherFn, hyper: HyperParams
) -> tuple[Params, jax.Array]:
    """Return the gradients of the value loss, mean((R - V)^2) of a minibatch, and the loss.

    Args:
        params, network: weights and network.
        numbers: int32 (B,), of the minibatch's transitions.
        gather: their source.
        hyper: clip_range_vf.
    """
    size = numbers.shape[0]

    def of(rows: jax.Array, counted: jax.Array) -> tuple[jax.Array, Params]:
        return jax.value_and_grad(value_sum)(params, network, gather(numbers[rows]), counted, hyper)

    loss, grads = in_chunks(of, jnp.arange(size, dtype=jnp.int32), size, value_chunk_size(size))
    return jax.tree.map(lambda x: x / size, grads), loss / size


def policy_gradients(
    params: Params,
    network: Network,
    numbers: jax.Array,
    gather: GatherFn,
    batch: Batch,
    hyper: HyperParams,
    axis: str | None = None,
) -> tuple[Params, PolicySums]:
    """Return the policy's gradients and terms, means over a minibatch, or over a device's share of it.

    Only transitions that left a choice go through the network, a chunk at a time; a forced one
    contributes its advantage to the loss and nothing to the gradients.

    Args:
        params, network: weights and network.
        numbers: int32 (B,), of the minibatch's transitions.
        gather: their source.
        batch: all of them.
        hyper: clip_range and ent_coef.
        axis: of devices that have a share of the minibatch each; advantages are standardised over all.
    """
    size = batch.actions.shape[0]
    advantages = standardize(batch.advantages, axis)
    order, count = choices_first(batch.masks)
    forced = jnp.arange(size, dtype=jnp.int32) >= count

    def of(rows: jax.Array, counted: jax.Array) -> tuple[Params, PolicySums]:
        some = gather(numbers[rows])
        return jax.grad(policy_sums, has_aux=True)(
            params, network, some, advantages[rows], counted, hyper
        )

    grads, sums = in_chunks(of, order, count, chunk_size(size))
    of_forced = jnp.sum(jnp.where(forced, advantages[order], 0.0))
    sums = sums._replace(policy_loss=sums.policy_loss - of_forced)
    return jax.tree.map(lambda x: x / size, (grads, sums))


def cpu_gradients(network: Network, axis: str | None = None) -> GradientFn:
    """Return what finds the gradients of a minibatch's loss.

    Args:
        network: the actor-critic.
        axis: of devices that have equal shares of the minibatch; None where all of it is here.
    """

    def gradients(
        params: Params, numbers: jax.Array, gather: GatherFn, hyper: HyperParams
    ) -> tuple[Params, LossTerms]:
        batch = gather(numbers)
        of_value, value = value_gradients(params, network, numbers, gather, hyper)
        of_policy, means = policy_gradients(params, network, numbers, gather, batch, hyper, axis)
        grads = jax.tree.map(lambda p, v: p + hyper.vf_coef * v, of_policy, of_value)
        loss = means.policy_loss + hyper.ent_coef * means.entropy_loss + hyper.vf_coef * value
        terms = LossTerms(loss=loss, value_loss=value, **means._asdict())
        found: tuple[Params, LossTerms] = mean_over((grads, terms), axis)
        return found

    return gradients

"""MaskablePPO's arithmetic: loss, gradients, clipping, one update of several epochs.

Source: sb3-contrib's ``MaskablePPO.train`` (2.9), Schulman et al. 2017 (arXiv:1707.06347) and 2016
(arXiv:1506.02438). Where the library differs from the papers, the library is followed, update for
update; each function says how.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jax_port.ppo import adam
from jax_port.ppo import layer_lr as layer_rates
from jax_port.ppo.fast.microbatch import choices_first, chunk_size, in_chunks, value_chunk_size
from jax_port.ppo.gae import standardize
from jax_port.ppo.layer_lr import LayerRates
from jax_port.ppo.networks import entropy, log_prob, masked_log_probs

Params = Any
"""Weights of the network, a pytree."""


class Network(NamedTuple):
    """The two towers as functions of weights and normalised observations (B, D).

    Attributes:
        policy: to logits (B, A).
        value: to values (B,).
    """

    policy: Callable[[Params, jax.Array], jax.Array]
    value: Callable[[Params, jax.Array], jax.Array]


Take = Callable[[jax.Array], "Batch"]
"""Numbers (B,) of transitions -> the transitions, advantages not yet standardised."""

OFF = float("inf")
"""Value of ``clip_range_vf`` or ``target_kl`` that switches it off."""

CLIP_EPS = 1e-6


@struct.dataclass
class HyperParams:
    """What can be vmapped: float32 scalars.

    Attributes:
        learning_rate: Adam's.
        gamma: discount per bar.
        gae_lambda: of the advantage estimate.
        clip_range: of the probability ratio.
        clip_range_vf: of the value, about the old one; :data:`OFF` for none.
        ent_coef, vf_coef: weights of entropy and value loss.
        max_grad_norm: one norm over all weights.
        target_kl: an update ends when the estimate exceeds 1.5 times this; :data:`OFF` for never.
    """

    learning_rate: jax.Array
    gamma: jax.Array
    gae_lambda: jax.Array
    clip_range: jax.Array
    clip_range_vf: jax.Array
    ent_coef: jax.Array
    vf_coef: jax.Array
    max_grad_norm: jax.Array
    target_kl: jax.Array


def hyper_params(
    *,
    learning_rate: float = 3e-4,
    gamma: float = 0.99,
    gae_lambda: float = 0.95,
    clip_range: float = 0.2,
    clip_range_vf: float | None = None,
    ent_coef: float = 0.0,
    vf_coef: float = 0.5,
    max_grad_norm: float = 0.5,
    target_kl: float | None = None,
) -> HyperParams:
    """Return MaskablePPO's defaults, or others, as arrays."""
    values = {
        "learning_rate": learning_rate,
        "gamma": gamma,
        "gae_lambda": gae_lambda,
        "clip_range": clip_range,
        "ent_coef": ent_coef,
        "vf_coef": vf_coef,
        "max_grad_norm": max_grad_norm,
        "clip_range_vf": OFF if clip_range_vf is None else clip_range_vf,
        "target_kl": OFF if target_kl is None else target_kl,
    }
    return HyperParams(**{name: jnp.float32(value) for name, value in values.items()})


class Batch(NamedTuple):
    """B transitions.

    Attributes:
        obs: float32 (B, D), normalised.
        actions: int32 (B,).
        masks: bool (B, A).
        log_probs: float32 (B,), of the actions when they were taken.
        values: float32 (B,), then.
        advantages, returns: float32 (B,).
    """

    obs: jax.Array
    actions: jax.Array
    masks: jax.Array
    log_probs: jax.Array
    values: jax.Array
    advantages: jax.Array
    returns: jax.Array


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


class TrainState(NamedTuple):
    """Weights and Adam's moments."""

    params: Params
    opt_state: optax.ScaleByAdamState


def init_train_state(params: Params) -> TrainState:
    """Return weights with fresh moments."""
    return TrainState(params, adam.init(params))


def value_sum(
    params: Params, network: Network, batch: Batch, counted: jax.Array, hyper: HyperParams
) -> jax.Array:
    """Return sum((R - V)^2), without a factor of one half.

    When value clipping is on, V is the clipped value alone, with no maximum.

    Args:
        params, network: weights and towers.
        batch: some transitions of a minibatch.
        counted: bool (B,), False where a transition only fills up the batch.
        hyper: clip_range_vf.
    """
    values = network.value(params, batch.obs)
    near = jnp.clip(values - batch.values, -hyper.clip_range_vf, hyper.clip_range_vf)
    predicted = jnp.where(jnp.isfinite(hyper.clip_range_vf), batch.values + near, values)
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
        params, network: weights and towers.
        batch: some transitions of a minibatch.
        advantages: float32 (B,), theirs, standardised over the whole minibatch.
        counted: bool (B,), False where a transition only fills up the batch.
        hyper: clip_range and ent_coef.
    """
    log_probs = masked_log_probs(network.policy(params, batch.obs), batch.masks)
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
    params: Params, network: Network, numbers: jax.Array, take: Take, hyper: HyperParams
) -> tuple[Params, jax.Array]:
    """Return the gradients of the value loss, mean((R - V)^2) of a minibatch, and the loss.

    Args:
        params, network: weights and towers.
        numbers: int32 (B,), of the minibatch's transitions.
        take: their source.
        hyper: clip_range_vf.
    """
    size = numbers.shape[0]

    def of(rows: jax.Array, counted: jax.Array) -> tuple[jax.Array, Params]:
        return jax.value_and_grad(value_sum)(params, network, take(numbers[rows]), counted, hyper)

    loss, grads = in_chunks(of, jnp.arange(size, dtype=jnp.int32), size, value_chunk_size(size))
    return jax.tree.map(lambda x: x / size, grads), loss / size


def policy_gradients(
    params: Params,
    network: Network,
    numbers: jax.Array,
    take: Take,
    batch: Batch,
    hyper: HyperParams,
) -> tuple[Params, PolicySums]:
    """Return the policy's gradients and terms, means over a minibatch.

    Only transitions that left a choice go through the network, a chunk at a time; a forced one
    contributes its advantage to the loss and nothing to the gradients.

    Args:
        params, network: weights and towers.
        numbers: int32 (B,), of the minibatch's transitions.
        take: their source.
        batch: all of them.
        hyper: clip_range and ent_coef.
    """
    size = batch.actions.shape[0]
    advantages = standardize(batch.advantages)
    order, count = choices_first(batch.masks)
    forced = jnp.arange(size, dtype=jnp.int32) >= count

    def of(rows: jax.Array, counted: jax.Array) -> tuple[Params, PolicySums]:
        some = take(numbers[rows])
        return jax.grad(policy_sums, has_aux=True)(
            params, network, some, advantages[rows], counted, hyper
        )

    grads, sums = in_chunks(of, order, count, chunk_size(size))
    of_forced = jnp.sum(jnp.where(forced, advantages[order], 0.0))
    sums = sums._replace(policy_loss=sums.policy_loss - of_forced)
    return jax.tree.map(lambda x: x / size, (grads, sums))


def ppo_gradients(
    params: Params, network: Network, numbers: jax.Array, take: Take, hyper: HyperParams
) -> tuple[Params, LossTerms]:
    """Return the gradients of MaskablePPO's loss of one minibatch, before clipping, and its terms."""
    batch = take(numbers)
    of_value, value = value_gradients(params, network, numbers, take, hyper)
    of_policy, means = policy_gradients(params, network, numbers, take, batch, hyper)
    grads = jax.tree.map(lambda p, v: p + hyper.vf_coef * v, of_policy, of_value)
    loss = means.policy_loss + hyper.ent_coef * means.entropy_loss + hyper.vf_coef * value
    return grads, LossTerms(loss=loss, value_loss=value, **means._asdict())


def clip_gradients(grads: Params, max_norm: jax.Array) -> Params:
    """Return g min(1, max_norm / (norm + 1e-6)) with one norm over all weights, as torch does."""
    norm = optax.tree.norm(grads)
    factor = jnp.minimum(1.0, max_norm / (norm + CLIP_EPS))
    return jax.tree.map(lambda g: g * factor, grads)


class StepRecord(NamedTuple):
    """What one minibatch did; for logs, and for the gate.

    Attributes:
        terms: of its loss.
        gradients: like the weights, before clipping. A program that does not return them does not
            keep them.
        applied: bool; False where target_kl had ended the update.
    """

    terms: LossTerms
    gradients: Params
    applied: jax.Array


def minibatch_step(
    state: TrainState,
    stopped: jax.Array,
    numbers: jax.Array,
    take: Take,
    network: Network,
    hyper: HyperParams,
    rates: LayerRates = (),
) -> tuple[TrainState, jax.Array, StepRecord]:
    """Take one gradient step, unless the update has stopped or its KL estimate stops it here.

    Args:
        state: weights and moments.
        stopped: bool scalar, whether target_kl has ended this update.
        numbers: int32 (B,), at least two transitions, since a single one has no deviation.
        take: their source.
        network: the towers.
        hyper: the rest.
        rates: of layers that learn slower, or not at all.

    Returns:
        The state after, whether the update has stopped, and a record.
    """
    assert numbers.shape[0] > 1, "a minibatch of one has no standard deviation"
    grads, terms = ppo_gradients(state.params, network, numbers, take, hyper)
    factors = layer_rates.factors(state.params, rates) if rates else None
    grads = layer_rates.without_frozen(grads, rates) if rates else grads
    stopped = stopped | (terms.approx_kl > 1.5 * hyper.target_kl)
    clipped = clip_gradients(grads, hyper.max_grad_norm)
    moved = TrainState(
        *adam.update(state.params, clipped, state.opt_state, hyper.learning_rate, factors)
    )
    kept = jax.tree.map(lambda old, new: jnp.where(stopped, old, new), state, moved)
    return kept, stopped, StepRecord(terms, grads, ~stopped)


def run_epochs(
    state: TrainState,
    permutations: jax.Array,
    take: Take,
    batch_size: int,
    network: Network,
    hyper: HyperParams,
    rates: LayerRates = (),
) -> tuple[TrainState, StepRecord]:
    """Take all minibatch steps of one update.

    The partial last minibatch of an epoch is kept, as MaskablePPO keeps it.

    Args:
        state: weights and moments.
        permutations: int32 (E, M), one order of the M transitions per epoch.
        take: their source.
        batch_size: transitions in a full minibatch.
        network: the towers.
        hyper: the rest.
        rates: of layers that learn slower, or not at all; static.

    Returns:
        The state after, and records with leading axes (E, minibatches per epoch).
    """
    size = permutations.shape[1]
    full, rest = divmod(size, batch_size)
    assert rest != 1, "the last minibatch would hold one transition, whose deviation is not defined"

    def step(carry: tuple[TrainState, jax.Array], numbers: jax.Array) -> tuple[Any, StepRecord]:
        state, stopped = carry
        state, stopped, record = minibatch_step(state, stopped, numbers, take, network, hyper, rates)
        return (state, stopped), record

    def epoch(carry: tuple[TrainState, jax.Array], order: jax.Array) -> tuple[Any, StepRecord]:
        records = []
        if full:
            whole = order[: full * batch_size].reshape(full, batch_size)
            carry, record = jax.lax.scan(step, carry, whole)
            records.append(record)
        if rest:
            carry, record = step(carry, order[full * batch_size :])
            records.append(jax.tree.map(lambda x: x[None], record))
        return carry, jax.tree.map(lambda *parts: jnp.concatenate(parts), *records)

    (state, _), records = jax.lax.scan(epoch, (state, jnp.zeros((), bool)), permutations)
    return state, records

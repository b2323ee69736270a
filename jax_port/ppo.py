"""MaskablePPO's arithmetic: advantages, loss, clipping, Adam, one update.

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

from jax_port import adam
from jax_port.networks import entropy, log_prob, masked_log_probs

Params = Any
"""Weights of the network, a pytree."""

Apply = Callable[[Params, jax.Array], tuple[jax.Array, jax.Array]]
"""(weights, normalised obs (B, D)) -> logits (B, A), values (B,)."""

OFF = float("inf")
"""Value of ``clip_range_vf`` or ``target_kl`` that switches it off."""

CLIP_EPS = 1e-6
ADVANTAGE_EPS = 1e-8


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


def gae(
    rewards: jax.Array,
    values: jax.Array,
    episode_starts: jax.Array,
    last_values: jax.Array,
    last_dones: jax.Array,
    hyper: HyperParams,
) -> tuple[jax.Array, jax.Array]:
    """Return advantages and returns, float32 (T, N).

    delta_t = r_t + gamma V_{t+1} n_t - V_t,  A_t = delta_t + gamma lambda n_t A_{t+1}, where n_t is 0
    if an episode begins at t + 1. Truncation cuts too: what it lost was added to r_t beforehand.
    Returns are A + V.

    Args:
        rewards: float32 (T, N), with gamma V(terminal observation) added where truncated.
        values: float32 (T, N).
        episode_starts: bool (T, N), whether step t is the first of an episode.
        last_values: float32 (N,), of the observation after the last step.
        last_dones: bool (N,), whether the last step ended an episode.
        hyper: gamma and gae_lambda.
    """
    assert rewards.shape == values.shape == episode_starts.shape, (rewards.shape, values.shape)
    following = jnp.concatenate([values[1:], last_values[None]])
    goes_on = 1.0 - jnp.concatenate([episode_starts[1:], last_dones[None]]).astype(jnp.float32)

    def body(advantage: jax.Array, step: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
        reward, value, after, on = step
        delta = reward + hyper.gamma * after * on - value
        advantage = delta + hyper.gamma * hyper.gae_lambda * on * advantage
        return advantage, advantage

    steps = (rewards, values, following, goes_on)
    _, advantages = jax.lax.scan(body, jnp.zeros_like(last_values), steps, reverse=True)
    return advantages, advantages + values


def standardize(advantages: jax.Array) -> jax.Array:
    """Return (A - mean) / (sd + 1e-8) with the sample deviation (ddof 1), over one minibatch."""
    centred = advantages - jnp.mean(advantages)
    spread = jnp.sqrt(jnp.sum(jnp.square(centred)) / (advantages.shape[0] - 1))
    return centred / (spread + ADVANTAGE_EPS)


def ppo_loss(
    params: Params, apply: Apply, batch: Batch, hyper: HyperParams
) -> tuple[jax.Array, LossTerms]:
    """Return MaskablePPO's loss of one minibatch, and its terms.

    -mean(min(A r, A clip(r, 1 - c, 1 + c))) - ent_coef mean(H) + vf_coef mean((R - V)^2), without a
    factor of one half. When value clipping is on, V is the clipped value alone, with no maximum.
    """
    logits, values = apply(params, batch.obs)
    log_probs = masked_log_probs(logits, batch.masks)
    advantages = standardize(batch.advantages)
    change = log_prob(log_probs, batch.actions) - batch.log_probs
    ratio = jnp.exp(change)
    clipped = jnp.clip(ratio, 1.0 - hyper.clip_range, 1.0 + hyper.clip_range)
    policy_loss = -jnp.mean(jnp.minimum(advantages * ratio, advantages * clipped))
    near = jnp.clip(values - batch.values, -hyper.clip_range_vf, hyper.clip_range_vf)
    predicted = jnp.where(jnp.isfinite(hyper.clip_range_vf), batch.values + near, values)
    value_loss = jnp.mean(jnp.square(batch.returns - predicted))
    entropy_loss = -jnp.mean(entropy(log_probs, batch.masks))
    loss = policy_loss + hyper.ent_coef * entropy_loss + hyper.vf_coef * value_loss
    terms = LossTerms(
        loss=loss,
        policy_loss=policy_loss,
        value_loss=value_loss,
        entropy_loss=entropy_loss,
        approx_kl=jnp.mean(ratio - 1.0 - change),
        clip_fraction=jnp.mean((jnp.abs(ratio - 1.0) > hyper.clip_range).astype(jnp.float32)),
    )
    return loss, jax.tree.map(jax.lax.stop_gradient, terms)


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
    state: TrainState, stopped: jax.Array, batch: Batch, apply: Apply, hyper: HyperParams
) -> tuple[TrainState, jax.Array, StepRecord]:
    """Take one gradient step, unless the update has stopped or its KL estimate stops it here.

    Args:
        state: weights and moments.
        stopped: bool scalar, whether target_kl has ended this update.
        batch: at least two transitions, since a single one has no deviation.
        apply: the network.
        hyper: the rest.

    Returns:
        The state after, whether the update has stopped, and a record.
    """
    assert batch.obs.shape[0] > 1, "a minibatch of one has no standard deviation"
    grads, terms = jax.grad(ppo_loss, has_aux=True)(state.params, apply, batch, hyper)
    stopped = stopped | (terms.approx_kl > 1.5 * hyper.target_kl)
    clipped = clip_gradients(grads, hyper.max_grad_norm)
    moved = TrainState(*adam.update(state.params, clipped, state.opt_state, hyper.learning_rate))
    kept = jax.tree.map(lambda old, new: jnp.where(stopped, old, new), state, moved)
    return kept, stopped, StepRecord(terms, grads, ~stopped)


def run_epochs(
    state: TrainState,
    permutations: jax.Array,
    take: Callable[[jax.Array], Batch],
    batch_size: int,
    apply: Apply,
    hyper: HyperParams,
) -> tuple[TrainState, StepRecord]:
    """Take all minibatch steps of one update.

    The partial last minibatch of an epoch is kept, as MaskablePPO keeps it.

    Args:
        state: weights and moments.
        permutations: int32 (E, M), one order of the M transitions per epoch.
        take: numbers (B,) -> their transitions, advantages not yet standardised.
        batch_size: transitions in a full minibatch.
        apply: the network.
        hyper: the rest.

    Returns:
        The state after, and records with leading axes (E, minibatches per epoch).
    """
    size = permutations.shape[1]
    full, rest = divmod(size, batch_size)
    assert rest != 1, "the last minibatch would hold one transition, whose deviation is not defined"

    def step(carry: tuple[TrainState, jax.Array], numbers: jax.Array) -> tuple[Any, StepRecord]:
        state, stopped = carry
        state, stopped, record = minibatch_step(state, stopped, take(numbers), apply, hyper)
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

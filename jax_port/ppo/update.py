"""One update of MaskablePPO: epochs of minibatches, each a clipped gradient and a step of Adam.

Source: sb3-contrib's ``MaskablePPO.train`` (2.9). The loss is :mod:`jax_port.ppo.losses`'s; how its
gradients are found is an argument, and :func:`loss_gradients` is the definition of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from jax_port.ppo.fast.scale_out import devices_of
from jax_port.ppo.losses import Batch, LossTerms, ppo_loss
from jax_port.ppo.networks import Network, Params
from jax_port.ppo.optimizer import adam, layer_lr
from jax_port.ppo.optimizer.layer_lr import LayerLearningRates
from jax_port.ppo.settings import HyperParams

GatherFn = Callable[[jax.Array], Batch]
"""Numbers (B,) of transitions -> the transitions, advantages not yet standardised."""

GradientFn = Callable[[Params, jax.Array, GatherFn, HyperParams], tuple[Params, LossTerms]]
"""(weights, numbers (B,) of a minibatch's transitions, their source, hyperparameters) -> the gradients
of the minibatch's loss, before clipping, and its terms."""

CLIP_EPS = 1e-6


class LearnerState(NamedTuple):
    """Weights and Adam's moments."""

    params: Params
    opt_state: optax.ScaleByAdamState


def init_learner_state(params: Params) -> LearnerState:
    """Return weights with fresh moments."""
    return LearnerState(params, adam.init(params))


def loss_gradients(network: Network) -> GradientFn:
    """Return the gradients' definition: those of :func:`jax_port.ppo.losses.ppo_loss`, all at once."""

    def gradients(
        params: Params, numbers: jax.Array, gather: GatherFn, hyper: HyperParams
    ) -> tuple[Params, LossTerms]:
        return jax.grad(ppo_loss, has_aux=True)(params, network, gather(numbers), hyper)

    return gradients


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
    state: LearnerState,
    stopped: jax.Array,
    numbers: jax.Array,
    gather: GatherFn,
    gradients: GradientFn,
    hyper: HyperParams,
    rates: LayerLearningRates = (),
) -> tuple[LearnerState, jax.Array, StepRecord]:
    """Take one gradient step, unless the update has stopped or its KL estimate stops it here.

    Args:
        state: weights and moments.
        stopped: bool scalar, whether target_kl has ended this update.
        numbers: int32 (B,), transitions; at least two on all devices, since one has no deviation.
        gather: their source.
        gradients: how to find the loss's.
        hyper: the rest.
        rates: of layers that learn slower, or not at all.

    Returns:
        The state after, whether the update has stopped, and a record.
    """
    chex.assert_rank([numbers, stopped], [1, 0])
    chex.assert_type([numbers, stopped], [int, bool])
    grads, terms = gradients(state.params, numbers, gather, hyper)
    factors = layer_lr.factors(state.params, rates) if rates else None
    grads = layer_lr.without_frozen(grads, rates) if rates else grads
    stopped = stopped | (terms.approx_kl > 1.5 * hyper.target_kl)
    clipped = clip_gradients(grads, hyper.max_grad_norm)
    moved = LearnerState(
        *adam.update(state.params, clipped, state.opt_state, hyper.learning_rate, factors)
    )
    kept = jax.tree.map(lambda old, new: jnp.where(stopped, old, new), state, moved)
    return kept, stopped, StepRecord(terms, grads, ~stopped)


def count_minibatches(
    permutations: jax.Array, batch_size: int, axis: str | None = None
) -> tuple[int, int]:
    """Return the full minibatches of an epoch, and the transitions in the partial last one.

    Args:
        permutations: int32 (E, M), one order of the M transitions per epoch.
        batch_size: transitions in a full minibatch.
        axis: of devices, where M is a device's equal share; None where all is here.

    Raises:
        AssertionError: orders of another shape or dtype, or a last minibatch of one transition.
    """
    chex.assert_rank(permutations, 2)
    chex.assert_type(permutations, int)
    full, rest = divmod(permutations.shape[1], batch_size)
    assert rest * devices_of(axis) != 1, (
        "the last minibatch would hold one transition, whose deviation is not defined"
    )
    return full, rest


def run_epochs(
    state: LearnerState,
    permutations: jax.Array,
    gather: GatherFn,
    batch_size: int,
    gradients: GradientFn,
    hyper: HyperParams,
    rates: LayerLearningRates = (),
    axis: str | None = None,
) -> tuple[LearnerState, StepRecord]:
    """Take all minibatch steps of one update.

    The partial last minibatch of an epoch is kept, as MaskablePPO keeps it.

    Args:
        state: weights and moments.
        permutations: int32 (E, M), one order of the M transitions per epoch.
        gather: their source.
        batch_size: transitions in a full minibatch.
        gradients: how to find the loss's.
        hyper: the rest.
        rates: of layers that learn slower, or not at all; static.
        axis: of devices, where permutations and minibatches are a device's equal share, and gradients
            those of the whole; None where all is here.

    Returns:
        The state after, and records with leading axes (E, minibatches per epoch).
    """
    full, rest = count_minibatches(permutations, batch_size, axis)

    def step(carry: tuple[LearnerState, jax.Array], numbers: jax.Array) -> tuple[Any, StepRecord]:
        state, stopped = carry
        state, stopped, record = minibatch_step(
            state, stopped, numbers, gather, gradients, hyper, rates
        )
        return (state, stopped), record

    def epoch(carry: tuple[LearnerState, jax.Array], order: jax.Array) -> tuple[Any, StepRecord]:
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

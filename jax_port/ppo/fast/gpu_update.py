"""Minibatches in few kernels each: :func:`jax_port.ppo.update.run_epochs` for a GPU.

A minibatch there is some thirty kernels and asks nothing of the host. Transitions are shuffled once an
epoch, as rows of 32-bit words; weights, moments and gradients are one array each; the loss is computed
an array for each action; and all transitions go through both networks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jax_port.envs.state import EnvParams
from jax_port.ppo.fast.columns import columns_of
from jax_port.ppo.fast.gpu_network import GpuNetwork
from jax_port.ppo.fast.gpu_rollout import raw_observations
from jax_port.ppo.fast.row_losses import (
    ADVANTAGE,
    MASK,
    POSITION,
    STEP,
    TIME,
    Numbers,
    RowTerms,
    as_real,
    as_word,
    numbers_of,
    row_gradients,
)
from jax_port.ppo.fast.scale_out import devices_of, mean_over, sum_over
from jax_port.ppo.losses import LossTerms
from jax_port.ppo.minibatches import ONE_DEVICE, Layout
from jax_port.ppo.optimizer import adam, layer_lr
from jax_port.ppo.optimizer.layer_lr import LayerLearningRates
from jax_port.ppo.rollout import Rollout
from jax_port.ppo.running_statistics import Scale, normalize
from jax_port.ppo.settings import HyperParams
from jax_port.ppo.update import LearnerState, StepRecord, clip_gradients, count_minibatches


class Vectors(NamedTuple):
    """Weights, Adam's moments, float32 (R, L) with each weight's place the same, and its steps."""

    weights: jax.Array
    first: jax.Array
    second: jax.Array
    steps: jax.Array


class Carry(NamedTuple):
    """What goes on from one minibatch to the next.

    Attributes:
        vectors: weights and moments.
        weights: the same, packed, as products take them. Made at a step's end: the compiler joins a
            bias with the product before it only where it meets it as it is, not cut out of something.
        stopped: bool, whether target_kl has ended the update.
    """

    vectors: Vectors
    weights: Any
    stopped: jax.Array


class Standard(NamedTuple):
    """Mean and sample deviation of a minibatch's advantages, float32 scalars."""

    mean: jax.Array
    deviation: jax.Array


def as_table(rollout: Rollout, advantages: jax.Array, returns: jax.Array) -> jax.Array:
    """Return transitions as rows of words, environment by environment: int32 (N T, 7 + P)."""
    steps, envs = rollout.step_idx.shape
    flags = rollout.actions.astype(jnp.int32)
    for number in range(rollout.masks.shape[-1]):
        flags |= rollout.masks[..., number].astype(jnp.int32) << (MASK + number)
    time = jnp.broadcast_to(jnp.arange(steps, dtype=jnp.int32)[:, None], (steps, envs))
    position = (as_word(rollout.position[..., n]) for n in range(rollout.position.shape[-1]))
    reals = (rollout.log_probs, rollout.values, advantages, returns)
    words = [rollout.step_idx, flags, time, *(as_word(x) for x in reals), *position]
    return jnp.stack([word.T for word in words], axis=-1).reshape(steps * envs, -1)


def standard_of(advantages: jax.Array, axis: str | None = None) -> Standard:
    """Return mean and sample deviation over the last axis, of a minibatch or several.

    Args:
        advantages: float32 (..., B), or a device's share of them.
        axis: of devices with equal shares; None where all are here.
    """
    mean = mean_over(jnp.mean(advantages, axis=-1), axis)
    squares = jnp.sum(jnp.square(advantages - mean[..., None]), axis=-1)
    size = advantages.shape[-1] * devices_of(axis)
    return Standard(mean, jnp.sqrt(sum_over(squares, axis) / (size - 1)))


def gradients_of(
    weights: Any,
    x: jax.Array,
    rows: jax.Array,
    numbers: Numbers,
    network: GpuNetwork,
    devices: int = 1,
) -> tuple[Any, jax.Array]:
    """Return the gradients of a minibatch's loss for packed weights, float32, and its terms' means.

    Of a device's share of the minibatch they are what it adds to both.

    Args:
        weights: packed, in the precision of the products.
        x: input rows (B, D').
        rows: int32 (B, 7 + P), the transitions.
        numbers: of the minibatch.
        network: the actor-critic.
        devices: that have equal shares of the minibatch.

    Returns:
        Gradients, and means float32 (5,) of the transitions' terms, in the order of ``RowTerms``.
    """
    size = rows.shape[0] * devices
    out, saved = network.forward(weights, x)
    of_out, each = row_gradients(columns_of(out), columns_of(rows), numbers)
    grads = network.backward(weights, x, saved, jnp.stack(of_out, axis=1) / size)
    return grads, jnp.sum(jnp.stack(each), axis=1) / size  # one kernel for all


def terms_of(means: jax.Array, numbers: Numbers) -> LossTerms:
    """Return a minibatch's terms from the means (5,) of its transitions' terms."""
    terms = RowTerms(*means)
    loss = terms.policy_loss + numbers.ent_coef * terms.entropy_loss
    return LossTerms(loss=loss + numbers.vf_coef * terms.value_loss, **terms._asdict())


def inputs_of(rows: jax.Array, scales: Scale, network: GpuNetwork, params: EnvParams) -> jax.Array:
    """Return the input rows of transitions; their observations are made anew."""
    position = as_real(rows[:, POSITION:])
    scale = jax.tree.map(lambda x: x[rows[:, TIME]], scales)
    return network.inputs(normalize(scale, raw_observations(rows[:, STEP], position, params)))


def run_epochs(
    state: LearnerState,
    permutations: jax.Array,
    rollout: Rollout,
    advantages: jax.Array,
    returns: jax.Array,
    params: EnvParams,
    batch_size: int,
    network: GpuNetwork,
    hyper: HyperParams,
    rates: LayerLearningRates = (),
    layout: Layout = ONE_DEVICE,
    axis: str | None = None,
) -> tuple[LearnerState, StepRecord]:
    """Take all minibatch steps of one update; see :func:`jax_port.ppo.update.run_epochs`.

    Args:
        state: weights and moments.
        permutations: int32 (E, M), one order of the M transitions per epoch.
        rollout, advantages, returns: of the transitions.
        params: of the environment.
        batch_size: transitions in a full minibatch.
        network: the actor-critic.
        hyper: the rest.
        rates: of layers that learn slower, or not at all; static.
        layout: of buffers and of minibatches over devices.
        axis: of devices, where transitions, permutations and minibatches are a device's equal share;
            None where all is here.

    Returns:
        The state after, and records with leading axes (E, minibatches per epoch).
    """
    full, rest = count_minibatches(permutations, batch_size, axis)
    table = layout.whole(as_table(rollout, advantages, returns))
    scales = layout.whole(rollout.scales)
    like, length = jax.eval_shape(network.pack, state.params), network.line
    trees = (state.params, state.opt_state.mu, state.opt_state.nu)
    weights, first, second = (lines_of(network.pack(x), length) for x in trees)
    vectors = Vectors(weights, first, second, state.opt_state.count)
    factors, learning = _rates(state.params, network, rates)

    def rounded(vectors: Vectors) -> Any:
        return network.rounded(tree_from(vectors.weights, like))

    def step(carry: Any, batch: tuple[jax.Array, Standard]) -> tuple[Any, Any]:
        (vectors, weights, stopped), (rows, standard) = carry, batch
        rows = layout.split(rows)
        x = layout.split(inputs_of(rows, scales, network, params))
        numbers = numbers_of(*standard, hyper)
        own, means = gradients_of(weights, x, rows, numbers, network, devices_of(axis))
        grads, means = sum_over((lines_of(own, length), means), axis)
        terms = terms_of(means, numbers)
        if learning is not None:
            grads = jnp.where(learning, grads, 0.0)
        stopped = stopped | (terms.approx_kl > 1.5 * hyper.target_kl)
        moved = _moved(vectors, clip_gradients(grads, hyper.max_grad_norm), hyper, factors)
        kept = jax.tree.map(lambda old, new: jnp.where(stopped, old, new), vectors, moved)
        record = jnp.stack([*terms, (~stopped).astype(jnp.float32)])
        return Carry(kept, rounded(kept), stopped), (record, grads)

    def epoch(carry: Any, order: jax.Array) -> tuple[Any, Any]:
        records = []
        shuffled = table[order]
        gains = as_real(shuffled[:, ADVANTAGE])
        if full:
            rows = shuffled[: full * batch_size].reshape(full, batch_size, -1)
            standards = standard_of(gains[: full * batch_size].reshape(full, batch_size), axis)
            carry, record = jax.lax.scan(step, carry, (rows, standards))
            records.append(record)
        if rest:
            start = full * batch_size
            carry, record = step(carry, (shuffled[start:], standard_of(gains[start:], axis)))
            records.append(jax.tree.map(lambda x: x[None], record))
        return carry, jax.tree.map(lambda *parts: jnp.concatenate(parts), *records)

    start = Carry(vectors, rounded(vectors), jnp.zeros((), bool))
    (vectors, _, _), (numbers, grads) = jax.lax.scan(epoch, start, permutations)
    *terms, applied = (numbers[..., n] for n in range(numbers.shape[-1]))

    def tree_of(vector: jax.Array) -> Any:
        return network.unpack(tree_from(vector, like))

    learner = LearnerState(
        tree_of(vectors.weights),
        optax.ScaleByAdamState(vectors.steps, tree_of(vectors.first), tree_of(vectors.second)),
    )
    each = jax.vmap(jax.vmap(tree_of))(grads)
    return learner, StepRecord(LossTerms(*terms), each, applied > 0.5)


def lines_of(tree: Any, length: int) -> jax.Array:
    """Return a tree's numbers as lines (R, L); each leaf begins a line, and zeros fill its last."""

    def lines(leaf: jax.Array) -> jax.Array:
        flat = leaf.reshape(-1)
        return jnp.pad(flat, (0, -flat.size % length)).reshape(-1, length)

    return jnp.concatenate([lines(leaf) for leaf in jax.tree.leaves(tree)])


def tree_from(lines: jax.Array, like: Any) -> Any:
    """Return what :func:`lines_of` was given."""
    leaves = jax.tree.leaves(like)
    length, begin, parts = lines.shape[1], 0, []
    for leaf in leaves:
        end = begin - (-leaf.size // length)
        part = lines[begin:end]
        whole = part.shape == leaf.shape
        parts.append(part if whole else part.reshape(-1)[: leaf.size].reshape(leaf.shape))
        begin = end
    return jax.tree.unflatten(jax.tree.structure(like), parts)


def _rates(
    params: Any, network: GpuNetwork, rates: LayerLearningRates
) -> tuple[jax.Array | None, jax.Array | None]:
    """Return each weight's factor on the learning rate, and whether it learns; None for all alike."""
    if not rates:
        return None, None
    every = jax.tree.map(
        lambda x, factor: jnp.full(x.shape, factor), params, layer_lr.factors(params, rates)
    )
    factors = lines_of(network.pack(every), network.line)
    return factors, factors != 0


def _moved(
    vectors: Vectors, grads: jax.Array, hyper: HyperParams, factors: jax.Array | None
) -> Vectors:
    """Take one step of Adam."""
    moments = optax.ScaleByAdamState(vectors.steps, vectors.first, vectors.second)
    weights, after = adam.update(vectors.weights, grads, moments, hyper.learning_rate, factors)
    return Vectors(weights, after.mu, after.nu, after.count)

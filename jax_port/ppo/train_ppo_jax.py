"""MaskablePPO end to end on the device: rollouts, updates and many of them in one compiled program.

Source: sb3-contrib's ``MaskablePPO.learn`` (2.9). Several agents, which may differ in seed and in
their learner's numbers, are trained side by side; each is what it would be alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

from jax_port.envs.env_phase1_jax import NUM_ACTIONS, EnvParams
from jax_port.envs.registry import phase_of
from jax_port.ppo.fast.cpu_mlp import policy_layers, tower, value_layers
from jax_port.ppo.gae import gae
from jax_port.ppo.policy import make_network
from jax_port.ppo.rollout import Actor, Ends, Rollout, collect, init_actor, rebuild
from jax_port.ppo.settings import TrainSettings
from jax_port.ppo.update import (
    Batch,
    HyperParams,
    Network,
    StepRecord,
    Take,
    TrainState,
    init_train_state,
    run_epochs,
)

PRECISION = {"float32": "highest", "tf32": "default", "bf16": "default"}
"""JAX's name for how float32 matrix products are made."""


@struct.dataclass
class Agent:
    """One learner with its environments: all that an update starts from.

    Attributes:
        learner: weights and Adam's moments.
        actor: environments and normalisers.
        key: PRNG key data, uint32 (2,).
        updates: int32 scalar, updates made.
    """

    learner: TrainState
    actor: Actor
    key: jax.Array
    updates: jax.Array


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

    ends: Ends
    loss: jax.Array
    policy_loss: jax.Array
    value_loss: jax.Array
    entropy: jax.Array
    approx_kl: jax.Array
    clip_fraction: jax.Array
    explained_variance: jax.Array
    minibatches: jax.Array
    learning_rate: jax.Array


class Trace(NamedTuple):
    """What an update went through, for whoever judges it.

    Attributes:
        rollout: T steps of N environments.
        last_values: float32 (N,), of the observations after them.
        advantages, returns: float32 (T, N).
        orders: int32 (E, M), the transitions' order in each epoch.
        records: of every minibatch, leading axes (E, minibatches per epoch).
    """

    rollout: Rollout
    last_values: jax.Array
    advantages: jax.Array
    returns: jax.Array
    orders: jax.Array
    records: StepRecord


Share = Callable[[Any], Any]
"""Constrain a minibatch's or a buffer's layout over devices; the identity on one device."""


class Layout(NamedTuple):
    """How arrays lie on several devices.

    Attributes:
        whole: for arrays that each device holds all of.
        split: for arrays whose first axis is divided over devices.
    """

    whole: Share = lambda x: x
    split: Share = lambda x: x


ONE_DEVICE = Layout()


def network_of(settings: TrainSettings, num_actions: int = NUM_ACTIONS) -> Network:
    """Return the towers as functions of (weights, obs).

    On a CPU they are :func:`jax_port.ppo.fast.cpu_mlp.tower`'s, which differ from flax's own in
    rounding.
    """
    spec = settings.network
    if jax.default_backend() == "cpu" and settings.precision == "float32":
        return Network(
            policy=lambda w, obs: tower(policy_layers(w, spec), obs, spec.activation),
            value=lambda w, obs: tower(value_layers(w, spec), obs, spec.activation)[..., 0],
        )
    dtype = jnp.bfloat16 if settings.precision == "bf16" else None
    network = make_network(spec, dtype, num_actions)

    def policy(weights: Any, obs: jax.Array) -> jax.Array:
        logits: Any = network.apply(weights, obs, part="policy")
        return logits

    def value(weights: Any, obs: jax.Array) -> jax.Array:
        values: Any = network.apply(weights, obs, part="value")
        return values

    return Network(policy, value)


def init_agent(seed: jax.Array, params: EnvParams, settings: TrainSettings) -> Agent:
    """Return a fresh agent: weights drawn, environments reset.

    Args:
        seed: int32 scalar.
        params: of the environment.
        settings: sizes and network.
    """
    weights_key, reset_key, key = jax.random.split(jax.random.key(seed), 3)
    network = make_network(settings.network, num_actions=phase_of(params).num_actions)
    weights = network.init(weights_key, jnp.zeros((1, params.obs_size), jnp.float32))
    return Agent(
        learner=init_train_state(weights),
        actor=init_actor(reset_key, params, settings.n_envs),
        key=jax.random.key_data(key),
        updates=jnp.zeros((), jnp.int32),
    )


def init_agents(seeds: jax.Array, params: EnvParams, settings: TrainSettings) -> Agent:
    """Return the agents of seeds (A,), leaves (A, ...), each as :func:`init_agent` makes it.

    One after another, not by ``vmap``: orthogonal weights take QR decompositions, and jaxlib's batched
    ones can wait for each other for ever on a CPU of two cores. Each lends its thread to wait for
    parts of its batch that wait for a thread.
    """
    agents: Agent = jax.lax.map(lambda seed: init_agent(seed, params, settings), seeds)
    return agents


def update(
    agent: Agent,
    hyper: HyperParams,
    params: EnvParams,
    settings: TrainSettings,
    layout: Layout = ONE_DEVICE,
) -> tuple[Agent, Metrics]:
    """Collect one rollout and learn from it for several epochs.

    Args:
        agent: before.
        hyper: the learner's numbers, before any annealing.
        params: of the environment.
        settings: sizes; static.
        layout: over devices; static.
    """
    agent, metrics, _ = traced_update(agent, hyper, params, settings, layout)
    return agent, metrics


def traced_update(
    agent: Agent,
    hyper: HyperParams,
    params: EnvParams,
    settings: TrainSettings,
    layout: Layout = ONE_DEVICE,
) -> tuple[Agent, Metrics, Trace]:
    """Do what :func:`update` does, and also return all that happened on the way."""
    network = network_of(settings, phase_of(params).num_actions)
    key = jax.random.fold_in(jax.random.wrap_key_data(agent.key), agent.updates)
    collect_key, order_key = jax.random.split(key)
    actor, rollout, last_values, ends = collect(
        agent.actor,
        collect_key,
        agent.learner.params,
        network,
        params,
        settings.n_steps,
        hyper.gamma,
        settings.norm_reward,
        sparse=layout is ONE_DEVICE,  # else rows would travel between devices on every step
    )
    advantages, returns = gae(
        rollout.rewards,
        rollout.values,
        rollout.episode_starts,
        last_values,
        actor.episode_start,
        hyper.gamma,
        hyper.gae_lambda,
    )
    hyper = annealed(hyper, agent.updates, settings)
    take = batches(rollout, advantages, returns, params, layout)
    orders = permutations(order_key, settings)
    size, rates = settings.batch_size, settings.layer_rates
    learner, records = run_epochs(agent.learner, orders, take, size, network, hyper, rates)
    metrics = summarize(records, ends, rollout, returns, hyper)
    trace = Trace(rollout, last_values, advantages, returns, orders, records)
    return Agent(learner, actor, agent.key, agent.updates + 1), metrics, trace


def annealed(hyper: HyperParams, updates: jax.Array, settings: TrainSettings) -> HyperParams:
    """Return an update's numbers: with ``anneal``, learning rate and clip range fall to zero.

    The remaining progress is taken after the rollout, as SB3 takes it, so the first update is
    already below one. SB3's can fall below zero where the total is no multiple of the rollout; this
    one stops at zero.
    """
    if not settings.anneal:
        return hyper
    done = (updates + 1).astype(jnp.float32) * (settings.rollout_size / settings.total_timesteps)
    left = jnp.maximum(1.0 - done, 0.0)
    return replace(hyper, learning_rate=hyper.learning_rate * left, clip_range=hyper.clip_range * left)


def permutations(key: jax.Array, settings: TrainSettings) -> jax.Array:
    """Return one order of the rollout's transitions per epoch: int32 (E, M).

    Each is made by one sort of random words with the numbers in their low halves: words alone sort
    six times as fast on a CPU as words that carry numbers along. ``jax.random.permutation`` sorts
    twice, lest two equal words keep two of millions in order.
    """
    shape = (settings.n_epochs, settings.rollout_size)
    words = jax.random.bits(key, shape)
    with jax.enable_x64(True):
        numbers = jax.lax.broadcasted_iota(jnp.uint64, shape, 1)
        packed = (words.astype(jnp.uint64) << jnp.uint64(32)) | numbers
        low = jnp.uint64(2**32 - 1)
        return (jax.lax.sort(packed, dimension=1) & low).astype(jnp.int32)


def batches(
    rollout: Rollout,
    advantages: jax.Array,
    returns: jax.Array,
    params: EnvParams,
    layout: Layout,
) -> Take:
    """Return what turns numbers of transitions (B,) into a minibatch.

    Transitions are numbered environment by environment, as in SB3's buffer. Observations are rebuilt
    for the minibatch alone.
    """
    steps = rollout.step_idx.shape[0]
    scales = layout.whole(rollout.scales)

    def flat(x: jax.Array) -> jax.Array:
        return layout.whole(jnp.swapaxes(x, 0, 1).reshape(-1, *x.shape[2:]))

    kept = rollout._replace(scales=None)  # type: ignore[arg-type]
    table, advantages, returns = jax.tree.map(flat, (kept, advantages, returns))

    def take(numbers: jax.Array) -> Batch:
        numbers = layout.split(numbers)
        some = jax.tree.map(lambda x: x[numbers], table)
        scale = jax.tree.map(lambda x: x[numbers % steps], scales)
        return Batch(
            obs=layout.split(rebuild(some.step_idx, some.position, scale, params)),
            actions=some.actions.astype(jnp.int32),
            masks=some.masks,
            log_probs=some.log_probs,
            values=some.values,
            advantages=advantages[numbers],
            returns=returns[numbers],
        )

    return take


def summarize(
    records: StepRecord, ends: Ends, rollout: Rollout, returns: jax.Array, hyper: HyperParams
) -> Metrics:
    """Return an update's metrics."""
    applied = records.applied.astype(jnp.float32)
    count = jnp.maximum(jnp.sum(applied), 1.0)

    def mean(x: jax.Array) -> jax.Array:
        return jnp.sum(x * applied) / count

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


def make_train(
    settings: TrainSettings,
    updates_per_call: int,
    agents: int,
    layout: Layout = ONE_DEVICE,
    places: Agent | None = None,
) -> Callable[[Agent, HyperParams, EnvParams], tuple[Agent, Metrics]]:
    """Return the compiled program: several updates of several agents in one call.

    Args:
        settings: sizes and network.
        updates_per_call: K.
        agents: A, side by side.
        layout: of minibatches and buffers over devices.
        places: sharding of every leaf of the agents, where there are several devices.

    Returns:
        A function (agents with leading axis A, hyperparameters likewise, environment parameters) ->
        (agents, metrics with leading axes (K, A)). The agents given are consumed.
    """

    def one(agent: Agent, hyper: HyperParams, params: EnvParams) -> tuple[Agent, Metrics]:
        return update(agent, hyper, params, settings, layout)

    def every(agent: Agent, hyper: HyperParams, params: EnvParams) -> tuple[Agent, Metrics]:
        if agents == 1:  # a batch of one matrix product is slower than the product
            lone = jax.tree.map(lambda x: x[0], agent)
            numbers = jax.tree.map(lambda x: x[0], hyper)
            return jax.tree.map(lambda x: x[None], one(lone, numbers, params))
        return jax.vmap(one, in_axes=(0, 0, None))(agent, hyper, params)

    def train(agent: Agent, hyper: HyperParams, params: EnvParams) -> tuple[Agent, Metrics]:
        def body(agent: Agent, _: None) -> tuple[Agent, Metrics]:
            return every(agent, hyper, params)

        with jax.default_matmul_precision(PRECISION[settings.precision]):
            return jax.lax.scan(body, agent, length=updates_per_call)

    return jax.jit(train, donate_argnums=0, out_shardings=None if places is None else (places, None))

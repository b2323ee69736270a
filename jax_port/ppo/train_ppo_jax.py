"""MaskablePPO end to end on the device: rollouts, updates and many of them in one compiled program.

Source: sb3-contrib's ``MaskablePPO.learn`` (2.9). Several agents, which may differ in seed and in
their learner's numbers, are trained side by side; each is what it would be alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

from foundation.errors import run_command
from jax_port.envs.form import Form
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams
from jax_port.ppo.fast.program import program_of
from jax_port.ppo.gae import gae
from jax_port.ppo.metrics import Metrics, summarize
from jax_port.ppo.minibatches import ONE_DEVICE, Layout, group_orders, in_turn
from jax_port.ppo.own.module import OwnModule
from jax_port.ppo.policy import Module, make_network
from jax_port.ppo.rollout import Rollout, RolloutState, init_rollout_state
from jax_port.ppo.settings import HyperParams, TrainSettings
from jax_port.ppo.update import LearnerState, StepRecord, init_learner_state

PRECISION = {"float32": "highest", "tf32": "default", "bf16": "default"}
"""JAX's name for how float32 matrix products are made."""


@struct.dataclass
class TrainState:
    """One learner with its environments: all that an update starts from.

    Attributes:
        learner: weights and Adam's moments.
        actor: environments and normalisers.
        key: PRNG key data, uint32 (2,).
        updates: int32 scalar, updates made.
    """

    learner: LearnerState
    actor: RolloutState
    key: jax.Array
    updates: jax.Array


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


def init_agent(seed: jax.Array, params: EnvParams, settings: TrainSettings) -> TrainState:
    """Return a fresh agent: weights drawn, environments reset.

    Args:
        seed: int32 scalar.
        params: of the environment.
        settings: sizes and network.
    """
    weights_key, reset_key, key = jax.random.split(jax.random.key(seed), 3)
    actions = phase_of(params).num_actions
    network: Module = make_network(settings.network, num_actions=actions)
    if settings.own is not None:
        network = OwnModule(settings.own, actions)
    weights = network.init(weights_key, jnp.zeros((1, params.obs_size), jnp.float32))
    return TrainState(
        learner=init_learner_state(weights),
        actor=init_rollout_state(reset_key, params, settings.n_envs),
        key=jax.random.key_data(key),
        updates=jnp.zeros((), jnp.int32),
    )


def init_agents(seeds: jax.Array, params: EnvParams, settings: TrainSettings) -> TrainState:
    """Return the agents of seeds (A,), leaves (A, ...), each as :func:`init_agent` makes it.

    One after another, not by ``vmap``: orthogonal weights take QR decompositions, and jaxlib's batched
    ones can wait for each other for ever on a CPU of two cores. Each lends its thread to wait for
    parts of its batch that wait for a thread.
    """
    agents: TrainState = jax.lax.map(lambda seed: init_agent(seed, params, settings), seeds)
    return agents


def update(
    agent: TrainState,
    hyper: HyperParams,
    params: EnvParams,
    settings: TrainSettings,
    layout: Layout = ONE_DEVICE,
    form: Form = "cpu",
) -> tuple[TrainState, Metrics]:
    """Collect one rollout and learn from it for several epochs.

    Args:
        agent: before.
        hyper: the learner's numbers, before any annealing.
        params: of the environment.
        settings: sizes; static.
        layout: over devices; static.
        form: of the program; static.
    """
    agent, metrics, _ = traced_update(agent, hyper, params, settings, layout, form)
    return agent, metrics


def traced_update(
    agent: TrainState,
    hyper: HyperParams,
    params: EnvParams,
    settings: TrainSettings,
    layout: Layout = ONE_DEVICE,
    form: Form = "cpu",
) -> tuple[TrainState, Metrics, Trace]:
    """Do what :func:`update` does, and also return all that happened on the way."""
    if params.market.prior is not None:
        form = "cpu"  # the GPU's form knows no prior; this one runs on a GPU too, slower
    program = program_of(form, settings, phase_of(params).num_actions, params.obs_size, layout)
    key = jax.random.fold_in(jax.random.wrap_key_data(agent.key), agent.updates)
    collect_key, order_key = jax.random.split(key)
    actor, rollout, last_values, ends = program.collect(
        agent.actor, collect_key, agent.learner.params, params, hyper.gamma
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
    orders = group_orders(order_key, settings)
    learner, records = program.learn(agent.learner, orders, rollout, advantages, returns, params, hyper)
    metrics = summarize(records, ends, rollout, returns, hyper)
    order = in_turn(orders, settings.batch_size)
    trace = Trace(rollout, last_values, advantages, returns, order, records)
    return TrainState(learner, actor, agent.key, agent.updates + 1), metrics, trace


def annealed(hyper: HyperParams, updates: jax.Array, settings: TrainSettings) -> HyperParams:
    """Return an update's numbers: with ``anneal``, learning rate and clip range fall to zero.

    The remaining progress is taken after the rollout, as SB3 takes it, so the first update is
    already below one. SB3's can fall below zero where the total is no multiple of the rollout; this
    one stops at zero.
    """
    if not settings.anneal:
        return hyper
    done = updates + 1
    # Rollouts left, in whole ones and a part: 1 - done/total would lose digits late in a run.
    whole, part = divmod(settings.total_timesteps, settings.rollout_size)
    rollouts = (whole - done).astype(jnp.float32) + part / settings.rollout_size
    left = jnp.maximum(rollouts * (settings.rollout_size / settings.total_timesteps), 0.0)
    return replace(hyper, learning_rate=hyper.learning_rate * left, clip_range=hyper.clip_range * left)


def make_train(
    settings: TrainSettings,
    updates_per_call: int,
    agents: int,
    layout: Layout = ONE_DEVICE,
    places: TrainState | None = None,
    form: Form | None = None,
) -> Callable[[TrainState, HyperParams, EnvParams], tuple[TrainState, Metrics]]:
    """Return the compiled program: several updates of several agents in one call.

    Args:
        settings: sizes and network.
        updates_per_call: K.
        agents: A, side by side.
        layout: of minibatches and buffers over devices.
        places: sharding of every leaf of the agents, where there are several devices.
        form: of the program; by default that of the parameters.

    Returns:
        A function (agents with leading axis A, hyperparameters likewise, environment parameters) ->
        (agents, metrics with leading axes (K, A)). The agents given are consumed.
    """

    def one(agent: TrainState, hyper: HyperParams, params: EnvParams) -> tuple[TrainState, Metrics]:
        return update(agent, hyper, params, settings, layout, form or params.form)

    def every(agent: TrainState, hyper: HyperParams, params: EnvParams) -> tuple[TrainState, Metrics]:
        if agents == 1:  # a batch of one matrix product is slower than the product
            lone = jax.tree.map(lambda x: x[0], agent)
            numbers = jax.tree.map(lambda x: x[0], hyper)
            return jax.tree.map(lambda x: x[None], one(lone, numbers, params))
        return jax.vmap(one, in_axes=(0, 0, None))(agent, hyper, params)

    def train(agent: TrainState, hyper: HyperParams, params: EnvParams) -> tuple[TrainState, Metrics]:
        def body(agent: TrainState, _: None) -> tuple[TrainState, Metrics]:
            return every(agent, hyper, params)

        with jax.default_matmul_precision(PRECISION[settings.precision]):
            return jax.lax.scan(body, agent, length=updates_per_call)

    return jax.jit(train, donate_argnums=0, out_shardings=None if places is None else (places, None))


def main() -> None:
    """Train a little and print the training steps per second; bad input exits with code 2."""
    from jax_port.ppo.fast.demonstration import show_training

    run_command(show_training)


if __name__ == "__main__":
    main()

"""How a form of the trainer's program collects a rollout and learns from it: chosen here, once."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from jax_port.envs.env_phase1_jax import NUM_ACTIONS
from jax_port.envs.state import EnvParams
from jax_port.ppo.fast import gpu_rollout, gpu_update
from jax_port.ppo.fast.cpu_gradients import cpu_gradients
from jax_port.ppo.fast.cpu_mlp import mlp, policy_layers, value_layers
from jax_port.ppo.fast.form import Form
from jax_port.ppo.fast.gpu_network import gpu_network
from jax_port.ppo.fast.microbatch import choices_alone
from jax_port.ppo.minibatches import ONE_DEVICE, Layout, gather_from
from jax_port.ppo.networks import Network, Params
from jax_port.ppo.own.module import OwnModule
from jax_port.ppo.policy import Module, make_network
from jax_port.ppo.rollout import EpisodeStats, Rollout, RolloutState, collect
from jax_port.ppo.settings import HyperParams, TrainSettings
from jax_port.ppo.update import LearnerState, StepRecord, run_epochs


class Collect(Protocol):
    """:func:`jax_port.ppo.rollout.collect`, in whatever way."""

    def __call__(
        self,
        state: RolloutState,
        key: jax.Array,
        weights: Params,
        params: EnvParams,
        gamma: jax.Array,
    ) -> tuple[RolloutState, Rollout, jax.Array, EpisodeStats]:
        """Step N environments T times."""


class Learn(Protocol):
    """:func:`jax_port.ppo.update.run_epochs` on a rollout, in whatever way."""

    def __call__(
        self,
        learner: LearnerState,
        orders: jax.Array,
        rollout: Rollout,
        advantages: jax.Array,
        returns: jax.Array,
        params: EnvParams,
        hyper: HyperParams,
    ) -> tuple[LearnerState, StepRecord]:
        """Take all minibatch steps of one update."""


class Program(NamedTuple):
    """The two halves of an update."""

    collect: Collect
    learn: Learn


def program_of(
    form: Form,
    settings: TrainSettings,
    num_actions: int,
    obs_size: int,
    layout: Layout = ONE_DEVICE,
) -> Program:
    """Return the halves of an update in a form.

    Args:
        form: which.
        settings: sizes, network and precision.
        num_actions, obs_size: of the environment.
        layout: of minibatches and buffers over devices.
    """
    make = _cpu_program if form == "cpu" else _gpu_program
    return make(settings, num_actions, obs_size, layout)


def _cpu_program(settings: TrainSettings, num_actions: int, obs_size: int, layout: Layout) -> Program:
    del obs_size
    network = network_of(settings, num_actions)
    # On several devices rows that are asked for would travel between them on every step.
    logits_of = choices_alone(network) if layout is ONE_DEVICE else None

    def collected(
        state: RolloutState, key: jax.Array, weights: Params, params: EnvParams, gamma: jax.Array
    ) -> tuple[RolloutState, Rollout, jax.Array, EpisodeStats]:
        steps, scaled = settings.n_steps, settings.norm_reward
        return collect(state, key, weights, network, params, steps, gamma, scaled, logits_of)

    def learn(
        learner: LearnerState,
        orders: jax.Array,
        rollout: Rollout,
        advantages: jax.Array,
        returns: jax.Array,
        params: EnvParams,
        hyper: HyperParams,
    ) -> tuple[LearnerState, StepRecord]:
        gather = gather_from(rollout, advantages, returns, params, layout)
        gradients, size = cpu_gradients(network), settings.batch_size
        return run_epochs(learner, orders, gather, size, gradients, hyper, settings.layer_lr)

    return Program(collected, learn)


def _gpu_program(settings: TrainSettings, num_actions: int, obs_size: int, layout: Layout) -> Program:
    network = gpu_network(settings, num_actions, obs_size)

    def collected(
        state: RolloutState, key: jax.Array, weights: Params, params: EnvParams, gamma: jax.Array
    ) -> tuple[RolloutState, Rollout, jax.Array, EpisodeStats]:
        packed, steps, scaled = network.pack(weights), settings.n_steps, settings.norm_reward
        return gpu_rollout.collect(state, key, packed, network, params, steps, gamma, scaled)

    def learn(
        learner: LearnerState,
        orders: jax.Array,
        rollout: Rollout,
        advantages: jax.Array,
        returns: jax.Array,
        params: EnvParams,
        hyper: HyperParams,
    ) -> tuple[LearnerState, StepRecord]:
        return gpu_update.run_epochs(
            learner,
            orders,
            rollout,
            advantages,
            returns,
            params,
            settings.batch_size,
            network,
            hyper,
            settings.layer_lr,
            layout.whole,
            layout.split,
        )

    return Program(collected, learn)


def network_of(settings: TrainSettings, num_actions: int = NUM_ACTIONS) -> Network:
    """Return the policy and the value as functions of (weights, obs), as the CPU's form has them.

    In float32 they are :func:`jax_port.ppo.fast.cpu_mlp.mlp`'s, which differ from flax's own in
    rounding.
    """
    spec = settings.network
    if settings.own is None and settings.precision == "float32":
        return Network(
            policy=lambda w, obs: mlp(policy_layers(w, spec), obs, spec.activation),
            value=lambda w, obs: mlp(value_layers(w, spec), obs, spec.activation)[..., 0],
        )
    dtype = jnp.bfloat16 if settings.precision == "bf16" else None
    network: Module = make_network(spec, dtype, num_actions)
    if settings.own is not None:
        network = OwnModule(settings.own, num_actions)

    def policy(weights: Any, obs: jax.Array) -> jax.Array:
        logits: Any = network.apply(weights, obs, part="policy")
        return logits

    def value(weights: Any, obs: jax.Array) -> jax.Array:
        values: Any = network.apply(weights, obs, part="value")
        return values

    return Network(policy, value)

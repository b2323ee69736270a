"""How a form of the trainer's program collects a rollout and learns from it: chosen here, once."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jax_port.envs.env_phase1_jax import NUM_ACTIONS
from jax_port.envs.form import Form
from jax_port.envs.state import EnvParams
from jax_port.ppo.fast import gpu_rollout, gpu_update
from jax_port.ppo.fast.cpu_gradients import cpu_gradients
from jax_port.ppo.fast.cpu_mlp import mlp, policy_layers, value_layers
from jax_port.ppo.fast.gpu_network import gpu_network
from jax_port.ppo.fast.microbatch import choices_alone
from jax_port.ppo.fast.scale_out import AXIS, BY_ENVIRONMENT, EVERYWHERE, on_each_device
from jax_port.ppo.minibatches import ONE_DEVICE, Layout, gather_from, in_turn
from jax_port.ppo.networks import Network, Params
from jax_port.ppo.own.module import OwnModule
from jax_port.ppo.policy import functions_of, make_network
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
    """:func:`jax_port.ppo.update.run_epochs` on a rollout, in whatever way.

    Orders are those of :func:`jax_port.ppo.minibatches.group_orders`.
    """

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


class Shares(NamedTuple):
    """How minibatches are shared by devices.

    Attributes:
        mesh: devices that learn each from its own transitions; None where none are divided so.
        axis: along which they then sum.
        batch_size: transitions of a full minibatch that a device has.
        layout: of all else.
    """

    mesh: Mesh | None
    axis: str | None
    batch_size: int
    layout: Layout

    def learn(self, learn: Learn) -> Learn:
        """Return the learning half of an update for all devices, from that of one."""
        split, whole = BY_ENVIRONMENT, EVERYWHERE
        transitions = tuple(whole if name == "scales" else split for name in Rollout._fields)
        given = (whole, split, Rollout._make(transitions), split, split, whole, whole)
        return on_each_device(learn, self.mesh, given, whole)


def shares_of(settings: TrainSettings, layout: Layout) -> Shares:
    """Return how devices share the minibatches of these settings; none does for one order of all."""
    if layout.mesh is None or settings.order_groups == 1:
        return Shares(None, None, settings.batch_size, layout)
    return Shares(layout.mesh, AXIS, settings.batch_size // layout.mesh.size, ONE_DEVICE)


def _cpu_program(settings: TrainSettings, num_actions: int, obs_size: int, layout: Layout) -> Program:
    del obs_size
    network, shares = network_of(settings, num_actions), shares_of(settings, layout)
    # On several devices rows that are asked for would travel between them on every step.
    logits_of = choices_alone(network) if layout is ONE_DEVICE else None

    def collected(
        state: RolloutState, key: jax.Array, weights: Params, params: EnvParams, gamma: jax.Array
    ) -> tuple[RolloutState, Rollout, jax.Array, EpisodeStats]:
        steps, scaled = settings.n_steps, settings.norm_reward
        return collect(
            state, key, weights, network, params, steps, gamma, scaled, logits_of, shares.mesh
        )

    def learn(
        learner: LearnerState,
        orders: jax.Array,
        rollout: Rollout,
        advantages: jax.Array,
        returns: jax.Array,
        params: EnvParams,
        hyper: HyperParams,
    ) -> tuple[LearnerState, StepRecord]:
        size, axis = shares.batch_size, shares.axis
        gather = gather_from(rollout, advantages, returns, params, shares.layout)
        gradients, order = cpu_gradients(network, axis), in_turn(orders, size)
        return run_epochs(learner, order, gather, size, gradients, hyper, settings.layer_lr, axis)

    return Program(collected, shares.learn(learn))


def _gpu_program(settings: TrainSettings, num_actions: int, obs_size: int, layout: Layout) -> Program:
    network, shares = gpu_network(settings, num_actions, obs_size), shares_of(settings, layout)

    def collected(
        state: RolloutState, key: jax.Array, weights: Params, params: EnvParams, gamma: jax.Array
    ) -> tuple[RolloutState, Rollout, jax.Array, EpisodeStats]:
        packed, steps, scaled = network.pack(weights), settings.n_steps, settings.norm_reward
        return gpu_rollout.collect(
            state, key, packed, network, params, steps, gamma, scaled, shares.mesh
        )

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
            in_turn(orders, shares.batch_size),
            rollout,
            advantages,
            returns,
            params,
            shares.batch_size,
            network,
            hyper,
            settings.layer_lr,
            shares.layout,
            shares.axis,
        )

    return Program(collected, shares.learn(learn))


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
    if settings.own is not None:
        return functions_of(OwnModule(settings.own, num_actions))
    return functions_of(make_network(spec, dtype, num_actions))

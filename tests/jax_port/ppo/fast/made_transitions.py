"""Transitions of random numbers, and what either form of the update learns from them."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.env_phase1_jax import make_params
from jax_port.envs.state import EnvParams
from jax_port.ppo.fast import gpu_update
from jax_port.ppo.fast.cpu_gradients import cpu_gradients
from jax_port.ppo.fast.gpu_network import gpu_network
from jax_port.ppo.fast.program import network_of
from jax_port.ppo.minibatches import ONE_DEVICE, gather_from, group_orders, in_turn
from jax_port.ppo.optimizer.layer_lr import LayerLearningRates
from jax_port.ppo.policy import make_network
from jax_port.ppo.rollout import Rollout
from jax_port.ppo.running_statistics import Scale
from jax_port.ppo.settings import TrainSettings, hyper_params
from jax_port.ppo.update import init_learner_state, run_epochs
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

CONFIG = EnvConfig.phase1()
SETTINGS = TrainSettings(
    n_envs=16, n_steps=8, batch_size=32, n_epochs=1, order_groups=8, total_timesteps=512
).override(pi=(8,), vf=(8,))
QUICK = {"xla_backend_optimization_level": 0}
"""Soon compiled."""


def make_world() -> EnvParams:
    """The environment that the transitions are of."""
    return make_params(stack([prepare(synthetic_bars("ES", days=3, seed=0), CONFIG)]), CONFIG)


class Given(NamedTuple):
    """What is learnt from."""

    rollout: Rollout
    advantages: jax.Array
    returns: jax.Array
    orders: jax.Array


def made_up(params: EnvParams) -> Given:
    """Transitions of random numbers; ratios, values and gradients clip."""
    keys = iter(jax.random.split(jax.random.key(5), 12))
    shape, features = (SETTINGS.n_steps, SETTINGS.n_envs), 5

    def normal(*more: int) -> jax.Array:
        return jax.random.normal(next(keys), (*shape, *more))

    free = jax.random.uniform(next(keys), shape) < 0.5
    return Given(
        Rollout(
            step_idx=jax.random.randint(next(keys), shape, 100, 300),
            position=normal(features),
            masks=jnp.stack([jnp.ones(shape, bool), free, free], axis=-1),
            actions=jnp.where(free, jax.random.randint(next(keys), shape, 0, 3), 0).astype(jnp.int8),
            log_probs=jnp.where(free, -1.1 + 0.3 * normal(), 0.0),
            values=normal(),
            rewards=normal(),
            episode_starts=jnp.zeros(shape, bool),
            scales=Scale(*(jnp.ones((shape[0], params.obs_size)) * x for x in (0.1, 0.0, 0.01))),
        ),
        normal() + 0.3,
        normal(),
        group_orders(next(keys), SETTINGS),
    )


def learnt(
    form: str,
    params: EnvParams,
    given: Given,
    batch_size: int,
    axis: str | None = None,
    rates: LayerLearningRates = (),
) -> Any:
    """Return the weights and terms after an update on one device, or on one of several."""
    module = make_network(SETTINGS.network)
    weights = module.init(jax.random.key(1), jnp.zeros((1, params.obs_size)))
    learner, hyper = init_learner_state(weights), hyper_params(clip_range_vf=0.2)
    order = in_turn(given.orders, batch_size)
    transitions = (given.rollout, given.advantages, given.returns, params)
    if form == "gpu":
        network = gpu_network(SETTINGS, 3, params.obs_size)
        state, records = gpu_update.run_epochs(
            learner, order, *transitions, batch_size, network, hyper, rates, axis=axis
        )
    else:
        gather = gather_from(*transitions, ONE_DEVICE)
        gradients = cpu_gradients(network_of(SETTINGS), axis)
        state, records = run_epochs(learner, order, gather, batch_size, gradients, hyper, rates, axis)
    return state.params, records.terms

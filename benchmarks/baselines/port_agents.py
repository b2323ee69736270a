"""Agents of the port's trainer: their hyperparameters, their first state, and one agent's policy."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_port.envs.state import EnvParams
from jax_port.ppo.policy import Policy
from jax_port.ppo.settings import RATES, NetworkSpec, TrainSettings
from jax_port.ppo.train_ppo_jax import TrainState, init_agents
from jax_port.ppo.update import HyperParams, hyper_params
from markets import EnvConfig


def agents_hyper(settings: TrainSettings, agents: int) -> HyperParams:
    """Return the settings' hyperparameters for several agents, leaves (A,)."""
    one = hyper_params(**{name: getattr(settings, name) for name in RATES})
    hyper: HyperParams = jax.tree.map(lambda x: jnp.broadcast_to(x, (agents,)), one)
    return hyper


def fresh_agents(params: EnvParams, settings: TrainSettings, count: int, seed: int = 0) -> TrainState:
    """Return agents with leaves (A, ...), of the seeds ``seed`` to ``seed`` + A - 1."""
    seeds = jnp.arange(seed, seed + count, dtype=jnp.int32)
    agents: TrainState = jax.jit(init_agents, static_argnums=2)(seeds, params, settings)
    return agents


def policy_of(agent: TrainState, number: int, config: EnvConfig, spec: NetworkSpec) -> Policy:
    """Return one agent's policy, on the host."""
    one: TrainState = jax.tree.map(lambda x: np.asarray(x[number]), agent)
    moments: Any = one.actor.moments  # on the host by now
    return Policy(
        spec=spec,
        params=one.learner.params,
        statistics={"mean": moments.mean, "var": moments.var, "count": moments.count},
        config=config,
    )

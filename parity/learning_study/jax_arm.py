"""The port's arm: the very program that ``rltrader train`` compiles, one update a call."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jax_port.data import data_loader
from jax_port.envs.env_phase1_jax import EnvParams, make_params
from jax_port.ppo.settings import RATES, TrainSettings
from jax_port.ppo.train_ppo_jax import Agent, init_agents, make_train
from jax_port.ppo.update import HyperParams, hyper_params
from parity.learning_study.design import PER_STEPS, Design


def learning_curve(design: Design, seed: int) -> NDArray[np.float64]:
    """Train one agent and return its learning curve, float64 (updates,).

    Args:
        design: of the study.
        seed: of weights, sampling and environments.
    """
    settings, params = design.settings, environment(design)
    fresh, train = _programs(settings)
    agent: Agent = fresh(jnp.array([seed], jnp.int32), params)
    hyper = _hyper(design)
    earned = []
    open_before = _open_rewards(agent)
    for _ in range(settings.num_updates):
        agent, metrics = train(agent, hyper, params)
        # What ended episodes brought, and how much more the running ones hold than before.
        open_after = _open_rewards(agent)
        earned.append(float(np.sum(metrics.ends.reward)) + open_after - open_before)
        open_before = open_after
    return np.array(earned) * (PER_STEPS / settings.rollout_size)


def _open_rewards(agent: Agent) -> float:
    return float(np.sum(np.asarray(agent.actor.episode_reward), dtype=np.float64))


@lru_cache(maxsize=1)
def environment(design: Design) -> EnvParams:
    """Return the study's environment on the device."""
    market = data_loader.prepare(design.bars(), design.config)
    return make_params(data_loader.stack([market]), design.config)


@lru_cache(maxsize=1)
def _programs(settings: TrainSettings) -> tuple[Any, Any]:
    def fresh(seeds: jax.Array, params: EnvParams) -> Agent:
        return init_agents(seeds, params, settings)

    return jax.jit(fresh), make_train(settings, updates_per_call=1, agents=1)


def _hyper(design: Design) -> HyperParams:
    numbers = hyper_params(**{name: getattr(design.settings, name) for name in RATES})
    return jax.tree.map(lambda x: x[None], numbers)

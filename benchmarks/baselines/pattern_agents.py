"""Agents trained and judged on the market with the planted pattern; shared by the studies there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.env_phase1_jax import EnvParams
from jax_port.envs.registry import phase_of
from jax_port.evaluation.episodes import play
from jax_port.ppo.policy import Policy
from jax_port.ppo.settings import RATES, NetworkSpec, TrainSettings
from jax_port.ppo.train_ppo_jax import Agent, init_agents, make_train
from jax_port.ppo.update import hyper_params
from markets import Bars, EnvConfig
from markets.synthetic.pattern import pattern_bars

SETTINGS = TrainSettings(
    n_envs=64,
    n_steps=128,
    batch_size=1024,
    n_epochs=4,
    learning_rate=1e-3,
    total_timesteps=1_000_000,
    network=NetworkSpec((64, 64), (64, 64)),
)
TRAINED_ON, JUDGED_ON = 1, 99
"""Seeds of the bars."""

Tell = Callable[[int, Agent], None]
"""(updates made, agents with leaves (A, ...)) -> nothing."""


@dataclass(frozen=True)
class Unseen:
    """Bars that no agent was trained on, and starts among them.

    Attributes:
        config: rules.
        bars: before the session is applied.
        params: of the environment on them.
        starts: int64 (S,), numbers of starts, the same for every agent.
    """

    config: EnvConfig
    bars: Bars
    params: EnvParams
    starts: NDArray[np.int64]


def make_params(config: EnvConfig, days: int, strength: float) -> EnvParams:
    """Return the environment that agents are trained in."""
    bars = pattern_bars("ES", days=days, seed=TRAINED_ON, strength=strength)
    return phase_of(config).make_params(stack([prepare(bars, config)]), config)


def make_unseen(config: EnvConfig, days: int, strength: float, starts: int) -> Unseen:
    """Return what agents are judged on: a quarter of the days, of another seed, and some starts."""
    bars = pattern_bars("ES", days=max(days // 4, 4), seed=JUDGED_ON, strength=strength)
    market = prepare(bars, config)
    params = phase_of(config).make_params(stack([market]), config)
    chosen = np.random.default_rng(0).choice(len(market.starts), min(starts, len(market.starts)))
    return Unseen(config, bars, params, np.sort(chosen).astype(np.int64))


def fresh_agents(params: EnvParams, settings: TrainSettings, count: int) -> Agent:
    """Return agents with leaves (A, ...), of the seeds 0 to A - 1."""
    seeds = jnp.arange(count, dtype=jnp.int32)
    agents: Agent = jax.jit(init_agents, static_argnums=2)(seeds, params, settings)
    return agents


def train(
    agent: Agent, params: EnvParams, settings: TrainSettings, updates: int, tell: Tell | None = None
) -> tuple[Agent, NDArray[np.float64], float]:
    """Make updates of all agents at once.

    Args:
        agent: leaves (A, ...); its buffers are given away.
        params: of the environment.
        settings: shared by all.
        updates: how many.
        tell: told after every update.

    Returns:
        The agents after, the mean PnL of the episodes that ended in each update in dollars
        (updates, A), and seconds without compilation.
    """
    count = agent.updates.shape[0]
    one = hyper_params(**{name: getattr(settings, name) for name in RATES})
    hyper = jax.tree.map(lambda x: jnp.broadcast_to(x, (count,)), one)
    program = make_train(settings, 1, count)
    curve, began = [], time.perf_counter()
    for number in range(updates):
        agent, metrics = program(agent, hyper, params)
        ends = metrics.ends
        curve.append(np.asarray(ends.pnl / jnp.maximum(ends.episodes, 1).astype(jnp.float32))[0] / 100)
        if number == 0:
            began = time.perf_counter()
        if tell:
            tell(number + 1, agent)
    return agent, np.array(curve, np.float64), time.perf_counter() - began


def policy_of(agent: Agent, number: int, config: EnvConfig, spec: NetworkSpec) -> Policy:
    """Return one agent's policy, on the host."""
    one: Agent = jax.tree.map(lambda x: np.asarray(x[number]), agent)
    moments: Any = one.actor.moments  # on the host by now
    return Policy(
        spec=spec,
        params=one.learner.params,
        statistics={"mean": moments.mean, "var": moments.var, "count": moments.count},
        config=config,
    )


def judge(policy: Policy, unseen: Unseen) -> float:
    """Return the mean PnL of a policy's episodes in dollars, likeliest actions."""
    parts: list[Any] = [episodes.pnl for episodes, _ in play(policy, unseen.params, unseen.starts, 0)]
    return float(np.mean(np.concatenate(parts))) / 100

"""Training and judging of the port's agents on the synthetic market with a planted pattern."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from benchmarks.baselines.port_agents import agents_hyper
from jax_port.data.data_loader import prepare, stack
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams
from jax_port.evaluation.episodes import play
from jax_port.ppo.policy import Policy
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from jax_port.ppo.train_ppo_jax import TrainState, make_train
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

OnUpdate = Callable[[int, TrainState], None]
"""(updates made, agents with leaves (A, ...)) -> nothing."""


@dataclass(frozen=True)
class HeldOutMarket:
    """Market that no agent was trained on, and starts of the episodes that policies are judged by.

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


def make_held_out(config: EnvConfig, days: int, strength: float, starts: int) -> HeldOutMarket:
    """Return what agents are judged on: a quarter of the days, of another seed, and some starts."""
    bars = pattern_bars("ES", days=max(days // 4, 4), seed=JUDGED_ON, strength=strength)
    market = prepare(bars, config)
    params = phase_of(config).make_params(stack([market]), config)
    some_starts = np.random.default_rng(0).choice(len(market.starts), min(starts, len(market.starts)))
    return HeldOutMarket(config, bars, params, np.sort(some_starts).astype(np.int64))


def train(
    agent: TrainState,
    params: EnvParams,
    settings: TrainSettings,
    updates: int,
    on_update: OnUpdate | None = None,
) -> tuple[TrainState, NDArray[np.float64], float]:
    """Make updates of all agents at once.

    Args:
        agent: leaves (A, ...); its buffers are given away.
        params: of the environment.
        settings: shared by all.
        updates: how many.
        on_update: called after every update.

    Returns:
        The agents after, the mean PnL of the episodes that ended in each update in dollars
        (updates, A), and seconds without compilation.
    """
    count = agent.updates.shape[0]
    hyper = agents_hyper(settings, count)
    program = make_train(settings, 1, count)
    curve, began = [], time.perf_counter()
    for number in range(updates):
        agent, metrics = program(agent, hyper, params)
        ends = metrics.ends
        curve.append(np.asarray(ends.pnl / jnp.maximum(ends.episodes, 1).astype(jnp.float32))[0] / 100)
        if number == 0:
            began = time.perf_counter()
        if on_update:
            on_update(number + 1, agent)
    return agent, np.array(curve, np.float64), time.perf_counter() - began


def policy_return(policy: Policy, held_out: HeldOutMarket) -> float:
    """Return the mean PnL of a policy's episodes in dollars, likeliest actions."""
    parts: list[Any] = [
        episodes.pnl for episodes, *_ in play(policy, held_out.params, held_out.starts, 0)
    ]
    return float(np.mean(np.concatenate(parts))) / 100

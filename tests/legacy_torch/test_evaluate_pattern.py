"""The pattern market traded in the reference: its edge is there, and only for who sees the signal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from legacy_torch.env_phase1 import BUY, HOLD, TradingEnvPhase1
from legacy_torch.evaluate import first_of_each_day
from markets import EnvConfig
from markets.synthetic.pattern import oracle_signals, pattern_bars

Policy = Callable[[TradingEnvPhase1], int]
NEVER = 0.39  # 390 bars of a patience reward of 0.001


def oracle(env: TradingEnvPhase1) -> int:
    if env.position != 0:
        return HOLD
    # A window of bars and the present one, on which the rule does not look.
    return int(oracle_signals(env.bars.select(slice(env.step_idx - 20, env.step_idx + 1)))[-1])


def long(env: TradingEnvPhase1) -> int:
    return BUY if env.position == 0 else HOLD


def play(env: TradingEnvPhase1, policy: Policy) -> tuple[float, float]:
    """Return mean PnL in dollars and mean reward of an episode from each day's first start."""
    results = []
    for start in first_of_each_day(env):
        env.reset(options={"start_index": start})
        total, done = 0.0, False
        while not done:
            _, reward, terminated, truncated, _ = env.step(policy(env))
            total += reward
            done = terminated or truncated
        results.append((env.total_pnl, total))
    pnl, reward = np.mean(results, axis=0).tolist()
    return pnl, reward


@pytest.mark.costly
def test_with_an_edge_the_oracle_earns_and_always_long_pays() -> None:
    env = TradingEnvPhase1(pattern_bars("ES", days=9, seed=2), EnvConfig.phase1())
    oracle_pnl, oracle_reward = play(env, oracle)
    long_pnl, long_reward = play(env, long)
    never_pnl, never_reward = play(env, lambda _: HOLD)
    assert never_pnl == 0
    assert never_reward == pytest.approx(NEVER)
    assert oracle_pnl > 600
    assert oracle_reward > 6
    assert long_pnl < 0
    assert long_reward < 0


@pytest.mark.costly
def test_without_an_edge_the_oracle_loses() -> None:
    env = TradingEnvPhase1(pattern_bars("ES", days=13, seed=2, strength=0.0), EnvConfig.phase1())
    pnl, reward = play(env, oracle)
    assert pnl < 0
    assert reward < NEVER

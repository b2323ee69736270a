"""A policy on a week of small episodes, with its baselines, for the tests of this room."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from jax_port.data.data_loader import PreparedMarket, prepare
from jax_port.evaluation.evaluate import Evaluation, evaluate
from jax_port.evaluation.sheet.baselines import Baseline, play_baselines
from jax_port.ppo.policy import Policy
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from tests.drawings import drawings
from tests.jax_port.made_policy import make_policy

__all__ = ["drawings", "week"]


@dataclass(frozen=True)
class Week:
    """A policy, its bars, and what it and the baselines did on them."""

    policy: Policy
    market: PreparedMarket
    result: Evaluation
    baselines: list[Baseline]


@pytest.fixture(scope="package")
def week() -> Week:
    config = EnvConfig.phase1(max_episode_bars=60)
    market = prepare(synthetic_bars("ES", days=7, seed=5, start="2025-01-28"), config)
    policy = make_policy(market, config, seed=1)
    result = evaluate(policy, market, rows=market.starts[::50])
    return Week(policy, market, result, play_baselines(policy, market, result, traders=3))

"""An environment of the project stands for its bars and its rules; others are refused in a sentence."""

from __future__ import annotations

from typing import Any

import gymnasium
import jax
import numpy as np
import pytest

from jax_port import TradingPhase1, TradingPhase2
from jax_port.envs.gymnax_api import FiveValueStep
from legacy_torch.env_phase1 import TradingEnvPhase1
from markets import Bars, EnvConfig
from markets.synthetic.bars import synthetic_bars
from rltrader import MaskablePPO
from rltrader.python.environment import bars_and_rules
from tests.sentences import refuses

SHORT = EnvConfig.phase1().override(max_episode_bars=120)
PHASE_2 = EnvConfig.phase2().override(max_episode_bars=120)
SMALL: dict[str, Any] = {"n_envs": 4, "n_steps": 8, "batch_size": 32, "n_epochs": 1, "pi": (8,)}


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic_bars("ES", days=3, seed=0)


def made(bars: Bars) -> dict[str, Any]:
    """Return every kind of environment that may be given, all of the same bars."""
    return {
        "class": TradingEnvPhase1(bars, SHORT),
        "gym.make": gymnasium.make("legacy_torch:RLTrader-Phase1-v0", bars=bars, config=SHORT),
        "phase 2": gymnasium.make("legacy_torch:RLTrader-Phase2-v0", bars=bars, config=PHASE_2),
        "gymnax": TradingPhase1.from_bars(bars, SHORT),
        "five values": FiveValueStep(TradingPhase1.from_bars([bars], SHORT)),
    }


def test_an_environment_brings_its_bars_and_rules(bars: Bars) -> None:
    for name, env in made(bars).items():
        (found,), rules = bars_and_rules(env)
        assert rules == (PHASE_2 if name == "phase 2" else SHORT), name
        assert found.session(SHORT.session).digest == bars.session(SHORT.session).digest, name
        assert MaskablePPO(env).config == rules, name
    assert bars_and_rules([bars, bars]) == ((bars, bars), None)


@pytest.mark.costly
def test_an_agent_of_an_environment_learns_what_one_of_its_bars_does(bars: Bars) -> None:
    env = gymnasium.make("legacy_torch:RLTrader-Phase1-v0", bars=bars, config=SHORT)
    one, other = (
        MaskablePPO(given, config=config, ungated=True, **SMALL).learn(32)
        for given, config in ((env, None), (bars, SHORT))
    )
    assert one.policy is not None
    assert other.policy is not None
    assert jax.tree.all(jax.tree.map(np.array_equal, one.policy.params, other.policy.params))


def test_an_environment_without_bars_or_with_other_rules_is_refused(bars: Bars) -> None:
    env = TradingPhase2.from_bars(bars, PHASE_2)
    bare = TradingPhase2(env.default_params)
    with refuses():
        MaskablePPO(bare)
    with refuses():
        MaskablePPO(env, config=SHORT)
    with refuses():
        MaskablePPO(TradingEnvPhase1(bars, SHORT), phase=2)
    with refuses():
        TradingPhase2.from_bars(bars, SHORT)

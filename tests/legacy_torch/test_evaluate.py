"""The reference's evaluation by the minute and by the second, with an untrained policy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from legacy_torch.env_phase1 import TradingEnvPhase1
from legacy_torch.env_phase2 import TradingEnvPhase2
from legacy_torch.evaluate import evaluate, evaluate_both, first_of_each_day, make_environment
from legacy_torch.seconds import SecondsPhase1, SecondsPhase2
from legacy_torch.train import TrainConfig, make_model
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars
from tests.sentences import refuses

BARS = synthetic_bars("ES", days=3, seed=11)
SECONDS = second_bars(BARS, seed=1)
CONFIGS = {
    1: EnvConfig.phase1(max_episode_bars=75, trailing_drawdown_dollars=400.0),
    2: EnvConfig.phase2(max_episode_bars=75, trailing_drawdown_dollars=400.0),
}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Keep networks this small off the other cores: their threads wait longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def model_of(phase):
    """Return a policy with seeded weights, and a normaliser that has seen 200 steps of chance."""
    torch.manual_seed(0)
    env = VecNormalize(DummyVecEnv([lambda: make_environment(BARS, CONFIGS[phase])]))
    model = make_model(env, TrainConfig(n_envs=1, n_steps=64, batch_size=32, seed=5))
    env.seed(3)
    env.reset()
    rng = np.random.default_rng(0)
    for _ in range(200):
        env.step(rng.integers(0, env.action_space.n, 1))
    env.training = False
    return model, env


@pytest.mark.costly
@pytest.mark.parametrize("phase", [1, 2])
def test_both_verdicts_differ_where_a_second_breaks_the_floor(phase):
    config = CONFIGS[phase]
    model, normalizer = model_of(phase)
    starts = make_environment(BARS, config).valid_starts[::40]
    both = evaluate_both(model, BARS, SECONDS, config, normalizer, starts)
    minute, second = both.minute.episodes, both.second.episodes
    assert minute["start"].tolist() == second["start"].tolist() == starts.tolist()
    other = both.differing
    assert 0 < len(other) < len(starts)
    assert (second["done_reason"].iloc[other] == 1).all()
    assert (second["steps"] <= minute["steps"]).all()
    same = np.setdiff1d(np.arange(len(starts)), other)
    for number in same:
        assert len(both.minute.equity[number]) == len(both.second.equity[number])
    assert both.difference == pytest.approx(both.second.total_pnl - both.minute.total_pnl)
    broken = both.second.trades["exit_code"] == 4
    assert broken.sum() > (both.minute.trades["exit_code"] == 4).sum()


def test_the_environment_is_that_of_phase_and_resolution():
    kinds = {
        (phase, seconds is not None): type(make_environment(BARS, CONFIGS[phase], seconds))
        for phase in (1, 2)
        for seconds in (None, SECONDS)
    }
    assert kinds == {
        (1, False): TradingEnvPhase1,
        (1, True): SecondsPhase1,
        (2, False): TradingEnvPhase2,
        (2, True): SecondsPhase2,
    }


def test_minutes_are_no_seconds():
    model, normalizer = model_of(1)
    with refuses():
        evaluate(model, BARS, CONFIGS[1], normalizer, seconds=BARS)


def test_by_default_it_starts_once_a_day():
    model, normalizer = model_of(1)
    found = evaluate(model, BARS, CONFIGS[1], normalizer, seconds=SECONDS)
    env = make_environment(BARS, CONFIGS[1])
    assert found.episodes["start"].tolist() == first_of_each_day(env).tolist()

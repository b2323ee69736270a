"""The reference's evaluation by the minute and by the second, with an untrained policy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from legacy_torch.env_phase1 import TradingEnvPhase1
from legacy_torch.env_phase2 import TradingEnvPhase2
from legacy_torch.evaluate import (
    TRADE_COLUMNS,
    EvaluationResult,
    Verdicts,
    evaluate,
    evaluate_both,
    first_of_each_day,
    make_environment,
)
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


class Acts:
    """Stands in for a model: takes allowed actions of chance, and keeps what it was asked and did."""

    def __init__(self):
        self.rng, self.asked, self.taken = np.random.default_rng(4), [], []

    def predict(self, obs, action_masks, deterministic):
        """Return an allowed action."""
        self.asked.append((obs, action_masks, deterministic))
        self.taken.append(int(self.rng.choice(np.flatnonzero(action_masks))))
        return np.array(self.taken[-1]), None


class Doubles:
    """Stands in for a normaliser."""

    @staticmethod
    def normalize_obs(obs):
        """Return twice the observation."""
        return 2 * obs


@pytest.mark.parametrize("normalizer", [None, Doubles()], ids=["plain", "normalised"])
@pytest.mark.parametrize("deterministic", [True, False])
def test_what_is_told_of_episodes_is_what_the_environment_did(normalizer, deterministic):
    env, model = make_environment(BARS, CONFIGS[2]), Acts()
    starts = env.valid_starts[[3, 0, 90]]
    found = evaluate(model, BARS, CONFIGS[2], normalizer, starts, deterministic=deterministic)
    at, trades = 0, []
    for number, start in enumerate(starts):
        obs, info = env.reset(options={"start_index": start})
        curve, rewards, done = [info["equity"]], [], False
        while not done:
            seen, masks, sure = model.asked[at]
            np.testing.assert_array_equal(seen, obs if normalizer is None else 2 * obs)
            np.testing.assert_array_equal(masks, env.action_masks())
            assert sure is deterministic
            obs, reward, terminated, truncated, info = env.step(model.taken[at])
            done, at = terminated or truncated, at + 1
            curve.append(info["equity"])
            rewards.append(reward)
        assert found.episodes.iloc[number].to_dict() == {
            "start": start,
            "start_time": BARS.frame.index[start],
            "steps": len(rewards),
            "total_pnl": env.total_pnl,
            "balance": env.balance,
            "reward": sum(rewards),
            "done_reason": info["done_reason"],
        }
        assert found.equity[number].tolist() == curve
        trades += [{"episode": number, **trade} for trade in env.trade_history]
    assert at == len(model.taken)
    assert len(found.episodes) == len(found.equity) == 3
    assert len({trade["episode"] for trade in trades}) > 1
    assert found.trades.to_dict("records") == trades
    assert found.trades.columns.tolist() == list(TRADE_COLUMNS)


class Follows:
    """Stands in for a model: an allowed action that the observation alone decides."""

    def __init__(self):
        self.sure = []

    def predict(self, obs, action_masks, deterministic):
        """Return the same allowed action for the same observation."""
        self.sure.append(deterministic)
        allowed = np.flatnonzero(action_masks)
        return allowed[int(np.abs(obs).sum(dtype=np.float64)) % len(allowed)], None


def test_both_verdicts_are_of_the_same_policy_starts_and_normaliser():
    config, model = CONFIGS[2], Follows()
    starts = make_environment(BARS, config).valid_starts[[90, 3]]
    both = evaluate_both(model, BARS, SECONDS, config, Doubles(), starts)
    assert set(model.sure) == {True}
    for found, seconds in ((both.minute, None), (both.second, SECONDS)):
        alone = evaluate(model, BARS, config, Doubles(), starts, seconds=seconds)
        assert found.episodes["start"].tolist() == starts.tolist()
        pd.testing.assert_frame_equal(found.episodes, alone.episodes)
        pd.testing.assert_frame_equal(found.trades, alone.trades)
        assert [one.tolist() for one in found.equity] == [one.tolist() for one in alone.equity]
    assert both.minute.trades["exit_code"].tolist() != both.second.trades["exit_code"].tolist()


def result_of(*pnl, reasons=(4, 4), steps=(60, 60), made=(0.1, 0.2)):
    episodes = pd.DataFrame({"done_reason": reasons, "steps": steps, "total_pnl": made})
    return EvaluationResult(episodes, pd.DataFrame({"pnl": pnl}), [])


def test_a_win_is_a_profit_and_money_is_of_whole_cents():
    assert result_of(5.0, 0.0, -5.0, 0.01).win_rate == 0.5
    assert np.isnan(result_of().win_rate)
    assert result_of().total_pnl == 0.3  # in floats 0.1 + 0.2 is more
    assert Verdicts(result_of(made=(0.3, 0.0)), result_of(made=(0.1, 0.0))).difference == -0.2


@pytest.mark.parametrize("place", [0, 1])
def test_episodes_differ_by_their_end_their_length_or_their_money(place):
    other = {"reasons": [4, 4], "steps": [60, 60], "made": [0.1, 0.2]}
    assert Verdicts(result_of(), result_of(**other)).differing.tolist() == []
    for name, value in (("reasons", 1), ("steps", 59), ("made", 0.11)):
        changed = {**other, name: [*other[name]]}
        changed[name][place] = value
        assert Verdicts(result_of(), result_of(**changed)).differing.tolist() == [place]


def test_days_are_new_yorks_around_the_clock():
    bars = synthetic_bars("ES", days=3, seed=2, session="all")
    config = EnvConfig.phase1(
        max_episode_bars=60, session="all", entry_open_minute=0, entry_close_minute=1439,
        flat_by_minute=1439,
    )  # fmt: skip
    env = make_environment(bars, config)
    seen, expected = set(), []
    for start in env.valid_starts:
        day = env.df.index[start].tz_convert("America/New_York").date()
        if day not in seen:
            expected.append(start)
            seen.add(day)
    assert first_of_each_day(env).tolist() == expected
    utc = {env.df.index[start].date() for start in env.valid_starts}
    assert len(expected) > 1
    assert len(utc) > 1

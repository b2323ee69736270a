"""Sections 4 and 5: starts, reset, observation and masks; and Gymnasium's and SB3's own checkers."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pandas as pd
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3

from legacy_torch.env_phase1 import TradingEnvPhase1
from legacy_torch.env_phase2 import TradingEnvPhase2
from legacy_torch.features import compute_features
from markets import Bars, EnvConfig, InputError, get_contract
from tests.sentences import refuses

QUIET = (5001.0, 4999.0, 5000.0)


@pytest.fixture(scope="module")
def env(random_bars):
    return TradingEnvPhase1(random_bars(2), EnvConfig.phase1())


# Section 4: starts and reset


def test_starts_by_hand(random_bars):
    # 900 bars, 450 a day. Bars 120.. have their window clear of the warm-up; 509 is the last with 390
    # bars after it; 390..449 are 16:00 to 16:59 of the first day.
    env = TradingEnvPhase1(random_bars(2))
    assert env.valid_starts.tolist() == [*range(120, 390), *range(450, 510)]


def test_starts_follow_the_configuration(random_bars):
    config = EnvConfig.phase1(
        window_size=5,
        warmup_bars=30,
        max_episode_bars=800,
        entry_open_minute=600,
        entry_close_minute=640,
    )
    env = TradingEnvPhase1(random_bars(2), config)
    assert env.valid_starts.tolist() == list(range(35, 70))  # 10:05, by the warm-up, to 10:39
    config = EnvConfig.phase1(window_size=5, warmup_bars=30, max_episode_bars=860)
    env = TradingEnvPhase1(random_bars(2), config)
    assert env.valid_starts.tolist() == list(range(35, 40))  # by the end of the data


def test_the_session_is_cut_before_features_are_computed(random_frame):
    rth = random_frame(2)
    extra = rth.iloc[:30].copy()
    extra.index = pd.date_range("2025-03-10 22:00", periods=30, freq="min", tz="UTC")  # 18:00
    extra[["open", "high", "low", "close"]] += 500.0
    frame = pd.concat([rth, extra]).sort_index()
    bars = Bars.from_frame(frame, get_contract("ES"), source="x")
    env = TradingEnvPhase1(bars)
    assert len(env.df) == 900
    expected = compute_features(rth).astype(np.float32)
    np.testing.assert_array_equal(env.features.to_numpy(), expected.to_numpy())
    assert len(TradingEnvPhase1(bars, EnvConfig.phase1(session="all")).df) == 930


def test_no_start_is_refused_by_name(random_bars):
    with refuses():
        TradingEnvPhase1(random_bars(1))


def test_reset_draws_uniformly_from_its_own_generator(env):
    def starts(seed):
        env.reset(seed=seed)
        drawn = [env.episode_start]
        for _ in range(300):
            env.reset()
            drawn.append(env.episode_start)
        return drawn

    drawn = starts(1)
    assert drawn == starts(1)
    assert drawn != starts(2)
    assert starts(0) == starts(0)  # a seed as any other, not none
    generator = np.random.Generator(np.random.PCG64(0))
    env.reset(seed=0)
    assert env.episode_start == generator.choice(env.valid_starts)
    assert set(drawn) <= set(env.valid_starts.tolist())
    assert len(set(drawn)) > 150
    later = np.mean(np.array(drawn) >= 450)  # 60 of the 330 starts
    assert 0.1 < later < 0.27


@pytest.mark.parametrize("index", [0, 119, 390, 449, 510, -1, 10**6, 120.5, "x"])
def test_a_start_that_is_none_is_refused(env, index):
    with refuses():
        env.reset(options={"start_index": index})


def test_options_may_be_given_again(env):
    options = {"start_index": 130}
    for _ in range(2):
        env.reset(options=options)
        assert (env.episode_start, options) == (130, {"start_index": 130})


def test_an_unknown_option_is_refused(env):
    with refuses():
        env.reset(options={"start": 120})


def test_reset_clears_everything(env):
    env.reset(options={"start_index": 200})
    for action in (1, 0, 2, 0):
        env.step(action)
    obs, info = env.reset(options={"start_index": 130})
    state = {name: getattr(env, name) for name in STATE}
    assert state == dict.fromkeys(STATE, 0) | {
        "step_idx": 130,
        "episode_start": 130,
        "balance": 50_000.0,
        "highest_balance": 50_000.0,
        "trailing_dd_level": 35_000.0,
    }
    np.testing.assert_array_equal(obs[220:], [0, 1, 0, 0, 0])
    assert info == {
        "exit_code": 0,
        "done_reason": 0,
        "trade_pnl": 0.0,
        "violation": False,
        "forbidden": False,
        "equity": 50_000.0,
    }


STATE = (
    "step_idx", "episode_start", "position", "entry_price", "sl_price", "tp_price",
    "position_entry_step", "balance", "highest_balance", "trailing_dd_level", "num_trades",
    "winning_trades", "losing_trades", "total_pnl",
)  # fmt: skip


def test_the_attributes_are_the_whole_state(random_bars):
    one, other = (TradingEnvPhase1(random_bars(2)) for _ in range(2))
    one.reset(options={"start_index": 200})
    other.reset(options={"start_index": 300})
    rng = np.random.default_rng(5)
    for _ in range(150):
        for name in STATE:
            setattr(other, name, getattr(one, name))
        np.testing.assert_array_equal(other.observe(), one.observe())
        np.testing.assert_array_equal(other.action_masks(), one.action_masks())
        action = int(rng.integers(3))
        mine, theirs = one.step(action), other.step(action)
        np.testing.assert_array_equal(mine[0], theirs[0])
        assert mine[1:] == theirs[1:]


# Section 5: observation and masks


def test_observation_of_a_flat_account_by_hand(scenario):
    env = scenario(first=(5003.0, 5000.0, 5002.0))
    obs = [env.observe(), env.step(0)[0]]
    assert [(o.dtype, o.shape) for o in obs] == [(np.float32, (11 + 5,))] * 2
    # close, volume, sma_5, sma_20, rsi, macd, momentum, atr, hour, from open, to close
    quiet = [5000, 21, 5000, 5000, 0, 0, 1, 2, 599 / 60, 29 / 449, 420 / 449]
    # Of 14 changes one is a gain of 2: G = 1/7. EMA12 moves by 4/13, EMA26 by 4/27. TR = 3.
    rsi = 100 - 100 / (1 + (1 / 7) / 1e-8)
    lively = [
        5002, 22, 5000.4, 5000.1, rsi, 4 / 13 - 4 / 27, 5002 / 5000, 29 / 14, 10, 30 / 449, 419 / 449,
    ]  # fmt: skip
    expected = [[*quiet, 0, 1, 0, 0, 0], [*lively, 0, 1, 0, 0, 0]]
    np.testing.assert_allclose(obs, expected, rtol=2e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("action", "position", "entry", "stop_ticks", "target_ticks"),
    [(1, 1, 5000.25, 19, 29), (2, -1, 4999.75, 3, 45)],
)
def test_position_features_by_hand(scenario, action, position, entry, stop_ticks, target_ticks):
    env = scenario([QUIET, *[(5002.5, 5000.5, 5002.0)] * 2], tail=7)
    env.step(0)
    obs, *_ = env.step(action)
    # At bar 23 the close is 5002 and its true range 2.5: the ATR is 28.5/14 points or 57/7 ticks.
    atr_ticks = 57 / 7
    expected = [position, entry / 5002, stop_ticks / atr_ticks, target_ticks / atr_ticks, 1 / 10]
    np.testing.assert_array_equal(obs[11:], np.array(expected).astype(np.float32))
    obs, *_ = env.step(0)
    assert obs[15] == np.float32(2 / 10)


def test_atr_in_the_observation_is_at_least_a_tick(random_frame):
    # A market without any range: the stop is half_up(1.5) = 2 ticks off the fill, the target 6.
    frame = random_frame(2)
    frame[["open", "high", "low", "close"]] = 5000.0
    env = TradingEnvPhase1(Bars.from_frame(frame, get_contract("ES"), source="x"))
    env.reset(options={"start_index": 200})
    obs, *_ = env.step(1)
    assert (env.entry_price, env.sl_price, env.tp_price) == (5000.25, 4999.75, 5001.75)
    np.testing.assert_array_equal(obs[222:224], [1.0, 7.0])


def test_window_is_the_bars_before_t_oldest_first(env):
    obs, _ = env.reset(options={"start_index": 300})
    expected = env.features.iloc[280:300].to_numpy()
    np.testing.assert_array_equal(obs[:220].reshape(20, 11), expected)
    assert obs.shape == (225,)
    obs, *_ = env.step(0)
    np.testing.assert_array_equal(obs[:220].reshape(20, 11), env.features.iloc[281:301].to_numpy())


def test_masks(scenario):
    env = scenario([QUIET])
    masks = env.action_masks()
    assert masks.dtype == np.bool_
    assert masks.tolist() == [True, True, True]
    env.step(2)
    assert env.action_masks().tolist() == [True, False, False]


# The package and the checkers


def test_gymnasium_makes_it(random_bars):
    env = gymnasium.make("legacy_torch:RLTrader-Phase1-v0", bars=random_bars(2))
    obs, _ = env.reset(seed=3)
    assert env.observation_space.contains(obs)
    assert env.observation_space == gymnasium.spaces.Box(-np.inf, np.inf, (225,), np.float32)
    assert env.action_space == gymnasium.spaces.Discrete(3)
    env.step(env.action_space.sample())


@pytest.mark.parametrize("phase", [1, 2])
def test_without_bars_gymnasium_says_what_to_give(phase):
    name = f"legacy_torch:RLTrader-Phase{phase}-v0"
    with refuses():
        gymnasium.make(name)
    with refuses():
        gymnasium.make(name, bars="ES_1min.csv")


def test_both_checkers_accept_it(random_bars):
    made = gymnasium.make("legacy_torch:RLTrader-Phase1-v0", bars=random_bars(2), render_mode="ansi")
    with warnings.catch_warnings():
        # An observation holds prices and volumes, which have no natural bounds.
        warnings.filterwarnings("ignore", message=".*Box observation space (min|max)imum value is")
        check_env(made.unwrapped)
        check_env_for_sb3(made.unwrapped)


def test_it_pickles(env):
    copy = pickle.loads(pickle.dumps(env))
    env.reset(seed=1)
    copy.reset(seed=1)
    np.testing.assert_array_equal(copy.step(1)[0], env.step(1)[0])


def test_importing_the_package_is_light():
    code = (
        "import sys, legacy_torch; sys.exit(any(name in sys.modules for name in ('torch', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_render(scenario):
    env = scenario()
    assert env.render() is None
    env.render_mode = "ansi"
    assert env.render() == (
        "2025-03-10 14:00 UTC close 5000 flat balance $50,000.00 floor $35,000.00 trades 0"
    )
    env.step(2)
    assert env.render() == (
        "2025-03-10 14:01 UTC close 5000 short 4999.75 stop 5002.75 target 4990.75 "
        "balance $49,997.50 floor $35,000.00 trades 1"
    )


@pytest.mark.parametrize(
    ("symbol", "price", "shown", "held"),
    [
        ("NQ", 21534.75, "21534.75", "21535 stop 21532 target 21544"),
        ("RTY", 2345.3, "2345.3", "2345.5 stop 2344.3 target 2349.1"),
        ("YM", 1_234_567.0, "1234567", "1234569 stop 1234557 target 1234605"),
    ],
)
def test_render_shows_every_digit_of_a_price(scenario, symbol, price, shown, held):
    env = scenario(symbol=symbol, price=price)
    env.render_mode = "ansi"
    assert f" close {shown} flat " in env.render()
    env.step(1)
    assert f" close {shown} long {held} balance " in env.render()


def test_bad_arguments(random_bars):
    bars = random_bars(2)
    with refuses():
        TradingEnvPhase1(bars, EnvConfig.phase2())
    with refuses():
        TradingEnvPhase1(bars, render_mode="human")
    with refuses():
        TradingEnvPhase1(bars, EnvConfig.phase1(contracts=10**6))


def test_what_the_session_leaves_out_is_not_held_to_32_bits(random_frame):
    """A price at night beyond 2^24 ticks, which no bar of the day sees."""
    frame = random_frame(2)
    night = frame.iloc[:1].set_axis(frame.index[:1] - pd.Timedelta(hours=3))
    night[["open", "high", "low", "close"]] = 2**24 * 0.25
    bars = Bars.from_frame(pd.concat([night, frame]), get_contract("ES"), source="one night")
    assert len(TradingEnvPhase1(bars).df) == 900
    with pytest.raises(InputError, match="one night: a price of 16777216 ticks is beyond 2\\^24"):
        TradingEnvPhase1(bars, EnvConfig.phase1(session="all"))


@pytest.mark.parametrize(("phase", "size"), [(1, 225), (2, 228)])
def test_a_new_environment_stands_at_its_first_start(random_bars, phase, size):
    env = (TradingEnvPhase1 if phase == 1 else TradingEnvPhase2)(random_bars(2))
    assert (env.step_idx, env.episode_start, env.balance) == (120, 120, 50_000.0)
    np.testing.assert_array_equal(env.observe(), env.reset(options={"start_index": 120})[0])
    assert env.observe().shape == (size,)

"""Section 7: what holds after every step, over random starts, actions and rules."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_torch.env_phase1 import TradingEnvPhase1
from markets import Bars, EnvConfig, get_contract

STEPS = 60
actions = st.lists(st.sampled_from([0, 1, 2, -1, 3]), min_size=STEPS, max_size=STEPS)
starts = st.integers(0, 10**6)
quick = settings(max_examples=20, deadline=None)

ACCOUNT = (
    "step_idx", "position", "entry_price", "sl_price", "tp_price", "position_entry_step", "balance",
    "highest_balance", "trailing_dd_level", "num_trades", "winning_trades", "losing_trades",
    "total_pnl",
)  # fmt: skip
CENTS = ("balance", "highest_balance", "trailing_dd_level", "total_pnl")


def _account(env):
    return {name: getattr(env, name) for name in ACCOUNT}


def _reset(env, start):
    return env.reset(options={"start_index": int(env.valid_starts[start % len(env.valid_starts)])})


@pytest.fixture(scope="module", params=["ES", "RTY", "MNQ"])
def env(request, random_bars):
    """A market wild enough for every way out: stops, targets, late closes, breaches."""
    config = EnvConfig.phase1(
        trailing_drawdown_dollars=200.0,
        floor_lock_dollars=50.0,
        max_episode_bars=STEPS,
        contracts=3,
        tp_sl_ratio=1.0,
        sl_atr_mult=0.5,
        flat_by_minute=990,
        entry_close_minute=1000,
    )
    price = {"ES": 5000.0, "RTY": 2100.0, "MNQ": 20000.0}[request.param]
    bars = random_bars(2, symbol=request.param, seed=11, price=price, move=6)
    return TradingEnvPhase1(bars, config)


@quick
@given(start=starts, taken=actions)
def test_books_balance_after_every_step(env, start, taken):
    _reset(env, start)
    floor, stop = env.trailing_dd_level, None
    for action in taken:
        obs, reward, terminated, truncated, info = env.step(action)
        commission = 3 * env.bars.contract.commission_cents / 100 if env.position else 0.0
        assert env.balance == round(50_000 + env.total_pnl - commission, 2)
        assert env.num_trades == env.winning_trades + env.losing_trades + (env.position != 0)
        assert env.num_trades - (env.position != 0) == len(env.trade_history)
        assert env.total_pnl == round(sum(trade["pnl"] for trade in env.trade_history), 2)
        for name in CENTS:
            assert round(getattr(env, name), 2) == getattr(env, name)
        for name in ("entry_price", "sl_price", "tp_price"):
            price = getattr(env, name)
            assert round(price / env.tick_size) * env.tick_size == price
        assert floor <= env.trailing_dd_level <= 50_050.0
        assert env.highest_balance >= max(50_000.0, info["equity"])
        floor = env.trailing_dd_level
        if env.position and stop is not None:
            assert env.sl_price == stop  # Phase 1 never moves it
        stop = env.sl_price if env.position else None
        assert np.isfinite(obs).all()
        assert np.isfinite(reward)
        assert not (terminated and truncated)
        assert (info["done_reason"] != 0) == (terminated or truncated)
        assert info["violation"] == terminated
        if terminated:
            assert env.position == 0
            assert info["done_reason"] in (1, 2)
        if terminated or truncated:
            break


def test_the_invariants_saw_every_way_out(env):
    codes, reasons = set(), set()
    rng = np.random.default_rng(0)
    for start in range(0, len(env.valid_starts), 10):
        _reset(env, start)
        done, hold = False, rng.choice([0.3, 0.98])
        while not done:
            action = rng.choice(3, p=[hold, (1 - hold) / 2, (1 - hold) / 2])
            _, _, terminated, truncated, info = env.step(action)
            codes.add(info["exit_code"])
            reasons.add(info["done_reason"])
            done = terminated or truncated
    assert codes == {0, 1, 2, 3, 4}
    assert {0, 1, 2, 4} <= reasons


@quick
@given(start=starts, taken=actions)
def test_a_forbidden_action_changes_nothing_but_the_reward(env, start, taken):
    _reset(env, start)
    for action in taken:
        before = _account(env)
        allowed = 0 <= action < 3 and env.action_masks()[action]
        obs, reward, terminated, truncated, info = env.step(action)
        assert info["forbidden"] == (not allowed)
        if not allowed:
            after = _account(env)
            for name, value in before.items():
                setattr(env, name, value)
            held_obs, held_reward, *held_ends, held_info = env.step(0)
            assert _account(env) == after
            np.testing.assert_array_equal(held_obs, obs)
            assert held_ends == [terminated, truncated]
            assert held_info | {"forbidden": True} == info
            assert reward == held_reward + env.config.reward.invalid_action_penalty
        if terminated or truncated:
            break


@pytest.mark.parametrize("cut", [200, 333])
def test_nothing_depends_on_a_later_bar(random_frame, cut):
    """Up to bar ``cut`` fills agree; the market part of the observation at t knows no bar after t-1."""
    frame = random_frame(2)
    rng = np.random.default_rng(9)
    later = frame.copy()
    shift = 0.25 * rng.integers(-100, 100, len(frame) - cut - 1)
    later.loc[later.index[cut + 1 :], ["open", "high", "low", "close"]] += shift[:, None]
    same, changed = (
        TradingEnvPhase1(Bars.from_frame(f, get_contract("ES"), source="x")) for f in (frame, later)
    )
    for env in (same, changed):
        env.reset(options={"start_index": cut - 60})
    for _ in range(61):
        action = int(rng.integers(3))
        mine, theirs = same.step(action), changed.step(action)
        np.testing.assert_array_equal(mine[0][:220], theirs[0][:220])
        assert mine[1:] == theirs[1:]
        one, other = _account(same), _account(changed)
        assert one == other
        if same.step_idx <= cut:
            np.testing.assert_array_equal(mine[0], theirs[0])
    assert same.step_idx == cut + 1


def _mirrored(frame: pd.DataFrame, axis: float) -> pd.DataFrame:
    mirrored = frame.copy()
    for name, source in (("open", "open"), ("high", "low"), ("low", "high"), ("close", "close")):
        mirrored[name] = axis - frame[source]
    return mirrored


@quick
@given(start=starts, taken=actions)
def test_the_mirror(mirror_pair, start, taken):
    env, mirror = mirror_pair
    _reset(env, start)
    _reset(mirror, start)
    for action in taken:
        _, reward, *ends, info = env.step(action)
        _, mirror_reward, *mirror_ends, mirror_info = mirror.step({1: 2, 2: 1}.get(action, action))
        assert (reward, ends, info) == (mirror_reward, mirror_ends, mirror_info)
        one, other = _account(env), _account(mirror)
        assert one["position"] == -other["position"]
        for name in set(ACCOUNT) - {"position", "entry_price", "sl_price", "tp_price"}:
            assert one[name] == other[name]
        if env.position:
            for name in ("entry_price", "sl_price", "tp_price"):
                assert one[name] == 10_000.0 - other[name]
        if any(ends):
            break


@pytest.fixture(scope="module")
def mirror_pair(random_frame):
    frame = random_frame(2, seed=4)
    config = EnvConfig.phase1(
        trailing_drawdown_dollars=600.0, max_episode_bars=STEPS, sl_atr_mult=0.5, tp_sl_ratio=1.5
    )
    return [
        TradingEnvPhase1(Bars.from_frame(one, get_contract("ES"), source="x"), config)
        for one in (frame, _mirrored(frame, 10_000.0))
    ]

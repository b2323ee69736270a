"""What fits into 32 bits, at its edge."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from markets import Bars, EnvConfig, InputError, RewardConfig, get_contract, limits
from markets.bars import FEATURES
from markets.limits import SHAPING, check_int32, reward_scale
from tests.sentences import refuses

ES = get_contract("ES")


@pytest.mark.parametrize(
    ("reward", "scale"),
    [
        (RewardConfig(), 1),  # -0.01 x 10,000 cents is -100, +0.001 is 10
        (RewardConfig(patience_reward=0.0001), 1),
        (RewardConfig(patience_reward=0.00001), 10),
        (RewardConfig(hold_penalty=-0.00005), 10),
        (RewardConfig(pnl_divisor_dollars=1.0), 10),  # 0.001 x 100 cents is 0.1
        (RewardConfig(hold_penalty=-0.123456), 100),
        (RewardConfig(invalid_action_penalty=-0.1234567), 1_000),
        (RewardConfig(trail_win_bonus=0.12345678), 10_000),
    ],
)
def test_the_scale_makes_every_term_whole(reward, scale):
    assert reward_scale(reward) == scale


def test_a_reward_with_too_many_decimals_names_its_term():
    with refuses():
        reward_scale(RewardConfig(violation_penalty=-1.123456789))


@pytest.fixture
def bars(make_frame) -> Bars:
    return Bars.from_frame(make_frame(days=2), ES, source="made.csv")


def test_the_defaults_fit(bars):
    check_int32(bars, EnvConfig.phase1())
    check_int32(bars, EnvConfig.phase2())
    check_int32(bars.select(slice(0, 1)), EnvConfig.phase1())
    check_int32(bars.select(slice(0, 0)), EnvConfig.phase1())


def test_the_worst_case_is_counted_to_the_cent(make_frame):
    # Every bar but the first of the saw spans 3 ticks, the first 2; over 390 of them 1,170 ticks,
    # 1,250 cents each. Costs a bar: 2 x (1 tick of 1,250 + 250 cents) = 3,000 cents. With balance,
    # drawdown and lock: 1,462,500 + 1,170,000 + 5,000,000 + 1,500,000 + 10,000 = 9,142,500 cents.
    bars = Bars.from_frame(make_frame(days=2), ES, source="made.csv")
    spare = (2**31 - 1 - 9_142_500) / 100
    check_int32(bars, EnvConfig.phase1(initial_balance_dollars=50_000 + spare))
    with refuses():
        check_int32(bars, EnvConfig.phase1(initial_balance_dollars=50_000.01 + spare))


@pytest.mark.parametrize(
    "change",
    [
        {"contracts": 2_000},
        {"floor_lock_dollars": 22_000_000.0},
        {"trailing_drawdown_dollars": 22_000_000.0},
        {"patience_reward": 300_000.0},
        {"violation_penalty": -300_000.0},
        {"hold_penalty": -0.00000001, "contracts": 10, "pnl_divisor_dollars": 10_000.0},
    ],
    ids=str,
)
def test_what_leaves_32_bits_is_refused(bars, change):
    with refuses():
        check_int32(bars, EnvConfig.phase1(**change))


@pytest.mark.parametrize("name", ["sl_atr_mult", "tp_sl_ratio", "trail_atr_mult"])
def test_a_stop_or_target_beyond_32_bits_is_refused(bars, name):
    check_int32(bars, EnvConfig.phase2(**{name: 1e6}))
    with refuses():
        check_int32(bars, EnvConfig.phase2(**{name: 1e9}))


def test_a_price_beyond_exact_float32_is_refused(make_frame):
    frame = make_frame(days=1)
    columns = ["open", "high", "low", "close"]
    largest = 2**24 * 0.25
    frame[columns] += largest - 0.25 - frame["high"].max()
    check_int32(Bars.from_frame(frame, ES, source="made.csv"), EnvConfig.phase1())
    frame[columns] += 0.25
    with refuses():
        check_int32(Bars.from_frame(frame, ES, source="made.csv"), EnvConfig.phase1())


def drawn_bars(seed: int) -> Bars:
    """Return bars with gaps between one's close and the next's open, of a contract with own costs."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 12))
    opened, close = rng.integers(1000, 1400, (2, count))
    high = np.maximum(opened, close) + rng.integers(0, 9, count)
    low = np.minimum(opened, close) - rng.integers(0, 9, count)
    prices = np.stack([opened, high, low, close], axis=1) * 0.25
    index = pd.date_range("2025-01-06 14:30", periods=count, freq="min", tz="UTC", name="timestamp")
    frame = pd.DataFrame(prices, columns=["open", "high", "low", "close"], index=index)
    contract = ES.with_costs(slippage_ticks=int(rng.integers(0, 4)), commission_cents=170)
    return Bars.from_frame(frame.assign(volume=1.0), contract, source="made.csv")


def drawn_config(seed: int) -> EnvConfig:
    rng = np.random.default_rng(seed)
    return EnvConfig.phase2(
        contracts=int(rng.integers(1, 6)),
        max_episode_bars=int(rng.integers(1, 15)),
        initial_balance_dollars=float(rng.integers(1, 30)),
        floor_lock_dollars=float(rng.integers(-20, 20)),
        trailing_drawdown_dollars=20.0 + float(rng.integers(1, 30)),
        pnl_divisor_dollars=float(rng.integers(1, 30)),
        patience_reward=float(rng.integers(0, 3)) / 1000,
        invalid_action_penalty=-float(rng.integers(0, 30)),
        trail_win_bonus=float(rng.integers(0, 20)),
    )


def plain_worst(bars: Bars, config: EnvConfig) -> tuple[int, int]:
    """Return the worst cents of the account and of the scaled reward, by the words of check_int32."""
    contract, account, reward = bars.contract, config.account, config.reward
    ticks = [[round(price / 0.25) for price in row] for row in bars.frame.to_numpy()[:, :4].tolist()]
    ranges = []
    for at, (_, high, low, _) in enumerate(ticks):
        before = ticks[max(at - 1, 0)][3]
        ranges.append(max(high, before) - min(low, before))
    span = min(config.max_episode_bars, len(ranges))
    travelled = max(sum(ranges[at : at + span]) for at in range(len(ranges) - span + 1))
    most = max(travelled, max(row[1] for row in ticks) - min(row[2] for row in ticks))
    pnl = most * contract.tick_value_cents * account.contracts
    a_side = contract.slippage_ticks * contract.tick_value_cents + contract.commission_cents
    costs = 2 * a_side * account.contracts
    amounts = (
        account.initial_balance_dollars,
        account.trailing_drawdown_dollars,
        abs(account.floor_lock_dollars),
    )
    worst = pnl + costs * config.max_episode_bars + sum(round(100 * amount) for amount in amounts)
    cents = Decimal(round(100 * reward.pnl_divisor_dollars))
    shaping = sum(abs(Decimal(repr(getattr(reward, name)))) for name in SHAPING) * cents
    return worst, int((pnl + costs + shaping) * reward_scale(reward))


@pytest.mark.parametrize("seed", range(40))
def test_the_worst_case_of_drawn_bars_is_that_of_its_definition(seed, monkeypatch):
    bars, config = drawn_bars(seed), drawn_config(seed)
    account, scaled = plain_worst(bars, config)
    worst = max(account, scaled)
    # The terms of the reward are added in floats, which may come out a trifle above the whole cent.
    monkeypatch.setattr(limits, "INT32_MAX", worst if account > scaled else worst + 1)
    monkeypatch.setattr(limits, "_farthest_distance", lambda *rest: 0.0)
    check_int32(bars, config)
    monkeypatch.setattr(limits, "INT32_MAX", worst - 1)
    with pytest.raises(InputError, match=re.escape(f"can reach {worst} cents")):
        check_int32(bars, config)


def test_drawn_bars_have_both_worst_cases():
    pairs = [plain_worst(drawn_bars(seed), drawn_config(seed)) for seed in range(40)]
    account = sum(worst > scaled for worst, scaled in pairs)
    assert 10 < account < 30


@pytest.mark.parametrize(
    ("sizes", "features_say", "ticks"),
    [
        # True range 3 ticks: a stop of 1.5 x 3 + 1, a target of 3 x that + 1, a trail of 1 x 3 + 1.
        ({}, None, 17.5),
        ({"tp_sl_ratio": 0.5}, None, 5.5),
        ({"tp_sl_ratio": 0.5, "sl_atr_mult": 0.25, "trail_atr_mult": 4.0}, None, 13.0),
        ({}, 2.5, 49.0),  # 2.5 points are 10 ticks
        ({}, 0.01, 8.5),  # no less than one tick
    ],
    ids=str,
)
def test_the_farthest_order_is_counted_to_the_tick(make_frame, monkeypatch, sizes, features_say, ticks):
    frame = make_frame(days=1)
    features = None
    if features_say is not None:
        features = pd.DataFrame({name: np.ones(len(frame)) for name in FEATURES}, index=frame.index)
        features["atr"] = features_say / np.arange(1, len(frame) + 1)
    bars = Bars.from_frame(frame, ES, source="made.csv", precomputed=features)
    config = EnvConfig.phase2(**sizes)
    monkeypatch.setattr(limits, "INT32_MAX", 2**40)
    check_int32(bars, config)
    # A stop or a target lies that far from a price, which may itself be twice the highest away.
    edge = ticks + 2 * int(frame["high"].max() / 0.25)
    cheap = EnvConfig.phase2(**sizes, initial_balance_dollars=0.01, trailing_drawdown_dollars=0.01,
        floor_lock_dollars=0, max_episode_bars=1, violation_penalty=0, invalid_action_penalty=0,
        trail_win_bonus=0)  # fmt: skip
    assert max(plain_worst(bars, cheap)) < edge
    monkeypatch.setattr(limits, "INT32_MAX", edge)
    check_int32(bars, cheap)
    monkeypatch.setattr(limits, "INT32_MAX", edge - 0.25)
    with pytest.raises(InputError, match="a stop or target could lie"):
        check_int32(bars, cheap)


@pytest.mark.parametrize("seed", range(12))
def test_the_farthest_order_is_told_of_the_widest_bar(seed: int) -> None:
    """Wherever it stands; or, of features that are used, of the largest that is a number."""
    bars, config = drawn_bars(seed), EnvConfig.phase2(sl_atr_mult=1e9, tp_sl_ratio=2.0)
    ticks = [[round(price / 0.25) for price in row] for row in bars.frame.to_numpy()[:, :4].tolist()]
    closes = [ticks[0][3], *(row[3] for row in ticks[:-1])]
    widest = max(
        max(high, before) - min(low, before)
        for (_, high, low, _), before in zip(ticks, closes, strict=True)
    )
    for precomputed, atr in ((None, float(max(widest, 1))), (wide_features(bars), 4.0 * 7.5)):
        # The target is twice the stop, and each a tick more.
        far = 2.0 * (1e9 * atr + 1.0) + 1.0
        with pytest.raises(InputError, match=f"a stop or target could lie {far:.0f} ticks of ES away"):
            check_int32(replace(bars, precomputed=precomputed), config)


def wide_features(bars: Bars) -> pd.DataFrame:
    """Return features of which the range, of 7.5 points in one bar, is not defined at first."""
    table = pd.DataFrame({name: np.ones(len(bars)) for name in FEATURES}, index=bars.frame.index)
    table["atr"] = 2.25
    table.iloc[0, table.columns.get_loc("atr")] = np.nan
    table.iloc[len(bars) // 2, table.columns.get_loc("atr")] = 7.5
    return table

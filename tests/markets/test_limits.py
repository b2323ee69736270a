"""What fits into 32 bits, at its edge."""

from __future__ import annotations

import pytest

from markets import Bars, EnvConfig, RewardConfig, get_contract
from markets.limits import check_int32, reward_scale
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

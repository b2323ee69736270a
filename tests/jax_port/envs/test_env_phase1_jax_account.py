"""Section 6 sentence by sentence, on bars made by hand: mark to market, booking, reward and time."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.envs import env_phase1_jax as env
from jax_port.envs.account import raise_high
from jax_port.envs.env_phase1_jax import BUY, HOLD, SELL
from jax_port.envs.state import (
    DONE_BAR_LIMIT,
    DONE_DRAWDOWN,
    DONE_END_OF_DATA,
    DONE_LATE,
    EXIT_DRAWDOWN,
    EXIT_LATE,
    EXIT_STOP,
    RUNNING,
)
from markets import get_contract
from tests.jax_port.envs.hand_made_steps import (
    FIRST,
    FLAT,
    START,
    MakeWorld,
    check,
)
from tests.sentences import refuses

# 6 mark to market


def test_equality_with_the_floor_is_no_breach_and_one_tick_more_is(world: MakeWorld) -> None:
    # The floor is 5,000,000 - 10,250. Equity at close 3993 is 4,999,750 - 8 x 1250, the same.
    at_floor = world([4000, 3994, (3997, 3990, 3993)], trailing_drawdown_dollars=102.5)
    (_, _, step) = at_floor.play(BUY, HOLD, HOLD)
    check(step, trailing_dd_level=4_989_750, position=1, terminated=False, violation=False)

    below = world([4000, 3994, (3997, 3990, 3992)], trailing_drawdown_dollars=102.5)
    (_, _, step) = below.play(BUY, HOLD, HOLD)
    # Liquidated at 3992 - 1: ten ticks and two sides.
    check(
        step,
        exit_code=EXIT_DRAWDOWN,
        done_reason=DONE_DRAWDOWN,
        trade_pnl=-13_000,
        balance=START - 13_000,
        trailing_dd_level=4_989_750,
        highest_balance=START,
        violation=True,
        terminated=True,
        truncated=False,
        losing_trades=1,
        reward=-1.3 - 10,
        **FLAT,
    )


def test_a_short_is_liquidated_above_the_close(world: MakeWorld) -> None:
    # Floor 4,990,000; at 4008 a short from 3999 has lost 9 x 1250 + 250 and goes out at 4009.
    (_, step) = world([4000, (4009, 4000, 4008)], trailing_drawdown_dollars=100).play(SELL, HOLD)
    check(step, exit_code=EXIT_DRAWDOWN, trade_pnl=-10 * 1250 - 500, balance=START - 13_000)


def test_the_floor_follows_the_high_locks_and_never_falls(world: MakeWorld) -> None:
    # Drawdown $200, lock at $50,100. Equity at close c is 4,999,750 + (c - 4001) x 1250.
    w = world([4000, 4021, (4036, 4020, 4035), (4035, 4006, 4010), 4009], trailing_drawdown_dollars=200)
    steps = w.play(BUY, *[HOLD] * 4)
    highs = [step.highest_balance for step in steps]
    floors = [step.trailing_dd_level for step in steps]
    assert highs == [5_000_000, 5_024_750, 5_042_250, 5_042_250, 5_042_250]
    assert floors == [4_980_000, 5_004_750, 5_010_000, 5_010_000, 5_010_000]
    # 5,011,000 is above the floor, 5,009,750 below it.
    assert [step.terminated for step in steps] == [False, False, False, False, True]


def test_a_position_opened_in_this_step_is_marked_and_counts_as_closed_in_it(world: MakeWorld) -> None:
    # Bought at 4001 and marked at 4000: equity 4,998,500 against a floor of 4,999,000; out at 3999.
    (step,) = world(trailing_drawdown_dollars=10).play(BUY)
    check(
        step,
        exit_code=EXIT_DRAWDOWN,
        done_reason=DONE_DRAWDOWN,
        num_trades=1,
        losing_trades=1,
        trade_pnl=-3_000,
        balance=START - 3_000,
        reward=-0.3 - 10,
        terminated=True,
        **FLAT,
    )


def test_an_account_already_flat_breaches_all_the_same(world: MakeWorld) -> None:
    # The stop leaves 4,984,500, below the floor of 4,990,000; there is nothing left to liquidate.
    (_, step) = world([4000, (4000, 3985, 3990)], trailing_drawdown_dollars=100).play(BUY, HOLD)
    check(
        step,
        exit_code=EXIT_STOP,
        done_reason=DONE_DRAWDOWN,
        violation=True,
        terminated=True,
        trade_pnl=-15_500,
        balance=START - 15_500,
        reward=-1.55 - 10,
    )


def test_late_and_breached_is_penalised_once(world: MakeWorld) -> None:
    # Closed late at 3991: -10 ticks - 500 leaves 4,987,000, below the floor of 4,990,000.
    w = world([4000, (3997, 3990, 3992)], trailing_drawdown_dollars=100, flat_by_minute=571)
    (_, step) = w.play(BUY, HOLD)
    check(
        step,
        exit_code=EXIT_LATE,
        done_reason=DONE_DRAWDOWN,
        violation=True,
        terminated=True,
        trade_pnl=-13_000,
        num_trades=1,
        losing_trades=1,
        reward=-1.3 - 10,
    )


def test_liquidation_moves_the_balance_not_the_high(world: MakeWorld) -> None:
    w = world([4000, 4021, (4020, 3990, 3991)], trailing_drawdown_dollars=200)
    (_, high, step) = w.play(BUY, HOLD, HOLD)
    check(high, highest_balance=5_024_750, balance=START - 250)
    # 4001 to 3990: eleven ticks.
    check(step, highest_balance=5_024_750, balance=START - 11 * 1250 - 500, exit_code=EXIT_DRAWDOWN)


# 7 booking


@pytest.mark.parametrize(("close", "pnl", "wins"), [(4003, 0, 0), (4004, 1250, 1), (4002, -1250, 0)])
def test_a_win_is_more_than_zero(world: MakeWorld, close: int, pnl: int, wins: int) -> None:
    contract = get_contract("ES").with_costs(commission_cents=625)
    (_, step) = world([4000, close], contract=contract, flat_by_minute=571).play(BUY, HOLD)
    check(step, trade_pnl=pnl, winning_trades=wins, losing_trades=1 - wins, total_pnl=pnl)


def test_total_pnl_sums_trades(world: MakeWorld) -> None:
    w = world([4000, (4040, 4000, 4000), 4000, (4000, 3900, 4000)])
    steps = w.play(BUY, HOLD, BUY, HOLD)
    assert [step.total_pnl for step in steps[:3]] == [0, 44_500, 44_500]
    # Bar 24: the gap of bar 23 made the ATR (13 x 8 + 40) / 14, so the stop is 15 (1.5 x 10.286).
    check(steps[3], total_pnl=44_500 - 15 * 1250 - 500, num_trades=2, winning_trades=1, losing_trades=1)
    assert steps[3].balance == START + steps[3].total_pnl


# 8 reward


def test_patience_and_holding(world: MakeWorld) -> None:
    steps = world().play(HOLD, HOLD, BUY, HOLD)
    assert [np.float32(s.reward) for s in steps] == [
        np.float32(x) for x in (0.001, 0.001, -0.01, -0.01)
    ]


def test_the_reward_is_rounded_once_for_any_terms(world: MakeWorld) -> None:
    w = world(
        [4000, (4040, 4000, 4030)],
        hold_penalty=-0.0173,
        patience_reward=0.00011,
        pnl_divisor_dollars=70.0,
    )
    held, target = w.play(BUY, HOLD)
    check(held, reward=-0.0173)
    assert np.float32(target.reward) == np.float32(44_500 / 7_000)
    assert np.float32(w.play(HOLD)[0].reward) == np.float32(0.00011)


def test_a_reward_finer_than_the_limit_is_refused(world: MakeWorld) -> None:
    with refuses():
        world(hold_penalty=-0.123456789)


# 9 time


def test_the_bar_limit_truncates(world: MakeWorld) -> None:
    steps = world(max_episode_bars=3).play(HOLD, HOLD, HOLD)
    assert [step.truncated for step in steps] == [False, False, True]
    assert [step.done_reason for step in steps] == [RUNNING, RUNNING, DONE_BAR_LIMIT]
    check(steps[2], step_idx=FIRST + 3, terminated=False)


def test_the_end_of_data_truncates_and_comes_before_the_bar_limit(world: MakeWorld) -> None:
    # 40 bars: the last row is 39 and the episode of 10 bars from 29 meets both ends there.
    w = world()
    last_start = env.reset_at(jnp.int32(len(w.params.market.starts) - 1), w.params)
    assert int(last_start.step_idx) == 29
    steps = w.play(*[HOLD] * 10, state=last_start)
    assert [step.done_reason for step in steps] == [RUNNING] * 9 + [DONE_END_OF_DATA]
    check(steps[-1], step_idx=39, truncated=True, terminated=False)


def test_the_end_of_data_alone(world: MakeWorld) -> None:
    w = world()
    state = w.reset(step_idx=37, episode_start=36)
    steps = w.play(HOLD, HOLD, state=state)
    assert [step.done_reason for step in steps] == [RUNNING, DONE_END_OF_DATA]


def test_a_terminated_step_is_never_truncated(world: MakeWorld) -> None:
    w = world([4000, 4000, 4000], flat_by_minute=572, max_episode_bars=3)
    step = w.play(BUY, HOLD, HOLD)[-1]
    check(step, terminated=True, truncated=False, done_reason=DONE_LATE)
    w = world([4000, (4000, 3985, 3990)], trailing_drawdown_dollars=100, max_episode_bars=2)
    check(w.play(BUY, HOLD)[-1], terminated=True, truncated=False, done_reason=DONE_DRAWDOWN)


@pytest.mark.parametrize("lock", [100.0, 0.0, -50.0, -2_500.0])
def test_the_floor_locks_where_it_is_told_to(world: MakeWorld, lock: float) -> None:
    """A negative lock lies below the balance at the start."""
    w = world(floor_lock_dollars=lock)
    high = START + 10_000_000
    after = raise_high(w.reset(trailing_dd_level=START - 400_000), w.params, jnp.int32(high))
    assert int(after.highest_balance) == high
    assert int(after.trailing_dd_level) == START + round(100 * lock)

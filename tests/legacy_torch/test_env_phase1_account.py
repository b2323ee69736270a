"""Section 6, 6 to 9, sentence by sentence, against hand-computed values.

In ES's quiet market at 5000: a buy fills at 5000.25 with its stop at 4997.25 and its target at
5009.25; a sell at 4999.75 with 5002.75 and 4990.75. A tick is $12.50 and a side costs $2.50.
"""

from __future__ import annotations

import pytest

from tests.sentences import refuses

HOLD, BUY, SELL = 0, 1, 2
QUIET = (5001.0, 4999.0, 5000.0)
LATE = 1019


def _run(env, *actions):
    """Take actions and return the last (reward, terminated, truncated, info)."""
    for action in actions:
        _, *result = env.step(action)
    return result


# 6. Mark to market


def test_reset_state(scenario):
    env = scenario()
    assert (env.balance, env.highest_balance, env.trailing_dd_level) == (50_000.0, 50_000.0, 35_000.0)
    assert (
        scenario(floor_lock_dollars=-100.0, trailing_drawdown_dollars=100.0).trailing_dd_level == 49_900
    )
    assert (
        scenario(floor_lock_dollars=-99.0, trailing_drawdown_dollars=99.0).trailing_dd_level == 49_901
    )


def test_the_high_rises_with_open_profit_and_the_floor_never_falls(scenario):
    env = scenario(
        [(5006.0, 5004.0, 5005.0), (5002.0, 5000.0, 5001.0)], trailing_drawdown_dollars=300.0
    )
    assert env.trailing_dd_level == 49_700.0
    _run(env, BUY)
    assert (env.highest_balance, env.trailing_dd_level) == (50_000.0, 49_700.0)
    info = _run(env, HOLD)[3]  # 19 ticks up: 49,997.50 + 237.50
    assert (info["equity"], env.highest_balance, env.trailing_dd_level) == (
        50_235.0,
        50_235.0,
        49_935.0,
    )
    info = _run(env, HOLD)[3]  # 3 ticks up
    assert (info["equity"], env.highest_balance, env.trailing_dd_level) == (
        50_035.0,
        50_235.0,
        49_935.0,
    )
    env.trailing_dd_level = 50_000.0  # higher than the high asks for: it stays
    _run(env, HOLD)
    assert env.trailing_dd_level == 50_000.0


def test_the_floor_locks_and_a_winner_may_be_liquidated(scenario):
    env = scenario(
        [(5009.0, 5007.0, 5008.0), (5003.0, 5001.0, 5002.0)], trailing_drawdown_dollars=100.0
    )
    _run(env, BUY, HOLD)  # 31 ticks up
    assert (env.highest_balance, env.trailing_dd_level) == (50_385.0, 50_100.0)
    reward, terminated, truncated, info = _run(env, HOLD)  # 7 ticks up: 50,085 is below 50,100
    assert info["equity"] == 50_085.0
    assert (info["exit_code"], info["done_reason"], info["violation"]) == (4, 1, True)
    assert info["trade_pnl"] == 70.0  # 6 ticks, less $5
    assert (env.balance, env.position, env.winning_trades) == (50_070.0, 0, 1)
    assert env.highest_balance == 50_385.0
    assert terminated
    assert not truncated
    assert reward == pytest.approx(0.70 - 10)


@pytest.mark.parametrize("balance", [50_000.0, 32_768.01])  # 32,768.01 - 15 is more, in floats
def test_equality_is_no_breach(scenario, balance):
    env = scenario(trailing_drawdown_dollars=15.0, initial_balance_dollars=balance)
    _, terminated, _, info = _run(env, BUY)
    assert info["equity"] == env.trailing_dd_level == round(balance - 15, 2)
    assert not terminated
    assert not info["violation"]
    assert env.position == 1


def test_a_cent_below_is_a_breach_even_in_the_step_of_the_entry(scenario):
    env = scenario(trailing_drawdown_dollars=14.99)
    reward, terminated, truncated, info = _run(env, BUY)
    assert (info["exit_code"], info["done_reason"], info["trade_pnl"]) == (4, 1, -30.0)
    assert reward == pytest.approx(-0.30 - 10)  # it counts as closed, so no patience is rewarded
    assert (env.position, env.balance, env.losing_trades, env.num_trades) == (0, 49_970.0, 1, 1)
    assert terminated
    assert not truncated


def test_the_high_and_floor_move_before_the_breach_is_tested(scenario):
    # The close lifts the high to 50,385 and with it the floor to its lock, which is above the equity.
    env = scenario(
        [(5009.0, 5007.0, 5008.0)], trailing_drawdown_dollars=300.0, floor_lock_dollars=1000.0
    )
    _run(env, BUY)
    env.highest_balance = 50_900.0
    _, terminated, _, info = _run(env, HOLD)
    assert env.trailing_dd_level == 50_600.0
    assert (info["equity"], terminated, info["exit_code"]) == (50_385.0, True, 4)


def test_late_and_breached_is_one_penalty_code_3_reason_drawdown(scenario):
    env = scenario([QUIET], minutes=[LATE], trailing_drawdown_dollars=15.0)
    reward, terminated, _, info = _run(env, BUY, HOLD)
    assert (info["exit_code"], info["done_reason"], info["violation"]) == (3, 1, True)
    assert reward == pytest.approx(-0.30 - 10)
    assert terminated


def test_a_stop_that_breaches_keeps_its_code(scenario):
    env = scenario([(5001.0, 4997.0, 5000.0)], trailing_drawdown_dollars=100.0)
    reward, terminated, _, info = _run(env, BUY, HOLD)
    assert (info["exit_code"], info["done_reason"], info["violation"]) == (1, 1, True)
    assert reward == pytest.approx(-1.55 - 10)
    assert terminated
    assert (env.position, env.balance) == (0, 49_845.0)


# 7. Booking


def test_a_pnl_of_zero_is_a_loss(scenario):
    # With no slippage and no commission a late close at the entry price earns exactly nothing.
    env = scenario([QUIET], minutes=[LATE])
    env.slippage = env.commission = 0.0
    info = _run(env, BUY, HOLD)[3]
    assert (info["trade_pnl"], info["exit_code"]) == (0.0, 3)
    assert (env.winning_trades, env.losing_trades) == (0, 1)


def test_a_gross_winner_below_its_costs_is_a_loss(scenario):
    env = scenario([(5001.0, 4999.0, 5000.75)], minutes=[LATE], symbol="MES")
    info = _run(env, BUY, HOLD)[3]  # out at 5000.50: one tick of $1.25, less $1.00
    assert (info["trade_pnl"], env.winning_trades) == (0.25, 1)
    env = scenario([(5001.0, 4999.0, 5000.75)], minutes=[LATE], symbol="MES")
    env.commission = 0.63
    info = _run(env, BUY, HOLD)[3]
    assert (info["trade_pnl"], env.losing_trades, env.balance) == (-0.01, 1, 49_999.99)


def test_trade_history(scenario):
    env = scenario([QUIET, (5001.0, 4990.75, 4995.0)])
    _run(env, SELL, HOLD, HOLD)
    (trade,) = env.trade_history
    assert trade == {
        "side": "short",
        "entry_step": 21,
        "entry_time": env.df.index[21],
        "entry_price": 4999.75,
        "exit_step": 23,
        "exit_time": env.df.index[23],
        "exit_price": 4990.75,
        "exit_code": 2,
        "pnl": 445.0,
    }
    env.reset(options={"start_index": 21})
    assert env.trade_history == []


# 8. Reward


def test_reward_terms_add_up(scenario):
    settings = {
        "hold_penalty": -0.5,
        "patience_reward": 0.25,
        "pnl_divisor_dollars": 50.0,
        "violation_penalty": -7.0,
        "invalid_action_penalty": -2.0,
    }
    env = scenario([QUIET, QUIET], minutes=[601, LATE], **settings)
    assert _run(env, HOLD)[0] == 0.25
    env = scenario([QUIET, QUIET], minutes=[601, LATE], **settings)
    assert _run(env, BUY)[0] == -0.5
    assert _run(env, BUY)[0] == -2.5
    assert _run(env, BUY)[0] == pytest.approx(-30 / 50 - 7 - 2)


# 9. Time


def test_the_bar_limit_truncates(scenario):
    env = scenario(max_episode_bars=2)
    assert _run(env, HOLD)[1:3] == [False, False]
    _, terminated, truncated, info = _run(env, HOLD)
    assert (terminated, truncated, info["done_reason"]) == (False, True, 4)


def test_the_end_of_data_truncates_and_outranks_the_bar_limit(scenario):
    env = scenario(max_episode_bars=5)
    _, terminated, truncated, info = _run(env, *[HOLD] * 5)
    assert (terminated, truncated, info["done_reason"]) == (False, True, 3)
    assert env.step_idx == len(env.df) - 1


def test_the_end_of_data_before_the_bar_limit(scenario):
    env = scenario(max_episode_bars=5)
    env.step_idx = env.episode_start = 24  # a state set from outside, two steps before the end
    assert _run(env, HOLD)[2] is False
    _, _, truncated, info = _run(env, HOLD)
    assert (truncated, info["done_reason"]) == (True, 3)


def test_a_step_that_terminates_is_not_truncated(scenario):
    env = scenario(max_episode_bars=1, trailing_drawdown_dollars=14.99)
    _, terminated, truncated, info = _run(env, BUY)
    assert (terminated, truncated, info["done_reason"]) == (True, False, 1)


def test_stepping_past_the_data_is_refused(scenario):
    env = scenario()
    _run(env, *[HOLD] * 5)
    with refuses():
        env.step(HOLD)

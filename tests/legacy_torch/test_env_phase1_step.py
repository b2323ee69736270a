"""Section 6, 1 to 4, sentence by sentence, against hand-computed values.

In ES's quiet market at 5000: a buy fills at 5000.25 with its stop at 4997.25 and its target at
5009.25; a sell at 4999.75 with 5002.75 and 4990.75. A tick is $12.50 and a side costs $2.50.
"""

from __future__ import annotations

import numpy as np
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


# 1. Legality


@pytest.mark.parametrize("action", [BUY, SELL, -1, 3, 99])
def test_a_forbidden_action_is_hold_and_costs_the_penalty(scenario, action):
    env = scenario([QUIET], invalid_action_penalty=-1.0)
    _run(env, BUY)
    reward, terminated, truncated, info = _run(env, action)
    assert reward == pytest.approx(-1.01)
    assert info["forbidden"]
    assert not terminated
    assert not truncated
    assert (env.position, env.entry_price, env.num_trades) == (1, 5000.25, 1)


@pytest.mark.parametrize("action", [-1, 3])
def test_no_action_at_all_is_forbidden_when_flat_too(scenario, action):
    env = scenario(invalid_action_penalty=-1.0)
    reward, _, _, info = _run(env, action)
    assert reward == pytest.approx(-0.999)
    assert info["forbidden"]
    assert env.position == 0


def test_forbidden_costs_nothing_by_default(scenario):
    env = scenario()
    assert _run(env, BUY, BUY)[0] == pytest.approx(-0.01)


@pytest.mark.parametrize("action", [1.0, "1", None, np.array([1, 2])], ids=str)
def test_what_is_not_a_whole_number_is_refused(scenario, action):
    with refuses():
        scenario().step(action)


@pytest.mark.parametrize("action", [np.int64(1), np.array(1), True])
def test_any_whole_number_type_is_taken(scenario, action):
    env = scenario()
    env.step(action)
    assert env.position == 1


def test_the_mask_before_the_step_counts(scenario):
    # The stop closes the position first, but the mask at t still saw it.
    env = scenario([(5000.0, 4990.0, 4995.0)], invalid_action_penalty=-1.0)
    _run(env, BUY)
    reward, _, _, info = _run(env, BUY)
    assert info["forbidden"]
    assert info["exit_code"] == 1
    assert reward == pytest.approx(-1.55 - 1.0)
    assert (env.position, env.num_trades) == (0, 1)


@pytest.mark.parametrize(("minute", "opens"), [(959, True), (960, False), (2009, False), (2010, True)])
def test_an_entry_outside_the_window_does_nothing_and_costs_nothing(scenario, minute, opens):
    # 2009 and 2010 are 09:29 and 09:30 of the next day
    env = scenario([QUIET], minutes=[minute], session="all", invalid_action_penalty=-1.0)
    _run(env, HOLD)
    assert env.action_masks().tolist() == [True, True, True]
    reward, _, _, info = _run(env, BUY)
    assert not info["forbidden"]
    assert (env.position, env.num_trades) == ((1, 1) if opens else (0, 0))
    assert reward == pytest.approx(-0.01 if opens else 0.001)
    assert env.balance == (49_997.5 if opens else 50_000.0)


# 2. Stop and target


@pytest.mark.parametrize(
    ("action", "bar", "code", "pnl"),
    [
        (BUY, (5001.0, 4997.25, 5000.0), 1, -155.0),  # touching is enough
        (BUY, (5001.0, 4997.50, 5000.0), 0, 0.0),  # a tick short is not
        (BUY, (5009.25, 4999.0, 5000.0), 2, 445.0),
        (BUY, (5009.00, 4999.0, 5000.0), 0, 0.0),
        (BUY, (5009.25, 4997.25, 5000.0), 1, -155.0),  # both: a loss
        (BUY, (4991.0, 4989.0, 4990.0), 1, -155.0),  # a gap still fills at the stop
        (BUY, (5021.0, 5019.0, 5020.0), 2, 445.0),
        (SELL, (5002.75, 4999.0, 5000.0), 1, -155.0),
        (SELL, (5002.50, 4999.0, 5000.0), 0, 0.0),
        (SELL, (5001.0, 4990.75, 5000.0), 2, 445.0),
        (SELL, (5001.0, 4991.00, 5000.0), 0, 0.0),
        (SELL, (5002.75, 4990.75, 5000.0), 1, -155.0),
        (SELL, (5021.0, 5019.0, 5020.0), 1, -155.0),
        (SELL, (4981.0, 4979.0, 4980.0), 2, 445.0),
    ],
)
def test_stop_and_target(scenario, action, bar, code, pnl):
    env = scenario([bar])
    reward, terminated, truncated, info = _run(env, action, HOLD)
    assert (info["exit_code"], info["trade_pnl"]) == (code, pnl)
    assert not terminated
    assert not truncated
    assert not info["violation"]
    if code:
        assert reward == pytest.approx(pnl / 100)
        assert env.balance == 50_000 + pnl
        assert env.total_pnl == pnl
        assert (env.num_trades, env.winning_trades, env.losing_trades) == (
            1,
            int(pnl > 0),
            int(pnl < 0),
        )
        cleared = (env.position, env.entry_price, env.sl_price, env.tp_price, env.position_entry_step)
        assert cleared == (0, 0.0, 0.0, 0.0, 0)
    else:
        assert env.position != 0
        assert reward == pytest.approx(-0.01)


def test_the_bar_of_the_entry_does_not_stop_it(scenario):
    # The entry bar reaches 4990: ATR = (13 x 2 + 11)/14, 10.571 ticks, so the stop is 16 ticks away.
    env = scenario(first=(5001.0, 4990.0, 5000.0))
    _run(env, BUY)
    assert (env.position, env.sl_price, env.tp_price) == (1, 4996.25, 5012.25)


def test_a_position_opened_on_this_bar_is_no_earlier_one(scenario):
    env = scenario(first=(5001.0, 4990.0, 5000.0))
    env.position, env.entry_price, env.sl_price, env.tp_price = 1, 5000.25, 4996.25, 5012.25
    env.position_entry_step = env.step_idx
    assert _run(env, HOLD)[3]["exit_code"] == 0
    assert env.position == 1


# 3. Flat by 16:59


@pytest.mark.parametrize("action", [BUY, SELL])
def test_open_at_1659_is_closed_against_slippage(scenario, action):
    env = scenario([QUIET], minutes=[LATE])
    reward, terminated, truncated, info = _run(env, action, HOLD)
    # a tick on the way in, a tick on the way out, two commissions
    assert info["trade_pnl"] == -30.0
    assert (info["exit_code"], info["done_reason"], info["violation"]) == (3, 2, True)
    assert terminated
    assert not truncated
    assert env.position == 0
    assert env.balance == 49_970.0
    assert reward == pytest.approx(-0.30 - 10)


def test_open_at_1658_is_fine(scenario):
    env = scenario([QUIET], minutes=[LATE - 1])
    _, terminated, _, info = _run(env, BUY, HOLD)
    assert (terminated, info["done_reason"], env.position) == (False, 0, 1)


def test_flat_at_1659_is_fine(scenario):
    reward, terminated, _, info = _run(scenario([QUIET], minutes=[LATE]), HOLD, HOLD)
    assert (terminated, info["violation"]) == (False, False)
    assert reward == pytest.approx(0.001)


def test_a_stop_at_1659_comes_first_and_is_no_violation(scenario):
    env = scenario([(5001.0, 4997.0, 4999.0)], minutes=[LATE])
    reward, terminated, _, info = _run(env, BUY, HOLD)
    assert (info["exit_code"], info["violation"], terminated) == (1, False, False)
    assert reward == pytest.approx(-1.55)


def test_no_new_position_after_a_late_close(scenario):
    env = scenario([QUIET], minutes=[LATE], entry_close_minute=1440)
    _run(env, BUY, BUY)
    assert (env.position, env.num_trades) == (0, 1)


def test_a_position_opened_late_is_closed_on_the_next_bar(scenario):
    # Step 3 looks at positions before step 4 opens one.
    env = scenario([QUIET], minute=LATE, minutes=[LATE + 1], session="all", entry_close_minute=1440)
    _, terminated, _, info = _run(env, BUY)
    assert (terminated, env.position) == (False, 1)
    _, terminated, _, info = _run(env, HOLD)
    assert (terminated, info["exit_code"]) == (True, 3)


# 4. Action


@pytest.mark.parametrize(
    ("action", "position", "entry", "stop", "target"),
    [(BUY, 1, 5000.25, 4997.25, 5009.25), (SELL, -1, 4999.75, 5002.75, 4990.75)],
)
def test_an_entry(scenario, action, position, entry, stop, target):
    env = scenario()
    reward, terminated, truncated, info = _run(env, action)
    assert (env.position, env.entry_price, env.sl_price, env.tp_price) == (
        position,
        entry,
        stop,
        target,
    )
    assert (env.position_entry_step, env.step_idx, env.num_trades) == (21, 22, 1)
    assert env.balance == 49_997.5  # one side
    assert env.total_pnl == 0.0
    assert info["equity"] == 49_985.0  # and a tick of slippage
    assert (info["exit_code"], info["trade_pnl"], info["violation"]) == (0, 0.0, False)
    assert reward == pytest.approx(-0.01)
    assert not terminated
    assert not truncated


@pytest.mark.parametrize(
    ("symbol", "contracts", "price", "entry", "stop", "balance", "equity"),
    [
        ("YM", 1, 42000.0, 42002.0, 41990.0, 49_997.50, 49_987.50),  # 2 ticks of $5
        ("RTY", 1, 2000.0, 2000.2, 1999.0, 49_997.50, 49_987.50),
        ("RTY", 1, 1998.8, 1999.0, 1997.8, 49_997.50, 49_987.50),  # both need snapping
        ("NQ", 3, 20000.0, 20000.25, 19997.25, 49_992.50, 49_977.50),  # 3 x $2.50; 3 ticks of $5
        ("MES", 1, 5000.0, 5000.25, 4997.25, 49_999.50, 49_998.25),
        ("MNQ", 7, 20000.0, 20000.25, 19997.25, 49_996.50, 49_993.00),
        ("M2K", 2, 2000.0, 2000.2, 1999.0, 49_999.00, 49_997.00),
        ("MYM", 1, 42000.0, 42002.0, 41990.0, 49_999.50, 49_998.50),
    ],
)
def test_costs_of_other_contracts(scenario, symbol, contracts, price, entry, stop, balance, equity):
    env = scenario(symbol=symbol, contracts=contracts, price=price)
    info = _run(env, BUY)[3]
    assert (env.entry_price, env.sl_price) == pytest.approx((entry, stop), abs=1e-9)
    tick = env.tick_size
    assert env.entry_price == round(entry / tick) * tick  # on the grid, to the last bit
    assert env.sl_price == round(stop / tick) * tick
    assert env.tp_price == (round(entry / tick) + 36) * tick
    assert (env.balance, info["equity"]) == (balance, equity)


def test_a_stop_on_the_dime_grid_is_touched_to_the_tick(scenario):
    # 1999.0 is 19990 x 0.1, which is not what 2000.2 - 1.2 gives in floating point
    for low, code in ((1999.0, 1), (1999.1, 0)):
        env = scenario([(2000.4, low, 2000.0)], symbol="RTY", price=2000.0)
        assert _run(env, BUY, HOLD)[3]["exit_code"] == code


def test_a_target_on_the_dime_grid_is_reached_to_the_tick(scenario):
    # 2003.8 is 20038 x 0.1, which is not what 2000.2 + 3.6 gives in floating point
    for high, code in ((2003.8, 2), (2003.7, 0)):
        env = scenario([(high, 1999.6, 2000.0)], symbol="RTY", price=2000.0)
        assert _run(env, BUY, HOLD)[3]["exit_code"] == code


def test_three_contracts_pay_and_earn_threefold(scenario):
    env = scenario([(5009.25, 4999.0, 5000.0)], contracts=3)
    assert _run(env, BUY, HOLD)[3]["trade_pnl"] == 3 * 445.0
    assert env.balance == 51_335.0


def test_a_closed_position_is_not_replaced_in_the_same_step_but_in_the_next(scenario):
    env = scenario([(5009.25, 4999.0, 5000.0), QUIET])
    _run(env, BUY, SELL)
    assert (env.position, env.num_trades) == (0, 1)
    _run(env, SELL)
    assert (env.position, env.num_trades) == (-1, 2)

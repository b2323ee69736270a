"""The account in every second, against hand-computed values.

In ES's quiet market at 5000 a buy fills at 5000.25, with its stop at 4997.25 and its target at 5009.25.
A point is $50 and a side costs $2.50, so the account then has $49,997.50. A drawdown of $100 puts its
floor at $49,900: $97.50 are 7.8 ticks, so a long breaks at 4998.25 and stands at 4998.50.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from legacy_torch.outcome import DoneReason, ExitCode
from legacy_torch.seconds import SECONDS_ENVIRONMENTS
from markets import Bars, EnvConfig
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars
from tests.sentences import refuses

HOLD, BUY, SELL = 0, 1, 2
WIDE = (5006.0, 4998.5, 5000.0)
LONG_FLOOR = {"trailing_drawdown_dollars": 100.0}


@pytest.fixture
def by_second(scenario):
    """Return ``by_second(bar, seconds)``: a market whose second bar is lived through in these seconds.

    Seconds are (high, low), from the first second of that minute.
    """

    def make(bar, seconds, *, phase=1, **settings):
        minutes = scenario([bar], phase=phase, **settings)
        start = minutes.bars.frame.index[22]
        index = start + pd.to_timedelta(np.arange(len(seconds)), unit="s")
        prices = [[low, high, low, low, 1.0] for high, low in seconds]
        frame = pd.DataFrame(prices, columns=["open", "high", "low", "close", "volume"], index=index)
        fine = Bars.from_frame(frame, minutes.bars.contract, source="seconds", bar_seconds=1)
        env = SECONDS_ENVIRONMENTS[phase](minutes.bars, fine, minutes.config)
        env.reset(options={"start_index": 21})
        return env

    return make


def _second_bar(env, first, second=HOLD):
    env.step(first)
    _, *result = env.step(second)
    return result


def test_the_worst_price_breaks_the_floor_and_liquidates_there(by_second):
    bar = (5000.25, 4998.0, 5000.0)
    env = by_second(bar, [(5000.0, 4998.5), (5000.0, 4998.25), (5000.0, 4998.0)], **LONG_FLOOR)
    reward, terminated, _, info = _second_bar(env, BUY)
    assert terminated
    assert (info["exit_code"], info["done_reason"]) == (ExitCode.LIQUIDATED, DoneReason.DRAWDOWN)
    assert info["violation"]
    assert info["trade_pnl"] == -2 * 50 - 5  # 4998.25, without slippage, and not 4998.00
    assert env.trade_history[-1]["exit_price"] == 4998.25
    assert env.balance == 49_895.0
    assert reward == pytest.approx(-105 / 100 - 10)


def test_the_minute_alone_sees_nothing_of_it(scenario):
    env = scenario([(5000.25, 4998.0, 5000.0)], **LONG_FLOOR)
    _, terminated, _, info = _second_bar(env, BUY)
    assert (terminated, info["exit_code"], env.position) == (False, ExitCode.NONE, 1)


def test_at_the_floor_is_no_breach(by_second):
    # $49,997.50 - 7 ticks = $49,910: a drawdown of $90 puts the floor exactly there.
    env = by_second((5000.0, 4998.5, 5000.0), [(5000.0, 4998.5)], trailing_drawdown_dollars=90.0)
    _, terminated, _, _ = _second_bar(env, BUY)
    assert not terminated


def test_a_short_is_hurt_by_highs(by_second):
    # Sold at 4999.75; with $97.50 to lose it stands at 5001.50 and breaks at 5001.75.
    bar = (5001.75, 4999.0, 5000.0)
    env = by_second(bar, [(5001.5, 4999.0), (5001.75, 5000.0)], **LONG_FLOOR)
    _, _, _, info = _second_bar(env, SELL)
    assert info["exit_code"] == ExitCode.LIQUIDATED
    assert info["trade_pnl"] == -2 * 50 - 5


def test_the_best_price_raises_the_floor_for_the_next_second_only(by_second):
    # At 5003.50 the equity is $49,997.50 + $162.50 = $50,160, so the floor becomes $50,060:
    # 5001.25 ($50,047.50) is below it, 5001.50 ($50,060) is not.
    env = by_second((5003.5, 5001.25, 5001.5), [(5003.5, 5001.25), (5001.5, 5001.5)], **LONG_FLOOR)
    _, terminated, _, _ = _second_bar(env, BUY)
    assert not terminated
    assert (env.highest_balance, env.trailing_dd_level) == (50_160.0, 50_060.0)
    env = by_second((5003.5, 5001.25, 5001.5), [(5003.5, 5001.5), (5001.5, 5001.25)], **LONG_FLOOR)
    _, terminated, _, info = _second_bar(env, BUY)
    assert terminated
    assert info["trade_pnl"] == 50 - 5


def test_a_floor_raised_within_the_minute_counts_at_its_close(by_second):
    env = by_second((5003.5, 5001.25, 5001.25), [(5003.5, 5002.0)], **LONG_FLOOR)
    _, terminated, _, info = _second_bar(env, BUY)
    assert terminated
    assert info["trade_pnl"] == (5001.0 - 5000.25) * 50 - 5  # at the close, against slippage


def test_at_its_stop_a_trade_leaves(by_second):
    # What comes below the stop of 4997.25, in that second or later, is not the trade's own.
    bar = (5000.0, 4990.0, 4990.0)
    env = by_second(bar, [(5000.0, 4997.5), (4998.0, 4996.0), (4996.0, 4990.0)])
    _, terminated, _, info = _second_bar(env, BUY)
    assert (terminated, info["exit_code"]) == (False, ExitCode.STOP)
    assert env.trade_history[-1]["exit_price"] == 4997.25
    assert env.highest_balance == 50_000.0


def test_at_its_stop_the_floor_is_looked_at_first(by_second):
    env = by_second((5000.0, 4990.0, 4990.0), [(4998.0, 4996.0)], trailing_drawdown_dollars=150.0)
    _, _, _, info = _second_bar(env, BUY)
    assert info["exit_code"] == ExitCode.LIQUIDATED
    assert info["trade_pnl"] == -3 * 50 - 5  # at 4997.25, the stop


def test_at_its_target_a_trade_leaves(by_second):
    bar = (5020.0, 4999.0, 5015.0)
    env = by_second(bar, [(5005.0, 4999.5), (5012.0, 5008.0), (5020.0, 4999.0)])
    _, terminated, _, info = _second_bar(env, BUY)
    assert (terminated, info["exit_code"]) == (False, ExitCode.TARGET)
    assert env.highest_balance == 49_997.5 + 450.0  # at 5009.25, the target


@pytest.mark.parametrize("low", [4997.5, 4999.75])
def test_what_comes_after_the_target_is_no_longer_the_trades(by_second, low):
    # With the target the floor has come to $50,347.50, which is 5007.25: any dip would be below it.
    env = by_second((5012.0, 4997.5, 5000.0), [(5012.0, 5000.0), (5000.0, low)], **LONG_FLOOR)
    _, terminated, _, info = _second_bar(env, BUY)
    assert (terminated, info["exit_code"]) == (False, ExitCode.TARGET)
    assert info["trade_pnl"] == 9 * 50 - 5


def test_the_bar_of_the_entry_comes_before_it(by_second):
    env = by_second((5000.0, 4990.0, 5000.0), [(5000.0, 4990.0)], **LONG_FLOOR)
    env.step(HOLD)
    _, _, terminated, _, _ = env.step(BUY)  # on the bar of the seconds, at its close
    assert (terminated, env.position) == (False, 1)


def test_without_a_second_a_minute_is_judged_at_its_close(by_second):
    env = by_second((5000.25, 4998.0, 5000.0), [(5000.0, 5000.0)], **LONG_FLOOR)
    _, terminated, _, _ = _second_bar(env, BUY)
    assert not terminated


def test_phase_2_pays_its_bonus_on_a_trailing_trade_liquidated_in_profit(by_second):
    env = by_second((5003.5, 5001.25, 5001.5), [(5003.5, 5001.5), (5001.5, 5001.25)], phase=2)
    env.step(BUY)
    env.trailing, env.sl_price = True, 5000.5
    env.highest_balance, env.trailing_dd_level = 50_160.0, 50_060.0
    _, reward, terminated, _, info = env.step(HOLD)
    assert (terminated, info["trade_pnl"], env.trailing) == (True, 45.0, False)
    terms = env.config.reward
    assert reward == pytest.approx(0.45 + terms.violation_penalty + terms.trail_win_bonus)


@pytest.mark.parametrize("phase", [1, 2])
def test_seconds_lie_beside_the_bars_of_the_session(phase):
    """Of a file of day and night, whose first bars the session leaves out."""
    bars = synthetic_bars("ES", days=1, seed=3, session="all")
    fine = second_bars(bars, seed=3)
    config = (EnvConfig.phase1 if phase == 1 else EnvConfig.phase2)(max_episode_bars=60)
    env = SECONDS_ENVIRONMENTS[phase](bars, fine, config, render_mode="ansi")
    assert (env.render_mode, env.config, env.phase) == ("ansi", config, phase)
    assert len(env.df) < len(bars)
    assert len(env.seconds.first) == len(env.df) + 1
    minute = fine.frame.index.floor("min")
    for row in (0, 200, len(env.df) - 1):
        own = fine.frame[minute == env.df.index[row]]
        found = slice(env.seconds.first[row], env.seconds.first[row + 1])
        assert len(own) > 30
        assert env.seconds.high[found].tolist() == own["high"].tolist()
        assert env.seconds.low[found].tolist() == own["low"].tolist()


def test_seconds_of_other_days_are_refused(by_second, scenario):
    fine = by_second((5000.25, 4998.0, 5000.0), [(5000.0, 5000.0)])
    frame = fine.bars.frame
    late = Bars.from_frame(
        frame.set_axis(frame.index + pd.Timedelta(days=7)), fine.bars.contract, source="next week"
    )
    seconds = Bars.from_frame(
        frame.iloc[:3].set_axis(frame.index[0] + pd.to_timedelta([0, 1, 2], unit="s")),
        fine.bars.contract,
        source="seconds",
        bar_seconds=1,
    )
    config = EnvConfig.phase1(warmup_bars=20, window_size=1, max_episode_bars=6)
    with refuses():
        SECONDS_ENVIRONMENTS[1](late, seconds, config)


@pytest.mark.parametrize(("side", "action"), [(1, BUY), (-1, SELL)])
@pytest.mark.parametrize("first", [True, False])
def test_a_trade_leaves_in_the_second_that_touches_its_stop_to_the_tick(by_second, side, action, first):
    """What is best in that second and later is no longer the trade's, of a short as of a long."""
    stop, best = 5000 - side * 2.75, 5000 + side * 4.0
    before = tuple(sorted((5000.0, 5000 + side * 1.0), reverse=True))  # 3 ticks of profit: $37.50
    touched = tuple(sorted((best, stop), reverse=True))
    after = tuple(sorted((best + side, stop + side), reverse=True))
    seconds = [touched, after] if first else [before, touched, after]
    bar = (max(max(second) for second in seconds), min(min(second) for second in seconds), 5000.0)
    env = by_second(bar, seconds)
    _, terminated, _, info = _second_bar(env, action)
    assert (terminated, info["exit_code"], info["trade_pnl"]) == (False, ExitCode.STOP, -155.0)
    assert env.highest_balance == (50_000.0 if first else 50_035.0)


@pytest.mark.parametrize(("side", "action"), [(1, BUY), (-1, SELL)])
def test_a_trade_leaves_in_the_second_that_touches_its_target_to_the_tick(by_second, side, action):
    """The floor has come to $50,347.50 by then: any second after it would be below that."""
    target = 5000 + side * 9.25
    reached = tuple(sorted((target, 5000.0), reverse=True))
    bar = (max(reached), min(reached), 5000.0)
    env = by_second(bar, [(5000.0, 5000.0), reached, (5000.0, 5000.0)], **LONG_FLOOR)
    _, terminated, _, info = _second_bar(env, action)
    assert (terminated, info["exit_code"], info["trade_pnl"]) == (False, ExitCode.TARGET, 445.0)
    assert env.highest_balance == 49_997.5 + 450.0


def test_a_short_raises_the_floor_by_lows(by_second):
    # Sold at 4999.75: 13 ticks down are $49,997.50 + $162.50, and at 4998.75 $50,047.50 are too few.
    env = by_second((4998.75, 4996.5, 4998.5), [(4997.0, 4996.5), (4998.75, 4998.0)], **LONG_FLOOR)
    _, terminated, _, info = _second_bar(env, SELL)
    assert (terminated, info["exit_code"], info["trade_pnl"]) == (True, ExitCode.LIQUIDATED, 45.0)
    assert env.highest_balance == 50_160.0


@pytest.mark.parametrize(("side", "action"), [(1, BUY), (-1, SELL)])
def test_a_trade_that_will_reach_its_target_breaks_the_floor_before(by_second, side, action):
    worst, target = 5000 - side * 1.75, 5000 + side * 9.25
    breaks, reached = (tuple(sorted((5000.0, end), reverse=True)) for end in (worst, target))
    bar = (max(worst, target), min(worst, target), 5000.0)
    env = by_second(bar, [(5000.0, 5000.0), breaks, reached], **LONG_FLOOR)
    _, terminated, _, info = _second_bar(env, action)
    assert (terminated, info["exit_code"], info["trade_pnl"]) == (True, ExitCode.LIQUIDATED, -105.0)


def test_a_position_opened_on_this_bar_did_not_live_through_it(by_second):
    env = by_second((5000.0, 4990.0, 5000.0), [(5000.0, 4990.0)], **LONG_FLOOR)
    env.step(HOLD)
    env.position, env.entry_price, env.sl_price, env.tp_price = 1, 5000.25, 4980.0, 5020.0
    env.position_entry_step = env.step_idx
    _, _, terminated, _, _ = env.step(HOLD)
    assert (terminated, env.position) == (False, 1)

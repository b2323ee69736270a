"""Both verdicts on bars and seconds made by hand, and what lies between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jax_port.data.data_loader import prepare
from jax_port.data.seconds_loader import PreparedSeconds, prepare_seconds
from jax_port.envs.env_phase1_jax import BUY, SELL
from jax_port.evaluation import intrabar
from jax_port.evaluation.episode_plots import ANY, STOP_MOVED, TRADED, caption, choose
from jax_port.evaluation.evaluate import evaluate, first_of_each_day
from jax_port.evaluation.intrabar import (
    Verdicts,
    _less,
    bars_within,
    compare,
    differing,
    evaluate_both,
    side_by_side,
)
from jax_port.evaluation.metrics import summarize
from markets import Bars, EnvConfig
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars
from tests.jax_port.made_policy import make_policy, one_action_policy
from tests.sentences import refuses

FIRST = 22
"""The bar of the entry, at 09:30; the seconds are of the bar after it."""
RUN_UP = [(4004, 3996, 4000)] * FIRST
"""Bars in ticks with an ATR of 8 ticks: a stop is 12 ticks away, a target 36."""
LOW = (4004, 3988, 4000)
"""A bar that reaches 13 ticks below a long's fill at 4001, and comes back."""

Judge = Callable[..., Verdicts]


def seconds_in(
    minutes: Bars, bar: int, prices: Sequence[tuple[int, int]], bar_seconds: int = 1
) -> Bars:
    """Return seconds of (high, low) in ticks from the first second of a minute."""
    index = minutes.frame.index[bar] + pd.to_timedelta(np.arange(len(prices)), unit="s")
    high, low = np.array(prices, np.float64).T * minutes.contract.tick_size
    frame = pd.DataFrame(
        {"open": low, "high": high, "low": low, "close": low, "volume": 1.0}, index=index
    )
    return Bars.from_frame(frame, minutes.contract, source="seconds", bar_seconds=bar_seconds)


@pytest.fixture
def judge(make_bars: Callable[..., Bars]) -> Judge:
    """Return ``judge(bar, seconds, action, **config)``: three steps of one wish from 09:30."""

    def play(
        bar: tuple[int, int, int],
        prices: list[tuple[int, int]],
        action: int = BUY,
        rows: Sequence[int] = (FIRST,),
        **config: Any,
    ) -> Verdicts:
        fixed = {"warmup_bars": 20, "window_size": 2, "session": "all", "max_episode_bars": 3}
        settings = EnvConfig.phase1(**fixed, **config)
        bars = make_bars([*RUN_UP, (4004, 3996, 4000), bar, *[(4004, 3996, 4000)] * 16])
        market = prepare(bars, settings)
        fine = prepare_seconds(bars, seconds_in(bars, FIRST + 1, prices), settings)
        policy = one_action_policy(market, settings, action)
        return evaluate_both(policy, market, fine, rows=rows, trades_of="all")

    return play


@pytest.mark.costly
def test_a_floor_that_only_a_second_breaks(judge: Judge) -> None:
    # Bought at 4001 with $2.50 paid: $50,000 - $2.50 - 8 x $12.50 is below the floor of $49,900.
    both = judge((4004, 3992, 4000), [(4000, 3994), (3995, 3993)], trailing_drawdown_dollars=100.0)
    assert both.minute.episodes["done_reason"].tolist() == [4]
    assert len(both.minute.trades) == 0
    (trade,) = both.second.trades.to_dict("records")
    assert (trade["exit_step"], trade["exit_code"]) == (FIRST + 1, 4)
    assert trade["exit_price"] == 3993 * 0.25  # at the second's worst, without slippage
    assert trade["pnl"] == -8 * 12.5 - 5

    (row,) = side_by_side(both).to_dict("records")
    assert row == {
        "episode": 0,
        "start": FIRST,
        "start_time": pd.Timestamp("2025-03-10 13:30", tz="UTC"),
        "day": pd.Timestamp("2025-03-10"),
        "daily": True,
        "differs": True,
        "done_reason_minute": 4,
        "done_reason_second": 1,
        "steps_minute": 3,
        "steps_second": 2,
        "pnl_minute": 0.0,
        "pnl_second": -105.0,
        "open_pnl_minute": -15.0,  # a tick of slippage and one commission
        "open_pnl_second": 0.0,
        "pnl_difference": -90.0,
    }
    found = compare(both, side_by_side(both), summarize(both.minute))
    assert (found["minute"]["pnl"], found["second"]["pnl"]) == (-15.0, -105.0)
    assert found["difference"] == {
        "pnl": -90.0,
        "worst_day": -90.0,
        "max_drawdown": 90.0,
        "days_broken": 1,
        "mean_pnl": -105.0,
        "episodes_broken": 1,
        "trades": 1,
        "liquidated": 1,
    }
    assert (found["minutes"], found["minutes_without"]) == (3, 2)
    assert found["differ"] == {"starts": 1, "daily": 1}
    assert found["episodes"][0]["start_time"] == "2025-03-10T13:30:00+00:00"
    assert found["performance"]["account"]["closed_pnl"] == -105.0


@pytest.mark.costly
def test_at_the_floor_both_verdicts_are_one(judge: Judge) -> None:
    # 7 ticks below the fill are $49,910: a drawdown of $90 puts the floor exactly there.
    both = judge((4004, 3994, 4000), [(4000, 3994)], trailing_drawdown_dollars=90.0)
    table = side_by_side(both)
    assert not table["differs"].any()
    pd.testing.assert_frame_equal(both.minute.equity, both.second.equity)
    found = compare(both, table, summarize(both.minute))
    assert set(found["difference"].values()) == {0}
    assert (found["differ"], found["episodes"]) == ({"starts": 0, "daily": 0}, [])


def test_a_short_is_hurt_by_highs(judge: Judge) -> None:
    both = judge(
        (4008, 3996, 4000), [(4007, 3996), (4000, 4000)], SELL, trailing_drawdown_dollars=100.0
    )
    assert both.minute.episodes["done_reason"].tolist() == [4]
    (trade,) = both.second.trades.to_dict("records")
    assert (trade["side"], trade["exit_price"], trade["pnl"]) == ("short", 4007 * 0.25, -105.0)


def test_a_second_of_one_price_is_one_and_the_bars_that_can_be_traded_are_counted(judge: Judge) -> None:
    """Of three bars, and of four where two episodes begin one bar apart; one of them has a second."""
    both = judge((4004, 3996, 4000), [(4000, 4000)])
    assert (both.minutes, both.minutes_without) == (3, 2)
    assert not side_by_side(both)["differs"].any()
    # Slippage and a commission are more than the account may lose, so each entry is closed at once.
    both = judge(
        (4004, 3996, 4000), [(4000, 4000)], rows=(FIRST, FIRST + 1), trailing_drawdown_dollars=10.0
    )
    assert (both.minutes, both.minutes_without) == (4, 3)
    for found in (both.minute, both.second):
        assert found.trades["episode"].tolist() == [0, 1]  # of every start, as was asked for
        assert found.episodes["daily"].tolist() == [True, False]
        assert (found.trades_of, found.equity["episode"].unique().tolist()) == ("all", [0])


def test_at_its_stop_a_trade_leaves(judge: Judge) -> None:
    # Below the stop at 3989 the price is not the trade's own: the floor, 13 ticks away, stands.
    both = judge(LOW, [(3990, 3988)], trailing_drawdown_dollars=153.0)
    for found in (both.minute, both.second):
        assert found.trades[["exit_code", "exit_price"]].values.tolist()[0] == [1, 3989 * 0.25]
    # A floor between the stop and the one before it is broken at the stop's own price.
    both = judge(LOW, [(3990, 3988)], trailing_drawdown_dollars=150.0)
    minute, second = (found.trades.iloc[0] for found in (both.minute, both.second))
    assert (minute["exit_code"], second["exit_code"]) == (1, 4)
    assert minute["exit_price"] == second["exit_price"] == 3989 * 0.25
    assert minute["pnl"] == second["pnl"] == -155.0
    assert not side_by_side(both)["differs"].any()  # both end here by drawdown, with the same money
    # A second that only touches the stop ends the trade; what falls through the floor later is not its.
    both = judge((4004, 3970, 4000), [(3990, 3989), (3990, 3970)], trailing_drawdown_dollars=200.0)
    for found in (both.minute, both.second):
        assert found.trades[["exit_code", "exit_price"]].values.tolist()[0] == [1, 3989 * 0.25]


def test_at_its_target_a_trade_leaves(judge: Judge) -> None:
    """What falls through the floor in a later second is no longer the trade's own."""
    both = judge((4040, 3992, 4000), [(4037, 4000), (4000, 3992)], trailing_drawdown_dollars=100.0)
    # Bought at 4001, with the target at 4037: 36 ticks of $12.50, less $5.
    for found in (both.minute, both.second):
        (trade,) = found.trades.to_dict("records")[:1]
        assert (trade["exit_code"], trade["exit_price"], trade["pnl"]) == (2, 4037 * 0.25, 445.0)
    # The other way round the floor is broken first.
    both = judge((4040, 3992, 4000), [(4000, 3992), (4037, 4000)], trailing_drawdown_dollars=100.0)
    assert [found.trades["exit_code"].iloc[0] for found in (both.minute, both.second)] == [2, 4]


def test_seconds_of_no_traded_minute_are_refused(make_bars: Callable[..., Bars]) -> None:
    config = EnvConfig.phase1(warmup_bars=20, window_size=2, session="all", max_episode_bars=3)
    bars = make_bars([(4004, 3996, 4000)] * 40)
    market = prepare(bars, config)
    policy = one_action_policy(market, config, BUY)
    early = prepare_seconds(bars, seconds_in(bars, 3, [(4000, 4000)]), config)
    with refuses():
        evaluate_both(policy, market, early)
    short = replace(early, high=early.high[:-1], low=early.low[:-1])
    with refuses():
        evaluate(policy, market, seconds=short)
    with refuses():
        evaluate_both(policy, market, short)


def test_which_bars_episodes_can_trade() -> None:
    rows = np.array([2, 3, 8, 99])
    assert np.flatnonzero(bars_within(rows, 2, 10)).tolist() == [2, 3, 4, 8, 9]
    assert not bars_within(rows[:0], 2, 10).any()
    assert np.flatnonzero(bars_within(np.array([7, 0, -1, 10]), 3, 9)).tolist() == [0, 1, 2, 7, 8]


SMALL = EnvConfig.phase2(max_episode_bars=40, trailing_drawdown_dollars=150.0)
BARS = synthetic_bars("ES", days=4, seed=5, start="2025-01-02")


@pytest.fixture(scope="module")
def both() -> Verdicts:
    """Every fifth start of four synthetic days in Phase 2, on a small account."""
    market = prepare(BARS, SMALL)
    fine: PreparedSeconds = prepare_seconds(BARS, second_bars(BARS, seed=1), SMALL)
    played: list[int] = []
    found = evaluate_both(
        make_policy(market, SMALL, seed=3),
        market,
        fine,
        rows=market.starts[::5],
        trades_of="all",
        lanes=100,
        on_batch=played.append,
    )
    assert sum(played) == 2 * len(market.starts[::5])
    assert max(played) == 100
    return found


@pytest.mark.costly
def test_seconds_only_ever_end_an_episode_sooner(both: Verdicts) -> None:
    table = side_by_side(both)
    other = differing(table)
    assert 10 < len(other) < len(table)
    assert (other["done_reason_second"] == 1).all()
    assert (other["steps_second"] <= other["steps_minute"]).all()
    assert (other["done_reason_minute"] != 1).any()
    assert other["daily"].is_monotonic_decreasing
    assert both.minutes_without == 0
    # Until a second breaks the floor nothing differs, so each trade but the last is the same.
    keys = ["episode", "entry_step", "entry_price", "side"]
    minute, second = (found.trades for found in (both.minute, both.second))
    last = second.groupby("episode").tail(1).index
    earlier = second.drop(last).merge(minute, on=keys, how="left", suffixes=("", "_minute"))
    assert len(earlier) > 50
    assert earlier["pnl"].tolist() == earlier["pnl_minute"].tolist()


@pytest.mark.costly
def test_all_that_differ_are_counted_and_some_listed(
    both: Verdicts, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = side_by_side(both)
    other = differing(table)
    monkeypatch.setattr(intrabar, "MOST_LISTED", 3)
    found = compare(both, table, summarize(both.minute))
    assert found["differ"] == {"starts": len(other), "daily": int(other["daily"].sum())}
    assert [row["episode"] for row in found["episodes"]] == other["episode"].tolist()[:3]


@pytest.mark.costly
def test_days_to_look_at_are_those_whose_stop_moved(both: Verdicts) -> None:
    market = prepare(BARS, SMALL)
    common, traces = choose(both.minute, market)
    assert common == STOP_MOVED
    pnl = [trace.pnl for trace in traces]
    assert pnl == sorted(pnl, reverse=True)
    assert traces[0].rank == "best"
    for trace in traces:
        assert trace.stop_moves > 0
        assert f"stop moved {trace.stop_moves} time" in caption(trace)[1]
        bars = len(trace.close)
        assert len(trace.high) == len(trace.times) == bars == len(trace.stop) - 1
        assert (trace.low <= trace.close).all()
        held = trace.position != 0
        assert np.isnan(trace.stop[~held]).all()
        assert np.isfinite(trace.stop[held]).all()
        # Never against the trade: a long's stop rises, a short's falls.
        steps = trace.position[1:] * np.diff(trace.stop)
        assert (steps[np.isfinite(steps)] >= 0).all()
        for trade in trace.trades.to_dict("records"):
            assert trace.entry[trade["entry_step"] + 1] == trade["entry_price"]
            if trade["exit_code"] == 1:
                assert trace.stop[trade["exit_step"]] == trade["exit_price"]


def test_days_without_a_move_or_a_trade_are_looked_at_too() -> None:
    config = EnvConfig.phase1(max_episode_bars=40)
    market = prepare(BARS, config)
    rows = market.starts[::450]
    traded = evaluate(one_action_policy(market, config, BUY), market, rows=rows)
    assert choose(traded, market)[0] == TRADED
    common, traces = choose(evaluate(one_action_policy(market, config, 0), market, rows=rows), market)
    assert (common, [trace.rank for trace in traces]) == (ANY, ["best", "median", "worst"])
    every = market.starts[first_of_each_day(market, market.starts)]
    held = evaluate(one_action_policy(market, config, 0), market, rows=every)
    days = held.episodes["day"].tolist()
    assert [trace.day for trace in choose(held, market)[1]] == [days[0], days[2], days[3]]
    one, only = choose(evaluate(one_action_policy(market, config, 0), market, rows=rows[:1]), market)
    assert (one, [trace.rank for trace in only]) == (ANY, ["best"])


def test_differences_are_of_cents_and_of_whole_counts() -> None:
    assert _less(10.25, 10.13) == 0.12
    assert _less(0.1 + 0.2, 0.3) == 0.0
    assert _less(7, 9) == -2
    assert isinstance(_less(7, 9), int)


def test_of_the_episodes_that_differ_the_daily_ones_come_first() -> None:
    """In their order otherwise, and none that does not differ."""
    table = pd.DataFrame({"episode": range(6)})
    table["daily"] = [False, True, False, True, False, True]
    table["differs"] = [True, False, True, True, True, True]
    found = differing(table)
    assert found["episode"].tolist() == [3, 5, 0, 2, 4]
    assert found.index.tolist() == [0, 1, 2, 3, 4]

"""Evaluation on bars made by hand, and which starts and ranges it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jax_port.data import held_out
from jax_port.data.data_loader import PreparedMarket, prepare
from jax_port.envs.env_phase1_jax import BUY, HOLD, SELL
from jax_port.evaluation.evaluate import TRADE_COLUMNS, evaluate, first_of_each_day
from markets import Bars, EnvConfig, get_contract
from markets.synthetic.bars import synthetic_bars
from tests.jax_port.made_policy import make_policy, one_action_policy
from tests.sentences import refuses

RUN_UP = [(4004, 3996, 4000)] * 22
"""Bars in ticks with an ATR of 8 ticks: a stop is 12 ticks away, a target 36."""


@pytest.fixture
def hand_made(make_bars: Callable[..., Bars]) -> Callable[..., Any]:
    """Return ``hand_made(rows, action, **config)``: two steps of one wish from bar 22, at 09:30."""

    def play(rows: list[tuple[int, int, int]], action: int, **config: Any) -> Any:
        fixed = {"warmup_bars": 20, "window_size": 2, "session": "all", "max_episode_bars": 2}
        settings = EnvConfig.phase1(**fixed, **config)
        tail = [rows[-1]] * (40 - len(RUN_UP) - len(rows))
        market = prepare(make_bars(RUN_UP + rows + tail), settings)
        return evaluate(one_action_policy(market, settings, action), market, rows=[22])

    return play


def test_a_long_trade_that_reaches_its_target(hand_made: Callable[..., Any]) -> None:
    result = hand_made([(4004, 3996, 4000), (4040, 3999, 4010)], BUY)
    assert result.trades.columns.tolist() == list(TRADE_COLUMNS)
    assert result.trades.to_dict("records") == [
        {
            "episode": 0,
            "side": "long",
            "entry_step": 22,
            "entry_time": pd.Timestamp("2025-03-10 13:30", tz="UTC"),
            "entry_price": 1000.25,  # the close and a tick of slippage
            "exit_step": 23,
            "exit_time": pd.Timestamp("2025-03-10 13:31", tz="UTC"),
            "exit_price": 1009.25,  # 36 ticks above
            "exit_code": 2,
            "pnl": 445.0,  # 36 ticks of $12.50, less twice $2.50
        }
    ]
    assert result.equity["equity"].tolist() == [50_000.0, 49_985.0, 50_445.0]
    assert result.equity["time"].dt.minute.tolist() == [30, 30, 31]
    (episode,) = result.episodes.to_dict("records")
    assert episode == {
        "episode": 0,
        "start": 22,
        "start_time": pd.Timestamp("2025-03-10 13:30", tz="UTC"),
        "day": pd.Timestamp("2025-03-10"),
        "daily": True,
        "steps": 2,
        "pnl": 445.0,
        "open_at_end": False,
        "open_pnl": 0.0,
        "reward": pytest.approx(4.45 - 0.01, abs=1e-6),
        "done_reason": 4,
        "trades": 1,
        "wins": 1,
        "open_bars": 1,
        "max_drawdown": 15.0,
    }


def test_a_short_trade_that_is_stopped(hand_made: Callable[..., Any]) -> None:
    result = hand_made([(4004, 3996, 4000), (4011, 3990, 4000)], SELL)
    (trade,) = result.trades.to_dict("records")
    assert (trade["side"], trade["exit_code"]) == ("short", 1)
    assert (trade["entry_price"], trade["exit_price"]) == (999.75, 1002.75)
    assert trade["pnl"] == -12 * 12.5 - 5
    held, flat = result.equity[["position", "entry", "stop", "target"]], [0, *[np.nan] * 3]
    np.testing.assert_array_equal(held, [flat, [-1, 999.75, 1002.75, 990.75], flat])


def test_a_trade_that_is_opened_and_liquidated_in_one_step(hand_made: Callable[..., Any]) -> None:
    rows = [(4004, 3996, 4000)]
    result = hand_made(rows, SELL, trailing_drawdown_dollars=10.0, contracts=3)
    (trade,) = result.trades.to_dict("records")
    assert (trade["side"], trade["exit_code"]) == ("short", 4)
    assert (trade["entry_step"], trade["exit_step"]) == (22, 22)
    assert (trade["entry_price"], trade["exit_price"]) == (999.75, 1000.25)
    assert trade["pnl"] == 3 * (-2 * 12.5 - 2 * 2.5)
    (episode,) = result.episodes.to_dict("records")
    assert (episode["steps"], episode["done_reason"], episode["open_bars"]) == (1, 1, 0)
    assert result.equity["equity"].tolist() == [50_000.0, 49_910.0]


def test_what_is_open_at_the_end_is_marked_and_in_no_trade(hand_made: Callable[..., Any]) -> None:
    result = hand_made([(4004, 3996, 4000)], BUY)
    (episode,) = result.episodes.to_dict("records")
    assert len(result.trades) == 0
    assert (episode["pnl"], episode["open_at_end"], episode["open_pnl"]) == (0.0, True, -15.0)
    assert (episode["steps"], episode["open_bars"], episode["trades"]) == (2, 2, 1)
    assert result.equity["equity"].tolist() == [50_000.0, 49_985.0, 49_985.0]


def test_a_policy_that_holds_makes_nothing(hand_made: Callable[..., Any]) -> None:
    result = hand_made([(4004, 3996, 4000)], HOLD)
    (episode,) = result.episodes.to_dict("records")
    assert episode["reward"] == pytest.approx(2 * 0.001, abs=1e-8)
    assert (episode["pnl"], episode["trades"], episode["max_drawdown"]) == (0.0, 0, 0.0)
    assert result.trades.dtypes["entry_time"] == "datetime64[ns, UTC]"


def test_the_money_of_an_account_is_of_whole_cents(hand_made: Callable[..., Any]) -> None:
    """A hundred times $41,942.88 is a little less than its cents in floats; none may be cut."""
    assert int(41_942.88 * 100) == 4_194_287
    for dollars in (41_942.88, 16_384.01, 50_000.01):
        result = hand_made([(4004, 3996, 4000)], BUY, initial_balance_dollars=dollars)
        assert result.equity["equity"].tolist() == [dollars, *[round(dollars - 15.0, 2)] * 2]
        (episode,) = result.episodes.to_dict("records")
        assert (episode["pnl"], episode["open_pnl"], episode["max_drawdown"]) == (0.0, -15.0, 15.0)


CONFIG = EnvConfig.phase1(max_episode_bars=40)


@pytest.fixture(scope="module")
def market() -> PreparedMarket:
    """Four synthetic days, Thursday 2 to Tuesday 7 January 2025."""
    return prepare(synthetic_bars("ES", days=4, seed=5, start="2025-01-02"), CONFIG)


@pytest.mark.costly
def test_lanes_do_not_change_what_happens(market: PreparedMarket) -> None:
    policy, rows = make_policy(market, CONFIG, seed=1), market.starts[::40]
    assert len(rows) > 20
    done: list[int] = []
    wide = evaluate(policy, market, rows=rows, trades_of="all")
    slim = evaluate(policy, market, rows=rows, trades_of="all", lanes=7, on_batch=done.append)
    for name in ("episodes", "trades", "equity"):
        pd.testing.assert_frame_equal(getattr(wide, name), getattr(slim, name))
    assert sum(done) == len(rows)
    assert len(wide.trades) > len(rows)
    assert wide.episodes["start"].tolist() == rows.tolist()
    assert wide.trades["episode"].is_monotonic_increasing


def test_each_days_episode_is_recorded_in_whatever_batch_it_is_played(market: PreparedMarket) -> None:
    """And each start's trades where those are wanted; a batch is told when it is done, by its size."""
    policy, rows = make_policy(market, CONFIG, seed=1), market.starts[::150]
    done: list[int] = []
    wide, slim = (
        evaluate(policy, market, rows=rows, trades_of="all", lanes=lanes, on_batch=done.append)
        for lanes in (64, 3)
    )
    assert wide.equity["episode"].nunique() == 4 > 3
    assert wide.trades["episode"].nunique() > 4
    assert done == [len(rows), *[3] * (len(rows) // 3), *[len(rows) % 3] * (len(rows) % 3 > 0)]
    for name in ("episodes", "trades", "equity"):
        pd.testing.assert_frame_equal(getattr(wide, name), getattr(slim, name))


def test_starts_are_played_once_and_by_time_however_they_are_given(market: PreparedMarket) -> None:
    policy, rows = make_policy(market, CONFIG, seed=1), market.starts[::150]
    mixed = np.random.default_rng(0).permutation(np.concatenate([rows, rows[2:5]]))
    expected, found = (evaluate(policy, market, rows=given) for given in (rows, mixed.tolist()))
    for name in ("episodes", "trades", "equity"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(expected, name))


def test_daily_is_the_first_start_of_each_day(market: PreparedMarket) -> None:
    first = first_of_each_day(market, market.starts)
    assert market.starts[first].tolist() == [120, 450, 900, 1350]
    assert first_of_each_day(market, market.starts[5:6]).tolist() == [True]


def test_starts_and_policies_that_do_not_fit_are_refused(market: PreparedMarket) -> None:
    policy = make_policy(market, CONFIG)
    with refuses():
        evaluate(policy, market, rows=[3, 120])
    with refuses():
        evaluate(policy, market, rows=[450, 430, 120, 400, 121])
    with refuses():
        evaluate(policy, market, rows=[])
    with refuses():
        evaluate(policy, market, rows=[120, int(market.starts[-1]) + 1])  # after the last of them
    assert policy.statistics is not None
    wider = {name: np.append(value, 1.0) for name, value in policy.statistics.items()}
    with refuses():
        evaluate(replace(policy, statistics=wider), market)
    narrow = replace(policy, config=CONFIG.override(window_size=10))
    with refuses():
        evaluate(narrow, market)
    with refuses():
        evaluate(replace(policy, config=EnvConfig.phase2()), market)
    head = policy.params["params"]["action_head"]
    six = {"kernel": np.tile(head["kernel"], 2), "bias": np.tile(head["bias"], 2)}
    params = {"params": {**policy.params["params"], "action_head": six}}
    with refuses():
        evaluate(replace(policy, params=params), market)


def test_only_whole_episodes_within_the_dates_count(market: PreparedMarket) -> None:
    rows = held_out.starts_within(market, CONFIG, date(2025, 1, 3), date(2025, 1, 3))
    # Friday is bars 450 to 899; the window ends at 16:00 (bar 839), and 40 bars from there fit
    assert rows.tolist() == list(range(450, 840))
    long = EnvConfig.phase1(max_episode_bars=390)
    same = prepare(synthetic_bars("ES", days=4, seed=5, start="2025-01-02"), long)
    rows = held_out.starts_within(same, long, date(2025, 1, 3), date(2025, 1, 3))
    assert (rows[0], rows[-1], rows[-1] + 390 - 1) == (450, 510, 899)
    every = held_out.starts_within(market, CONFIG, None, None)
    assert every.tolist() == market.starts.tolist()
    later = held_out.starts_within(market, CONFIG, date(2025, 1, 4), None)
    assert later[0] == 900


def test_a_range_that_leaves_nothing_is_refused(market: PreparedMarket) -> None:
    with refuses():
        held_out.starts_within(market, CONFIG, date(2025, 1, 7), date(2025, 1, 3))
    with refuses():
        held_out.starts_within(market, CONFIG, date(2025, 1, 4), date(2025, 1, 5))


def about(first: str, last: str, symbol: str = "ES") -> dict[str, Any]:
    return {"data": {"symbol": symbol, "first": first, "last": last, "source": "x", "sha256": "0"}}


OLD = ("2023-01-03", "2023-06-30")
OLDER = ("2024-08-01", "2024-10-31")


@pytest.mark.parametrize(
    ("training", "status", "between"),
    [
        (about("2024-11-01", "2025-01-02"), held_out.OVERLAPS, None),
        (about("2025-01-06", "2025-03-01"), held_out.OVERLAPS, None),
        (about("2024-11-01", "2025-01-01"), held_out.TOO_CLOSE, 0),
        (about("2024-11-01", "2024-12-31"), held_out.TOO_CLOSE, 0),  # but for New Year's Day
        (about("2024-11-01", "2024-12-30"), held_out.HELD_OUT, 1),  # Tuesday lies between
        (about("2025-01-08", "2025-03-01"), held_out.BEFORE, None),
        (about("2025-01-02", "2025-01-07", "NQ"), held_out.OTHER_MARKET, None),
        (about("2025-01-02", "2025-01-07", "MES"), held_out.OVERLAPS, None),
        (
            {"data": [about("2024-01-02", "2024-12-01", name)["data"] for name in ("NQ", "ES")]},
            *(held_out.HELD_OUT, 21),  # weekdays of December but Christmas
        ),
        (  # the first file lies far back, the second overlaps, or comes too close
            {"data": [about(*days)["data"] for days in (OLD, ("2025-01-07", "2025-02-01"))]},
            *(held_out.OVERLAPS, None),
        ),
        (
            {"data": [about(*days)["data"] for days in (OLD, ("2024-12-02", "2025-01-01"))]},
            *(held_out.TOO_CLOSE, 0),
        ),
        (  # in whatever order they were given
            {"data": [about(*days)["data"] for days in (("2024-12-02", "2025-01-01"), OLD)]},
            *(held_out.TOO_CLOSE, 0),
        ),
        (  # one lies within the other, and ends before it
            {"data": [about(*days)["data"] for days in (("2024-06-01", "2025-01-01"), OLDER)]},
            *(held_out.TOO_CLOSE, 0),
        ),
        ({}, held_out.UNKNOWN, None),
        ({"data": {"symbol": "ES"}}, held_out.UNKNOWN, None),
        ({"data": [about("2024-01-02", "2024-12-01")["data"], {}]}, held_out.UNKNOWN, None),
    ],
)
def test_how_a_range_stands_to_the_training_data(
    market: PreparedMarket, training: dict[str, Any], status: str, between: int | None
) -> None:
    rows = held_out.starts_within(market, CONFIG, None, None)
    relation = held_out.relate(market, CONFIG, rows, training)
    assert (relation.status, relation.trading_days_between) == (status, between)
    assert str(relation.traded) == "2025-01-02 to 2025-01-07"
    assert relation.leaks == (status in (held_out.OVERLAPS, held_out.TOO_CLOSE))


def test_the_last_episode_s_last_bar_counts_not_its_start() -> None:
    """An episode that begins on a Friday and goes on on Monday trades what was trained on on Monday."""
    long = EnvConfig.phase1(max_episode_bars=390)
    market = prepare(synthetic_bars("ES", days=4, seed=5, start="2025-01-02"), long)
    for last, ends, status in (
        (510, "2025-01-03", held_out.BEFORE),
        (511, "2025-01-06", held_out.OVERLAPS),
    ):
        rows = np.array([450, last])
        relation = held_out.relate(market, long, rows, about("2025-01-06", "2025-03-01"))
        assert str(relation.traded) == f"2025-01-03 to {ends}"
        assert relation.status == status


def test_a_long_episodes_reward_is_the_sum_of_its_steps_to_the_last_digit() -> None:
    """390 steps of a float32 each, whose float32 sum is off by as much as two of them in a thousand."""
    long = EnvConfig.phase1(max_episode_bars=390, patience_reward=0.0007)
    market = prepare(synthetic_bars("ES", days=3, seed=5, start="2025-01-02"), long)
    result = evaluate(one_action_policy(market, long, HOLD), market, rows=market.starts[:1])
    each = np.float32(0.0007)
    (reward,) = result.episodes["reward"]
    exact = 390 * float(each)
    assert (
        abs(reward - exact)
        < 1e-12
        < abs(float(np.full(390, each).cumsum(dtype=np.float32)[-1]) - exact)
    )


def test_a_weekend_is_no_trading_day(market: PreparedMarket) -> None:
    training = about("2024-11-01", "2025-01-03")  # Friday; the file goes on on Monday
    for first, leaks in ((date(2025, 1, 6), True), (date(2025, 1, 7), False)):
        rows = held_out.starts_within(market, CONFIG, first, None)
        relation = held_out.relate(market, CONFIG, rows, training)
        assert relation.leaks == leaks
        if leaks:
            with refuses():
                held_out.require_held_out(relation, market)
        else:
            held_out.require_held_out(relation, market)


def test_a_sunday_evening_is_no_trading_day() -> None:
    """Bars of all hours begin on Sundays at 18:00; Monday follows at once on Friday."""
    bars = synthetic_bars("ES", days=2, seed=5, start="2025-01-06")
    sunday = np.datetime64("2025-01-05T23:30", "ns").astype(np.int64)
    market = prepare(bars, CONFIG)
    stamps = np.concatenate([[sunday], market.timestamps_ns[1:]])
    market = replace(market, timestamps_ns=stamps)
    rows = held_out.starts_within(market, CONFIG, date(2025, 1, 6), None)
    relation = held_out.relate(market, CONFIG, rows, about("2024-11-01", "2025-01-03"))
    assert (relation.status, relation.trading_days_between) == (held_out.TOO_CLOSE, 0)


def test_a_holiday_is_no_trading_day() -> None:
    """Of a file without 3 January, a Friday, the Monday follows at once on what ended on Thursday."""
    bars = synthetic_bars("ES", days=4, seed=5, start="2025-01-02")
    dates = bars.timestamps_ns // 86_400_000_000_000
    holiday = (date(2025, 1, 3) - date(1970, 1, 1)).days
    training = about("2024-11-01", "2025-01-02")
    for kept, between in ((dates > 0, 1), (dates != holiday, 0)):
        market = prepare(bars.select(kept), CONFIG)
        rows = held_out.starts_within(market, CONFIG, date(2025, 1, 6), None)
        assert held_out.relate(market, CONFIG, rows, training).trading_days_between == between


def test_a_file_within_the_training_dates_asks_for_later_bars(market: PreparedMarket) -> None:
    rows = held_out.starts_within(market, CONFIG, None, None)
    relation = held_out.relate(market, CONFIG, rows, about("2024-11-01", "2025-06-30"))
    with refuses():
        held_out.require_held_out(relation, market)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("spans", "last", "begin"),
    [
        ([("2025-01-06", "2025-01-07"), ("2025-01-13", "2025-01-15")], None, date(2025, 1, 17)),
        ([("2025-01-06", "2025-01-15"), ("2025-01-08", "2025-01-09")], None, date(2025, 1, 17)),
        (
            [("2024-12-02", "2025-01-01"), ("2025-01-13", "2025-01-15")],
            date(2025, 1, 10),
            date(2025, 1, 3),
        ),
        ([("2025-01-06", "2025-01-08")], date(2025, 1, 9), None),
        ([("2025-01-06", "2025-01-08")], date(2025, 1, 10), date(2025, 1, 10)),
    ],
    ids=["apart", "one within the other", "later than the range", "ends too soon", "a day is left"],
)
def test_what_begins_at_the_date_that_a_refusal_names_was_not_seen_in_training(
    spans: list[tuple[str, str]], last: date | None, begin: date | None, order: int
) -> None:
    """From all files that a policy was trained on, and within the range that was asked for."""
    market = prepare(synthetic_bars("ES", days=14, seed=5, start="2025-01-02"), CONFIG)
    training = {"data": [about(*span)["data"] for span in spans[::order]]}

    def from_(first: date | None) -> held_out.Relation:
        rows = held_out.starts_within(market, CONFIG, first, last)
        return held_out.relate(market, CONFIG, rows, training)

    relation = from_(None)
    assert (relation.leaks, relation.begin) == (True, begin)
    with refuses():
        held_out.require_held_out(relation, market)
    if begin is not None:
        rest = from_(begin)
        later = max(first for first, _ in spans) > str(rest.traded.last)
        assert rest.status == (held_out.BEFORE if later else held_out.HELD_OUT)


def test_the_contract_gives_the_money() -> None:
    config = EnvConfig.phase1(max_episode_bars=40, contracts=2)
    micro = prepare(synthetic_bars("MES", days=2, seed=5), config)
    result = evaluate(one_action_policy(micro, config, BUY), micro, rows=micro.starts[:1])
    trade = result.trades.iloc[0]
    ticks = round((trade["exit_price"] - trade["entry_price"]) / get_contract("MES").tick_size)
    assert trade["pnl"] == 2 * (ticks * 1.25 - 2 * 0.5)

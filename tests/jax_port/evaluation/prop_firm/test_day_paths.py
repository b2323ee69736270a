"""What an account goes through within a day: by the minute, by the second, and around an exit."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jax_port.data.seconds_loader import PreparedSeconds
from jax_port.evaluation.prop_firm.day_paths import _broken, _until, day_paths, from_paths
from markets.config import AccountRules
from markets.contracts import get_contract

ES = get_contract("ES")
TICK = ES.tick_value_cents
RULES = AccountRules()
# ticks of bars 0 to 3: high, low, close; long at the close of bar 1, at 100
BARS = [(105, 95, 100), (104, 97, 100), (108, 96, 103), (110, 98, 107)]


def evaluation(last: int, code: int, out: int, contracts: int = 1) -> Any:
    """Return a day of four steps: long from bar 1 on, left in bar 3 at ``out`` with ``code``."""
    commission = ES.commission_cents / 100
    made = (out - 100) * TICK / 100 - 2 * commission
    profits = [0.0, 0.0, -commission, 3 * TICK / 100 - commission, made]
    equity = [50_000 + contracts * profit for profit in profits]
    return SimpleNamespace(
        episodes=pd.DataFrame({"episode": [0], "daily": [True], "start": [0], "trades": [1]}),
        trades=pd.DataFrame(
            {"episode": [0], "exit_step": [last], "exit_price": [out * 0.25], "exit_code": [code]}
        ),
        equity=pd.DataFrame(
            {
                "episode": 0,
                "equity": equity,
                "position": [0, 0, 1, 1, 0],
                "entry": [np.nan, np.nan, 25.0, 25.0, np.nan],
            }
        ),
    )


def market() -> Any:
    bars = np.zeros((4, 8), np.int32)
    bars[:, :3] = BARS
    return SimpleNamespace(bars=bars, contract=ES)


def seconds(of_the_last: list[tuple[int, int]]) -> PreparedSeconds:
    """Return (high, low) of seconds in bar 3; bar 2 has a second for each of its ends, high first."""
    high, low = np.zeros((4, 60), np.int32), np.ones((4, 60), np.int32)
    for row, ends in ((2, [(108, 108), (96, 96)]), (3, of_the_last)):
        for at, (top, bottom) in enumerate(ends):
            high[row, at], low[row, at] = top, bottom
    return PreparedSeconds(high, low, "seconds", "0", 0)


def ticks(paths: Any) -> list[list[float]]:
    """Return (high, low) pairs of the first day, in ticks of profit before the entry's commission."""
    pairs = zip(paths.high[0].tolist(), paths.low[0].tolist(), strict=True)
    return [[(value + ES.commission_cents * (value != 0)) / TICK for value in pair] for pair in pairs]


def test_by_the_minute_the_worst_price_comes_first() -> None:
    found = day_paths(evaluation(3, 3, 107), market(), 1, account=RULES)
    # 0, then bar 2: 96, 108 (close 103), bar 3: 98, 110, and out at 107
    assert ticks(found) == [[0, -4], [8, -2], [10, pytest.approx(7 - 250 / TICK)]]
    assert found.end.tolist() == [7 * TICK - 500]
    assert found.looked_at == "at the worst, then the best price of every minute"


def test_a_target_ends_the_trade_within_its_minute() -> None:
    found = day_paths(evaluation(3, 2, 109), market(), 1, account=RULES)
    # bar 3 reaches 98, then its target of 109: not the 110 after it
    assert ticks(found)[:2] == [[0, -4], [8, -2]]
    assert found.high.max() == 9 * TICK - 250


def test_a_stop_ends_the_trade_at_its_price() -> None:
    found = day_paths(evaluation(3, 1, 99), market(), 1, account=RULES)
    # bar 3's low of 98 and high of 110 came, if at all, after the stop at 99
    assert found.high.max() == 8 * TICK - 250
    assert found.low[0, -1] == -TICK - 500


def test_a_liquidation_at_the_close_has_lived_through_all_of_its_minute() -> None:
    """Its price lies within the bar, which says nothing of when: it is the close, less slippage."""
    found = day_paths(evaluation(3, 4, 99), market(), 1, account=RULES)
    # bar 3: 98, 110, and out at 99
    assert ticks(found) == [[0, -4], [8, -2], [10, pytest.approx(-1 - 250 / TICK)]]
    by_second = day_paths(
        evaluation(3, 4, 99), market(), 1, seconds([(104, 98), (110, 100)]), account=RULES
    )
    assert by_second.high.max() == 10 * TICK - 250
    assert by_second.low.min() == -4 * TICK - 250


def test_a_liquidation_within_a_minute_ends_it_at_the_worst_price_of_its_second() -> None:
    """An earlier second was lower, before the floor had risen."""
    account = AccountRules(trailing_drawdown_dollars=12 * TICK / 100)
    ends = [(104, 98), (112, 100), (103, 99), (113, 97)]
    found = day_paths(evaluation(3, 4, 99), market(), 1, seconds(ends), account=account)
    assert found.high.max() == 12 * TICK - 250
    assert found.low.min() == -4 * TICK - 250


@pytest.mark.parametrize("lock", [100.0, 0.0])
def test_a_liquidation_is_in_the_second_that_broke_the_floor(lock: float) -> None:
    """An earlier second had the same price, before the floor had risen; so has a later one."""
    ends = [(101, 100), (130, 104), (112, 100), (140, 100)]
    account = AccountRules(trailing_drawdown_dollars=29 * TICK / 100, floor_lock_dollars=lock)
    found = day_paths(evaluation(3, 4, 100), market(), 1, seconds(ends), account=account)
    # a floor that stops at the money at the start is above the entry's price less its commission
    assert found.high.max() == 30 * TICK - 250
    at_once = AccountRules(trailing_drawdown_dollars=7 * TICK / 100, floor_lock_dollars=lock)
    found = day_paths(evaluation(3, 4, 100), market(), 1, seconds(ends), account=at_once)
    assert found.high.max() == 8 * TICK - 250  # the first second of the minute breaks it
    even = AccountRules(trailing_drawdown_dollars=30 * TICK / 100, floor_lock_dollars=lock)
    found = day_paths(evaluation(3, 4, 100), market(), 1, seconds(ends), account=even)
    assert found.high.max() == 40 * TICK - 250  # equality is no breach: it was at the close


def test_a_floor_that_rises_no_further_breaks_later() -> None:
    """At a profit of $25: without that bound the second second of the minute would break it."""
    worth = np.array([[50, 600], [150, 200], [99, 120], [100, 100]])
    assert _broken(worth, 0, 300, 100).tolist() == [False, False, True, False]
    assert _broken(worth, 0, 300, 10_000).tolist() == [False, True, True, True]
    assert _broken(worth, 351, 300, 10_000).tolist() == [True, True, True, True]
    ends = [(112, 105), (118, 106), (120, 101), (125, 100)]
    for lock, highest in ((25.0, 18), (1_000.0, 12)):
        account = AccountRules(trailing_drawdown_dollars=62.5, floor_lock_dollars=lock)
        found = day_paths(evaluation(3, 4, 101), market(), 1, seconds(ends), account=account)
        assert found.high.max() == highest * TICK - 250


def test_by_the_second_the_order_is_known() -> None:
    found = day_paths(
        evaluation(3, 1, 99), market(), 1, seconds([(104, 101), (110, 100), (110, 98)]), account=RULES
    )
    # bar 2: 108 before 96; bar 3: up to 110 in its second second, stopped in its third
    assert ticks(found)[:3] == [[0, 0], [8, -4], [10, pytest.approx(-1 - 250 / TICK)]]
    assert found.looked_at == "in every second"
    late = day_paths(
        evaluation(3, 1, 99), market(), 1, seconds([(104, 99), (110, 98), (110, 98)]), account=RULES
    )
    assert late.high.max() == 8 * TICK - 250  # stopped in the first second


def test_the_rules_that_were_evaluated_are_asked_for() -> None:
    """Others' floor would tell another second of a liquidation."""
    with pytest.raises(TypeError, match="account"):
        day_paths(evaluation(3, 4, 100), market(), 1)  # type: ignore[call-arg]


def test_contracts_multiply() -> None:
    one, two = (
        day_paths(evaluation(3, 3, 107, count), market(), count, account=RULES) for count in (1, 2)
    )
    for name in ("high", "low", "end"):
        assert getattr(two, name).tolist() == (2 * getattr(one, name)).tolist()


def test_reduced_paths_keep_every_high_and_the_low_after_it() -> None:
    found = from_paths([np.array([0, -3, 5, 2, 9, -1]), np.array([0, -7])], np.ones(2, bool), "x")
    assert found.high.tolist() == [[0, 5, 9], [0, 0, 0]]
    assert found.low.tolist() == [[-3, 2, -1], [-7, -7, -7]]
    assert found.end.tolist() == [-1, -7]
    assert len(found) == 2


def test_a_minute_with_all_of_its_seconds_is_looked_at_whole() -> None:
    full = [(100 + at % 5, 99 - at % 7) for at in range(59)]
    found = day_paths(evaluation(3, 1, 80), market(), 1, seconds([*full, (100, 80)]), account=RULES)
    assert found.low.min() <= (80 - 100) * TICK
    high = day_paths(evaluation(3, 2, 120), market(), 1, seconds([*full, (125, 99)]), account=RULES)
    assert high.high.max() >= (120 - 100) * TICK - 1_000
    some = day_paths(evaluation(3, 3, 103), market(), 1, seconds([*full, (130, 70)]), account=RULES)
    assert (some.high.max(), some.low.min()) == (30 * TICK - 250, -30 * TICK - 250)


def upside_down(day: Any, bars: Any, fine: PreparedSeconds | None) -> tuple[Any, Any, Any]:
    """Return the same day of a short: each price as far on the other side of 100 ticks."""
    trades = day.trades.assign(exit_price=50.0 - day.trades["exit_price"])
    equity = day.equity.assign(position=-day.equity["position"])
    turned = SimpleNamespace(episodes=day.episodes, trades=trades, equity=equity)
    prices = bars.bars.copy()
    prices[:, [1, 0, 2]] = 200 - bars.bars[:, :3]
    if fine is not None:
        fine = PreparedSeconds(200 - fine.low, 200 - fine.high, "seconds", "0", 0)
    return turned, SimpleNamespace(bars=prices, contract=ES), fine


@pytest.mark.parametrize("ends", [None, [(104, 98), (109, 100), (103, 99), (110, 97)]], ids=str)
@pytest.mark.parametrize(("code", "out"), [(1, 99), (1, 97), (2, 109), (2, 104), (3, 107), (4, 99)])
def test_a_short_lives_through_a_long_s_day_upside_down(
    code: int, out: int, ends: list[tuple[int, int]] | None
) -> None:
    given = evaluation(3, code, out), market(), None if ends is None else seconds(ends)
    long, short = (
        day_paths(day, bars, 1, fine, account=RULES) for day, bars, fine in (given, upside_down(*given))
    )
    assert long.low.min() < 0 < long.high.max()
    for name in ("high", "low", "end", "looked_at"):
        np.testing.assert_array_equal(getattr(short, name), getattr(long, name), name)


def test_each_day_goes_by_its_own_bars_and_its_own_exits() -> None:
    """The third episode is the second day's; the second, of another start of the first, is none's."""
    first, second = evaluation(3, 2, 109), evaluation(3, 1, 99)
    quiet = evaluation(3, 3, 100)
    second.trades["exit_step"] += 5
    bars = np.concatenate([market().bars, np.full((1, 8), 9, np.int32), market().bars])

    def joined(name: str) -> pd.DataFrame:
        days = zip((0, 2, 3), (first, second, quiet), strict=True)
        return pd.concat([getattr(day, name).assign(episode=at) for at, day in days], ignore_index=True)

    equity, trades = joined("equity"), joined("trades")
    rests = equity["episode"] == 3
    equity.loc[rests, ["equity", "position", "entry"]] = [50_000.0, 0, np.nan]
    episodes = pd.DataFrame(
        {
            "episode": range(4),
            "daily": [True, False, True, True],
            "start": [0, 1, 5, 5],
            "trades": [1, 7, 1, 0],
        }
    )
    day = SimpleNamespace(episodes=episodes, trades=trades[trades["episode"] < 3], equity=equity)
    found = day_paths(day, SimpleNamespace(bars=bars, contract=ES), 1, account=RULES)
    assert found.traded.tolist() == [True, True, False]
    second.trades["exit_step"] -= 5
    for at, alone in enumerate(day_paths(one, market(), 1, account=RULES) for one in (first, second)):
        for name in ("high", "low"):
            own, expected = getattr(found, name)[at], getattr(alone, name)[0]
            assert own[: len(expected)].tolist() == expected.tolist()
            assert set(own[len(expected) :]) <= {expected[-1]}
        assert found.end[at] == alone.end[0]
    assert {0} == {*found.high[2], *found.low[2], found.end[2]}


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("code", [1, 2])
def test_a_stop_or_target_ends_a_minute_where_a_price_first_reaches_it(code: int, side: int) -> None:
    """At exactly its price or beyond; drawn prices against a walk through them, worst before best."""
    rng = np.random.default_rng([code, side + 1])
    exactly = 0
    for _ in range(300):
        prices = 100 + side * np.sort(rng.integers(-4, 5, (6, 2)), axis=1)
        out = 100 + side * int(rng.integers(1, 4)) * (1 if code == 2 else -1)
        walked: list[int] = []
        for worst, best in prices.tolist():
            if code == 1 and side * (worst - out) <= 0:
                walked.append(out)
                break
            walked.append(worst)
            if code == 2 and side * (best - out) >= 0:
                walked.append(out)
                break
            walked.append(best)
        exactly += out in (worst, best)
        assert _until(prices, out, code, side, np.zeros(6, np.bool_)).tolist() == walked
    assert exactly > 60


@pytest.mark.parametrize(
    ("before", "fall"),
    [([(116, 101), (106, 103), (105, 102)], 14), ([None, None, None], 8)],
    ids=["highest in its second", "highest at a close"],
)
def test_a_floor_goes_by_the_highest_of_all_bars_before(
    before: list[tuple[int, int] | None], fall: int
) -> None:
    """Bars of no second at all are known by their close; the last but one and the last rise less."""
    commission = ES.commission_cents
    closes = [100, 100, 110, 104, 103, 101]
    held = [(close - 100) * TICK - commission for close in closes[1:5]]
    equity = [0, 0, *held, TICK - 2 * commission]
    day = SimpleNamespace(
        episodes=pd.DataFrame({"episode": [0], "daily": [True], "start": [0], "trades": [1]}),
        trades=pd.DataFrame(
            {"episode": [0], "exit_step": [5], "exit_price": [101 * 0.25], "exit_code": [4]}
        ),
        equity=pd.DataFrame(
            {
                "episode": 0, "equity": 50_000 + np.array(equity) / 100,
                "position": [0, 0, 1, 1, 1, 1, 0],
                "entry": [np.nan, np.nan, *[25.0] * 4, np.nan],
            }
        ),
    )  # fmt: skip
    bars = np.zeros((6, 8), np.int32)
    bars[:, 2] = closes
    high, low = np.zeros((6, 60), np.int32), np.ones((6, 60), np.int32)
    for row, ends in enumerate(before, 2):
        if ends is not None:
            high[row, 7], low[row, 7] = ends
    for at, (top, bottom) in enumerate([(104, 103), (120, 101), (112, 95)]):
        high[5, 3 * at], low[5, 3 * at] = top, bottom
    fine = PreparedSeconds(high, low, "seconds", "0", 0)
    account = AccountRules(trailing_drawdown_dollars=fall * TICK / 100, floor_lock_dollars=9_000.0)
    given: Any = day, SimpleNamespace(bars=bars, contract=ES), 1, fine
    found = day_paths(*given, account=account)
    # Two ticks up lies the floor: the second in which 101 was reached is the last one.
    assert found.low.min() == -commission
    assert found.high.max() == (16 if before[0] else 10) * TICK - commission
    assert found.end.tolist() == [TICK - 2 * commission]
    wide = AccountRules(trailing_drawdown_dollars=99 * TICK / 100, floor_lock_dollars=9_000.0)
    assert day_paths(*given, account=wide).low.min() == -5 * TICK - commission

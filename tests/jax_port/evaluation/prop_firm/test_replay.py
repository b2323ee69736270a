"""Accounts under a firm's rules: each rule by hand, and all against a plain walk through the path."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from jax_port.evaluation.prop_firm.day_paths import DayPaths, from_paths
from jax_port.evaluation.prop_firm.replay import (
    DAILY_LOSS,
    FLOOR,
    PASSED,
    RUNNING,
    TIME,
    Outcomes,
    replay,
)
from jax_port.evaluation.prop_firm.rules import Rules, Tier

RULES = Rules("r", "s", date(2026, 11, 26), 50_000.0, 30.0, 20.0, "intraday")


def days(*paths: list[float]) -> DayPaths:
    """Return days from dollars that the account goes through, each beginning with 0."""
    cents = [np.rint(100 * np.array([0, *path])).astype(np.int64) for path in paths]
    return from_paths(cents, np.ones(len(paths), bool), "by hand")


def play(
    rules: Rules, paths: DayPaths, order: list[int], contracts: float = 1.0
) -> tuple[int, int, float]:
    found = replay(
        rules, paths, lambda day, live: np.full(len(live), order[day]), 1, len(order), contracts
    )
    return int(found.end[0]), int(found.days[0]), int(found.profit[0]) / 100


@pytest.mark.parametrize(
    ("rules", "paths", "expected"),
    [
        # the target counts at the day's end, not within the day
        (RULES, [[31, 20], [12]], (PASSED, 2, 32.0)),
        # 31 open, then 11: the floor trailed to 11 and was reached
        (RULES, [[31, 11]], (FLOOR, 1, 11.0)),
        (RULES, [[31, 12]], (RUNNING, 1, 12.0)),
        # a floor that follows the day's end only: 20 below 12
        (replace(RULES, trailing="end of day"), [[31, 12], [-19]], (RUNNING, 2, -7.0)),
        (replace(RULES, trailing="end of day"), [[31, 12], [-20]], (FLOOR, 2, -8.0)),
        (replace(RULES, trailing="static"), [[15], [-34]], (RUNNING, 2, -19.0)),
        (replace(RULES, trailing="static"), [[15], [-35]], (FLOOR, 2, -20.0)),
        # the floor stops at a profit of 1
        (replace(RULES, floor_stops_at=1.0), [[29, 2]], (RUNNING, 1, 2.0)),
        (replace(RULES, floor_stops_at=1.0), [[29, 1]], (FLOOR, 1, 1.0)),
        # a daily loss fails, or ends the day
        (replace(RULES, daily_loss=10.0), [[5, -10, 40]], (DAILY_LOSS, 1, -10.0)),
        (
            replace(RULES, daily_loss=10.0, daily_loss_means="stop for the day"),
            [[5, -10, 40], [41]],
            (PASSED, 2, 31.0),
        ),
        # both within one fall: the one that lies higher comes first
        (replace(RULES, daily_loss=10.0), [[-30]], (DAILY_LOSS, 1, -10.0)),
        (replace(RULES, daily_loss=25.0), [[-30]], (FLOOR, 1, -20.0)),
        # and where they lie at one level, the floor was reached
        (replace(RULES, daily_loss=20.0), [[-20]], (FLOOR, 1, -20.0)),
        (
            replace(RULES, daily_loss=20.0, daily_loss_means="stop for the day"),
            [[-30, 60]],
            (FLOOR, 1, -20.0),
        ),
        # the best day may be half of the profit: 25 of 31 is not, of 51 it is
        (replace(RULES, best_day_share=0.5), [[25], [6], [20]], (PASSED, 3, 51.0)),
        (replace(RULES, best_day_share=0.5), [[15], [14.99], [0.01]], (PASSED, 3, 30.0)),
        (replace(RULES, best_day_share=0.5), [[15.01], [14.99], [0.02]], (PASSED, 3, 30.02)),
        # a day is its own gain, however much was made before it
        (replace(RULES, best_day_share=0.35), [[11], [11], [10]], (PASSED, 3, 32.0)),
        (replace(RULES, minimum_days=3), [[31], [1], [1]], (PASSED, 3, 33.0)),
        (replace(RULES, maximum_days=2), [[1], [1], [40]], (TIME, 2, 2.0)),
        (replace(RULES, maximum_days=2), [[1], [40]], (PASSED, 2, 41.0)),
        # of what ends an account on its last day it is not the days that ran out
        (replace(RULES, maximum_days=2), [[1], [-20]], (FLOOR, 2, -19.0)),
        (replace(RULES, maximum_days=2, daily_loss=10.0), [[1], [-10]], (DAILY_LOSS, 2, -9.0)),
        (
            replace(RULES, maximum_days=2, daily_loss=10.0, daily_loss_means="stop for the day"),
            [[1], [-10]],
            (TIME, 2, -9.0),
        ),
    ],
)
def test_every_rule(rules: Rules, paths: list[list[float]], expected: tuple[int, int, float]) -> None:
    assert play(rules, days(*paths), list(range(len(paths)))) == expected


def test_a_best_day_of_exactly_its_share_is_allowed_whatever_floats_make_of_it() -> None:
    """0.29 times 3,000 cents is a little less than 870 in floats; a cent more is too much."""
    assert 0.29 * 3000 < 870
    rules = replace(RULES, best_day_share=0.29)
    even = days([8.70], [8.70], [8.69], [3.91])
    assert play(rules, even, [0, 1, 2, 3]) == (PASSED, 4, 30.0)
    more = days([8.71], [8.70], [8.69], [3.90])
    assert play(rules, more, [0, 1, 2, 3]) == (RUNNING, 4, 30.0)


def test_each_account_meets_its_own_days_and_keeps_what_it_ended_with() -> None:
    """Three side by side: of trades on every other day, of a floor, and of one that runs on."""
    paths = replace(days([16], [-21], [14.5], [2, 1]), traded=np.array([True, True, False, True]))
    orders = np.array([[0, 2, 3, 1], [3, 1, 0, 0], [3, 3, 3, 3]])
    rules = replace(RULES, minimum_days=2, maximum_days=4)
    traces = np.zeros((2, 5), np.int64)
    asked: list[list[int]] = []

    def draw(day: int, live: np.ndarray) -> np.ndarray:
        asked.append(live.tolist())
        return orders[live, day]

    found = replay(rules, paths, draw, 3, 4, 1.0, traces)
    assert asked == [[0, 1, 2], [0, 1, 2], [0, 2], [2]]
    assert found.end.tolist() == [PASSED, FLOOR, TIME]
    assert found.days.tolist() == [3, 2, 4]
    # The second's floor had risen with $2 of its first day.
    assert found.profit.tolist() == [3150, -1800, 400]
    assert traces.tolist() == [[0, 1600, 3050, 3150, 3150], [0, 100, -1800, -1800, -1800]]
    assert (found.end.dtype, found.days.dtype, found.profit.dtype) == (np.int8, np.int64, np.int64)
    none = replay(rules, paths, lambda day, live: np.full(len(live), 3), 2, 3, 1.0)
    assert (none.end.tolist(), none.days.tolist()) == ([RUNNING] * 2, [3, 3])


def test_days_without_a_trade_do_not_count_as_days() -> None:
    paths = days([31], [0])
    quiet = replace(paths, traded=np.array([True, False]))
    assert play(replace(RULES, minimum_days=2), quiet, [0, 1])[0] == RUNNING
    assert play(replace(RULES, minimum_days=2), paths, [0, 1])[0] == PASSED


def test_fewer_contracts_scale_a_days_money() -> None:
    rules = replace(RULES, contracts=(Tier(0.0, 1.0), Tier(10.0, 2.0)))
    # traded with two: half of 20, then, from a profit of 10, all of 20
    assert play(rules, days([20], [20]), [0, 1], contracts=2.0) == (PASSED, 2, 30.0)
    assert play(rules, days([20], [20]), [0, 1], contracts=1.0) == (PASSED, 2, 40.0)


def test_traces_end_where_the_account_does() -> None:
    paths = days([5], [-26])
    traces = np.zeros((1, 5), np.int64)
    replay(RULES, paths, lambda day, live: np.full(len(live), min(day, 1)), 1, 4, 1.0, traces)
    assert traces[0].tolist() == [0, 500, -1500, -1500, -1500]


def share(rules: Rules, profit: int, contracts: float) -> float:
    """Return which part of the contracts may be traded at a profit (cents)."""
    most = contracts
    for number, tier in enumerate(rules.contracts):
        if number == 0 or profit >= 100 * tier.profit:
            most = tier.contracts
    return min(most / contracts, 1.0)


def walked(
    rules: Rules, paths: list[np.ndarray], order: np.ndarray, contracts: float
) -> tuple[int, int, int]:
    """Walk one account through whole paths, point by point (cents): its end, days and profit."""
    profit = peak = best = 0
    cap = np.inf if rules.floor_stops_at is None else 100 * rules.floor_stops_at
    for day, number in enumerate(order):
        begin, ended = profit, None
        part = share(rules, begin, contracts)
        for point in paths[number]:
            now = begin + round(int(point) * part)
            if rules.trailing == "intraday":
                peak = max(peak, now)
            floor = -100 * rules.drawdown if rules.trailing == "static" else 0
            if rules.trailing != "static":
                floor = min(peak - 100 * rules.drawdown, cap)
            lost = rules.daily_loss is not None and now - begin <= -100 * rules.daily_loss
            if lost and begin - 100 * (rules.daily_loss or 0) > floor:
                ended = "lost"
                break
            if now <= floor:
                return FLOOR, day + 1, int(floor)
            if lost:
                ended = "lost"
                break
            profit = now
        if ended:
            profit = begin - round(100 * (rules.daily_loss or 0))
            if rules.daily_loss_means == "fail":
                return DAILY_LOSS, day + 1, profit
        best = max(best, profit - begin)
        peak = max(peak, profit)
        even = rules.best_day_share is None or best <= rules.best_day_share * profit
        if profit >= 100 * rules.profit_target and day + 1 >= rules.minimum_days and even:
            return PASSED, day + 1, profit
    return RUNNING, len(order), profit


TIERS = (Tier(0.0, 1.0), Tier(4.0, 2.0), Tier(12.0, 4.0))


@pytest.mark.parametrize("contracts", [1.0, 4.0, 5.0])
@pytest.mark.parametrize(
    "rules",
    [
        RULES,
        replace(RULES, best_day_share=0.4, contracts=TIERS),
        replace(RULES, best_day_share=0.3, daily_loss=2.0, daily_loss_means="stop for the day"),
        replace(RULES, trailing="end of day", contracts=TIERS, daily_loss=5.0, best_day_share=0.5),
        replace(RULES, floor_stops_at=1.0),
        replace(RULES, trailing="end of day", floor_stops_at=0.0, best_day_share=0.5),
        replace(RULES, trailing="end of day", daily_loss=6.0, daily_loss_means="stop for the day"),
        replace(RULES, daily_loss=6.0, daily_loss_means="stop for the day"),
        replace(RULES, trailing="static", daily_loss=9.0, minimum_days=4),
    ],
)
def test_reduced_days_give_what_whole_paths_do(rules: Rules, contracts: float) -> None:
    rng = np.random.default_rng(7)
    paths = [
        np.concatenate([[0], np.cumsum(rng.integers(-260, 275, size=rng.integers(2, 40)))])
        for _ in range(25)
    ]
    accounts, length = 400, 30
    drawn = rng.integers(len(paths), size=(accounts, length))
    found: Outcomes = replay(
        rules,
        from_paths(paths, np.ones(len(paths), bool), "walk"),
        lambda day, live: drawn[live, day],
        accounts,
        length,
        contracts,
    )
    expected = [walked(rules, paths, order, contracts) for order in drawn]
    columns = (found.end.tolist(), found.days.tolist(), found.profit.tolist())
    assert list(zip(*columns, strict=True)) == expected
    assert len({end for end, *_ in expected}) >= 2

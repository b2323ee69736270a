"""Seconds of a pair: holes of every kind, states on their edges, and branches that only they take."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jax_port.data.data_loader import CLOSE, prepare
from jax_port.data.seconds_loader import prepare_seconds
from markets import EnvConfig, get_contract
from markets.synthetic.bars import synthetic_bars
from parity.engine.generate import SeededChoices
from parity.engine.pair import Fields
from parity.pairs.corners import build_case, survey_market
from parity.pairs.seconds import STAKES, gappy_seconds, seconds_case, seconds_coverage


def test_some_minutes_are_whole_some_empty_and_the_rest_have_holes() -> None:
    bars = synthetic_bars("ES", days=3, seed=0)
    seconds = gappy_seconds(bars, 4)
    minutes = seconds.frame.index.floor("min")
    counts = Counter(minutes)
    each = np.array([counts[minute] for minute in bars.frame.index])
    assert each.sum() == len(seconds)
    assert 0.02 < (each == 0).mean() < 0.08
    assert 0.19 < (each == 60).mean() < 0.29
    holes = each[(each > 0) & (each < 60)]
    assert 36 < holes.mean() < 44  # every third is missing
    assert holes.min() > 20


@pytest.mark.parametrize("contracts", [1, 3])
def test_a_floor_or_a_high_lies_where_a_second_touches_it(contracts: int) -> None:
    contract = replace(get_contract("ES"), commission_cents=777)
    bars = replace(synthetic_bars("ES", days=2, seed=1), contract=contract)
    account = {"trailing_drawdown_dollars": 2_000.0, "floor_lock_dollars": -1_000.0}
    config = EnvConfig.phase1(contracts=contracts, max_episode_bars=40, **account)
    survey = survey_market(prepare(bars, config), config)
    seconds = prepare_seconds(bars, gappy_seconds(bars, 1), config)
    choices, seen = SeededChoices(np.random.default_rng(0)), Counter[str]()
    locked = survey.initial + survey.lock
    for _ in range(3000):
        plain = build_case(choices, survey, 0)
        made = seconds_case(choices, plain, survey, seconds)
        assert made.corner[:-1] == plain.corner
        seen[made.corner[-1]] += 1
        state, step = dict(made.state), int(made.state["step_idx"])
        if made.corner[-1] == STAKES[0]:
            assert state == plain.state
            continue
        top, floor = state.pop("highest_balance"), state.pop("trailing_dd_level")
        assert state == {name: plain.state[name] for name in state}
        side, entry = int(state["position"]), int(state["entry_price"])
        assert side
        there = seconds.high[step] >= seconds.low[step]
        hurts, helps = (seconds.low, seconds.high) if side > 0 else (seconds.high, seconds.low)
        prices = (hurts if made.corner[-1] == STAKES[1] else helps)[step][there]
        at = floor if made.corner[-1] == STAKES[1] else top

        edges = {0, 1, -1, 777 * contracts}
        tried = np.append(prices.astype(np.int64), int(state["sl_price"]))
        worth = state["balance"] + side * (tried - entry) * 1250 * contracts
        *seconds_are, stop_is = (int(at - one) in edges for one in worth)
        reached = any(seconds_are)
        if made.corner[-1] == STAKES[1]:
            stop = stop_is
            assert reached or stop
            seen["the stop's own price"] += stop and not reached
            assert top == floor + survey.drawdown
        else:
            assert reached
            assert floor == min(top - survey.drawdown, locked)
            seen["locked"] += floor == locked
    assert all(seen[stake] > 200 for stake in STAKES)
    assert seen["the stop's own price"] > 50
    assert 20 < seen["locked"] < seen[STAKES[2]]


NORTH, SOUTH = get_contract("ES"), replace(get_contract("RTY"), slippage_ticks=0, commission_cents=77)
TICKS, COSTS, SLIPPAGE = (2500, 1000), (2 * NORTH.commission_cents, 154), (NORTH.slippage_ticks, 0)
"""Of two contracts each, in the first world and in the second."""
CLOSES = (100, 40)


def moment(world: int, step: int = 1, **changed: Any) -> dict[str, int]:
    """Return what is held in a world, entered on the bar before its step."""
    held = {"market": world, "step_idx": step, "position": 1, "position_entry_step": 0}
    prices = {"entry_price": CLOSES[world] - 7, "sl_price": CLOSES[world] - 20}
    return {**held, **prices, "balance": 5_000, "highest_balance": 6_000, **changed}


def coverage_of(before: dict[str, int], **after: int) -> set[str]:
    """Return which branches one transition takes; step 1 has two seconds, 2 none, and 3 all sixty."""
    bars = [np.zeros((4, 8), np.int32) for _ in CLOSES]
    for table, close in zip(bars, CLOSES, strict=True):
        table[:, CLOSE] = close
    low, high = np.ones((4, 60), np.int32), np.zeros((4, 60), np.int32)
    high[1, :2] = high[3] = 1
    markets: Any = [
        SimpleNamespace(bars=table, contract=contract)
        for table, contract in zip(bars, (NORTH, SOUTH), strict=True)
    ]
    seconds: Any = [SimpleNamespace(high=high, low=low)] * 2
    config = EnvConfig.phase1(contracts=2)
    count = seconds_coverage(markets, seconds, config, lambda before, actions, after: {"plain": 7})
    given: list[Fields] = [
        {name: np.array([value]) for name, value in one.items()}
        for one in (before, {"exit_code": 0, "trade_pnl": 0, "highest_balance": 6_000, **after})
    ]
    told = count(given[0], np.array([0]), given[1])
    assert told.pop("seconds, plain") == 7
    assert set(told.values()) <= {0, 1}
    return {name.removeprefix("seconds, ") for name, times in told.items() if times}


WITHIN, OWN = "liquidated within a minute", "liquidated at the stop's own price"
ROSE, STOPPED = "a second's best raised the high", "stopped within a minute"
TARGET, NONE, ALL = "on target within a minute", "a minute without seconds", "a minute of sixty seconds"


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("world", [0, 1])
def test_each_transition_is_counted_for_the_branches_that_it_takes(world: int, side: int) -> None:
    tick, cost, slip = TICKS[world], 2 * COSTS[world], SLIPPAGE[world]
    close, entry = CLOSES[world], CLOSES[world] - 7 * side
    held = moment(world, position=side, entry_price=entry, sl_price=close - 20 * side)
    at_close = (7 - slip) * tick - cost
    at_stop = -13 * tick - cost
    assert coverage_of(held, exit_code=4, trade_pnl=at_close) == set()
    assert coverage_of(held, exit_code=4, trade_pnl=at_close + 1) == {WITHIN}
    assert coverage_of(held, exit_code=4, trade_pnl=at_stop) == {WITHIN, OWN}
    assert coverage_of(held, exit_code=3, trade_pnl=at_stop) == set()
    assert coverage_of(held, exit_code=1) == {STOPPED}
    assert coverage_of(held, exit_code=2) == {TARGET}
    best = 5_000 + 7 * tick
    assert coverage_of(held, highest_balance=best) == set()
    assert coverage_of(held, highest_balance=best + 1) == {ROSE}
    assert coverage_of(held, highest_balance=best + 1, exit_code=3) == set()
    known = {**held, "highest_balance": best + 9}
    assert coverage_of(known, highest_balance=best + 9) == set()
    assert coverage_of({**held, "step_idx": 2}, exit_code=1) == {NONE}
    assert coverage_of({**held, "step_idx": 2}, exit_code=2) == {NONE}
    assert coverage_of({**held, "step_idx": 3}, exit_code=2) == {TARGET, ALL}
    # Neither on the bar of the entry, nor without a trade.
    for other in ({"position_entry_step": 1}, {"position": 0}):
        for code in range(5):
            assert coverage_of({**held, **other}, exit_code=code, highest_balance=10**8) == set()


def test_which_seconds_are_missing_is_of_the_seed() -> None:
    bars = synthetic_bars("ES", days=1, seed=0)
    one, again, other = (set(gappy_seconds(bars, seed).frame.index) for seed in (4, 4, 5))
    assert one == again
    missing = len(one - other) / len(one)
    assert 0.1 < missing < 0.5  # a whole minute, or one of two, is there in both

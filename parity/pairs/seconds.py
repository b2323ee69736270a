"""One-second bars in a pair: states on the edges of seconds, and the branches that only they take.

Source: section 8 of ``docs/environment.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from jax_port.data.data_loader import CLOSE, PreparedMarket
from jax_port.data.seconds_loader import PreparedSeconds
from markets import Bars, EnvConfig
from markets.seconds import SECONDS_IN_MINUTE
from markets.synthetic.seconds import second_bars
from parity.engine.compare import Array
from parity.engine.pair import Case, Choices, Fields
from parity.pairs.branches import Coverage
from parity.pairs.corners import NEAR, MarketSurvey

STAKES = ("as the minute has it", "floor at a second's worst", "high at a second's best")

REQUIRED = frozenset(
    f"seconds, {name}"
    for name in (
        "liquidated within a minute",
        "liquidated at the stop's own price",
        "a second's best raised the high",
        "stopped within a minute",
        "on target within a minute",
        "a minute without seconds",
        "a minute of sixty seconds",
    )
)


def gappy_seconds(bars: Bars, seed: int) -> Bars:
    """Return one-second bars with holes: every third second is missing, and all of some minutes.

    A quarter of the minutes are whole, all sixty seconds of them.
    """
    seconds = second_bars(bars, seed=seed)
    rng = np.random.default_rng([seed, 8])
    present = rng.random(len(seconds)) > 1 / 3
    empty = rng.random(len(bars)) < 0.05
    whole = rng.random(len(bars)) < 0.25
    each = len(seconds) // len(bars)
    return seconds.select((present | np.repeat(whole, each)) & ~np.repeat(empty, each))


def seconds_case(choices: Choices, case: Case, survey: MarketSurvey, seconds: PreparedSeconds) -> Case:
    """Return a case whose floor, or high, lies where one of its minute's seconds touches it.

    Args:
        choices: draws.
        case: as built for minutes.
        survey: what it was built on.
        seconds: of its world.
    """
    stake = choices.aim(STAKES)
    state = case.state
    side, step = int(state["position"]), int(state["step_idx"])
    high, low = seconds.high[step], seconds.low[step]
    count = int((high >= low).sum())
    if stake == STAKES[0] or not side or not count:
        return replace(case, corner=(*case.corner, STAKES[0]))
    second = choices.integer(0, count - 1)
    hurts, helps = (low, high) if side > 0 else (high, low)
    price = int((hurts if stake == STAKES[1] else helps)[second])
    if stake == STAKES[1] and choices.pick((0, 0, 1)):
        price = int(state["sl_price"])
    worth = int(state["balance"]) + side * (price - int(state["entry_price"])) * survey.tick
    worth += choices.pick((*NEAR, survey.commission))
    locked = survey.initial + survey.lock
    if stake == STAKES[1]:
        top, floor = worth + survey.drawdown, worth
    else:
        top, floor = worth, min(worth - survey.drawdown, locked)
    edge = {"highest_balance": top, "trailing_dd_level": floor}
    return replace(case, state={**state, **edge}, corner=(*case.corner, stake))


def seconds_coverage(
    markets: Sequence[PreparedMarket],
    seconds: Sequence[PreparedSeconds],
    config: EnvConfig,
    plain: Coverage,
) -> Coverage:
    """Return a count of the branches that only seconds take, with the minute's own beside it.

    Args:
        markets, seconds: of every world.
        config: the account.
        plain: counts what minutes take.
    """
    contracts = config.account.contracts

    def per_world(values: Sequence[int]) -> NDArray[np.int64]:
        return np.array(values, np.int64) * contracts

    tick = per_world([market.contract.tick_value_cents for market in markets])
    side_cost = per_world([market.contract.commission_cents for market in markets])
    slippage = np.array([market.contract.slippage_ticks for market in markets])
    closes = [market.bars[:, CLOSE].astype(np.int64) for market in markets]
    counts = [(one.high >= one.low).sum(1) for one in seconds]

    def coverage(before: Fields, actions: Array, after: Fields) -> dict[str, int]:
        world, step, side = before["market"], before["step_idx"], before["position"].astype(np.int64)
        close = np.array([closes[w][s] for w, s in zip(world, step, strict=True)])
        count = np.array([counts[w][s] for w, s in zip(world, step, strict=True)])
        held = (side != 0) & (before["position_entry_step"] < step)
        code, pnl = after["exit_code"], after["trade_pnl"]
        at_close = side * (close - side * slippage[world] - before["entry_price"]) * tick[world]
        at_stop = side * (before["sl_price"] - before["entry_price"]) * tick[world]
        broken = held & (code == 4) & (pnl != at_close - 2 * side_cost[world])
        best_known = np.maximum(
            before["highest_balance"],
            before["balance"] + side * (close - before["entry_price"]) * tick[world],
        )
        rose = held & (code == 0) & (after["highest_balance"] > best_known)
        branches = {
            "liquidated within a minute": broken,
            "liquidated at the stop's own price": broken & (pnl == at_stop - 2 * side_cost[world]),
            "a second's best raised the high": rose,
            "stopped within a minute": held & (code == 1) & (count > 0),
            "on target within a minute": held & (code == 2) & (count > 0),
            "a minute without seconds": held & (count == 0),
            "a minute of sixty seconds": held & (count == SECONDS_IN_MINUTE),
        }
        minutes = {f"seconds, {name}": n for name, n in plain(before, actions, after).items()}
        return {**minutes, **{f"seconds, {name}": int(hit.sum()) for name, hit in branches.items()}}

    return coverage

"""An evaluation account taken through days under a firm's rules, many accounts side by side.

All money is whole cents. The order within a day: the floor and the daily loss are held against every
low point, with the floor that the highs before it have raised; the target is looked at when the day is
over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jax_port.evaluation.prop_firm.day_paths import DayPaths
from jax_port.evaluation.prop_firm.rules import Rules

RUNNING, PASSED, FLOOR, DAILY_LOSS, TIME = range(5)
"""How an account ends; ``RUNNING`` where the days that were drawn did not decide it."""
ENDS = {
    RUNNING: "undecided",
    PASSED: "passed",
    FLOOR: "reached the floor",
    DAILY_LOSS: "reached the daily loss limit",
    TIME: "ran out of days",
}

DrawDay = Callable[[int, NDArray[np.int64]], NDArray[np.int64]]
"""(day, accounts that still run) -> numbers of the evaluated days that they meet, of the same shape."""

Cents = NDArray[np.int64]
NEVER = np.int64(2**60)


@dataclass(frozen=True)
class Outcomes:
    """How accounts ended, each of shape (accounts,).

    Attributes:
        end: one of ``ENDS``.
        days: days until then, or all that were drawn.
        profit: cents at the end of the last day that was played, or where a rule ended it.
    """

    end: NDArray[np.int8]
    days: NDArray[np.int64]
    profit: Cents


def replay(
    rules: Rules,
    paths: DayPaths,
    draw: DrawDay,
    accounts: int,
    days: int,
    contracts: float,
    traces: Cents | None = None,
) -> Outcomes:
    """Play every account through its days until a rule ends it.

    Args:
        rules: of the firm.
        paths: the evaluated days.
        draw: which evaluated day each account meets next.
        accounts, days: how many accounts, and the most days that they are played.
        contracts: of full size that the days were traded with. Where fewer are allowed, the day's
            money is scaled down to the allowed part of them, in whole cents.
        traces: filled with the profit at each day's end of the first accounts, shape (any, days + 1);
            after its end an account keeps the last.
    """
    target, drawdown = _cents(rules.profit_target), _cents(rules.drawdown)
    cap = NEVER if rules.floor_stops_at is None else np.int64(_cents(rules.floor_stops_at))
    loss = None if rules.daily_loss is None else _cents(rules.daily_loss)
    profit, peak, best = (np.zeros(accounts, np.int64) for _ in range(3))
    traded = np.zeros(accounts, np.int64)
    end, ended = np.zeros(accounts, np.int8), np.full(accounts, days, np.int64)
    for day in range(days):
        live = np.flatnonzero(end == RUNNING)
        if not len(live):
            break
        number = draw(day, live)
        begin = profit[live]
        high, low, made = paths.high[number], paths.low[number], paths.end[number]
        scale = allowed_share(rules, begin, contracts)
        if scale is not None:
            high, low = (np.rint(part * scale[:, None]).astype(np.int64) for part in (high, low))
            made = np.rint(made * scale).astype(np.int64)
        highs = np.maximum(peak[live, None], begin[:, None] + high)
        raised = highs if rules.trailing == "intraday" else peak[live, None]
        floor = np.minimum(raised - drawdown, cap)
        if rules.trailing == "static":
            floor = np.full_like(floor, -drawdown)
        fallen = begin[:, None] + low <= floor
        broken = fallen.any(axis=1)
        at = np.argmax(fallen, axis=1)
        floor_there = np.broadcast_to(floor, fallen.shape)[np.arange(len(live)), at]
        result = np.where(broken, floor_there, begin + made)
        how = np.where(broken, FLOOR, RUNNING).astype(np.int8)
        reached = highs[:, -1]
        if loss is not None:
            lost = low <= -loss
            # Where one low point reaches both, the one that lies higher was reached first.
            loses = np.argmax(lost, axis=1)
            first = lost.any(axis=1) & (
                ~broken | (loses < at) | ((loses == at) & (begin - loss > floor_there))
            )
            # A day that is over raises no floor any more.
            reached = np.where(first, highs[np.arange(len(live)), loses], reached)
            result = np.where(first, begin - loss, result)
            fails = DAILY_LOSS if rules.daily_loss_means == "fail" else RUNNING
            how = np.where(first, np.int8(fails), how)
        profit[live] = result
        traded[live] += paths.traded[number]
        best[live] = np.maximum(best[live], result - begin)
        peak[live] = np.maximum(peak[live], reached if rules.trailing == "intraday" else result)
        consistent = (
            best[live] <= rules.best_day_share * result + 1e-6 if rules.best_day_share else True
        )
        passes = (
            (how == RUNNING) & (result >= target) & (traded[live] >= rules.minimum_days) & consistent
        )
        how = np.where(passes, np.int8(PASSED), how)
        if rules.maximum_days is not None and day + 1 >= rules.maximum_days:
            how = np.where(how == RUNNING, np.int8(TIME), how)
        end[live] = how
        ended[live[how != RUNNING]] = day + 1
        if traces is not None:
            traces[:, day + 1 :] = profit[: len(traces), None]
    return Outcomes(end, ended, profit)


def allowed_share(rules: Rules, profit: Cents, contracts: float) -> NDArray[np.float64] | None:
    """Return which part of the contracts may be traded at each profit; None where it is always all."""
    if not rules.contracts or rules.contracts[0].contracts >= contracts:
        return None
    levels = np.array([_cents(tier.profit) for tier in rules.contracts])
    most = np.array([tier.contracts for tier in rules.contracts])
    tier = np.maximum(np.searchsorted(levels, profit, side="right") - 1, 0)
    return np.asarray(np.minimum(most[tier] / contracts, 1.0))


def _cents(dollars: float) -> int:
    return round(dollars * 100)

"""What an account goes through within each evaluated day, short enough to be replayed often.

A floor that trails the highest equity asks two things of a day: how high the account had been, and how
low it fell from there before it was higher still. So a day is kept as its rising highs with the lowest
point that follows each; whatever rule of the kind is asked of it, the answer is that of the whole path.

Between two closes the account is taken through the worst price of the minute first and the best after
it, as section 8 of the environment does with seconds; where seconds are given, second by second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jax_port.data.data_loader import CLOSE, HIGH, LOW, PreparedMarket
from jax_port.data.seconds_loader import PreparedSeconds
from jax_port.evaluation.evaluate import Evaluation
from markets.config import AccountRules, dollars_to_cents

STOP, TARGET, LATE, LIQUIDATED = 1, 2, 3, 4
"""Exit codes (section 6 of the environment)."""

Cents = NDArray[np.int64]


@dataclass(frozen=True)
class DayPaths:
    """Days in cents relative to the equity at their start.

    Attributes:
        high: highest point so far, rising, shape (days, K); the last one repeats.
        low: lowest point from that high to the next, shape (days, K).
        end: profit of the day, shape (days,).
        traded: bool, a trade was opened, shape (days,).
        looked_at: how the days were looked at, in words.
    """

    high: Cents
    low: Cents
    end: Cents
    traded: NDArray[np.bool_]
    looked_at: str

    def __len__(self) -> int:
        return len(self.end)


def from_paths(paths: list[Cents], traded: NDArray[np.bool_], looked_at: str) -> DayPaths:
    """Make days from the points that an account went through, each path beginning with 0."""
    reduced = [_rising(path) for path in paths]
    width = max(len(high) for high, _ in reduced)

    def padded(values: Cents) -> Cents:
        return np.concatenate([values, np.repeat(values[-1:], width - len(values))])

    return DayPaths(
        high=np.stack([padded(high) for high, _ in reduced]),
        low=np.stack([padded(low) for _, low in reduced]),
        end=np.array([path[-1] for path in paths], np.int64),
        traded=traded,
        looked_at=looked_at,
    )


def day_paths(
    result: Evaluation,
    market: PreparedMarket,
    contracts: int,
    seconds: PreparedSeconds | None = None,
    *,
    account: AccountRules,
) -> DayPaths:
    """Return the paths of an evaluation's daily episodes.

    Args:
        result: of one policy; by the second where seconds are given.
        market: its bars.
        contracts: traded at a time.
        seconds: of the bars; None takes each minute's worst price first, then its best.
        account: that was evaluated, whose floor tells the second of a liquidation.
    """
    fall, lock = (
        dollars_to_cents(name, getattr(account, name))
        for name in ("trailing_drawdown_dollars", "floor_lock_dollars")
    )
    tick = market.contract.tick_value_cents * contracts
    episodes = result.episodes[result.episodes["daily"]].set_index("episode")
    trades = dict(tuple(result.trades.groupby("episode")))
    starts = dict(zip(episodes.index, episodes["start"].tolist(), strict=True))
    paths = []
    for number, day in result.equity.groupby("episode", sort=True):
        first = starts[number]
        own = trades.get(number, result.trades[:0])
        prices = zip(own["exit_price"].tolist(), own["exit_code"].tolist(), strict=True)
        left = dict(zip(own["exit_step"].tolist(), prices, strict=True))
        paths.append(_path(day, first, left, market, tick, seconds, (fall, lock)))
    return from_paths(
        paths,
        episodes["trades"].to_numpy() > 0,
        "in every second"
        if seconds is not None
        else "at the worst, then the best price of every minute",
    )


def _path(
    day: pd.DataFrame,
    first: int,
    left: dict[int, tuple[float, int]],
    market: PreparedMarket,
    tick: int,
    seconds: PreparedSeconds | None,
    floor: tuple[int, int],
) -> Cents:
    """Return all points that an account went through on one day, cents relative to its start."""
    equity = np.rint(day["equity"].to_numpy() * 100).astype(np.int64)
    equity = equity - equity[0]
    position = day["position"].to_numpy(np.int64)
    entry = market.contract.to_ticks(np.nan_to_num(day["entry"].to_numpy()))
    closes = market.bars[:, CLOSE].astype(np.int64)
    points: list[Cents] = [equity[:1]]
    highest = 0
    for step in range(1, len(equity)):
        row, side = first + step - 1, position[step - 1]
        if side:
            known = equity[step - 1] - side * (closes[row - 1] - entry[step - 1]) * tick
            prices = _prices(row, side, market, seconds)
            price, code = left.get(row, (0.0, LATE))
            broken = np.zeros(len(prices), np.bool_)
            if seconds is not None:
                broken = _broken(known + side * (prices - entry[step - 1]) * tick, highest, *floor)
            met = _until(prices, int(market.contract.to_ticks(price)), code, side, broken)
            points.append(known + side * (met - entry[step - 1]) * tick)
            highest = int(points[-1].max(initial=highest))
        points.append(equity[step : step + 1])
        highest = max(highest, int(equity[step]))
    return np.concatenate(points)


def _prices(row: int, side: int, market: PreparedMarket, seconds: PreparedSeconds | None) -> Cents:
    """Return (worst, best) ticks of a minute, or of its seconds in order, shape (n, 2)."""
    if seconds is None:
        high, low = (market.bars[row : row + 1, column].astype(np.int64) for column in (HIGH, LOW))
    else:
        there = seconds.high[row] >= seconds.low[row]
        high, low = (values[row][there].astype(np.int64) for values in (seconds.high, seconds.low))
    return np.stack([low, high] if side > 0 else [high, low], axis=1)


def _broken(worth: Cents, highest: int, fall: int, lock: int) -> NDArray[np.bool_]:
    """Return in which seconds the worst price lies below the drawdown floor, shape (n,).

    Args:
        worth: equity at the (worst, best) price of each second, shape (n, 2).
        highest: equity before the first.
        fall: how far below the highest equity so far the floor lies.
        lock: profit at which the floor rises no further.
    """
    highs = np.maximum.accumulate(np.append(highest, worth[:, 1]))[:-1]
    return worth[:, 0] < np.minimum(highs - fall, lock)


def _until(prices: Cents, out: int, code: int, side: int, broken: NDArray[np.bool_]) -> Cents:
    """Return a minute's prices in order, up to the exit; what came after was no longer the trade's.

    Args:
        prices: (worst, best) in order, shape (n, 2).
        out: ticks of the exit.
        code: of the exit. A target is left at its price after the worst of its second; a stop at the
            first price that reaches it; a liquidation within the minute, which only seconds show, at
            the worst price of the second that broke the floor. An exit at the close has all of it.
        side: 1 or -1.
        broken: seconds in which the floor was broken, if the trade was still open; none by the minute.
    """
    passed = np.zeros(len(prices), np.bool_)
    if code == TARGET:
        passed = side * prices[:, 1] >= side * out
    elif code == STOP:
        passed = side * prices[:, 0] <= side * out
    elif code == LIQUIDATED:
        passed = broken
    if not passed.any():
        return prices.ravel()
    at = int(np.argmax(passed))
    last = [prices[at, 0], out] if code == TARGET else [out]
    return np.concatenate([prices[:at].ravel(), last])


def _rising(path: Cents) -> tuple[Cents, Cents]:
    """Return a path's rising highs, and the lowest point from each to the next."""
    highs = np.maximum.accumulate(path)
    begins = np.flatnonzero(np.diff(highs, prepend=highs[0] - 1))
    return highs[begins], np.minimum.reduceat(path, begins)

"""Measurements on raw bars, each a small function of arrays; ``findings.py`` turns them into words.

Times are int64 nanoseconds since 1970 in UTC, prices float64 points. A trading day runs from 18:00 New
York time of the day before to 16:59, as the exchange has it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from markets.clock import (
    RTH_FIRST_MINUTE,
    RTH_LAST_MINUTE,
    in_regular_session,
    new_york_dates,
    new_york_minutes,
)
from markets.quality.sessions import REOPEN_MINUTE
from markets.spacing import MINUTE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

CASH_CLOSE_MINUTE = 960
"""16:00, when the stock exchanges close."""
MINUTES_PER_DAY = 1440
NS_PER_HOUR = 60 * MINUTE

BAD_PRINT = 0.10
"""Share of the price that no index future moves within a minute and takes back."""
SPIKE_RANGES = 15.0
"""Median true ranges of its day beyond its neighbours that make a bar a spike."""
SPIKE_TICKS = 20
"""Least excursion of a spike, so that a quiet night's two ticks are none."""
BUSIER = 1.1
"""Factor by which a half hour outside 09:30 to 16:00 must beat all inside to raise a doubt."""
JUMP_DAYS = 5
"""Bars farther apart than this may differ in price by anything."""
_DECADE_TOLERANCE = 0.12
"""How far, in decades, a ratio of prices may be from a power of ten and still count as one."""


def distinct(values: Ints) -> Ints:
    """Return the different values in order (much faster than ``np.unique`` for millions)."""
    ordered = np.sort(values)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


@dataclass(frozen=True, slots=True)
class Missing:
    """Minutes without a bar inside a trading day, one entry a gap, in order of time.

    Attributes:
        start_ns: opens of the first missing minutes.
        minutes: missing minutes of each gap.
        regular: how many of them lie in 09:30 to 16:59.
    """

    start_ns: Ints
    minutes: Ints
    regular: Ints


def missing_minutes(ns: Ints) -> Missing:
    """Return the gaps between minute-floored, strictly increasing bar opens."""
    if len(ns) < 2:
        none = np.zeros(0, np.int64)
        return Missing(none, none, none)
    before, after = ns[:-1], ns[1:]
    at = np.flatnonzero((after - before > MINUTE) & (trading_days(before) == trading_days(after)))
    before, after = before[at], after[at]
    minutes = (after - before) // MINUTE - 1
    # Within a trading day minutes are counted from its 18:00, so that they only grow.
    first = _minute_of_trading_day(before) + 1
    last = first + minutes - 1
    low = RTH_FIRST_MINUTE + MINUTES_PER_DAY - REOPEN_MINUTE
    high = RTH_LAST_MINUTE + MINUTES_PER_DAY - REOPEN_MINUTE
    regular = np.maximum(np.minimum(last, high) - np.maximum(first, low) + 1, 0)
    return Missing(before + MINUTE, minutes, regular)


def with_usual_edges(ns: Ints, full_day_bars: int) -> Ints:
    """Return the bar opens with markers just outside the usual regular session of each full day.

    A marker stands a minute before the usual first minute of the regular session, or after its usual
    last one, on days that have ``full_day_bars`` and no other bar on that side. Between it and the
    first (or last) bar lie the minutes that the day lacks at its edges.
    """
    at = np.flatnonzero(in_regular_session(new_york_minutes(ns)))
    if not len(at):
        return ns
    _, first, counts = np.unique(new_york_dates(ns[at]), return_index=True, return_counts=True)
    begin, end = at[first], at[first + counts - 1]
    late = new_york_minutes(ns[begin]) - _commonest(new_york_minutes(ns[begin]))
    early = _commonest(new_york_minutes(ns[end])) - new_york_minutes(ns[end])
    days = trading_days(ns)
    new_day = np.concatenate([[True], days[1:] != days[:-1], [True]])
    full = counts >= full_day_bars
    before = (full & (late > 0) & new_day[begin]).nonzero()[0]
    after = (full & (early > 0) & new_day[end + 1]).nonzero()[0]
    markers = [
        ns[begin[before]] - (late[before] + 1).astype(np.int64) * MINUTE,
        ns[end[after]] + (early[after] + 1).astype(np.int64) * MINUTE,
    ]
    return np.sort(np.concatenate([ns, *markers]))


def _commonest(values: NDArray[np.int32]) -> int:
    return int(np.argmax(np.bincount(values)))


def trading_days(ns: Ints) -> Ints:
    """Return the trading day as days since 1970-01-01: from 18:00 on it is the next date's."""
    dates = new_york_dates(ns).astype(np.int64)
    return dates + (new_york_minutes(ns) >= REOPEN_MINUTE)


def _minute_of_trading_day(ns: Ints) -> Ints:
    minutes = new_york_minutes(ns).astype(np.int64)
    return (minutes - REOPEN_MINUTE) % MINUTES_PER_DAY


def busiest_outside(ns: Ints, volume: Floats) -> int | None:
    """Return the New York minute at which the busiest half hour begins, if it should not be there.

    None where it lies in 09:30 to 16:00, or beats the busiest in there by less than :data:`BUSIER`.
    """
    by_slot = np.bincount(new_york_minutes(ns) // 30, weights=volume, minlength=48)
    inside = by_slot[RTH_FIRST_MINUTE // 30 : CASH_CLOSE_MINUTE // 30].max()
    busiest = int(np.argmax(by_slot))
    return busiest * 30 if by_slot[busiest] > BUSIER * inside else None


def wrong_scale(prices: Floats) -> Ints:
    """Return by which power of ten each row's prices seem to be off: 0 as a rule, -2 for prices / 100.

    Args:
        prices: open, high, low, close of shape (T, 4), positive, in order of time.

    A jump from one close to the next by a power of ten changes the level; the level that most rows
    share is taken for right. Within a row, a price at another power of ten than its close counts too.
    """
    if not len(prices):
        return np.zeros(0, np.int64)
    logs = np.log10(prices)
    level = np.cumsum(np.concatenate([[0], _decades(np.diff(logs[:, 3]))]))
    values, counts = np.unique(level, return_counts=True)
    level -= values[np.argmax(counts)]
    inside = _decades(logs[:, :3] - logs[:, 3:])
    worst = inside[np.arange(len(inside)), np.argmax(np.abs(inside), axis=1)]
    return np.where(level != 0, level, worst)


def _decades(log_ratio: Floats) -> Ints:
    whole = np.rint(log_ratio)
    return np.where(np.abs(log_ratio - whole) < _DECADE_TOLERANCE, whole, 0.0).astype(np.int64)


def excursions(prices: Floats) -> Floats:
    """Return how far each bar reaches beyond both the close before and the open after it, in points.

    A bar that moves the market reaches its neighbour's price; only what is taken back is left.
    """
    o, high, low, close = prices.T
    before = np.concatenate([o[:1], close[:-1]])
    after = np.concatenate([o[1:], close[-1:]])
    up = high - np.maximum(before, after)
    down = np.minimum(before, after) - low
    return np.maximum(np.maximum(up, down), 0.0)


def spikes(ns: Ints, prices: Floats, tick_size: float) -> tuple[Flags, Flags]:
    """Return which bars are spikes, and which are bad prints, as two masks of shape (T,).

    A bad print reaches :data:`BAD_PRINT` of the price beyond its neighbours, or changes the price by as
    much for good between two bars that are at most :data:`JUMP_DAYS` days apart. A spike does so by
    :data:`SPIKE_RANGES` median true ranges of its trading day and is not that bad.
    """
    if not len(ns):
        return np.zeros(0, bool), np.zeros(0, bool)
    close = prices[:, 3]
    before = np.concatenate([prices[:1, 0], close[:-1]])
    true_range = np.maximum(prices[:, 1], before) - np.minimum(prices[:, 2], before)
    usual = pd.Series(true_range).groupby(trading_days(ns)).transform("median").to_numpy()
    reach = excursions(prices)
    away = np.abs(close / before - 1.0) > BAD_PRINT
    away[1:] &= np.diff(ns) < JUMP_DAYS * 24 * NS_PER_HOUR
    away[:1] = False
    bad = (reach > BAD_PRINT * np.minimum(before, close)) | away
    far = np.maximum(SPIKE_RANGES * usual, SPIKE_TICKS * tick_size)
    return (reach > far) & ~bad, bad


def too_few_trades(prices: Floats, volume: Floats) -> Flags:
    """Return the bars with fewer contracts than different prices, which no trading can produce."""
    ordered = np.sort(prices, axis=1)
    different = 1 + (ordered[:, 1:] > ordered[:, :-1]).sum(axis=1)
    return np.asarray((volume > 0) & (volume < different))

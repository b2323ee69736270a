"""Bootstrap over days: intervals of total, Sharpe ratio and drawdown, and blocks of days in a row.

A day is the smallest thing that is drawn: the trades of one day share its market. The same days give
the same numbers, since the generator's seed is fixed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

RESAMPLES = 2000
LEVEL = 0.95
FEWEST_DAYS = 5
"""With fewer days there is no interval. Two days of noise lie on one side of zero in half of all cases,
three in a quarter, four in an eighth, and so does all that is drawn from them."""

Cents = NDArray[np.int64]


@dataclass(frozen=True)
class DayShapes:
    """What a day does to a curve, in cents relative to the equity at its start, each of shape (days,).

    Attributes:
        end: profit of the day.
        low: lowest point of the day, at most 0.
        fall: largest fall from the day's own highest point so far, at least 0.
        high: highest point of the day, at least 0.
    """

    end: Cents
    low: Cents
    fall: Cents
    high: Cents


def day_shapes(curve: Cents, first: NDArray[np.int64]) -> DayShapes:
    """Cut one account's curve into days.

    Args:
        curve: cents at the start and after every bar of every day, one day after the other.
        first: place of each day's start in ``curve``.
    """
    parts = [part - part[0] for part in np.split(curve, first[1:])]
    return DayShapes(
        end=np.array([part[-1] for part in parts], np.int64),
        low=np.array([part.min() for part in parts], np.int64),
        fall=np.array([(np.maximum.accumulate(part) - part).max() for part in parts], np.int64),
        high=np.array([part.max() for part in parts], np.int64),
    )


def drawdowns(shapes: DayShapes, drawn: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the largest fall of each curve made of drawn days, at every bar's close, exactly.

    Args:
        shapes: of the days.
        drawn: numbers of days, shape (curves, days).

    Returns:
        Cents, shape (curves,).
    """
    ends = np.cumsum(shapes.end[drawn], axis=1)
    begins = ends - shapes.end[drawn]
    highs = np.maximum.accumulate(np.maximum(begins + shapes.high[drawn], 0), axis=1)
    before = np.concatenate([np.zeros((len(drawn), 1), np.int64), highs[:, :-1]], axis=1)
    # Below an earlier day's highest point, or below the day's own.
    falls = np.maximum(before - (begins + shapes.low[drawn]), shapes.fall[drawn])
    return np.asarray(falls.max(axis=1), np.int64)


def blocks(
    days: int, length: int, block: int, curves: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw curves of days, blocks of ``block`` days in a row at a time; after the last comes the first.

    Returns:
        Numbers of days, shape (curves, length).
    """
    count = -(-length // block)
    begins = rng.integers(days, size=(curves, count, 1))
    drawn = (begins + np.arange(block)) % days
    return np.asarray(drawn.reshape(curves, -1)[:, :length], np.int64)


def percentiles(days: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the two percentages between which a bootstrap interval of so many days lies.

    A little outside 2.5 and 97.5: percentiles of a bootstrap are too narrow by about the root of
    n / (n - 1) and by the tails of Student's distribution (Hesterberg, "What Teachers Should Know About
    the Bootstrap", 2015).
    """
    reach = math.sqrt(days / (days - 1)) * stats.t.ppf(0.5 + level / 2, days - 1)
    low = 100 * float(stats.norm.cdf(-reach))
    return low, 100 - low


def too_few(days: int) -> str:
    """Return why so few days have no interval, in a sentence."""
    if days == 1:
        return "One day says nothing about the next."
    return (
        f"{days} days are too few to tell an edge from luck: no interval is given with fewer than "
        f"{FEWEST_DAYS}."
    )


def day_intervals(shapes: DayShapes) -> dict[str, tuple[float, float]]:
    """Return 95% intervals of "pnl" and "max_drawdown" (dollars) and "sharpe_day".

    NaN with fewer than :data:`FEWEST_DAYS`.
    """
    days = len(shapes.end)
    if days < FEWEST_DAYS:
        nothing = (math.nan, math.nan)
        return {"pnl": nothing, "sharpe_day": nothing, "max_drawdown": nothing}
    drawn = np.random.default_rng(0).integers(days, size=(RESAMPLES, days))
    values = shapes.end[drawn]
    spread = values.std(axis=1, ddof=1)
    ratios = values.mean(axis=1)[spread > 0] / spread[spread > 0]
    at = percentiles(days)

    def between(sample: NDArray[np.float64]) -> tuple[float, float]:
        if not len(sample):
            return math.nan, math.nan
        low, high = np.percentile(sample, at)
        return float(low), float(high)

    return {
        "pnl": between(values.sum(axis=1) / 100),
        "sharpe_day": between(ratios),
        "max_drawdown": between(drawdowns(shapes, drawn) / 100),
    }

"""Why the times of rows do not increase, and what to do: newest first, rows twice, two contracts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NIGHTS = (18 * 3600 * 10**9, 24 * 3600 * 10**9)
"""By how much times go back at midnight where evenings carry the date of the next day."""
FAR_APART, ALIKE = 5.0, 0.25
"""Usual ranges of a bar between two contracts' closes, and how much that distance varies, of itself."""


def order_mend(ns: NDArray[np.int64], prices: NDArray[np.float64]) -> str:
    """Return the cause, and what to do, of rows of which some are not later than the row before.

    Args:
        ns: times, shape (T,).
        prices: open, high, low, close in points, shape (T, 4).
    """
    order = np.argsort(ns, kind="stable")
    first = np.flatnonzero(ns[order[1:]] == ns[order[:-1]])
    if not len(first):
        if (ns[1:] < ns[:-1]).all():
            return "the newest row stands first; sort the rows by timestamp"
        back = (ns[:-1] - ns[1:])[ns[1:] < ns[:-1]]
        if len(back) > 1 and (back >= NIGHTS[0]).all() and (back < NIGHTS[1]).all():
            return (
                "times go back by a day at each midnight, so dates are those of trading days, whose "
                "evening is the calendar day's before; export calendar dates, and do not sort the rows"
            )
        return "sort the rows by timestamp"
    return same_time_mend(prices[order[first]], prices[order[first + 1]])


def same_time_mend(one: NDArray[np.float64], other: NDArray[np.float64]) -> str:
    """Return the cause, and what to do, of pairs of rows of the same time: prices of shape (N, 4)."""
    same = (one == other).all(axis=1)
    if same.all():
        return "the same row occurs again; keep one row a minute: drop the others"
    whole = ~same & np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
    if not whole.any():
        return "rows of the same time differ; keep one row a minute"
    apart = np.abs(other[whole, 3] - one[whole, 3])
    usual = float(np.median(apart))
    spread = float(np.median(np.abs(apart - usual)))
    if usual > FAR_APART * float(np.median((one[:, 1] - one[:, 2])[whole])) and spread < ALIKE * usual:
        return (
            f"rows of the same time are about {usual:.10g} points apart, as those of two contracts "
            "(expiries) are; keep the rows of one contract"
        )
    return "rows of the same time differ; keep one row a minute, of one contract"

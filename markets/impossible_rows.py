"""Why rows cannot be bars, and what to do: columns under wrong names, adjusted prices, quotes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PRICES = ("open", "high", "low", "close")
NEARLY_ALL = 0.99
"""Share of the rows whose highest and lowest prices stand in the same two columns."""


def column_order_mend(prices: NDArray[np.float64]) -> str:
    """Return what to do where high and low contradict other prices, of prices of shape (T, 4).

    Where another column than high holds the highest price on nearly every row, or another than low the
    lowest, the columns have wrong names.
    """
    whole = prices[np.isfinite(prices).all(axis=1)]
    if len(whole):
        top = np.mean(whole == whole.max(axis=1, keepdims=True), axis=0)
        bottom = np.mean(whole == whole.min(axis=1, keepdims=True), axis=0)
        high, low = int(np.argmax(top)), int(np.argmax(bottom))
        if (high, low) != (1, 2) and top[high] >= NEARLY_ALL and bottom[low] >= NEARLY_ALL:
            return (
                f"the column {PRICES[high]} holds the highest price of nearly every row and "
                f"{PRICES[low]} the lowest, so the columns are in another order; give each its right "
                "name"
            )
    return "remove or repair the rows"


def not_positive_mend(least: NDArray[np.float64]) -> str:
    """Return what to do where prices are zero or less; ``least`` is each row's lowest, shape (T,)."""
    if (least < 0).any():
        return (
            "prices below zero are those of a spread, or of a series that was adjusted back over its "
            "rolls by differences; give prices as they were traded, or adjusted by ratio"
        )
    return "remove the rows"


def negative_volume_mend(volume: NDArray[np.float64]) -> str:
    """Return what to do where volumes, of shape (T,), are negative."""
    if (volume == -1).all():
        return (
            "a volume of -1 throughout is what Interactive Brokers writes for BID, ASK and MIDPOINT; "
            "ask for TRADES"
        )
    return "remove or repair the rows"

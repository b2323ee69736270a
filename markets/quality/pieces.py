"""Rows in pieces that stay in a processor's cache, for passes over millions of them.

A temporary array of a million numbers is fetched from memory anew; one of a few thousand is not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

ROWS = 16_384
"""Rows of a piece: 128 KiB of float64."""


def steps(rows: int) -> Iterator[tuple[slice, slice]]:
    """Yield slices of rows, and of those one later, that together pair every row with the next."""
    for start in range(0, rows - 1, ROWS):
        end = min(start + ROWS, rows - 1)
        yield slice(start, end), slice(start + 1, end + 1)


def far_steps(
    before: NDArray[np.generic], after: NDArray[np.generic], least: float
) -> NDArray[np.int64]:
    """Return the rows i for which ``|after[i + 1] - before[i]|`` is more than ``least``."""
    found = [
        one.start + np.flatnonzero(np.abs(after[other] - before[one]) > least)  # type: ignore[operator]
        for one, other in steps(len(before))
    ]
    return np.concatenate(found) if found else np.zeros(0, np.int64)

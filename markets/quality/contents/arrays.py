"""Valid bars as arrays, for the checks that look at what the columns hold.

Each check sees the whole file or, where it asks about a habit of every row, a part of it that is spread
over the file: a million rows are judged by a twentieth of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from markets.contracts import Contract
from markets.file_facts import FileFacts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BLOCKS, BLOCK = 24, 2048
"""Runs of rows, and rows of each, by which a long file's habits are judged."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Bars in order of time, each array of shape (T,).

    Attributes:
        ns: opens in UTC, int64 nanoseconds, strictly increasing.
        open, high, low, close: points.
        volume: contracts.
        contract: what they are read as.
        file: what their file says of itself.
    """

    ns: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    contract: Contract
    file: FileFacts

    def __len__(self) -> int:
        return len(self.ns)

    def runs(self) -> Sequence[Contents]:
        """Return runs of rows that stand for the file: all of a short one, 24 pieces of a long one."""
        rows = len(self)
        if rows <= 2 * BLOCKS * BLOCK:
            return [self]
        starts = np.linspace(0, rows - BLOCK, BLOCKS).astype(int)
        return [self.part(slice(start, start + BLOCK)) for start in starts]

    def part(self, rows: slice | NDArray[np.bool_]) -> Contents:
        """Return some of the bars."""
        names = ("ns", "open", "high", "low", "close", "volume")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

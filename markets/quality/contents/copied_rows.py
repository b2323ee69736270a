"""Rows that stand in a file twice, under two dates, as exports that were pasted together have them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from markets.quality.contents.arrays import Contents
from markets.quality.finding import Finding
from markets.quality.pieces import ROWS

LAST, LAST_BITS = 63, 21
"""One row in so many is looked up, those whose volume ends with these bits: the same ones in a copy."""
FEWEST_ROWS, FEWEST_CLOSES = 100, 30
"""Rows, one after another, and different closes among them, from which a repetition is no chance."""
FACTORS = (1.0, 2.0**0.5, 3.0**0.5, 5.0**0.5, 7.0**0.5)
FEWEST_PAIRS = 2
"""Rows looked up that must lie the same number of rows apart."""


def copied_rows(bars: Contents) -> Iterator[Finding]:
    """Yield that a long run of bars has the prices and volumes of an earlier one, bar by bar."""
    apart = _rows_apart(bars)
    if apart is None:
        return
    same = np.ones(len(bars) - apart, bool)
    for column in (bars.close, bars.volume, bars.open, bars.high, bars.low):
        same &= column[apart:] == column[:-apart]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    runs = [
        (int(start), int(rows))
        for start, rows in zip(starts, lengths, strict=True)
        if rows >= FEWEST_ROWS and len(np.unique(bars.close[start : start + rows])) >= FEWEST_CLOSES
    ]
    if not runs:
        return
    first, rows = runs[0]
    original, copy = (
        str(np.datetime64(int(bars.ns[row]), "ns").astype("datetime64[m]")).replace("T", " ")
        for row in (first, first + apart)
    )
    yield Finding(
        "copied_rows",
        sum(rows for _, rows in runs),
        f"{rows:,} bars from {copy} UTC on have the prices and volumes of those from {original} on, "
        "bar by bar, so they were copied",
        "remove the copies, or fetch these days anew",
    )


def _rows_apart(bars: Contents) -> int | None:
    """Return by how many rows most repetitions of rows are apart, or None where there are none."""
    with np.errstate(invalid="ignore"):  # of volumes beyond all whole numbers, some bits are as good
        some = np.concatenate(
            [
                start + np.flatnonzero(part.astype(np.int64) & LAST == LAST_BITS)
                for start in range(0, len(bars), ROWS)
                if len(part := bars.volume[start : start + ROWS])
            ]
            or [np.zeros(0, np.int64)]
        )
    some = some[bars.high[some] > bars.low[some]]
    if len(some) < 2 * FEWEST_PAIRS:
        return None
    # One number of all columns: rows that are alike have the same, and others hardly ever.
    key = sum(
        factor * column[some]
        for factor, column in zip(
            FACTORS, (bars.close, bars.volume, bars.open, bars.high, bars.low), strict=True
        )
    )
    order = np.argsort(key, kind="stable")
    again = np.flatnonzero(np.diff(key[order]) == 0)
    apart: NDArray[np.int64] = some[order[again + 1]] - some[order[again]]
    if not len(apart):
        return None
    values, counts = np.unique(apart, return_counts=True)
    most = int(counts.argmax())
    return int(values[most]) if counts[most] >= FEWEST_PAIRS else None

"""Advice laid on the bars of a market, each at the bar at which its answer is known.

A question about bar k is asked once k has closed. Its answer comes a latency later and acts on the
first later bar that closes after that: the next one at the earliest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.advice.table import AdviceTable

NS_PER_MINUTE = 60_000_000_000
NS_PER_MS = 1_000_000
MS_PER_SECOND = 1000
LONGEST_MS = 1e12
"""Milliseconds, 31 years: an answer that takes longer is never known, as one that takes so long."""


@dataclass(frozen=True)
class AdviceOnBars:
    """Answers by the bar that was asked about, T bars.

    Attributes:
        advice: float32 (T, 3), chances of hold, buy and sell; a third each where there is none.
        confidence: float32 (T,).
        given: bool (T,), whether there is advice.
        known: int32 (T,), first bar at whose decision the answer to a question at this bar is known.
        minute: int32 (T,), open of each bar in minutes since 1970.
    """

    advice: NDArray[np.float32]
    confidence: NDArray[np.float32]
    given: NDArray[np.bool_]
    known: NDArray[np.int32]
    minute: NDArray[np.int32]

    def shuffled(self, seed: int) -> AdviceOnBars:
        """Return the same answers, dealt anew over the bars that have one."""
        rows = np.flatnonzero(self.given)
        return self._dealt(rows, np.random.default_rng(seed).permutation(rows))

    def random(self, seed: int) -> AdviceOnBars:
        """Return answers whose chances are dealt anew over hold, buy and sell, and over the bars."""
        rng = np.random.default_rng(seed)
        rows = np.flatnonzero(self.given)
        made = self._dealt(rows, rng.permutation(rows))
        advice = made.advice.copy()
        advice[rows] = rng.permuted(advice[rows], axis=1)
        return replace(made, advice=advice)

    def _dealt(self, to: NDArray[np.int64], source: NDArray[np.int64]) -> AdviceOnBars:
        advice, confidence = self.advice.copy(), self.confidence.copy()
        advice[to], confidence[to] = self.advice[source], self.confidence[source]
        return replace(self, advice=advice, confidence=confidence)


def lay(
    table: AdviceTable, timestamps_ns: NDArray[np.int64], latency_ms: float | None = None
) -> AdviceOnBars:
    """Lay a table on the bars that it was made from.

    Args:
        table: of advice.
        timestamps_ns: opens of all bars.
        latency_ms: of every answer, instead of the one that each took.

    Raises:
        InputError: a latency is no number of milliseconds from 0, or an answer has none of its own.
    """
    count = len(timestamps_ns)
    rows, usable = table.rows, table.usable
    advice = np.full((count, 3), 1 / 3, np.float32)
    confidence, given = np.zeros(count, np.float32), np.zeros(count, bool)
    good = rows[usable]
    advice[good] = table.probabilities[usable]
    confidence[good] = table.frame.loc[usable, "confidence"].to_numpy(np.float32)
    given[good] = True
    took = _latencies(table, latency_ms)
    known = np.arange(1, count + 1, dtype=np.int64)
    # Both the question and a bar's decision come at a close, so that opens can be compared.
    due = timestamps_ns[rows] + np.ceil(took * NS_PER_MS).astype(np.int64)
    known[rows] = np.maximum(known[rows], np.searchsorted(timestamps_ns, due, side="left"))
    return AdviceOnBars(
        advice,
        confidence,
        given,
        known.astype(np.int32),
        (timestamps_ns // NS_PER_MINUTE).astype(np.int32),
    )


def _latencies(table: AdviceTable, latency_ms: float | None) -> NDArray[np.float64]:
    """Return the milliseconds that each answer took, float64 (N,)."""
    if latency_ms is not None and not 0 <= latency_ms < np.inf:
        raise InputError(
            f"a latency of {latency_ms / MS_PER_SECOND:g} seconds; give a number from 0 (`--latency`)"
        )
    own = table.frame["latency_ms"].to_numpy(np.float64)
    took = own if latency_ms is None else np.full(len(own), latency_ms, np.float64)
    if np.isnan(took).any():
        raise InputError(
            f"no latency is known of {int(np.isnan(took).sum())} of {len(took)} answers; give one for "
            "all of them (`--latency`)"
        )
    return np.minimum(took, LONGEST_MS)

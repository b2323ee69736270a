"""Days that stand in a file twice, under two dates, as exports that were pasted together have them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from markets.quality.contents.arrays import Contents
from markets.quality.finding import Finding, plural
from markets.quality.sessions import find_sessions

FEWEST_BARS, FEWEST_CLOSES = 100, 30
"""Bars of a session, and different closes among them, from which two equal sessions are no chance."""


def copied_days(bars: Contents) -> Iterator[Finding]:
    """Yield that sessions have the prices and volumes of an earlier session, bar by bar."""
    sessions = find_sessions(bars.ns)
    if len(sessions) < 2:
        return
    first = np.concatenate([[0], np.cumsum(sessions.bars)[:-1]])
    # Sums over sessions clear nearly every file; only sessions with equal ones are compared bar by bar.
    sums = np.add.reduceat(bars.close, first), np.add.reduceat(bars.volume, first)
    seen: dict[tuple[int, float, float], int] = {}
    copies: list[tuple[int, int]] = []
    keys = zip(sessions.bars.tolist(), sums[0].tolist(), sums[1].tolist(), strict=True)
    for number, key in enumerate(keys):
        if key[0] < FEWEST_BARS:
            continue
        earlier = seen.setdefault(key, number)
        if earlier != number and _equal(bars, int(first[earlier]), int(first[number]), key[0]):
            copies.append((earlier, number))
    if copies:
        days = [str(np.datetime64(int(sessions.opens[n]), "ns").astype("datetime64[D]")) for n in copies[0]]
        yield Finding(
            "copied_days",
            int(sum(sessions.bars[number] for _, number in copies)),
            f"{plural(len(copies), 'session')} {'has' if len(copies) == 1 else 'have'} the prices and "
            f"volumes of an earlier one, bar by bar (first that of {days[1]}, which is that of {days[0]})",
            "remove the copies, or fetch these days anew",
        )


def _equal(bars: Contents, one: int, other: int, rows: int) -> bool:
    columns = (bars.close, bars.open, bars.high, bars.low, bars.volume)
    alike = all(np.array_equal(column[one : one + rows], column[other : other + rows]) for column in columns)
    return alike and len(np.unique(bars.close[one : one + rows])) >= FEWEST_CLOSES

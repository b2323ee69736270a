"""Warnings about valid bars that every command which reads them tells of: symbols, rolls, volume."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from markets.contracts import contract_of
from markets.quality.contents.arrays import Contents
from markets.quality.contents.expiries import roll_warnings
from markets.quality.contents.volume import volume_warnings
from markets.quality.finding import Finding

A_DAY = 24 * 3600 * 10**9
"""Nanoseconds by which this machine's clock may be slow."""


def content_warnings(bars: Contents) -> Iterator[Finding]:
    """Yield what is worth a look whoever reads the bars."""
    yield from _unknown_symbols(bars)
    yield from roll_warnings(bars)
    yield from volume_warnings(bars)
    yield from _future(bars)


def _unknown_symbols(bars: Contents) -> Iterator[Finding]:
    """Yield that the file's own column of symbols says nothing that is known as the contract's name."""
    symbols = [text for text in bars.file.contracts if any(letter.isalpha() for letter in text)]
    if symbols and all(contract_of(text) is None for text in symbols):
        yield Finding(
            "unknown_symbol",
            len(bars),
            f"its column of symbols says {', '.join(text[:20] for text in symbols[:3])}, which is not "
            f"known as a name of {bars.contract.symbol}",
            f"check that these are bars of {bars.contract.symbol}, and not of a fund, an index or "
            "an option",
        )


def _future(bars: Contents) -> Iterator[Finding]:
    now = time.time_ns() + A_DAY
    if len(bars) and bars.ns[-1] > now:
        later = int((bars.ns > now).sum())
        day = np.datetime64(int(bars.ns[-1]), "ns").astype("datetime64[D]")
        yield Finding(
            "future",
            later,
            f"{later:,} of {len(bars):,} bars lie in the future (the last on {day}), so dates are "
            "wrong, or this machine's clock",
            "check the order of day, month and year, and the unit of timestamps",
        )

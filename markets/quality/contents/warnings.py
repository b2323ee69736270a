"""Warnings about valid bars that every command which reads them tells of: rolls, volume, the future."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from markets.quality.contents.arrays import Contents
from markets.quality.contents.expiries import roll_warnings
from markets.quality.contents.volume import volume_warnings
from markets.quality.finding import Finding

A_DAY = 24 * 3600 * 10**9
"""Nanoseconds by which this machine's clock may be slow."""


def content_warnings(bars: Contents) -> Iterator[Finding]:
    """Yield what is worth a look whoever reads the bars."""
    yield from roll_warnings(bars)
    yield from volume_warnings(bars)
    yield from _future(bars)


def _future(bars: Contents) -> Iterator[Finding]:
    now = time.time_ns() + A_DAY
    if len(bars) and bars.ns[-1] > now:
        later = int((bars.ns > now).sum())
        day = np.datetime64(int(bars.ns[-1]), "ns").astype("datetime64[D]")
        yield Finding(
            "future",
            later,
            f"{later:,} of {len(bars):,} bars lie in the future (the last on {day}), so dates are "
            "wrong, or "
            "this machine's clock",
            "check the order of day, month and year, and the unit of timestamps",
        )

"""Bars made by hand, for checks of what columns hold."""

from __future__ import annotations

import numpy as np
import pandas as pd

from markets import get_contract
from markets.file_facts import FileFacts
from markets.quality.contents.arrays import Contents, Floats

BEGIN = pd.Timestamp("2025-01-06 14:30", tz="UTC").value
MINUTE = 60 * 10**9


def made(volume: Floats, close: Floats | None = None, minutes: Floats | None = None) -> Contents:
    """Return bars that open where the one before closed, of some ticks' range."""
    rows = len(volume)
    close = 6000.0 + np.arange(rows) % 7 if close is None else close
    opened = np.concatenate([close[:1], close[:-1]])
    high, low = np.maximum(opened, close) + 0.5, np.minimum(opened, close) - 0.5
    ns = BEGIN + (np.arange(rows) if minutes is None else minutes).astype(np.int64) * MINUTE
    contract = get_contract("ES")
    return Contents(ns, opened, high, low, close, volume.astype(float), contract, FileFacts("wall"))

"""Bars that were filled in have one price and no volume: a trade of one contract is a trade."""

from __future__ import annotations

import numpy as np

from markets import get_contract
from markets.file_facts import FileFacts
from markets.quality.contents.arrays import Contents
from markets.quality.contents.filled import filled


def _contents(high: list[float], volume: list[float]) -> Contents:
    low = np.full(len(high), 10.0)
    ns = np.arange(len(high), dtype=np.int64) * 60 * 10**9
    numbers = (low, np.array(high), low, low, np.array(volume))
    return Contents(ns, *numbers, get_contract("ES"), FileFacts("offset"))


def test_only_flat_bars_without_volume_are_filled() -> None:
    high, volume = [10.0, 10.0, 11.0, 10.0], [0.0, 1.0, 0.0, 0.0]
    found = filled(_contents(high, volume))
    assert found is not None
    assert found.tolist() == [True, False, False, True]


def test_without_a_bar_that_lacks_volume_nothing_is_looked_at() -> None:
    assert filled(_contents([10.0, 10.0], [1.0, 5.0])) is None

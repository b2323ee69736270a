"""Bars that were filled in have one price and no volume: a trade of one contract is a trade."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from markets import get_contract
from markets.file_facts import FileFacts
from markets.quality.contents.arrays import Contents
from markets.quality.contents.filled import filled, filled_hours


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


@pytest.mark.parametrize(
    ("flat", "traded", "told"),
    [
        (4, 0, True),  # of a hundred bars more than three
        (3, 0, False),
        (9, 1, True),  # nine of ten bars in closed hours
        (9, 2, False),
        (0, 9, False),
    ],
)
def test_closed_hours_were_filled_where_nearly_all_their_bars_are_flat(
    flat: int, traded: int, told: bool
) -> None:
    """Flat bars without volume in open hours do not count, however many there are."""
    begin = pd.Timestamp("2025-01-06 17:00", tz="America/New_York").value
    rows = np.arange(100)
    # Bars of the halt from 17:00 on, and all others from 18:00 on.
    minutes = np.where(rows < flat + traded, rows, 60 + rows)
    high = np.where(rows < flat, 10.0, 11.0)
    volume = np.where(rows < flat, 0.0, 5.0)
    high[60:80], volume[60:80] = 10.0, 0.0
    bars = replace(_contents(high.tolist(), volume.tolist()), ns=begin + minutes * 60 * 10**9)
    empty = filled(bars)
    assert empty is not None
    assert int(empty.sum()) == flat + 20
    found = list(filled_hours(bars, empty))
    assert [(one.kind, one.count) for one in found] == [("filled_hours", flat)] * told
    if told:
        assert found[0].message.startswith(f"{flat} bars in the daily halt or the weekend have no")

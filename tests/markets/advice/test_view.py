"""Bars that an advisor is asked about, and what names the market it was shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from markets.advice.view import MarketView
from markets.bars import FEATURES

BARS, WARMUP = 20, 3


def view() -> MarketView:
    rng = np.random.default_rng(0)
    prices = (rng.normal(5_000.0, 1.0, BARS) for _ in range(3))
    features = rng.normal(size=(BARS, len(FEATURES))).astype(np.float32)
    times = np.arange(BARS, dtype=np.int64) * 60_000_000_000
    return MarketView("ES", 0.25, times, *prices, features, WARMUP)


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        ((1,), range(WARMUP, BARS)),
        ((1, 0, BARS - 1), range(WARMUP, BARS)),
        ((1, 0, BARS), range(WARMUP, BARS)),
        ((1, 0, BARS - 2), range(WARMUP, BARS - 1)),
        ((4,), (4, 8, 12, 16)),
        ((4, 8, 12), (8, 12)),
        ((4, 9, 11), ()),
        ((3, 1, WARMUP), (3,)),
        ((7, 19), ()),
        ((1, 0, WARMUP), (WARMUP,)),
        ((1, 0, WARMUP - 1), ()),
        ((1, 0, 0), ()),
        ((20,), ()),
        ((19,), (19,)),
    ],
)
def test_bars_by_number(given: tuple[int, ...], rows: range) -> None:
    asked = view().rows(*given)
    assert asked.dtype == np.int64
    assert asked.tolist() == list(rows)


@pytest.mark.parametrize(
    ("given", "rows"), [((1, 0, 0), [0]), ((7, 0, 7), [0, 7]), ((20,), [0]), ((7, 1, 6), [])]
)
def test_without_a_warmup_the_very_first_bar_is_asked_about(
    given: tuple[int, ...], rows: list[int]
) -> None:
    assert replace(view(), warmup=0).rows(*given).tolist() == rows


def test_a_feature_is_found_by_its_name() -> None:
    one = view()
    for place, name in enumerate(FEATURES):
        assert one.feature(name).tolist() == one.features[:, place].tolist()


def test_whatever_an_advisor_sees_of_a_market_names_it() -> None:
    one = view()
    digest = one.digest
    assert digest == view().digest
    changed = {
        name: replace(one, **{name: getattr(one, name) + 1})
        for name in ("tick_size", "timestamps_ns", "high", "low", "close", "features", "warmup")
    }
    digests = {other.digest for other in (*changed.values(), replace(one, symbol="NQ"))}
    assert len(digests | {digest}) == len(changed) + 2
    assert replace(one, position="long").digest == digest  # of an account, not of the market

"""What an advisor is asked about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jax_port.data.advisor_view import view_of
from jax_port.data.data_loader import prepare
from markets import EnvConfig
from markets.bars import FEATURES
from markets.synthetic.bars import synthetic_bars


@pytest.mark.parametrize(("begins", "first"), [(0, 100), (100, 100), (101, 101), (150, 150)])
def test_nothing_is_asked_before_all_features_begin(begins: int, first: int) -> None:
    bars = synthetic_bars("ES", days=3, seed=0)
    features = bars.frame.assign(**dict.fromkeys(FEATURES, 5.0))[list(FEATURES)]
    features.iloc[:begins, FEATURES.index("sma_20")] = np.nan
    config = EnvConfig.phase1()
    view = view_of(prepare(replace(bars, precomputed=features), config), config)
    assert view.warmup == first


def test_it_is_told_the_prices_of_the_session_in_points() -> None:
    """Of a contract whose ticks are tenths; each by its own name, and the features with them."""
    bars = synthetic_bars("RTY", days=2, seed=0, session="all")
    config = EnvConfig.phase1(max_episode_bars=60, warmup_bars=40)
    market = prepare(bars, config)
    view = view_of(market, config)
    kept = bars.session("rth")
    assert 0 < len(kept) < len(bars)
    assert (view.symbol, view.tick_size, view.warmup) == ("RTY", 0.1, 40)
    np.testing.assert_array_equal(view.timestamps_ns, kept.timestamps_ns)
    for name in ("high", "low", "close"):
        told = getattr(view, name)
        assert told.dtype == np.float64
        np.testing.assert_array_equal(told, kept.frame[name].to_numpy())
    assert (view.high > view.close).any()
    assert (view.close > view.low).any()
    np.testing.assert_array_equal(view.features, market.features)

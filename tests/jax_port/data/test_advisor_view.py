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

"""What an advisor sees of a prepared market."""

from __future__ import annotations

import numpy as np

from jax_port.data.data_loader import CLOSE, HIGH, LOW, PreparedMarket
from jax_port.data.features import first_defined
from markets import EnvConfig
from markets.advice.view import MarketView


def view_of(market: PreparedMarket, config: EnvConfig) -> MarketView:
    """Return a prepared market as advisors see it."""
    high, low, close = (
        np.asarray(market.contract.to_points(market.bars[:, column]), np.float64)
        for column in (HIGH, LOW, CLOSE)
    )
    return MarketView(
        market.contract.symbol,
        market.contract.tick_size,
        market.timestamps_ns,
        high,
        low,
        close,
        market.features,
        first_defined(market.features, config),
    )

"""A prepared market with advice laid on it, for a policy that was trained, or is trained, with advice.

Source: "Training with advice" in ``docs/advice.md``.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from jax_port.data.data_loader import PreparedMarket
from markets import InputError
from markets.advice.by_bar import AdviceUse, Way, columns, prior
from markets.advice.schedule import AdviceOnBars


def with_advice(market: PreparedMarket, bars: AdviceOnBars, use: AdviceUse) -> PreparedMarket:
    """Return a market with the prior of its bars, or with advice as four more features.

    Its digest is of both.

    Args:
        market: without advice.
        bars: answers, laid on these bars or, where a market was cut out of a longer one, on that one.
        use: how.

    Raises:
        InputError: the answers lie on bars among which the market's are not.
    """
    assert not market.advised, "it has advice already"
    rows = _rows_in(market, bars)
    made = (prior if use.way == "prior" else columns)(bars, use.settings)[rows]
    h = hashlib.sha256(f"{market.digest}{use.to_dict()}".encode())
    h.update(made.tobytes())
    return _laid(market, use.way, made, h.hexdigest())


def without_answers(market: PreparedMarket, way: Way) -> PreparedMarket:
    """Return a market as :func:`with_advice` makes it where an advisor never answers."""
    none = np.zeros((len(market), 3 if way == "prior" else 4), np.float32)
    return _laid(market, way, none, hashlib.sha256(f"{market.digest} silence".encode()).hexdigest())


def _laid(market: PreparedMarket, way: Way, made: np.ndarray, digest: str) -> PreparedMarket:
    if way == "prior":
        return replace(market, advised=way, prior=made, digest=digest)
    features = np.concatenate([market.features, made], axis=1)
    return replace(market, advised=way, features=features, digest=digest)


def _rows_in(market: PreparedMarket, bars: AdviceOnBars) -> np.ndarray:
    """Return the market's bars among those that advice lies on."""
    minutes = market.timestamps_ns // 60_000_000_000
    rows = np.searchsorted(bars.minute, minutes)
    inside = rows < len(bars.minute)
    if not inside.all() or (bars.minute[rows] != minutes).any():
        raise InputError(
            f"{market.source}: its {len(market)} bars are not among the {len(bars.minute)} that advice "
            "lies on; give advice that was made from these bars"
        )
    return rows

"""Advice for a learner's case: drawn, with gaps, late answers and chances of zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from markets import Bars
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import FusionSettings
from markets.advice.schedule import AdviceOnBars

SETTINGS = FusionSettings("gated", weight=2.0, threshold=0.3, fade=0.2, most_age=4)
MINUTE_NS = 60_000_000_000


def drawn_advice(bars: Bars, way: str) -> tuple[AdviceOnBars, AdviceUse]:
    """Return answers on the bars of a session, and how a policy is trained with them.

    Args:
        bars: of the session.
        way: "prior" or "columns".
    """
    laid = drawn_answers(bars.timestamps_ns)
    return laid, AdviceUse(way, SETTINGS, "drawn", "drawn", "", "", "never")  # type: ignore[arg-type]


def drawn_answers(timestamps_ns: NDArray[np.int64]) -> AdviceOnBars:
    """Return drawn answers on bars that open at these times, (T,)."""
    rng = np.random.default_rng(0)
    count = len(timestamps_ns)
    advice = rng.dirichlet([0.5, 0.5, 0.5], count).astype(np.float32)
    advice[::7] = np.eye(3, dtype=np.float32)[rng.integers(3, size=len(advice[::7]))]
    known = np.arange(count) + rng.integers(1, 5, count)
    return AdviceOnBars(
        advice,
        rng.random(count).astype(np.float32),
        rng.random(count) < 0.5,
        np.minimum(known, count).astype(np.int32),
        (timestamps_ns // MINUTE_NS).astype(np.int32),
    )

"""What the plots of an evaluation leave out, and what they must keep."""

from __future__ import annotations

import numpy as np

from jax_port.evaluation.plots import thin


def test_a_thinned_curve_keeps_its_ends_and_extremes() -> None:
    curve = np.random.default_rng(0).normal(size=10_001).cumsum()
    kept = thin(curve, 100)
    assert len(kept) <= 202
    assert {0, 10_000, int(curve.argmin()), int(curve.argmax())} <= set(kept.tolist())
    assert thin(curve[:150], 100).tolist() == list(range(150))

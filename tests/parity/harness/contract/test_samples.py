"""Two samples of which one has values that are no numbers."""

from __future__ import annotations

import numpy as np

from parity.harness.contract.samples import compare_samples


def drawn(seed: int, few: int = 0) -> dict[str, np.ndarray]:
    values = np.random.default_rng(seed).uniform(size=1000)
    values[:few] = np.nan
    return {"x": values}


def test_draws_that_are_no_numbers_are_seen_and_hide_no_range() -> None:
    assert not compare_samples(drawn(0), drawn(1)).differs
    assert compare_samples(drawn(0), drawn(1, few=40)).differs
    assert compare_samples(drawn(0, few=40), drawn(1)).differs
    assert not compare_samples(drawn(0, few=40), drawn(1, few=40)).differs
    narrow = drawn(1, few=1)
    narrow["x"] = 0.04 + 0.96 * narrow["x"]  # lowest values are missing
    assert compare_samples(drawn(0), narrow).differs

"""Random decisions for the fusion's four implementations, with edges where an operator would show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from markets.advice.fusion import RULES, FusionSettings, Situation

EDGES = 8
"""One decision in so many sits exactly on a threshold."""


def situations(count: int, actions: int, seed: int, settings: FusionSettings) -> Situation:
    """Return ``count`` random decisions with 3 or 6 actions, as NumPy arrays.

    Some sit exactly on the settings' thresholds, some have no advice, some hold nothing but hold, and
    some advice has chances of zero and one.
    """
    rng = np.random.default_rng(seed)

    def one_in(number: int) -> np.ndarray:
        return rng.random(count) < 1 / number

    logits = rng.normal(size=(count, actions), scale=rng.choice([0.1, 1.0, 5.0], (count, 1)))
    masks = rng.random((count, actions)) < 0.7
    masks[one_in(20)] = False
    masks[:, 0] = True
    advice = rng.dirichlet([0.5, 0.5, 0.5], count).astype(np.float32)
    sure = one_in(10)
    advice[sure] = np.eye(3, dtype=np.float32)[rng.integers(3, size=sure.sum())]
    confidence = rng.random(count).astype(np.float32)
    confidence[one_in(EDGES)] = np.float32(settings.threshold)
    fresh = settings.freshness()[rng.integers(settings.most_age + 1, size=count)]
    fresh[one_in(5)] = 0
    losses = rng.integers(0, 2 * settings.most_losses + 1, size=count).astype(np.int32)
    left = rng.uniform(-0.1, 1.2, count).astype(np.float32)
    left[one_in(EDGES)] = np.float32(settings.least_left)
    return Situation(logits.astype(np.float32), masks, advice, confidence, fresh, losses, left)


def settings_cases() -> Iterator[FusionSettings]:
    """Yield settings: every rule at the defaults, at a strong weight and at none."""
    for rule in RULES:
        base = FusionSettings(rule=rule)
        yield base
        yield replace(base, weight=3.0, threshold=0.25, most_losses=1, least_left=0.5, fade=0.4)
        yield replace(base, weight=0.0)

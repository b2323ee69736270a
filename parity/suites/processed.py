"""Processed files: features that a file carries are taken as they are, by both sides.

Source: section 3 of ``docs/environment.md``.
"""

from __future__ import annotations

from dataclasses import replace

from legacy_torch.features import compute_features
from parity.pairs.trading import World

STRETCH = 65 / 64
"""Features of the file differ from computed ones by this, so that computing them anyway shows."""


def processed(world: World) -> World:
    """Return a world whose bars carry features of their own, as an already processed file does."""
    features = compute_features(world.bars.frame).mul(STRETCH).round(6)
    bars = replace(world.bars, precomputed=features)
    return World(f"{world.name}, processed", bars, world.options)

"""Policies that choose valid actions in a replay: each reaches other parts of the environment."""

from __future__ import annotations

import numpy as np

from markets.bars import FEATURES
from parity.engine.compare import Array
from parity.engine.pair import Policy

HOLD, BUY, SELL, BREAK_EVEN, TRAIL_ON = range(5)
_CLOSE = FEATURES.index("close")


def _one_of(rng: np.random.Generator, actions: Array) -> int:
    """Draw one of some actions; ``rng.choice`` takes ten times as long."""
    return int(actions[int(rng.random() * len(actions))])


def uniform(rng: np.random.Generator, masks: Array, obs: Array) -> int:
    """Draw any allowed action."""
    return _one_of(rng, np.flatnonzero(masks))


def seldom(rng: np.random.Generator, masks: Array, obs: Array) -> int:
    """Hold, but for one bar in fifty."""
    return uniform(rng, masks, obs) if rng.random() < 0.02 else HOLD


def always(rng: np.random.Generator, masks: Array, obs: Array) -> int:
    """Act whenever anything but holding is allowed."""
    allowed = np.flatnonzero(masks[1:]) + 1
    return _one_of(rng, allowed) if len(allowed) else HOLD


def contrarian(rng: np.random.Generator, masks: Array, obs: Array) -> int:
    """Buy below the window's first close and sell above it."""
    window = obs[: len(obs) // len(FEATURES) * len(FEATURES)].reshape(-1, len(FEATURES))
    side = BUY if window[-1, _CLOSE] < window[0, _CLOSE] else SELL
    return side if masks[side] else uniform(rng, masks, obs)


def manager(rng: np.random.Generator, masks: Array, obs: Array) -> int:
    """Enter as the contrarian does; move to break-even and trail as soon as may be, and never back."""
    for action in (BREAK_EVEN, TRAIL_ON):
        if masks[action]:
            return action
    return contrarian(rng, masks, obs) if masks[BUY] else HOLD


POLICIES: dict[str, Policy] = {
    "uniform": uniform,
    "seldom": seldom,
    "always": always,
    "contrarian": contrarian,
}
"""Phase 1's, by name."""

PHASE2_POLICIES: dict[str, Policy] = {**POLICIES, "manager": manager}
"""Phase 2's, by name."""

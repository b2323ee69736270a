"""A pair of two worlds whose port begins evenly at every start, for tests of first resets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from parity.engine.compare import exact
from parity.engine.pair import Fields
from parity.suites import start_distribution
from parity.suites.start_distribution import PER_START, SHOWN

STARTS = ([3, 5, 9], [4, 7])
"""Of two worlds, no number in both."""


class MadeResets:
    """A pair of two worlds whose port begins evenly, and what its reference is to show."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        table = [(world, start) for world, some in enumerate(STARTS) for start in some]
        rows = np.tile(np.array(table[::-1]), (PER_START, 1))  # the last world comes first
        self.market, self.start = rows.T
        self.wrong: dict[str, tuple[int, ...]] = {}
        fields = {"market": self.market, "step_idx": self.start, "balance": self.shown("balance")}
        self.pair: Any = SimpleNamespace(
            starts=[np.array(some) for some in STARTS],
            worlds=["north", "south"],
            begun=lambda given: (given["market"], given["step_idx"]),
            rules={name: exact() for name in ("market", "step_idx", "balance", "obs", "masks")},
            port=SimpleNamespace(
                params=None,
                read=lambda state, params: fields,
                masks=lambda state, params: self.shown("masks"),
            ),
        )
        obs = self.shown("obs")
        patch.setattr(start_distribution, "phase_of", lambda params: None)
        patch.setattr(
            start_distribution.port,
            "batch_reset",
            lambda key, params, count, phase: (obs[:count], jax.numpy.zeros(count)),
        )
        patch.setattr(start_distribution, "resets_at", self.resets_at)

    def shown(self, name: str, market: Any = None, start: Any = None) -> np.ndarray:
        """Return what either side shows, another number for each start."""
        market = self.market if market is None else market
        start = self.start if start is None else start
        if name == "balance":
            return 1000 * (1 + market) + start
        wide = np.stack([start / 4, market + 0 * start, start * 2], axis=1)
        return wide.astype(np.float32) if name == "obs" else wide[:, :2] > 1

    def resets_at(self, pair: Any, world: int, starts: Any) -> Fields:
        found: Fields = {"market": np.full(len(starts), world), "step_idx": starts}
        for name in ("balance", "obs", "masks"):
            value = self.shown(name, world, starts)
            for lane in self.wrong.get(name, ()):
                here = np.flatnonzero(self.market[:SHOWN] == world)
                if lane in here:
                    place = (int(np.flatnonzero(here == lane)[0]),) + (-1,) * (value.ndim - 1)
                    value[place] = ~value[place] if value.dtype == bool else value[place] + 1
            found[name] = value
        return found

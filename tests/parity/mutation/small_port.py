"""A port in NumPy that is the same as its reference; tests plant mutants in it."""

from __future__ import annotations

from typing import Any

import numpy as np

FADE = 0.5


class Count:
    """Counts up to ten."""

    def __init__(self) -> None:
        self.total, self.charge = 0, 0.0

    def reset(self, seed: int) -> Any:
        self.total, self.charge = int(np.random.default_rng(seed).integers(0, 4)), 0.0
        return np.int64(self.total)

    def step(self, action: int) -> Any:
        self.total = min(self.total + int(action), 10)
        self.charge = FADE * self.charge + 0.25
        ended = self.total > 9
        return np.int64(self.total), self.charge * 2.0, ended, False, {}

    def describe(self) -> str:
        return "up to" + str(10)

"""The reference with a memory: what it reads of its frames, it reads once for each bar.

Bars never change, and reading rows of a frame and numbers of a row is half of a step. A step is the
environment's own in all else; whoever plays many episodes over the same bars has the same numbers
sooner.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from legacy_torch.env_phase1 import TradingEnvPhase1


class KeptBars(TradingEnvPhase1):
    """Keeps the row of each bar, and the window of features before it, once they are read.

    Attributes:
        rows: by the bar's index; the numbers of its row by name, float64.
        windows: float32 (window_size x features,), by the index of the bar that follows.
        names: of every row's numbers, once one is read.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.rows: dict[int, dict[str, np.float64]] = {}
        self.windows: dict[int, NDArray[np.float32]] = {}
        self.names: list[str] = []
        super().__init__(*arguments, **options)

    def _bar(self) -> Any:
        if (row := self.rows.get(self.step_idx)) is None:
            read: Any = super()._bar()
            self.names = self.names or list(read.index)
            row = self.rows[self.step_idx] = dict(zip(self.names, read.to_numpy(), strict=True))
        return row

    def _window(self) -> NDArray[np.float32]:
        if (window := self.windows.get(self.step_idx)) is None:
            window = self.windows[self.step_idx] = super()._window()
        return window


def keeping_bars(environment: type[TradingEnvPhase1]) -> type[TradingEnvPhase1]:
    """Return an environment's class with :class:`KeptBars` before it.

    Args:
        environment: of either phase, with seconds or without.
    """
    return type(f"{environment.__name__}KeptBars", (KeptBars, environment), {})

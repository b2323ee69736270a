"""Phase 2 of the trading environment: Phase 1, and three ways to manage an open position.

Source: sections 4 to 6 of ``docs/environment.md``; the numbers in the comments are section 6's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from legacy_torch.env_phase1 import TradingEnvPhase1
from legacy_torch.outcome import ExitCode, Outcome
from markets.config import EnvConfig

BREAK_EVEN, TRAIL_ON, TRAIL_OFF = 3, 4, 5


@dataclass
class OutcomePhase2(Outcome):
    """What happened within one step.

    Attributes:
        trailed: the trade that was closed in this step had trailing on.
    """

    trailed: bool = False


class TradingEnvPhase2(TradingEnvPhase1):
    """Phase 1 with a stop that can be moved to break-even, and that can trail the close.

    Attributes:
        trailing: the stop of the open trade follows the close; False when flat.
    """

    phase: ClassVar[int] = 2
    n_actions: ClassVar[int] = 6
    n_position_features: ClassVar[int] = 8
    outcome_class: ClassVar[type[Outcome]] = OutcomePhase2

    @classmethod
    def _default_config(cls) -> EnvConfig:
        return EnvConfig.phase2()

    def _clear_position(self) -> None:
        super()._clear_position()
        self.trailing = False

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions are allowed now, shape (6,) (section 5).

        Hold, buy, sell, stop to break-even, trailing on, trailing off.
        """
        bar = self._bar()
        can_enter = self._can_enter(bar)
        is_open = self.position != 0
        profit = is_open and self._gross(bar["close"]) > 0
        at_be = self._at_break_even()
        return np.array(
            [
                True,
                can_enter,
                can_enter,
                profit and not at_be,
                profit and at_be and not self.trailing,
                is_open and self.trailing,
            ]
        )

    def _can_enter(self, bar: pd.Series[float]) -> bool:
        return self.position == 0 and self._in_entry_window(bar)

    def _at_break_even(self) -> bool:
        """Say whether an open trade's stop is at its entry or past it; False when flat."""
        if self.position == 0:
            return False
        return self.position * self._ticks(self.sl_price - self.entry_price) >= 0

    def _position_features(self, bar: pd.Series[float]) -> list[float]:
        flags = (self._can_enter(bar), self._at_break_even(), self.trailing)
        return [*super()._position_features(bar), *map(float, flags)]

    def _apply_action(self, action: int, bar: pd.Series[float], was_flat: bool) -> None:
        """Carry out a legal action (4); one on a position that was closed in 2 or 3 does nothing."""
        super()._apply_action(action, bar, was_flat)
        if self.position == 0:
            return
        if action == BREAK_EVEN:
            self.sl_price = self._snap(self.entry_price + self.position * self.tick_size)
        elif action in (TRAIL_ON, TRAIL_OFF):
            self.trailing = action == TRAIL_ON

    def _trail(self, bar: pd.Series[float]) -> None:
        """Let the stop follow the close, only ever in the position's favour (5)."""
        if self.position == 0 or not self.trailing:
            return
        distance = bar["trail_ticks"] * self.tick_size
        candidate = self._snap(bar["close"] - self.position * distance)
        better = max if self.position > 0 else min
        self.sl_price = better(self.sl_price, candidate)

    def _close(self, price: float, code: ExitCode, outcome: Outcome) -> None:
        assert isinstance(outcome, OutcomePhase2)
        outcome.trailed = self.trailing
        super()._close(price, code, outcome)

    def _reward(self, outcome: Outcome) -> float:
        assert isinstance(outcome, OutcomePhase2)
        reward = super()._reward(outcome)
        if outcome.trailed and outcome.trade_pnl > 0:
            reward += self.config.reward.trail_win_bonus
        return reward

    def render(self) -> str | None:
        """Return the account in one line when ``render_mode`` is "ansi"."""
        line = super().render()
        return f"{line} trailing" if line is not None and self.trailing else line

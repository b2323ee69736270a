"""Drawdown floor at one-second resolution, for both environments.

Source: section 8 of ``docs/environment.md``. For evaluation alone: nobody trains on seconds.
"""

from __future__ import annotations

import pandas as pd

from legacy_torch.env_phase1 import TradingEnvPhase1
from legacy_torch.env_phase2 import TradingEnvPhase2
from legacy_torch.outcome import ExitCode, Outcome
from markets.bars import Bars
from markets.config import EnvConfig
from markets.seconds import SecondBars, seconds_of


class SecondsPhase1(TradingEnvPhase1):
    """Phase 1 that lives through the seconds of each minute before the minute is traded.

    A trade is in the market until the second in which it reaches the exit that its minute gives it;
    what the price does beyond that exit, or later, is no longer its own.

    Attributes:
        seconds: the seconds of every bar.
    """

    def __init__(
        self,
        bars: Bars,
        seconds: Bars,
        config: EnvConfig | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Prepare as the minute environment does; ``seconds`` are one-second bars of the same market.

        Raises:
            InputError: as the minute environment, or seconds that do not belong to the bars.
        """
        super().__init__(bars, config, render_mode)
        self.seconds: SecondBars = seconds_of(self.bars, seconds)

    def _check_exits(self, bar: pd.Series[float], outcome: Outcome) -> None:
        if self.position != 0 and self.position_entry_step < self.step_idx:
            self._live_through(self._exit_reached(bar), outcome)
        super()._check_exits(bar, outcome)  # finds nothing to close after a breach

    def _live_through(self, leaving: ExitCode, outcome: Outcome) -> None:
        """Hold each second's worst price against the floor, then raise the high to its best."""
        start, end = self.seconds.first[self.step_idx], self.seconds.first[self.step_idx + 1]
        for second in range(start, end):
            high, low = float(self.seconds.high[second]), float(self.seconds.low[second])
            worst, best = (low, high) if self.position > 0 else (high, low)
            stopped = leaving == ExitCode.STOP and self.position * (worst - self.sl_price) <= 0
            on_target = leaving == ExitCode.TARGET and self.position * (best - self.tp_price) >= 0
            if stopped:
                worst = self.sl_price
            if self._equity_at(worst) < self.trailing_dd_level:
                self._close(worst, ExitCode.LIQUIDATED, outcome)
                return
            if stopped:
                return
            self._raise_high(self._equity_at(self.tp_price if on_target else best))
            if on_target:
                return


class SecondsPhase2(SecondsPhase1, TradingEnvPhase2):
    """Phase 2 that lives through the seconds of each minute before the minute is traded."""


SECONDS_ENVIRONMENTS: dict[int, type[SecondsPhase1]] = {1: SecondsPhase1, 2: SecondsPhase2}
"""By phase."""

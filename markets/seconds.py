"""One-second bars laid beside the minutes they belong to, for evaluation.

Source: section 8 of ``docs/environment.md``. A second without a trade has no bar, so a minute may
have fewer than sixty, or none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.bars import Bars

SECONDS_IN_MINUTE = 60
_NS_PER_SECOND = 1_000_000_000
_MINUTE_NS = SECONDS_IN_MINUTE * _NS_PER_SECOND


@dataclass(frozen=True)
class SecondBars:
    """The seconds of T minutes, one after another.

    Attributes:
        first: int64 (T + 1,); the seconds of minute t are the rows first[t] to first[t + 1] - 1.
        high, low: float64 points, shape (S,), on the tick grid.
        source: where the seconds came from.
        digest: SHA-256 of the seconds, in hex.
    """

    first: NDArray[np.int64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    source: str
    digest: str

    @property
    def minutes_without(self) -> int:
        """How many minutes have no second; they are judged at their close alone."""
        return int((np.diff(self.first) == 0).sum())


def seconds_of(minutes: Bars, seconds: Bars) -> SecondBars:
    """Lay one-second bars beside one-minute bars.

    Args:
        minutes: T one-minute bars, stamped by their open, cut to the session.
        seconds: one-second bars of the same contract, stamped likewise; those of no minute are left
            out.

    Raises:
        InputError: other lengths of bars, another contract, no second in any minute, or a second whose
            prices lie outside its minute's, so that the two cannot be of one market.
    """
    if minutes.bar_seconds != SECONDS_IN_MINUTE:
        raise InputError(f"{minutes.source}: bars of {minutes.bar_seconds} s; give one-minute bars")
    if seconds.bar_seconds != 1:
        raise InputError(
            f"{seconds.source}: bars of {seconds.bar_seconds} s; give one-second bars as the seconds"
        )
    if seconds.contract != minutes.contract:
        raise InputError(
            f"{seconds.source}: seconds of {seconds.contract.symbol} beside minutes of "
            f"{minutes.contract.symbol}; give both of one contract"
        )
    opened, stamps = minutes.timestamps_ns, seconds.timestamps_ns
    minute = np.searchsorted(opened, stamps, side="right") - 1
    inside = (minute >= 0) & (stamps < opened[np.maximum(minute, 0)] + _MINUTE_NS)
    if not inside.any():
        raise InputError(
            f"{seconds.source}: no second lies within a minute of {minutes.source}; give seconds "
            "of the same days"
        )
    minute_of = minute[inside]
    high, low = (seconds.frame[name].to_numpy()[inside] for name in ("high", "low"))
    top, bottom = (minutes.frame[name].to_numpy()[minute_of] for name in ("high", "low"))
    outside = (high > top) | (low < bottom)
    if outside.any():
        row = int(np.argmax(outside))
        raise InputError(
            f"{seconds.source}: {int(outside.sum())} seconds lie outside their minute's prices in "
            f"{minutes.source}, first at {seconds.frame.index[inside][row]} ({low[row]:.10g} to "
            f"{high[row]:.10g}, the minute {bottom[row]:.10g} to {top[row]:.10g}); give both of one "
            "source"
        )
    first = np.searchsorted(minute_of, np.arange(len(minutes) + 1))
    return SecondBars(first.astype(np.int64), high, low, seconds.source, seconds.digest)

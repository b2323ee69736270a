"""One-second bars on the device, padded to sixty a minute.

Source: section 8 of ``docs/environment.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np
from flax import struct
from numpy.typing import NDArray

from markets import Bars, EnvConfig
from markets.seconds import SECONDS_IN_MINUTE, seconds_of


@struct.dataclass
class SecondsData:
    """The seconds of every row of ``MarketData``, in order; what is left of a minute is padding.

    Attributes:
        high, low: int32 ticks, shape (B, 60); in padding the high is below the low.
    """

    high: jax.Array
    low: jax.Array


@dataclass(frozen=True)
class PreparedSeconds:
    """One market's seconds on the host.

    Attributes:
        high, low: int32 ticks, shape (T, 60), padded as in :class:`SecondsData`.
        source: where they came from.
        digest: SHA-256 of the seconds, in hex.
        minutes_without: how many minutes have no second.
    """

    high: NDArray[np.int32]
    low: NDArray[np.int32]
    source: str
    digest: str
    minutes_without: int


def prepare_seconds(bars: Bars, seconds: Bars, config: EnvConfig) -> PreparedSeconds:
    """Lay one-second bars beside the bars that ``prepare`` was given.

    Args:
        bars: one-minute bars, before the session is applied.
        seconds: one-second bars of the same contract and days.
        config: supplies the session.

    Raises:
        InputError: the seconds do not belong to the bars.
    """
    minutes = bars.session(config.session)
    within_minutes = seconds_of(minutes, seconds)
    shape = len(minutes), SECONDS_IN_MINUTE
    high, low = np.zeros(shape, np.int32), np.ones(shape, np.int32)
    counts = np.diff(within_minutes.first)
    minute = np.repeat(np.arange(len(minutes)), counts)
    place = np.arange(len(minute)) - np.repeat(within_minutes.first[:-1], counts)
    high[minute, place] = bars.contract.to_ticks(within_minutes.high)
    low[minute, place] = bars.contract.to_ticks(within_minutes.low)
    return PreparedSeconds(
        high, low, within_minutes.source, within_minutes.digest, within_minutes.minutes_without
    )


def stack_seconds(markets: Sequence[PreparedSeconds]) -> SecondsData:
    """Put the seconds of markets one after another on the default device, as ``stack`` puts bars."""
    return SecondsData(
        high=jax.device_put(np.concatenate([market.high for market in markets])),
        low=jax.device_put(np.concatenate([market.low for market in markets])),
    )

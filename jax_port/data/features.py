"""The eleven features and the per-bar integers of the port, in NumPy.

Source: section 3 of ``docs/environment.md``. Everything is float64 until
:mod:`jax_port.data.data_loader` casts it once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from markets.bars import FEATURES, Bars
from markets.clock import new_york_minutes
from markets.config import EnvConfig

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

MINUTE_OF_OPEN = 570
MINUTE_OF_CLOSE = 1019
ATR_BARS = 14


class BarTicks(NamedTuple):
    """Per-bar numbers that a step reads. Every array has shape (T,).

    Attributes:
        high, low, close: int32 ticks.
        stop, target, trail: int32 ticks, distances for an entry on this bar; 0 where the atr is
            not yet defined.
        minute: int32 New York minutes since midnight.
        atr: float32 ticks, at least 1.
    """

    high: I32
    low: I32
    close: I32
    stop: I32
    target: I32
    trail: I32
    minute: I32
    atr: NDArray[np.float32]


def window_mean(x: F64, length: int) -> F64:
    """Return the mean of the last ``length`` values, NaN where there are fewer.

    Each window is added up afresh from its oldest value: a sliding sum would carry the rounding
    of one bad print for ever.

    Args:
        x: float64, shape (T,).
        length: bars.

    Returns:
        float64, shape (T,).
    """
    out = np.full(x.shape, np.nan)
    full = x.size - length + 1
    if full > 0:
        total = np.zeros(full)
        for age in range(length):
            total += x[age : age + full]
        out[length - 1 :] = total / length
    return out


def ema(x: F64, span: int) -> F64:
    """Return e_t = a x_t + (1 - a) e_{t-1} with a = 2 / (span + 1) and e_0 = x_0, shape (T,)."""
    alpha = 2.0 / (span + 1.0)
    decay = 1.0 - alpha
    first = x[:1]
    rest, _ = lfilter([alpha], [1.0, -decay], x[1:], zi=decay * first)
    return np.concatenate([first, rest])


def relative_strength(close: F64) -> F64:
    """Return 100 - 100 / (1 + G / (L + 1e-8)), G and L plain means of the last 14 gains and losses."""
    change = np.diff(close)
    gain = window_mean(np.maximum(change, 0.0), 14)
    loss = window_mean(np.maximum(-change, 0.0), 14)
    return np.concatenate([[np.nan], 100.0 - 100.0 / (1.0 + gain / (loss + 1e-8))])


def true_range(high: F64, low: F64, close: F64) -> F64:
    """Return max(high - low, |high - previous close|, |low - previous close|); first: high - low."""
    out = high - low
    before = close[:-1]
    out[1:] = np.maximum(out[1:], np.maximum(np.abs(high[1:] - before), np.abs(low[1:] - before)))
    return out


def compute_features(bars: Bars) -> F64:
    """Return the eleven features of every bar.

    Args:
        bars: T bars that a session has already kept.

    Returns:
        float64, shape (T, 11), columns in the order of :data:`markets.bars.FEATURES`; NaN where a
        window is not yet full.
    """
    if bars.precomputed is not None:
        return bars.precomputed[list(FEATURES)].to_numpy(np.float64)
    high, low, close, volume = (
        bars.frame[name].to_numpy(np.float64) for name in ("high", "low", "close", "volume")
    )
    minute = new_york_minutes(bars.timestamps_ns).astype(np.float64)
    span = float(MINUTE_OF_CLOSE - MINUTE_OF_OPEN)
    momentum = np.full(close.shape, np.nan)
    momentum[10:] = close[10:] / close[:-10]
    columns = {
        "close": close,
        "volume": volume,
        "sma_5": window_mean(close, 5),
        "sma_20": window_mean(close, 20),
        "rsi": relative_strength(close),
        "macd": ema(close, 12) - ema(close, 26),
        "momentum": momentum,
        "atr": window_mean(true_range(high, low, close), ATR_BARS),
        "hour_decimal": minute / 60.0,
        "min_from_open": (minute - MINUTE_OF_OPEN) / span,
        "min_to_close": (MINUTE_OF_CLOSE - minute) / span,
    }
    return np.stack([columns[name] for name in FEATURES], axis=1)


def half_up(x: F64) -> F64:
    """Return floor(x + 0.5), the rounding of section 3."""
    return np.floor(x + 0.5)


def atr_in_ticks(bars: Bars, features: F64) -> F64:
    """Return the ATR in ticks, float64, shape (T,); NaN where it is not defined.

    On snapped bars it is a sum of 14 whole numbers, divided once; of a processed file it is the file's
    own, divided by the tick.

    Args:
        bars: the same T bars as ``features``.
        features: float64, shape (T, 11), from :func:`compute_features`.
    """
    contract = bars.contract
    if bars.precomputed is not None:
        own: F64 = features[:, FEATURES.index("atr")] / contract.tick_size
        return own
    high, low, close = (
        contract.to_ticks(bars.frame[name].to_numpy()).astype(np.float64)
        for name in ("high", "low", "close")
    )
    ranges = true_range(high, low, close)
    total = np.concatenate([[0], np.cumsum(ranges)])
    averages = np.full(len(ranges), np.nan)
    averages[ATR_BARS - 1 :] = (total[ATR_BARS:] - total[:-ATR_BARS]) / ATR_BARS
    return averages


def compute_ticks(bars: Bars, features: F64, config: EnvConfig) -> BarTicks:
    """Return the integers of every bar: prices, distances and the clock.

    Args:
        bars: the same T bars as ``features``.
        features: float64, shape (T, 11), from :func:`compute_features`.
        config: multiples of the ATR.
    """
    contract = bars.contract
    atr = atr_in_ticks(bars, features)
    defined = np.isfinite(atr)
    atr_ticks = np.maximum(np.where(defined, atr, 0.0), 1.0)

    def distance(x: F64) -> F64:
        return np.maximum(1.0, half_up(x))

    stop = distance(config.sl_atr_mult * atr_ticks)
    target = distance(config.tp_sl_ratio * stop)
    trail = distance(config.trail_atr_mult * atr_ticks)

    def whole(x: F64) -> I32:
        return np.where(defined, x, 0).astype(np.int32)

    def ticks(name: str) -> I32:
        return contract.to_ticks(bars.frame[name].to_numpy()).astype(np.int32)

    return BarTicks(
        high=ticks("high"),
        low=ticks("low"),
        close=ticks("close"),
        stop=whole(stop),
        target=whole(target),
        trail=whole(trail),
        minute=new_york_minutes(bars.timestamps_ns),
        atr=atr_ticks.astype(np.float32),
    )


def first_defined(features: NDArray[np.floating], config: EnvConfig) -> int:
    """Return the first bar after the warm-up of which every feature is a finite number; T for none.

    Args:
        features: shape (T, 11) or wider; NaN where undefined.
        config: warm-up.
    """
    defined = np.isfinite(features[config.warmup_bars :]).all(1)
    return config.warmup_bars + int(defined.argmax()) if defined.any() else len(features)


def valid_starts(features: NDArray[np.floating], minute: I32, config: EnvConfig) -> I32:
    """Return the bars at which an episode may start (section 4), int32, shape (S,), rising.

    Args:
        features: of the precision that is observed, shape (T, 11); NaN where undefined.
        minute: int32 New York minutes, shape (T,).
        config: window, warm-up, entry window and episode length.
    """
    size, window = len(minute), config.window_size
    undefined = np.concatenate([[0], np.cumsum(~np.isfinite(features).all(1))])
    start = np.arange(size)
    oldest = np.maximum(start - window, 0)
    return np.flatnonzero(
        (start - window >= config.warmup_bars)
        & (undefined[start + 1] == undefined[oldest])
        & (minute >= config.entry_open_minute)
        & (minute < config.entry_close_minute)
        & (start + config.max_episode_bars <= size - 1)
    ).astype(np.int32)

"""The eleven features of a bar, and its whole-tick distances, in pandas and float64.

Source: section 3 of ``docs/environment.md``. Everything here is prepared once, before an episode.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from markets.bars import FEATURES, Bars
from markets.config import EnvConfig

SESSION_OPEN = 570
"""09:30 in New York minutes."""
SESSION_CLOSE = 1019
"""16:59 in New York minutes."""
SESSION_SPAN = SESSION_CLOSE - SESSION_OPEN


def add_features(
    frame: pd.DataFrame,
    tick_size: float,
    config: EnvConfig,
    precomputed: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return one row per bar with its features, its minute and its distances in ticks.

    Args:
        frame: open, high, low, close (points) and volume (contracts) on a zoned ``DatetimeIndex``,
            already cut to the session, T rows.
        tick_size: points per tick.
        config: supplies the three ATR multiples.
        precomputed: feature columns to take as they are, on the same index.

    Returns:
        T rows on the same index: the eleven columns of ``markets.bars.FEATURES`` (float64, NaN
        where not yet defined); ``minute`` (int64, New York minutes since midnight); ``atr_ticks``
        (float64, at least 1; NaN where not yet defined); ``stop_ticks``, ``target_ticks``,
        ``trail_ticks`` (int64 ticks, 0 where the ATR is not yet defined).
    """
    table = compute_features(frame) if precomputed is None else precomputed[list(FEATURES)].copy()
    table["minute"] = new_york_minute(frame.index)
    atr = average_range(frame, tick_size) if precomputed is None else table["atr"] / tick_size
    atr_ticks = atr.clip(lower=1.0)
    stop = half_up(config.sl_atr_mult * atr_ticks).clip(lower=1.0)
    target = half_up(config.tp_sl_ratio * stop).clip(lower=1.0)
    trail = half_up(config.trail_atr_mult * atr_ticks).clip(lower=1.0)
    table["atr_ticks"] = atr_ticks
    for name, distance in (("stop_ticks", stop), ("target_ticks", target), ("trail_ticks", trail)):
        table[name] = distance.where(np.isfinite(distance), 0.0).astype(np.int64)
    return table


def compute_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the eleven features in float64, one row per bar; NaN where not yet defined."""
    close, high, low = frame["close"], frame["high"], frame["low"]
    previous = close.shift(1)
    change = close.diff()
    gain = window_mean(change.clip(lower=0.0), 14)
    loss = window_mean((-change).clip(lower=0.0), 14)
    # max() skips the two NaN of the first bar, whose true range is therefore high - low.
    true_range = pd.concat([high - low, (high - previous).abs(), (low - previous).abs()], axis=1).max(
        axis=1
    )
    minute = new_york_minute(frame.index)
    columns = {
        "close": close,
        "volume": frame["volume"],
        "sma_5": window_mean(close, 5),
        "sma_20": window_mean(close, 20),
        "rsi": 100.0 - 100.0 / (1.0 + gain / (loss + 1e-8)),
        "macd": ema(close, 12) - ema(close, 26),
        "momentum": close / close.shift(10),
        "atr": window_mean(true_range, 14),
        "hour_decimal": minute / 60.0,
        "min_from_open": (minute - SESSION_OPEN) / SESSION_SPAN,
        "min_to_close": (SESSION_CLOSE - minute) / SESSION_SPAN,
    }
    return pd.DataFrame(columns, index=frame.index)[list(FEATURES)].astype(np.float64)


def average_range(frame: pd.DataFrame, tick_size: float) -> pd.Series[float]:
    """Return the mean of the last 14 true ranges in ticks, float64; NaN before there are that many.

    In ticks they are whole numbers, whose sum is exact; in points of 0.1 a tick it would not be.

    Args:
        frame: high, low, close in points that are whole ticks.
        tick_size: points per tick.
    """
    ticks = (frame[["high", "low", "close"]] / tick_size).round()
    previous = ticks["close"].shift(1)
    reach = [
        ticks["high"] - ticks["low"],
        (ticks["high"] - previous).abs(),
        (ticks["low"] - previous).abs(),
    ]
    return window_mean(pd.concat(reach, axis=1).max(axis=1), 14)


def new_york_minute(index: pd.Index) -> pd.Series[int]:
    """Return minutes since midnight in New York, int64, on the same index (which carries a zone)."""
    assert isinstance(index, pd.DatetimeIndex)
    local = index.tz_convert("America/New_York")
    return pd.Series(local.hour * 60 + local.minute, index=index, dtype=np.int64)


def window_mean(values: pd.Series[float], length: int) -> pd.Series[float]:
    """Return the mean of the last ``length`` values; NaN before there are that many.

    Every window is summed afresh, oldest value first. ``rolling().mean()`` carries one running sum
    along the file, so a single bad print would leave its rounding error in every later bar.
    """
    total = values.shift(length - 1)
    for age in range(length - 2, -1, -1):
        total = total + values.shift(age)
    return total / length


def ema(values: pd.Series[float], span: int) -> pd.Series[float]:
    """Return the exponential moving average seeded with the first value, without bias adjustment.

    Written out, since ``ewm(adjust=False).mean()`` divides by its weights' sum on every bar and so
    differs in the last bits.
    """
    alpha = 2.0 / (span + 1.0)
    averages: list[float] = []
    inputs: Sequence[float] = values.tolist()
    for value in inputs:
        averages.append(alpha * value + (1.0 - alpha) * averages[-1] if averages else value)
    return pd.Series(averages, index=values.index, dtype=np.float64)


def half_up(values: pd.Series[float]) -> pd.Series[float]:
    """Return values rounded to whole numbers, halves upwards."""
    return pd.Series(np.floor(values + 0.5), index=values.index)


def observed_and_traded(bars: Bars, config: EnvConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what an observation shows of every bar, and what a step reads of it.

    Args:
        bars: T bars that a session has already cut.
        config: multiples of the ATR.

    Returns:
        The eleven features in float32, T rows; and T rows of float64: high, low, close (points),
        minute, atr_ticks, stop_ticks, target_ticks, trail_ticks.
    """
    table = add_features(bars.frame, bars.contract.tick_size, config, bars.precomputed)
    with np.errstate(over="ignore"):  # what no float32 can hold is refused later, by name
        observed = table[list(FEATURES)].astype(np.float32)
    # Prices come from the bars: an already processed file may carry another `close`.
    columns = [
        bars.frame[["high", "low", "close"]],
        table[["minute", "atr_ticks", "stop_ticks", "target_ticks", "trail_ticks"]],
    ]
    traded = pd.concat(columns, axis=1).astype(np.float64).copy()  # one block: a row is one slice
    return observed, traded

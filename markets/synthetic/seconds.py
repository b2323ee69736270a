"""One-second bars inside given one-minute bars, for evaluation at one-second resolution.

Source: section 8 of ``docs/environment.md``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.bars import PRICE_COLUMNS, Bars
from markets.synthetic.draws import hashed, to_uniforms

SECONDS = 60
_CHUNK = 4_096
"""Minutes made at once, so that memory stays small; the result does not depend on it."""
_NS_PER_SECOND = 1_000_000_000

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def second_bars(bars: Bars, *, seed: int) -> Bars:
    """Return sixty one-second bars for every minute, which together are that minute.

    The first second opens at the minute's open, each later one at the close before it, the last
    closes at the minute's close; the highest high is the minute's high, the lowest low its low, and
    the volumes add up. Quiet seconds are there too, flat; volume falls mostly where the price
    moves, but a thin minute also has seconds that move without any. A minute's seconds depend on the
    seed and on that minute alone, so slices of bars give slices of seconds.

    Args:
        bars: one-minute bars of whole contracts, synthetic or real, T of them.
        seed: whole number, at least 0.

    Returns:
        60 * T bars with ``bar_seconds`` 1 and no precomputed features.

    Raises:
        InputError: the bars are not of one minute, or the seed is no whole number.
    """
    if bars.bar_seconds != SECONDS:
        raise InputError(
            f"{bars.source}: bars of {bars.bar_seconds} s; one-second bars are made from bars of 60 s"
        )
    contract, stamps = bars.contract, bars.timestamps_ns
    ticks = contract.to_ticks(bars.frame[list(PRICE_COLUMNS)].to_numpy())
    volume = bars.frame["volume"].to_numpy()
    label = f"seconds of {contract.symbol}"
    columns = np.empty((len(bars) * SECONDS, 5))
    for at in range(0, len(bars), _CHUNK):
        here = slice(at, at + _CHUNK)
        draws = hashed(seed, label, stamps[here], 2 * SECONDS + 3)
        path = _paths(ticks[here], to_uniforms(draws[:, : SECONDS + 3]))
        moved = np.abs(np.diff(path, axis=1))
        opened, close = path[:, :-1], path[:, 1:]
        block = columns[at * SECONDS : (at + _CHUNK) * SECONDS]
        prices = (opened, np.maximum(opened, close), np.minimum(opened, close), close)
        for column, values in enumerate(prices):
            block[:, column] = contract.to_points(values).ravel()
        block[:, 4] = _split(volume[here], moved, to_uniforms(draws[:, SECONDS + 3 :])).ravel()
    seconds = (stamps[:, None] + np.arange(SECONDS) * _NS_PER_SECOND).ravel()
    frame = pd.DataFrame(
        columns,
        columns=[*PRICE_COLUMNS, "volume"],
        index=pd.DatetimeIndex(seconds, tz="UTC", name="timestamp"),
    )
    source = f"{bars.source}, seconds with seed {seed}"
    return Bars.from_frame(frame, contract, source=source, bar_seconds=1)


def _paths(ticks: Ints, draws: Floats) -> Ints:
    """Return prices at the 61 ends of seconds, in ticks, shape (T, 61).

    Args:
        ticks: open, high, low, close, shape (T, 4).
        draws: uniform on [0, 1), shape (T, 63): 60 for the noise, 3 for when and in which order the
            extremes come.
    """
    rows = np.arange(len(ticks))
    opened, high, low, close = ticks.T
    # Rising minutes mostly have their low first: always from low to high, never from high to low.
    spread = np.maximum(high - low, 1)
    low_first = draws[:, 60] * (2 * spread) < (high - opened) + (close - low) + (high == low)
    early = 1 + (draws[:, 61] * 58).astype(np.int64)  # 1 .. 58
    late = early + 1 + (draws[:, 62] * (59 - early)).astype(np.int64)  # early + 1 .. 59
    # An extreme that is the open or the close needs no second of its own, but may have one.
    knots = np.stack([opened, np.where(low_first, low, high), np.where(low_first, high, low), close])
    times = np.stack([np.zeros_like(early), early, late, np.full_like(early, SECONDS)])
    at = np.arange(SECONDS + 1)[None, :]
    part = (at >= early[:, None]).astype(np.int64) + (at >= late[:, None])
    begin, end = times[part, rows[:, None]], times[part + 1, rows[:, None]]
    left, right = knots[part, rows[:, None]], knots[part + 1, rows[:, None]]
    share = (at - begin) / (end - begin)
    walk = np.zeros((len(ticks), SECONDS + 1))
    np.cumsum(draws[:, :SECONDS] - 0.5, axis=1, out=walk[:, 1:])
    # Each part is a bridge between its knots: the walk, less the straight line between its own ends.
    pinned = walk - (
        (1.0 - share) * np.take_along_axis(walk, begin, 1) + share * np.take_along_axis(walk, end, 1)
    )
    wander = pinned * (spread[:, None] / 4.0)
    price = np.rint((1.0 - share) * left + share * right + wander).astype(np.int64)
    return np.clip(price, low[:, None], high[:, None])


def _split(volume: Floats, moved: Ints, draws: Floats) -> Floats:
    """Return the volume of each second, whole contracts that add up exactly, shape (T, 60)."""
    weights = draws * draws * draws + 0.25 * np.minimum(moved, 4)
    share = np.cumsum(weights, axis=1)
    share /= share[:, -1:]
    share[:, -1] = 1.0
    total = np.floor(volume[:, None] * share)
    total[:, -1] = volume
    return np.diff(total, axis=1, prepend=0.0)

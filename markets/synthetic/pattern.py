"""Pattern bars: a seeded market with one known, learnable edge, or with the same signals and none.

Between patterns the price is a fair walk of single ticks, so a trade there earns nothing and pays its
costs. Now and then comes a signal, and after it the price drifts its way. What traders of several
kinds make on it: ``docs/synthetic.md``.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.bars import Bars
from markets.clock import RTH_FIRST_MINUTE, new_york_to_utc_ns
from markets.contracts import SYMBOLS, get_contract
from markets.synthetic.bars import business_days
from markets.synthetic.draws import Stream, check_seed, to_uniforms
from markets.synthetic.model import DAY_MINUTES, PROFILES

STEPS = 8
"""Steps of the price within a bar, each one tick up, one down or none with equal chance."""
SLOT_BARS, SLOTS = 50, 8
"""A day's first bars fall into slots with one signal each; the bars from 16:10 on hold none."""
FIRST_IN_SLOT, SPREAD = 16, 20
"""A signal is one of ``SPREAD`` bars of its slot, from this one on: 31 to 69 bars after the last."""
DELAY, DRIFT_BARS = 2, 10
"""The drift begins this many bars after the signal's, and lasts so many."""
TICKS_PER_BAR = 2.0
"""Mean move of a bar in the drift, at strength 1; the fair walk has a deviation of 2.3 a bar."""
MOST_STRENGTH = 2.0
QUIET_VOLUME, VOLUME_SPREAD, SPIKE = 750, 500, 6
"""Contracts of a bar: 750 to 1,249, and six times as many in a signal's."""
PULL = 4
"""Overnight the price goes back one part in so many of its way from the level."""

WINDOW = 20
RECOGNISED = 3
"""What a signal's volume is at least, in means of the bars before it in the window."""
HOLD, BUY, SELL = 0, 1, 2
_NS_PER_MINUTE = 60_000_000_000

Ints = NDArray[np.int64]


def pattern_bars(
    symbol: str = "ES",
    *,
    days: int,
    seed: int,
    start: str = "2025-01-06",
    strength: float = 1.0,
    hidden: bool = False,
) -> Bars:
    """Return seeded one-minute bars of the regular session in which signals foretell a drift.

    A signal is a bar of six times the usual volume that moves one way only, up or down with equal
    chance; there are eight a day, 31 to 69 bars apart. From the second bar after it on, so that it
    can be seen and acted upon first, the price drifts its way for ten bars, by 2 ticks a bar times the
    strength. Overnight, when no trade is open, it comes a quarter of the way back to where the first
    day began, so that it stays near there over any number of days.

    All symbols have the same bars in ticks, each about its own level. The same seed gives the same
    bars on every machine, the same signals and the same noise at any strength, and begins a longer
    series with the shorter one.

    Args:
        symbol: one of the eight built-in symbols; a micro has the level of its full-size contract.
        days: trading days of 450 bars (09:30 to 16:59), at least 1; holidays are not kept.
        seed: whole number, at least 0.
        start: first trading date in New York, "YYYY-MM-DD"; a weekend moves on to Monday.
        strength: 0 to 2; with 0 the signals mean nothing.
        hidden: every second signal leaves no trace in the bars, so that its drift comes unannounced to
            all but those who know it from :func:`hidden_signals`.

    Raises:
        InputError: an argument is not as above, or the days reach beyond 2059.
    """
    contract = get_contract(symbol)
    full_size = contract.full_size or contract.symbol
    if contract.symbol not in SYMBOLS or full_size not in PROFILES:
        raise InputError(f"no pattern market for {contract.symbol}; choose one of {', '.join(SYMBOLS)}")
    check_seed(seed)
    dates = business_days(start, days)
    if (
        isinstance(strength, bool)
        or not isinstance(strength, int | float)
        or not (math.isfinite(strength) and 0.0 <= strength <= MOST_STRENGTH)
    ):
        raise InputError(f"strength is {strength!r}; it must be a number from 0 to {MOST_STRENGTH:g}")
    signal, drift = _plan(seed, days)
    if hidden:
        signal = np.where(_is_hidden(days), 0, signal)
    path = _paths(seed, signal, drift, float(strength))
    level = int(contract.to_ticks(PROFILES[full_size].level))
    path += _openings(path[:, -1, -1], level)[:, None, None]
    volume = QUIET_VOLUME + np.floor(
        VOLUME_SPREAD * Stream(seed, "pattern volume").uniforms(days, DAY_MINUTES)
    )
    volume = np.where(signal != 0, SPIKE * volume, volume)
    opens = [new_york_to_utc_ns(str(date), RTH_FIRST_MINUTE) for date in dates]
    stamps = np.array(opens, np.int64)[:, None] + np.arange(DAY_MINUTES) * _NS_PER_MINUTE
    frame = pd.DataFrame(
        {
            "open": contract.to_points(path[:, :, 0].ravel()),
            "high": contract.to_points(path.max(axis=2).ravel()),
            "low": contract.to_points(path.min(axis=2).ravel()),
            "close": contract.to_points(path[:, :, -1].ravel()),
            "volume": volume.ravel(),
        },
        index=pd.DatetimeIndex(stamps.ravel(), tz="UTC", name="timestamp"),
    )
    half = ", half of it hidden" if hidden else ""
    source = f"pattern {contract.symbol} of strength {strength:g}, seed {seed}{half}"
    return Bars.from_frame(frame, contract, source=source)


def oracle_signals(bars: Bars) -> NDArray[np.int8]:
    """Return what one who knows the pattern would do at each bar when flat.

    The rule: buy (sell) if the bar before traded at least three times the mean volume of the 19
    before it and closed above (below) the close before its own. It reads only the 20 bars before the
    present one, as an observation shows them, so it holds on any run of bars.

    Returns:
        int8, shape (T,): 0 hold, 1 buy, 2 sell. The first 20 are 0.
    """
    actions = np.zeros(len(bars), np.int8)
    if len(bars) <= WINDOW:
        return actions
    volume, close = (bars.frame[name].to_numpy() for name in ("volume", "close"))
    windows = np.lib.stride_tricks.sliding_window_view(volume[:-1], WINDOW)
    usual = windows[:, :-1].mean(axis=1)
    seen = (windows[:, -1] >= RECOGNISED * usual) & (usual > 0)
    move = close[WINDOW - 1 : -1] - close[WINDOW - 2 : -2]
    actions[WINDOW:] = np.where(seen & (move > 0), BUY, np.where(seen & (move < 0), SELL, HOLD))
    return actions


def hidden_signals(days: int, seed: int) -> NDArray[np.int8]:
    """Return what the bars of ``pattern_bars(days=..., seed=..., hidden=True)`` do not show.

    Returns:
        int8, shape (days * 450,): 1 or -1 at the bar of a signal that left no trace, else 0.
    """
    signal, _ = _plan(seed, days)
    return np.where(_is_hidden(days), signal, 0).astype(np.int8).ravel()


def _is_hidden(days: int) -> NDArray[np.bool_]:
    """Return the bars of every second slot, (days, 450)."""
    slot = np.arange(DAY_MINUTES) // SLOT_BARS
    return np.broadcast_to(slot % 2 == 1, (days, DAY_MINUTES))


def _plan(seed: int, days: int) -> tuple[Ints, Ints]:
    """Return the direction (-1, 0, 1) of a signal, and that of a drift, of each bar: (days, 450)."""
    raw = Stream(seed, "pattern signals").raw(days, SLOTS)
    offset = np.floor(to_uniforms(raw) * SPREAD).astype(np.int64)
    direction = 1 - 2 * (raw & np.uint64(1)).astype(np.int64)  # the uniforms leave this bit out
    bar = np.arange(SLOTS) * SLOT_BARS + FIRST_IN_SLOT + offset
    day = np.arange(days)[:, None]
    signal, drift = np.zeros((2, days, DAY_MINUTES), np.int64)
    signal[day, bar] = direction
    for later in range(DELAY, DELAY + DRIFT_BARS):
        drift[day, bar + later] = direction
    return signal, drift


def _paths(seed: int, signal: Ints, drift: Ints, strength: float) -> Ints:
    """Return where each day's price goes, in ticks from its opening: (days, 450, 1 + STEPS).

    The first of a bar is its open, which is the close of the bar before.
    """
    days, minutes = signal.shape
    draws = Stream(seed, "pattern steps").uniforms(days, minutes, STEPS)
    tilt = (drift * (strength * TICKS_PER_BAR / (2 * STEPS)))[:, :, None]
    steps = (draws < 1 / 3 + tilt).astype(np.int64) - (draws >= 2 / 3 + tilt)
    steps = np.where(signal[:, :, None] != 0, np.abs(steps) * signal[:, :, None], steps)
    after = np.cumsum(steps.reshape(days, -1), axis=1).reshape(steps.shape)
    before = np.concatenate([np.zeros((days, 1), np.int64), after[:, :-1, -1]], axis=1)
    return np.concatenate([before[:, :, None], after], axis=2)


def _openings(moves: Ints, level: int) -> Ints:
    """Return each day's opening price from the days' moves, in ticks, shape (days,)."""
    opening = np.empty_like(moves)
    away = 0
    for day, move in enumerate(moves.tolist()):
        opening[day] = level + away
        away += move
        away -= int(away / PULL)  # towards zero, so that both sides are alike
    return opening

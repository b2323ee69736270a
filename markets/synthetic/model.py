"""The model behind synthetic bars: how volatile, how correlated, how busy, minute by minute.

One trading day runs from 18:00 New York time to 16:59 of its date: 930 minutes of night, then 450 of
regular session. Returns are ``sd x volatility x (loading x common + rest x own)``, where volatility is
the product of a day's level, a persistent factor within the day, the time of day and rare news. The
numbers for ES were measured on real bars (``docs/synthetic.md``); those of the others are round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from markets.synthetic.draws import Stream, autoregression, exponential

Floats = NDArray[np.float64]

NIGHT_MINUTES = 930
"""18:00 of the evening before to 09:29."""
DAY_MINUTES = 450
"""09:30 to 16:59."""

DAY_LOG_SD, DAY_PERSISTENCE = 0.5, 0.75
"""Log volatility of days: standard deviation, correlation of one day with the next."""
MINUTE_LOG_SD, MINUTE_PERSISTENCE = 0.36, 0.985
"""Log volatility within a day: standard deviation, correlation of one minute with the next."""
NEWS_SHARE, NEWS_FACTOR = 0.008, 2.8
"""Share of minutes with news, and how much more volatile those are."""
HALT_MINUTES, WEEKEND_MINUTES = 1.0, 12.0
"""Variance of the halt and of a weekend, in average minutes of the regular session."""
SHOCK_SHARE, SHOCK_FACTOR = 0.1, 5.0
"""Share of halts and weekends that bring a shock, and how much larger they are."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What distinguishes one full-size index from the others.

    Attributes:
        level: first price, in points.
        minute_sd: root mean square return of a minute of the regular session, as a share of price.
        loading: correlation of its returns with the common factor.
        volume: mean contracts per minute of the regular session.
    """

    level: float
    minute_sd: float
    loading: float
    volume: float


PROFILES = {
    "ES": Profile(6500.0, 3.07e-4, 0.985, 2700.0),
    "NQ": Profile(24000.0, 4.0e-4, 0.96, 1100.0),
    "YM": Profile(46000.0, 2.7e-4, 0.96, 200.0),
    "RTY": Profile(2400.0, 4.3e-4, 0.92, 350.0),
}
MICRO_VOLUME = {"MES": 1.3, "MNQ": 2.5, "MYM": 1.5, "M2K": 1.4}
"""Contracts of the micro for each of its full-size contract."""

_DAY_VOLATILITY = (
    *(1.60, 1.55, 1.40, 1.20, 1.17, 1.15, 1.15, 1.10, 1.10, 1.03),  # 09:30, by quarter hours
    *(1.00, 1.02, 0.97, 0.95, 0.98, 0.97, 0.95, 0.95, 1.00, 0.92),  # 12:00
    *(0.90, 0.90, 0.88, 0.86, 0.95, 1.25, 0.70, 0.45, 0.38, 0.42),  # 14:30
)
_DAY_VOLUME = (
    *(1.85, 1.62, 1.42, 1.20, 1.13, 1.10, 1.20, 1.10, 1.15, 1.00),
    *(0.90, 0.87, 0.80, 0.80, 0.85, 0.80, 0.80, 0.78, 0.85, 0.77),
    *(0.78, 0.75, 0.77, 0.78, 1.00, 2.00, 0.50, 0.16, 0.11, 0.18),
)
_NIGHT_VOLATILITY = (
    *(0.46, 0.35, 0.39, 0.33, 0.26, 0.26, 0.27, 0.31),  # 18:00, by hours
    *(0.42, 0.58, 0.48, 0.39, 0.41, 0.52, 0.56, 0.58),  # 02:00
)
_NIGHT_VOLUME = (
    *(0.050, 0.033, 0.050, 0.041, 0.029, 0.029, 0.029, 0.037),
    *(0.063, 0.113, 0.091, 0.067, 0.078, 0.120, 0.170, 0.280),
)
_BUSY_MINUTES = (  # New York minute, times the volatility, times the volume of its quarter hour
    (570, 1.35, 2.3),
    (571, 1.30, 1.4),
    (600, 1.25, 1.45),
    (950, 1.40, 1.75),
    (959, 1.40, 10.0),
    (960, 1.90, 11.7),
    (961, 1.20, 2.75),
)


def day_shapes() -> tuple[Floats, Floats]:
    """Return volatility (root mean square 1) and volume (mean 1) of the 450 regular minutes."""
    volatility, volume = np.repeat(_DAY_VOLATILITY, 15), np.repeat(_DAY_VOLUME, 15)
    for minute, more_volatility, more_volume in _BUSY_MINUTES:
        volatility[minute - 570] *= more_volatility
        volume[minute - 570] *= more_volume
    return volatility / np.sqrt(np.mean(volatility**2)), volume / np.mean(volume)


def night_shapes() -> tuple[Floats, Floats]:
    """Return volatility and volume of the 930 night minutes, in units of the regular session's."""
    volatility, volume = np.repeat(_NIGHT_VOLATILITY, 60), np.repeat(_NIGHT_VOLUME, 60)
    return volatility[:NIGHT_MINUTES], volume[:NIGHT_MINUTES]


def day_volatility(seed: int, days: int) -> Floats:
    """Return each day's volatility, shape (days,), mean square 1, the same for all symbols."""
    log = autoregression(Stream(seed, "day volatility").normals(days), DAY_PERSISTENCE)
    return exponential(DAY_LOG_SD * log - DAY_LOG_SD**2)


def minute_volatility(normals: Floats, uniforms: Floats) -> Floats:
    """Return the volatility within days, of mean square 1, from draws of the same (days, minutes)."""
    log = autoregression(normals, MINUTE_PERSISTENCE)
    persistent = exponential(MINUTE_LOG_SD * log - MINUTE_LOG_SD**2)
    calm = np.sqrt(1.0 + NEWS_SHARE * (NEWS_FACTOR**2 - 1.0))
    return persistent * np.where(uniforms < NEWS_SHARE, NEWS_FACTOR, 1.0) / calm


def overnight_moves(
    profile: Profile, symbol: str, seed: int, volatility: Floats, weekend: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Return each day's move over the halt or weekend before it, and then over its night.

    Args:
        profile: of the symbol.
        symbol: of the full-size contract; names its own random numbers.
        seed: of the market.
        volatility: of the days, shape (days,).
        weekend: shape (days,), True where more than one night lies before the day.

    Returns:
        Two float64 arrays of shape (days,), as shares of price.
    """
    days = len(volatility)
    night = float(np.sqrt(np.sum(night_shapes()[0] ** 2)))
    scale = profile.minute_sd * volatility
    rest = float(np.sqrt(1.0 - profile.loading**2))
    moves = profile.loading * Stream(seed, "gaps").normals(days, 2)
    moves += rest * Stream(seed, f"gaps of {symbol}").normals(days, 2)
    shock = Stream(seed, "shocks").uniforms(days) < SHOCK_SHARE
    halt = np.sqrt(np.where(weekend, WEEKEND_MINUTES, HALT_MINUTES)) * np.where(
        shock, SHOCK_FACTOR, 1.0
    )
    return scale * halt * moves[:, 0], scale * night * moves[:, 1]

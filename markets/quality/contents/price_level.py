"""Whether prices are where the contract traded, or where another one did.

Contracts on the same tick grid can be told apart by the level of their prices alone: the Nasdaq-100 has
stood at more than twice the S&P 500 since 2016. The table is coarse, one level a year, which is enough
for a factor of nearly two; back-adjusted series stay well within it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from markets.contracts import Contract
from markets.quality.contents.arrays import Contents, Floats, Ints
from markets.quality.finding import Finding

FIRST_YEAR = 2003
LEVELS = {
    "ES": (970, 1130, 1210, 1300, 1480, 1150, 900, 1140, 1230, 1380, 1640, 1920, 2050, 2080, 2450,
           2700, 2850, 3150, 4200, 4200, 4300, 5400, 6100),
    "NQ": (1200, 1450, 1560, 1650, 1950, 1600, 1450, 1950, 2260, 2620, 3100, 3850, 4400, 4500, 5700,
           6850, 7500, 9800, 14500, 12900, 14000, 19100, 22000),
    "YM": (9100, 10300, 10500, 11500, 13100, 10800, 8700, 10600, 11800, 12900, 14900, 16700, 17300,
           17800, 21900, 24800, 26000, 26500, 33500, 33000, 34500, 40800, 43000),
    "RTY": (450, 590, 630, 730, 800, 640, 520, 680, 760, 800, 1000, 1140, 1200, 1200, 1440, 1570, 1530,
            1500, 2220, 1900, 1850, 2150, 2250),
}  # fmt: skip
"""Levels of the four indices in points, the middle of each year's range, from :data:`FIRST_YEAR` on."""
YEARS_ON = 3
"""Years after the table's last for which that one's level still serves."""
AWAY, NEAR = 1.7, 1.4
"""Factors: prices this far from their contract's level and this near to another's are the other's."""
NEVER = 3.0
"""Factor beyond all levels of the table at which prices are no price of the contract."""
LOOKED_AT = 4096
"""Closes that are looked at, spread over the file."""
FEWEST = 100
"""Bars from which a level is judged; an episode needs five times as many."""
YEAR_NS = 31_556_952 * 1_000_000_000


def level_problems(bars: Contents) -> Iterator[Finding]:
    """Yield that prices are another contract's, or those of no such contract at all."""
    own = bars.contract.full_size or bars.contract.symbol
    if own not in LEVELS or len(bars) < FEWEST:
        return
    step = max(len(bars) // LOOKED_AT, 1)
    closes, years = bars.close[::step], 1970 + bars.ns[::step] // YEAR_NS
    usual = float(np.median(closes))
    other = _other(own, closes, years)
    if other is not None:
        nearest, stood = other
        span = str(years[0]) if years[0] == years[-1] else f"{years[0]} to {years[-1]}"
        yield Finding(
            "other_contract",
            len(bars),
            f"closes are about {usual:,.10g} in {span}, where {nearest} traded; {own} stood near "
            f"{stood:,.0f}",
            f"pass --symbol {_same_size(bars.contract, nearest)}",
        )
    elif not min(LEVELS[own]) / NEVER < usual < max(LEVELS[own]) * NEVER:
        yield Finding(
            "price_level",
            len(bars),
            f"closes are about {usual:,.10g}, where {own} never traded, as those of a spread or of "
            "another instrument are",
            "give outright prices of the contract in points, or pass the right --symbol",
        )


def _other(own: str, closes: Floats, years: Ints) -> tuple[str, float] | None:
    """Return the contract that stood where closes are, and the level of the own one, far from them."""
    judged = (years >= FIRST_YEAR) & (years < FIRST_YEAR + len(LEVELS[own]) + YEARS_ON)
    if not judged.any():
        return None
    at = np.minimum(years[judged] - FIRST_YEAR, len(LEVELS[own]) - 1)
    distance = {
        name: float(np.median(np.abs(np.log(np.asarray(levels, float)[at] / closes[judged]))))
        for name, levels in LEVELS.items()
    }
    nearest = min(distance, key=lambda name: distance[name])
    if distance[own] <= np.log(AWAY) or distance[nearest] >= np.log(NEAR):
        return None
    return nearest, float(np.median(np.asarray(LEVELS[own])[at]))


def _same_size(contract: Contract, nearest: str) -> str:
    """Return the name of a contract as it was asked for: a micro for a micro."""
    micros = {"ES": "MES", "NQ": "MNQ", "YM": "MYM", "RTY": "M2K"}
    return micros[nearest] if contract.full_size else nearest

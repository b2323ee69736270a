"""Volumes that are no traded contracts: none, too few for the prices, parts of one, the same everywhere.

A bar whose prices differ has at least as many contracts as prices, and a futures exchange trades whole
contracts. Spot and index feeds, platforms that write ticks instead of volume, and volumes in thousands
or in millions fail one of the two. Files are judged by runs of rows spread over them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from markets.contracts import SYMBOLS
from markets.quality.contents.arrays import Contents, Floats
from markets.quality.finding import Finding
from markets.quality.measurements import too_few_trades

FEWEST = 100
"""Bars from which a habit of the volume is told."""
MOSTLY = 0.5
"""Share of the bars with more than one price whose volume is none, or too small for their prices."""
PARTS = 0.001
"""Share of volumes that are no whole number from which they are no contracts."""
SAME, BUSY = 0.995, 10
"""Share of bars with the same volume, of so many contracts and more, from which it was made up."""
MOST_USUAL = 50_000.0
"""Contracts of the median bar that no index future has had: thirty million in a day of regular hours."""


def volume_problems(bars: Contents) -> Iterator[Finding]:
    """Yield at most one finding: why the volumes are no traded contracts.

    Contracts that someone added may trade parts of one (as spot and crypto do), so they are held only
    to have volume that changes.
    """
    runs = bars.runs()
    volume = np.concatenate([run.volume for run in runs])
    prices = np.concatenate(
        [np.stack([run.open, run.high, run.low, run.close], axis=1) for run in runs]
    )
    moved = prices[:, 1] > prices[:, 2]
    if moved.sum() < FEWEST:
        return
    whole = bars.contract.symbol in SYMBOLS
    none = float((volume[moved] == 0).mean())
    few = float((too_few_trades(prices, volume) | (volume == 0))[moved].mean())
    if none >= MOSTLY:
        yield Finding(
            "no_volume",
            len(bars),
            f"{none:.0%} of the bars whose prices differ have no volume, as in files of spot prices and "
            "indices, and of MetaTrader and HistData where volume is 0",
            "export bars of the future itself with their traded volume; where volume stands in a column "
            "of another name, give it the name volume",
        )
    elif whole and few >= MOSTLY:
        yield _few(bars, few, volume)
    elif whole and (part := _parts(volume)) is not None:
        share, example = part
        yield Finding(
            "volume_in_parts",
            len(bars),
            f"{share:.1%} of the volumes are no whole number (such as {example:.6g}), and futures trade "
            "in whole contracts; thousands, millions and lots look so, and a point between thousands",
            "give volume as whole contracts, without a thousands separator",
        )
    else:
        yield from _same_or_too_large(bars, volume, whole)


def _few(bars: Contents, few: float, volume: Floats) -> Finding:
    return Finding(
        "volume_too_small",
        len(bars),
        f"{few:.0%} of the bars have more different prices than contracts (volume is {np.median(volume):g} "
        "on the median bar), which no trading makes; volume in thousands, millions or lots looks so, and "
        "a constant written in its place",
        "give each minute's traded contracts as volume",
    )


def _parts(volume: Floats) -> tuple[float, float] | None:
    parts = volume != np.rint(volume)
    share = float(parts.mean())
    return (share, float(volume[np.argmax(parts)])) if share > PARTS else None


def _same_or_too_large(bars: Contents, volume: Floats, whole: bool) -> Iterator[Finding]:
    usual = float(np.median(volume))
    if usual >= BUSY and float((volume == usual).mean()) >= SAME:
        yield Finding(
            "volume_is_constant",
            len(bars),
            f"volume is {usual:,.0f} on nearly every bar, so it was written in place of traded volume",
            "give each minute's traded contracts as volume",
        )
    elif whole and usual > MOST_USUAL:
        yield Finding(
            "volume_too_large",
            len(bars),
            f"volume is {usual:,.0f} on the median bar, more than {bars.contract.symbol} has traded; a "
            "turnover in dollars looks so, and volume of another instrument",
            "give each minute's traded contracts as volume",
        )

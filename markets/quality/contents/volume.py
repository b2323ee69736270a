"""Volumes that are no traded contracts: none, too few for the prices, parts of one, one everywhere.

A bar whose prices differ has at least as many contracts as prices, and a futures exchange trades whole
contracts. Spot and index feeds, platforms that write ticks instead of volume, and volumes in thousands
or in millions fail one of the two. Files are judged by runs of rows spread over them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from markets.contracts import SYMBOLS
from markets.quality.contents.arrays import Contents, Floats
from markets.quality.finding import Finding
from markets.quality.measurements import too_few_trades

FEWEST = 100
"""Bars from which a habit of the volume is told."""
MOST_PRICES = 4
"""Different prices that a bar may have."""
MOSTLY = 0.5
"""Share of the bars whose volume is too small for their prices, or none, from which it is no volume."""
PARTS = 0.001
"""Share of volumes that are no whole number from which they are no contracts."""
SAME, BUSY = 0.995, 10
"""Share of bars with the same volume, of so many contracts and more, from which it was made up."""
MOST_USUAL = 50_000.0
"""Contracts of the median bar that no index future has had: twenty million in regular hours."""


def volume_problems(bars: Contents) -> Iterator[Finding]:
    """Yield at most one finding: why the volumes can be no traded contracts.

    Contracts that someone added may trade parts of one (as spot and crypto do), so theirs are not held
    to it.
    """
    if bars.contract.symbol not in SYMBOLS or len(bars) < FEWEST:
        return
    volume = np.concatenate([run.volume for run in bars.runs()])
    usual = float(np.median(volume))
    if (part := _parts(volume)) is not None:
        share, example = part
        yield Finding(
            "volume_in_parts",
            len(bars),
            f"{share:.1%} of the volumes are no whole number (such as {example:.10g}), and futures "
            "trade in whole contracts; thousands, millions and lots look so, and a point between "
            "thousands",
            "give volume as whole contracts, without a thousands separator",
        )
    elif usual > MOST_USUAL:
        yield Finding(
            "volume_too_large",
            len(bars),
            f"volume is {usual:,.0f} on the median bar, more than {bars.contract.symbol} ever "
            "traded; a turnover in dollars looks so, and volume of another instrument",
            "give each minute's traded contracts as volume",
        )


def volume_warnings(bars: Contents) -> Iterator[Finding]:
    """Yield that there is no traded volume, too little for the prices, or the same everywhere."""
    if len(bars) < FEWEST:
        return
    runs = bars.runs()
    volume = np.concatenate([run.volume for run in runs])
    moved = np.concatenate([run.high > run.low for run in runs])
    none = float((volume[moved] == 0).mean()) if moved.any() else 0.0
    usual = float(np.median(volume))
    if none >= MOSTLY:
        yield Finding(
            "no_volume",
            len(bars),
            f"{none:.0%} of the bars whose prices differ have no volume, as in files of spot "
            "prices and indices, of MetaTrader and HistData where the column of volume is 0, and where "
            "volume was rounded to thousands",
            "export bars of the future itself with their traded contracts; where these stand in "
            "another column, name that one volume",
        )
    elif (volume < MOST_PRICES).mean() >= MOSTLY and (few := _too_few(runs)) >= MOSTLY:
        yield Finding(
            "volume_too_small",
            len(bars),
            f"{few:.0%} of the bars have more different prices than contracts (volume is {usual:g} "
            "on the median bar), which no trading makes; volume in thousands looks so, a constant "
            "in its place, and bars that were filled in",
            "give each minute's traded contracts as volume, and no bars without trades",
        )
    elif usual >= BUSY and float((volume == usual).mean()) >= SAME:
        yield Finding(
            "volume_is_constant",
            len(bars),
            f"volume is {usual:,.0f} on nearly every bar, so it was written in place of traded volume",
            "give each minute's traded contracts as volume",
        )


def _too_few(runs: Sequence[Contents]) -> float:
    """Return the share of bars with fewer contracts than different prices, and more than one price."""
    few = [
        too_few_trades(np.stack([run.open, run.high, run.low, run.close], axis=1), run.volume)
        & (run.high > run.low)
        for run in runs
    ]
    return float(np.concatenate(few).mean())


def _parts(volume: Floats) -> tuple[float, float] | None:
    """Return the share of volumes that are no whole number, where it is more than a few, and one."""
    parts = volume != np.rint(volume)
    share = float(parts.mean())
    return (share, float(volume[np.argmax(parts)])) if share > PARTS else None

"""Longer bars in a file of minutes: a part of it, stretched over minutes, or overlapping.

Bars beside minutes without trades lie any number of minutes apart; longer bars lie multiples of their
length apart. Bars of n minutes that are written every minute either stand there again
unchanged, or open where the bar n before closed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from markets.quality.contents.arrays import Contents, Ints
from markets.quality.finding import Finding
from markets.spacing import MINUTE, bar_steps, longer_than_a_minute

PIECE = 32
"""Bars, one after another, that are judged together."""
FILLED = 0.2
"""Share of bars without volume from which those with volume are looked at by themselves."""
LOOKED_AT = 20_000
"""Bars, spread over the file, by which that is told."""
AGAIN = 0.4
"""Share of bars with the prices and the volume of the bar before, from which they were copied."""
FEWEST = 100
"""Pairs of neighbouring bars from which a habit is told."""
LAGS = (2, 3, 4, 5, 10, 15, 30, 60)
"""Lengths of bars, in minutes, that are tried."""
CLOSER = 0.5
"""Factor by which bars open nearer to the close of the bar so many before than to that of the last."""


def resolution_problems(bars: Contents) -> Iterator[Finding]:
    """Yield at most one finding: bars are longer than a minute, though not every one of the file.

    Files all of whose bars are longer are refused by their times alone, see :mod:`markets.spacing`.
    """
    if len(bars) < PIECE or _all_longer(bars.ns):
        return
    longer = _coarse(bars.ns)
    if longer is None and float((bars.volume[:: len(bars) // LOOKED_AT + 1] == 0).mean()) >= FILLED:
        longer = _coarse(bars.ns[bars.volume > 0])
    if longer is not None:
        minutes, rows, first = longer
        yield Finding(
            "bar_length",
            rows,
            f"about {rows:,} of {len(bars):,} bars, from {_utc(first)} on, are {minutes} minutes long "
            f"(their times lie {minutes} minutes apart)",
            "export one-minute bars, or keep the part of the file that holds them",
        )
        return
    runs = [run for run in bars.runs()[::3] if len(run) > max(LAGS)]
    yield from _copied(runs, len(bars))
    yield from _overlapping(runs, len(bars))


def _all_longer(ns: Ints) -> bool:
    """Return whether bars are longer on the whole; all are looked at only where the first ones are."""
    first = bar_steps(ns[: PIECE * PIECE])
    return longer_than_a_minute(first) and longer_than_a_minute(bar_steps(ns))


def _coarse(ns: Ints) -> tuple[int, int, int] | None:
    """Return a length in minutes, the rows of that length, and the first; None where there are none."""
    first = np.arange(0, len(ns) - PIECE, PIECE)
    # Pieces of minutes, which nearly all are, are too short to be of anything longer.
    first = first[ns[first + PIECE] - ns[first] >= 2 * PIECE * MINUTE]
    rows = first[:, None] + np.arange(PIECE)
    lengths = np.gcd.reduce(ns[rows + 1] - ns[rows], axis=1)
    long = (lengths >= 2 * MINUTE) & (lengths % MINUTE == 0)
    if not long.any():
        return None
    values, counts = np.unique(lengths[long], return_counts=True)
    return int(values[counts.argmax()] // MINUTE), int(long.sum()) * PIECE, int(ns[first[long][0]])


def _copied(runs: list[Contents], total: int) -> Iterator[Finding]:
    """Yield that many bars are the bar before again, as where longer bars are filled forward."""
    pairs, again = 0, 0
    for run in runs:
        same = (run.high > run.low)[1:] & (run.volume[1:] > 0)
        pairs += int(same.sum())
        for column in (run.open, run.high, run.low, run.close, run.volume):
            same &= column[1:] == column[:-1]
        again += int(same.sum())
    if pairs >= FEWEST and again >= AGAIN * pairs:
        yield Finding(
            "bars_repeated",
            total,
            f"{again / pairs:.0%} of the bars have the prices and the volume of the bar before, as "
            "longer bars do that were filled forward to every minute",
            "export one-minute bars",
        )


def _overlapping(runs: list[Contents], total: int) -> Iterator[Finding]:
    """Yield that bars open where the bar n before closed, so that each is n minutes long."""
    pairs, apart = 0, dict.fromkeys((1, *LAGS), 0.0)
    for run in runs:
        row = np.flatnonzero(run.ns[max(LAGS) :] - run.ns[: -max(LAGS)] == max(LAGS) * MINUTE)
        row += max(LAGS)
        pairs += len(row)
        for lag in apart:
            apart[lag] += float(np.abs(run.open[row] - run.close[row - lag]).sum())
    nearest = min(apart, key=lambda lag: apart[lag])
    if pairs >= FEWEST and nearest > 1 and apart[nearest] < CLOSER * apart[1]:
        yield Finding(
            "bars_overlap",
            total,
            f"bars open {apart[1] / pairs:.4g} points from the close before on average, and only "
            f"{apart[nearest] / pairs:.4g} from the close {nearest} bars before, so each covers about "
            f"{nearest} minutes and they overlap",
            "export one-minute bars that follow one another",
        )


def _utc(ns: int) -> str:
    return str(np.datetime64(ns, "ns").astype("datetime64[m]")).replace("T", " ") + " UTC"

"""Columns that do not hold what their names say, told by what bars and volume always look like.

A bar opens about where the one before closed; its prices differ; volume goes up and down. Where open
and close are swapped, where only closes were kept, where volume is a running total or open interest,
this fails on nearly every bar, so a file is judged by runs of rows spread over it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from markets.quality.contents.arrays import Contents, Floats
from markets.quality.finding import Finding, plural
from markets.spacing import MINUTE

FEWEST = 100
"""Pairs of neighbouring bars, or bars, from which a habit is told."""
BETWEEN = 0.4
"""Factor by which opens are nearer to the middle between open and close before than to that close."""
CLOSER = 0.5
"""Closes this much nearer to the opens before them than opens to the closes before are no closes."""
BUSY = 10
"""Contracts from which a bar hardly ever has one price."""
FLAT, NEARLY_ALL = 0.9, 0.995
"""Share of such bars whose four prices are equal, from which only closes are there; and of all bars,
where none are busy."""
FALLS, RISES = 0.02, 0.5
"""Largest share of bars on which a running total falls (a new session), least on which it rises."""
LEAST_INTEREST, STILL = 5000.0, 0.005
"""Contracts from which volume may be open interest, and the relative step that is usual then."""


def column_problems(bars: Contents) -> Iterator[Finding]:
    """Yield which columns hold something else than their names say, at most one finding a column."""
    runs = [run for run in bars.runs() if len(run) > 1]
    if not runs:
        return
    yield from _swapped(runs, len(bars))
    yield from _flat(runs, len(bars))
    yield from _volume(runs, len(bars))


def _neighbours(run: Contents) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which bars follow the one before within a minute, shape (T - 1,)."""
    return np.asarray(run.ns[1:] - run.ns[:-1] <= MINUTE)


def _swapped(runs: list[Contents], total: int) -> Iterator[Finding]:
    pairs, apart, crossed, between = 0, 0.0, 0.0, 0.0
    for run in runs:
        near = _neighbours(run)
        pairs += int(near.sum())
        apart += float(np.abs(run.open[1:] - run.close[:-1])[near].sum())
        crossed += float(np.abs(run.close[1:] - run.open[:-1])[near].sum())
        between += float(np.abs(run.open[1:] - (run.open + run.close)[:-1] / 2)[near].sum())
    if pairs >= FEWEST and crossed < CLOSER * apart:
        yield Finding(
            "open_and_close_swapped",
            total,
            f"bars open {apart / pairs:.4g} points from the close before on average, and close "
            f"{crossed / pairs:.4g} points from the open before, so the columns open and close are "
            "swapped",
            "give the columns their right names",
        )
    elif pairs >= FEWEST and between < BETWEEN * apart:
        yield Finding(
            "averaged_bars",
            total,
            "bars open in the middle between the open and the close before, not at that close, as "
            "Heikin-Ashi bars do, whose prices are averages that nobody traded",
            "export plain bars (candles)",
        )


def _flat(runs: list[Contents], total: int) -> Iterator[Finding]:
    """Yield that bars have one price; those of few contracts count only where no other are there.

    A contract that hardly trades has bars of one trade, and so of one price.
    """
    busy = sum(int((run.volume >= BUSY).sum()) for run in runs) >= FEWEST
    flat, bars = 0, 0
    for run in runs:
        counted = run.volume >= BUSY if busy else np.ones(len(run), bool)
        bars += int(counted.sum())
        flat += int((counted & (run.high == run.low)).sum())
    if bars >= FEWEST and flat >= (FLAT if busy else NEARLY_ALL) * bars:
        yield Finding(
            "one_price_a_bar",
            total,
            f"open, high, low and close are the same on {flat / bars:.0%} of the bars"
            f"{f' of {BUSY} contracts and more' if busy else ''}, as where only closes were kept",
            "export open, high, low and close of every minute",
        )


def _volume(runs: list[Contents], total: int) -> Iterator[Finding]:
    """Yield that volume is a running total of its session, or open interest."""
    pairs, rises, falls = 0, 0, 0
    sizes: list[Floats] = []
    steps: list[Floats] = []
    for run in runs:
        near = _neighbours(run)
        step = (run.volume[1:] - run.volume[:-1])[near]
        pairs, rises, falls = (
            pairs + len(step),
            rises + int((step > 0).sum()),
            falls + int((step < 0).sum()),
        )
        sizes.append(run.volume)
        steps.append(np.abs(step))
    if pairs < FEWEST:
        return
    if falls <= FALLS * pairs and rises >= RISES * pairs:
        yield Finding(
            "volume_is_a_total",
            total,
            f"volume grows from bar to bar and falls on only {plural(falls, 'bar')} of {pairs:,}, so "
            "it is a running total of the session",
            "give each minute's own volume: the difference to the bar before, anew each session",
        )
        return
    usual = float(np.median(np.concatenate(sizes)))
    if usual >= LEAST_INTEREST and float(np.median(np.concatenate(steps))) < STILL * usual:
        yield Finding(
            "volume_is_open_interest",
            total,
            f"volume is about {usual:,.0f} on every bar and hardly changes from one to the next, as "
            "open interest does and traded volume never",
            "put the contracts traded in each minute into the column volume",
        )

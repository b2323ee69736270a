"""The door that every file of bars comes through: what poisons training is refused, whoever reads it.

:mod:`markets.quality.inspection` says everything about a file; this looks for the same problems, in
bars that are already valid, at a few percent of the time that reading takes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from foundation.errors import InputError, printable
from markets.bars import COLUMNS, Bars, source_of
from markets.file_facts import FileFacts
from markets.quality.contents.arrays import Contents
from markets.quality.contents.problems import content_problems
from markets.quality.contents.warnings import content_warnings
from markets.quality.facts import Rows
from markets.quality.finding import Finding
from markets.quality.findings import problems, scale_problems
from markets.quality.measurements import BAD_PRINT
from markets.quality.pieces import steps

LOG = logging.getLogger(__name__)


def admit(bars: Bars, facts: FileFacts, *, accept_problems: bool = False) -> Bars:
    """Return bars that are fit to train on, or that someone takes as they are.

    Unadjusted rolls, volume that was not traded and bars in the future, which refuse nothing, are told
    to the log, whose default is stderr, of bars with accepted problems too.

    Args:
        bars: validated bars.
        facts: what their file says of itself.
        accept_problems: go on in spite of problems; the bars returned name them.

    Returns:
        The bars, with what was told of them.

    Raises:
        InputError: there is a problem; says which, where, how to mend it, and how to go on.
    """
    problems = list(problems_of(bars, facts))
    if problems and not accept_problems:
        first, others = problems[0], len(problems) - 1
        more = f" (and {others} more: `rltrader data check` lists them)" if others else ""
        raise InputError(
            f"{bars.source}: {first.message}; {first.mend}{more}; --accept-problems uses the bars as "
            f"they are"
        )
    odd = tuple(f"{one.message}; {one.mend}" for one in content_warnings(_contents(bars, facts)))
    accepted = tuple(sorted({problem.kind for problem in problems}))
    source = source_of(bars.source, accepted)
    tell(source, odd)
    return replace(bars, accepted=accepted, source=source, warnings=odd)


def tell(source: str, warnings: Sequence[str]) -> None:
    """Tell the log what is worth a look in bars.

    Args:
        source: where the bars came from.
        warnings: of :class:`markets.bars.Bars`.
    """
    for warning in warnings:
        LOG.warning("%s", printable(f"{source}: {warning}"))


def problems_of(bars: Bars, facts: FileFacts) -> Iterator[Finding]:
    """Yield the problems of valid bars: another contract, prices at a wrong scale, a wrong clock."""
    # Columns one by one: side by side they would be copied, which takes as long as all the rest.
    high, low, close = (bars.frame[name].to_numpy() for name in ("high", "low", "close"))
    if _leaps(high, low, close):
        frame = bars.frame.copy()
        frame.attrs["file"] = facts
        yield from problems(Rows(frame, bars.contract, bars.source))
        return
    yield from scale_problems(close, bars.contract)
    yield from content_problems(_contents(bars, facts), judge_clock=bars.bar_seconds == 60)


def _contents(bars: Bars, facts: FileFacts) -> Contents:
    columns = {name: bars.frame[name].to_numpy() for name in COLUMNS}
    return Contents(bars.timestamps_ns, **columns, contract=bars.contract, file=facts)


def _leaps(high: NDArray[np.float64], low: NDArray[np.float64], close: NDArray[np.float64]) -> bool:
    """Return whether some price is so far from the close before it that the rows need a closer look."""
    if len(close) < 2:
        return False
    most, least = 1.0 + BAD_PRINT, 1.0 - BAD_PRINT
    return bool(high[0] > most * low[0]) or any(
        bool((high[row] > most * close[before]).any() or (low[row] < least * close[before]).any())
        for before, row in steps(len(close))
    )

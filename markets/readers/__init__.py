"""Readers: one file a format. They turn what traders have into bars, or say what is wrong and where.

Source: section 3 of ``docs/environment.md``; the formats are described in ``docs/data.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path

import pandas as pd

from foundation.errors import InputError
from markets.bars import COLUMNS, FEATURES, Bars
from markets.contracts import Contract, get_contract
from markets.quality.door import admit
from markets.readers import canonical, databento, ninjatrader, parquet
from markets.readers.columns import OTHER_TIME_NAMES, SYNONYMS, TIME_NAMES, UTC_NAMES
from markets.readers.opening import read_bytes
from markets.readers.table import CANONICAL, Options, Stamped
from markets.readers.text import look
from markets.readers.vendors import vendor_words
from markets.spacing import infer_bar_seconds

Reader = Callable[[Path, Options], pd.DataFrame]

FORMATS: dict[str, Reader] = {
    "csv": canonical.read,
    "ninjatrader": ninjatrader.read,
    "databento": databento.read,
    "processed": canonical.read_processed,
    "parquet": parquet.read,
}
"""The formats by name."""

__all__ = ["FORMATS", "detect_format", "read_bars", "read_frame"]


def detect_format(path: str | PathLike[str]) -> str:
    """Return the name of a file's format, told from its first bytes.

    Raises:
        InputError: the file cannot be opened, is empty, or is of no known format.
    """
    path = Path(path)
    if read_bytes(path, len(parquet.MAGIC)) == parquet.MAGIC:
        return "parquet"
    head = look(path)
    if ninjatrader.EXPORT.match(head.line):
        return "ninjatrader"
    names = set(head.names())
    if "ts_event" in names:
        return "databento"
    if set(FEATURES) <= names:
        return "processed"
    if names & {*COLUMNS, *TIME_NAMES, *OTHER_TIME_NAMES, *UTC_NAMES, *SYNONYMS}:
        return "csv"
    if words := vendor_words(head.line):
        raise InputError(f"{head.source} {words}")
    for delimiter in (";", "\t", "|"):
        if delimiter in head.line and "," not in head.line:
            raise InputError(
                f"{head.source}: fields are separated by {delimiter!r}; save it with commas, under the "
                f"header {CANONICAL}"
            )
    if head.line.lstrip()[:1].isdigit():
        raise InputError(
            f"{head.source}, line {head.number}: there is no header; begin the file with {CANONICAL}"
        )
    raise InputError(
        f"{head.source}, line {head.number}: {head.line[:40]!r} is no header of bars; begin the file "
        f"with {CANONICAL}, or name one of the formats {', '.join(FORMATS)}"
    )


def read_frame(
    path: str | PathLike[str],
    *,
    format: str | None = None,
    timezone: str | None = None,
    instrument: str | None = None,
    stamped: Stamped | None = None,
) -> pd.DataFrame:
    """Return a file's rows as they are, before any of them is judged.

    Args:
        path: the file; text may be compressed (.gz, .zst, .bz2).
        format: a name of :data:`FORMATS`; None tells it from the file.
        timezone: zone of timestamps that carry none; None for UTC. Timestamps with an offset, and
            numbers since 1970, need none and ignore it.
        instrument: symbol or instrument id to keep, of a file with several.
        stamped: "open" or "close", which end of a minute its time is; None for the format's own: the
            close in NinjaTrader's, the open elsewhere.

    Returns:
        UTC index "timestamp" (nanoseconds, stamped by the bar's open, in the order of the file, with
        any duplicates) and float64 columns open, high, low, close (points), volume (contracts), with
        NaN where a cell is empty; a processed file's features too. ``attrs["file"]`` holds the
        file's :class:`markets.file_facts.FileFacts`.

    Raises:
        InputError: the file cannot be understood; the message names file, row and column.
    """
    path = Path(path)
    name = format if format is not None else detect_format(path)
    if name not in FORMATS:
        raise InputError(f"unknown format {name!r}: choose one of {', '.join(FORMATS)}")
    return FORMATS[name](path, Options(timezone, instrument, stamped))


def read_bars(
    path: str | PathLike[str],
    symbol: str | Contract,
    *,
    format: str | None = None,
    timezone: str | None = None,
    snap: bool = False,
    use_features: bool = False,
    instrument: str | None = None,
    stamped: Stamped | None = None,
    accept_problems: bool = False,
) -> Bars:
    """Return a file's bars, validated, on the contract's tick grid, and judged fit to train on.

    Every command reads bars through here, so what ``rltrader data check`` refuses is refused
    everywhere, by the same sentence.

    Args:
        path: as for :func:`read_frame`, and so are ``format``, ``timezone``, ``instrument`` and
            ``stamped``.
        symbol: a registered symbol, or a contract.
        snap: move any number of off-grid prices to the grid, see :meth:`Bars.from_frame`.
        use_features: use the eleven features of a processed file as they are, instead of computing
            them from its bars.
        accept_problems: use bars that :func:`markets.quality.door.problems_of` would refuse; their
            ``accepted`` then names the problems.

    Returns:
        Bars whose source is the file's name, of one minute, or of one second where the file's are.

    Raises:
        InputError: the file cannot be understood, or its rows cannot be bars.
    """
    contract = symbol if isinstance(symbol, Contract) else get_contract(symbol)
    frame = read_frame(path, format=format, timezone=timezone, instrument=instrument, stamped=stamped)
    source = Path(path).name
    missing = [name for name in FEATURES if name not in frame.columns]
    if use_features and missing:
        raise InputError(
            f"{source}: no feature column {', '.join(missing)}, so its features cannot be used as they "
            "are; let them be computed, or give a processed file"
        )
    bars = Bars.from_frame(
        frame,
        contract,
        source=source,
        snap=snap,
        precomputed=frame[list(FEATURES)] if use_features else None,
        bar_seconds=infer_bar_seconds(frame.index, source),
    )
    return admit(bars, frame.attrs["file"], accept_problems=accept_problems)

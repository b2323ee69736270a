"""CSV with a header: ``timestamp,open,high,low,close,volume``, and what vendors make of it.

The header may be in any case and order, and further columns are left alone; dates and times of day may
stand in two columns, and Sierra Chart's, Polygon's and yfinance's names are understood
(:mod:`markets.readers.columns`). A timestamp is the bar's open: in UTC (or the zone given) when it
carries no offset, with an offset, or a number since 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from foundation.errors import InputError
from markets.bars import COLUMNS
from markets.file_facts import Stamps
from markets.readers.columns import Layout, lay_out
from markets.readers.joined import join_times
from markets.readers.table import (
    CANONICAL,
    Options,
    moved_to_open,
    refuse_instrument,
    require_columns,
    with_facts,
)
from markets.readers.text import Head, look, parse, second_header_lines
from markets.readers.times import utc_index
from markets.readers.vendors import vendor_words


def read(path: Path, options: Options, *, features: Sequence[str] = ()) -> pd.DataFrame:
    """Return bars, and any feature columns asked for, on their UTC index; see ``read_frame``."""
    head = look(path)
    refuse_instrument(options, head.source)
    names, skipped = _header(path, head)
    layout = _layout(names, head)
    if layout.utc and options.timezone is not None:
        raise InputError(
            f"{head.source}: column {layout.time} says that it is UTC, and --tz names "
            f"{options.timezone}; leave --tz out"
        )
    if layout.clock and "last" in names and options.timezone is None:
        raise InputError(
            f"{head.source}: Sierra Chart writes times in the zone of the chart and does not name it; "
            "pass that zone, for example --tz America/New_York"
        )
    wanted = list(dict.fromkeys([*layout.columns.values(), *features]))
    times = [layout.time, *([layout.clock] if layout.clock else [])]
    symbols = [layout.symbol] if layout.symbol else []
    require_columns(
        names,
        [*times, *wanted],
        head.source,
        f"a file of bars needs {CANONICAL}"
        + (f", and a processed one {', '.join(features)}" if features else ""),
    )
    raw = parse(path, head, names, [*times, *wanted, *symbols], skip=skipped)
    time = layout.time
    if layout.clock:
        raw, time = join_times(raw, layout)
    index, stamps = utc_index(raw, time, options.timezone)
    frame = raw.frame(moved_to_open(index, options, "open"), wanted)
    renamed = {stored: name for name, stored in layout.columns.items() if stored != name}
    frame = frame.rename(columns=renamed)
    order = list(dict.fromkeys([*COLUMNS, *features]))
    told = raw.distinct(layout.symbol) if layout.symbol else ()
    turns = raw.turns(layout.symbol) if layout.symbol and len(told) > 1 else None
    form: Stamps = "offset" if layout.utc else stamps
    return with_facts(frame[order], head.source, form, options, told, turns)


def _layout(names: list[str], head: Head) -> Layout:
    """Return where the columns stand; a vendor's header that lacks one is refused in its words."""
    try:
        return lay_out(names, head.source)
    except InputError:
        if words := vendor_words(head.line):
            raise InputError(f"{head.source} {words}") from None
        raise


def _header(path: Path, head: Head) -> tuple[list[str], int]:
    """Return a header's lower-case names, and the number of header lines after it (yfinance: two)."""
    names = head.names()
    if names[:1] != ["price"]:
        return names, 0
    more = second_header_lines(path, head)
    labels = [line[0] for line in more if line]
    if labels[:2] != ["ticker", "datetime"]:
        return names, 0
    tickers = {ticker for ticker in more[0][1:] if ticker}
    if len(tickers) > 1:
        raise InputError(
            f"{head.source} holds {len(tickers)} tickers side by side, {', '.join(sorted(tickers))}; "
            "download one at a time"
        )
    return ["timestamp", *names[1:]], 2

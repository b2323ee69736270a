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
import pyarrow as pa
import pyarrow.compute as pc

from foundation.errors import InputError
from markets.bars import COLUMNS
from markets.readers.columns import Layout, lay_out
from markets.readers.table import (
    CANONICAL,
    Options,
    RawTable,
    moved_to_open,
    refuse_instrument,
    require_columns,
    with_facts,
)
from markets.readers.text import Head, look, parse, second_header_lines
from markets.readers.times import utc_index


def read(path: Path, options: Options, *, features: Sequence[str] = ()) -> pd.DataFrame:
    """Return bars, and any feature columns asked for, on their UTC index; see ``read_frame``."""
    head = look(path)
    refuse_instrument(options, head.source)
    names, skipped = _header(path, head)
    layout = lay_out(names, head.source)
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
        raw, time = _joined(raw, layout)
    index, stamps = utc_index(raw, time, options.timezone)
    frame = raw.frame(moved_to_open(index, options, "open"), wanted)
    renamed = {stored: name for name, stored in layout.columns.items() if stored != name}
    frame = frame.rename(columns=renamed)
    order = list(dict.fromkeys([*COLUMNS, *features]))
    told = raw.distinct(layout.symbol) if layout.symbol else ()
    return with_facts(frame[order], head.source, "offset" if layout.utc else stamps, options, told)


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


def _joined(raw: RawTable, layout: Layout) -> tuple[RawTable, str]:
    """Return a table with the column of dates and the column of times of day joined into one."""
    assert layout.clock is not None
    days = raw.table.column(layout.time).cast(pa.string())
    clocks = raw.table.column(layout.clock).cast(pa.string())
    days = pc.replace_substring(pc.utf8_trim_whitespace(days), "/", "-")
    # Sierra writes 2025-1-4; ISO 8601 wants two digits.
    days = pc.replace_substring_regex(days, r"^(\d{4})-(\d)-", r"\1-0\2-")
    days = pc.replace_substring_regex(days, r"-(\d)$", r"-0\1")
    days = pc.replace_substring_regex(days, r"[T ]00:00:00(\.0+)?$", "")
    whole = pc.match_substring_regex(days, r"^\d{4}-\d\d-\d\d$")
    if not pc.all(whole).as_py():
        row = whole.to_pylist().index(False)
        raise InputError(
            f"{raw.source}, {raw.where(row)}: {layout.time} is {days[row]!s:.40}, and {layout.clock} "
            f"is "
            "another column; write dates as 2025-09-02, or the whole time in one column named timestamp"
        )
    joined = pc.binary_join_element_wise(days, pc.utf8_trim_whitespace(clocks), " ")
    table = raw.table.append_column("joined time", joined)
    return RawTable(table, raw.source, raw.where), "joined time"

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
from markets.bars import FEATURES
from markets.readers.arranged import arrange, columns_of
from markets.readers.columns import Layout, lay_out
from markets.readers.table import CANONICAL, Options, require_columns
from markets.readers.text import Head, look, parse, second_header_lines
from markets.readers.vendors import vendor_words


def read(path: Path, options: Options, *, features: Sequence[str] = ()) -> pd.DataFrame:
    """Return bars, and any feature columns asked for, on their UTC index; see ``read_frame``."""
    head = look(path)
    names, skipped, tickers = _header(path, head)
    layout = _layout(names, head)
    if layout.clock and "last" in names and options.timezone is None:
        raise InputError(
            f"{head.source}: Sierra Chart writes times in the zone of the chart and does not name it; "
            "pass that zone, for example --tz America/New_York"
        )
    wanted = columns_of(layout, features)
    require_columns(
        names,
        wanted,
        head.source,
        f"a file of bars needs {CANONICAL}"
        + (f", and a processed one {', '.join(features)}" if features else ""),
    )
    raw = parse(path, head, names, wanted, skip=skipped)
    return arrange(raw, layout, options, features=features, member=head.member, told=tickers)


def read_processed(path: Path, options: Options) -> pd.DataFrame:
    """Return bars and the eleven features that stand beside them; see ``read_frame``.

    ``close`` and ``volume`` are bar and feature at once, so nine columns come on top of the six.
    The features are used only when the user says so; otherwise they are computed afresh.
    """
    return read(path, options, features=FEATURES)


def _layout(names: list[str], head: Head) -> Layout:
    """Return where the columns stand; a vendor's header that lacks one is refused in its words."""
    try:
        return lay_out(names, head.source)
    except InputError:
        if words := vendor_words(head.line):
            raise InputError(f"{head.source} {words}") from None
        raise


def _header(path: Path, head: Head) -> tuple[list[str], int, tuple[str, ...]]:
    """Return a header's lower-case names, the number of header lines after it, and their tickers.

    Only yfinance writes more than one: two further ones, of which the first names the ticker.
    """
    names = head.names()
    if names[:1] != ["price"]:
        return names, 0, ()
    more = second_header_lines(path, head)
    labels = [line[0] for line in more if line]
    if labels[:2] != ["ticker", "datetime"]:
        return names, 0, ()
    tickers = {ticker for ticker in more[0][1:] if ticker}
    if len(tickers) > 1:
        raise InputError(
            f"{head.source} holds {len(tickers)} tickers side by side, {', '.join(sorted(tickers))}; "
            "download one at a time"
        )
    return ["timestamp", *names[1:]], 2, tuple(ticker.upper() for ticker in tickers)

"""Named columns of any file, CSV or Parquet, arranged as bars: times, prices, volume, the symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from foundation.errors import InputError
from markets.bars import COLUMNS
from markets.file_facts import Stamps
from markets.readers.columns import Layout
from markets.readers.instruments import choice_of, choose, listed_instruments, ranked_instruments
from markets.readers.joined import join_times, split_times
from markets.readers.table import Options, RawTable, moved_to_open, with_facts
from markets.readers.times import utc_index

_WHOLE = r"^\d{4}-?\d\d-?\d\d[T ]\d\d:?\d\d"
_MIDNIGHT = r"[T ]00:00(:00(\.0+)?)?$"


def columns_of(layout: Layout, features: Sequence[str] = ()) -> list[str]:
    """Return the file's names of the columns that :func:`arrange` looks at."""
    times = [layout.time, *([layout.clock] if layout.clock else [])]
    symbols = [layout.symbol] if layout.symbol else []
    return list(dict.fromkeys([*times, *layout.columns.values(), *features, *symbols]))


def arrange(
    raw: RawTable,
    layout: Layout,
    options: Options,
    *,
    features: Sequence[str] = (),
    member: str = "",
    told: Sequence[str] = (),
) -> pd.DataFrame:
    """Return bars, and any features, on their UTC index.

    Args:
        raw: the columns of :func:`columns_of`.
        layout: which of them holds what.
        options: what the reader was told.
        features: further columns to keep.
        member: the name of the file within a zip.
        told: instruments that the file names outside its rows.

    Raises:
        InputError: a cell is not understood, or two statements about the zone contradict.
    """
    if layout.utc and options.timezone is not None:
        raise InputError(
            f"{raw.source}: column {layout.time} says that it is UTC, and --tz names "
            f"{options.timezone}; leave --tz out"
        )
    if options.instrument is not None:
        raw = choose(raw, [layout.symbol] if layout.symbol else [], options.instrument)
    raw, layout, time = _times(raw, layout)
    index, stamps = utc_index(raw, time, options.timezone)
    wanted = list(dict.fromkeys([*layout.columns.values(), *features]))
    frame = raw.frame(moved_to_open(index, options, "open"), wanted)
    renamed = {stored: name for name, stored in layout.columns.items() if stored != name}
    frame = frame.rename(columns=renamed)
    order = list(dict.fromkeys([*COLUMNS, *features]))
    symbols = tuple(told)
    turns, different = None, 0
    if layout.symbol:
        symbols += raw.distinct(layout.symbol)
        turns = raw.turns(layout.symbol) if len(symbols) > 1 else None
        different = raw.different(layout.symbol)
        _require_one_series(raw, layout.symbol, index)
    form: Stamps = "offset" if layout.utc else stamps
    return with_facts(frame[order], raw.source, form, options, symbols, turns, member, different)


def _require_one_series(raw: RawTable, symbol: str, index: pd.DatetimeIndex) -> None:
    """Refuse rows of several instruments whose times overlap, by their names."""
    ns = index.asi8
    if (ns[1:] > ns[:-1]).all():
        return
    ranked = ranked_instruments(raw, symbol)
    if len(ranked) > 1:
        raise InputError(
            f"{raw.source} holds {len(ranked)} instruments, {listed_instruments(ranked)}; "
            f"{choice_of(ranked)}"
        )


def _times(raw: RawTable, layout: Layout) -> tuple[RawTable, Layout, str]:
    """Return a table with whole times in one column, and that column's name.

    Of a column of dates and one of times of day, either may hold whole times already; then it counts.
    """
    if layout.clock is None:
        raw, time = split_times(raw, layout.time)
        return raw, layout, time
    for name in (layout.clock, layout.time):
        if _holds_whole_times(raw.table.column(name)):
            return raw, replace(layout, time=name, clock=None), name
    raw, time = join_times(raw, layout)
    return raw, layout, time


def _holds_whole_times(column: pa.ChunkedArray) -> bool:
    """Return whether a column holds dates together with times of day."""
    if pa.types.is_timestamp(column.type):
        # Times beyond what nanoseconds reach are refused later; here only their time of day counts.
        nanoseconds = column.cast(pa.timestamp("ns", column.type.tz), safe=False)
        clocks = pc.fill_null(nanoseconds.cast(pa.int64()), 0).to_numpy()
        return bool((clocks % (24 * 3600 * 10**9) != 0).any())
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return False
    whole = pc.match_substring_regex(column, _WHOLE)
    midnight = pc.match_substring_regex(column, _MIDNIGHT)
    return bool(pc.all(whole).as_py()) and not pc.all(midnight).as_py()

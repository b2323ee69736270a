"""Databento's OHLCV bars: ``ts_event,rtype,publisher_id,instrument_id,open..volume[,symbol]``.

``ts_event`` is the bar's open in UTC, in nanoseconds or ISO 8601. Prices are decimal, or whole
numbers of 1e-9 points. A minute without a trade has no row. DBN comes here as CSV, see ``dbn``.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.bars import COLUMNS, PRICE_COLUMNS
from markets.readers.instruments import choice_of, choose, listed_instruments, ranked_instruments
from markets.readers.table import Options, RawTable, moved_to_open, require_columns, with_facts
from markets.readers.text import look, parse
from markets.readers.times import utc_index

RTYPES = {32: "one-second", 33: "one-minute", 34: "one-hour", 35: "one-day"}
UNDEFINED = 2**63 - 1
"""What Databento writes for a price that is not there."""
FIXED_POINT = 1e-9
"""Points per unit of a fixed-point price."""
ALL = "all"
"""Asks for instrument ids that follow one another as one series, a continuous contract's."""
_LARGEST_DISPLAY_PRICE = 10_000_000


def read(path: Path, options: Options) -> pd.DataFrame:
    """Return the bars of one instrument on their UTC index; see ``read_frame``."""
    head = look(path)
    names = head.names()
    require_columns(
        names,
        ["ts_event", *COLUMNS],
        head.source,
        f"a Databento file of bars needs ts_event, {', '.join(COLUMNS)}; download the schema ohlcv-1m",
    )
    optional = [name for name in ("rtype", "instrument_id", "symbol") if name in names]
    raw = parse(path, head, names, ["ts_event", *optional, *COLUMNS])
    _require_short_bars(raw)
    raw = _one_instrument(raw, options.instrument)
    index, stamps = utc_index(raw, "ts_event", options.timezone)
    frame = pd.DataFrame(
        {name: _prices(raw, name) for name in PRICE_COLUMNS} | {"volume": raw.numbers("volume")},
        index=moved_to_open(index, options, "open"),
    )
    symbols = raw.distinct("symbol") if "symbol" in raw.table.column_names else ()
    turns = raw.turns("instrument_id") if "instrument_id" in raw.table.column_names else None
    return with_facts(frame, head.source, stamps, options, symbols, turns, head.member)


def _require_short_bars(raw: RawTable) -> None:
    if "rtype" not in raw.table.column_names:
        return
    found = {int(value) for value in np.unique(raw.numbers("rtype")) if np.isfinite(value)}
    wrong = found - {32, 33}
    if wrong or len(found) > 1:
        kinds = ", ".join(RTYPES.get(kind, f"rtype {kind}") for kind in sorted(found))
        raise InputError(f"{raw.source} holds {kinds} records; download the schema ohlcv-1m alone")


def _one_instrument(raw: RawTable, wanted: str | None) -> RawTable:
    """Keep one instrument: the one wanted, or the only one.

    A symbol decides where there is one: a continuous symbol such as ES.c.0 has another instrument id
    after each roll, and is still one series. Without symbols, ids that follow one another are one
    series where :data:`ALL` are wanted.
    """
    keys = [
        name
        for name in ("symbol", "instrument_id")
        if name in raw.table.column_names and raw.distinct(name)
    ]
    if not keys:
        return raw
    continuous = keys == ["instrument_id"] and _one_after_another(raw)
    if wanted == ALL and continuous:
        return raw
    if wanted is not None:
        return choose(raw, keys, wanted)
    ranked = ranked_instruments(raw, keys[0])
    listed = listed_instruments(ranked)
    if len(ranked) > 1 and continuous:
        raise InputError(
            f"{raw.source} holds {len(ranked)} instrument ids that follow one another and never "
            f"overlap, {listed}, as a continuous contract such as ES.c.0 does; write the file again "
            "with symbols (map_symbols=True, or databento.map_symbols_csv), or read them as one "
            f"series with --instrument {ALL}"
        )
    if len(ranked) > 1:
        raise InputError(f"{raw.source} holds {len(ranked)} instruments, {listed}; {choice_of(ranked)}")
    return raw


def _one_after_another(raw: RawTable) -> bool:
    """Return whether time increases through the file and each instrument id's rows are one run."""
    ids = raw.as_text("instrument_id").to_pylist()
    runs = 1 + sum(one != other for one, other in itertools.pairwise(ids))
    if runs != len(set(ids)):
        return False
    times = utc_index(raw, "ts_event", None).moments.asi8
    return bool((times[1:] > times[:-1]).all())


def _prices(raw: RawTable, name: str) -> NDArray[np.float64]:
    """Return prices in points, whether they are decimal or fixed-point."""
    column = raw.table.column(name)
    values = raw.numbers(name)
    if not pa.types.is_integer(column.type):
        return values
    undefined = pc.fill_null(pc.equal(column, UNDEFINED), False).to_numpy()
    values = np.where(undefined, np.nan, values)
    if np.isfinite(values).any() and np.nanmedian(values) > _LARGEST_DISPLAY_PRICE:
        return values / round(1 / FIXED_POINT)  # a division by 1e9 rounds once, a product by 1e-9 twice
    return values

"""DBN files, written by Databento's own library."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

import databento_dbn as dbn

from markets import Bars

FIXED = 1_000_000_000
"""Units of a fixed-point price in a point."""


@dataclass
class Interval:
    start_date: datetime.date
    end_date: datetime.date
    symbol: str


@dataclass
class Mapped:
    raw_symbol: str
    intervals: list[Interval]


def metadata(
    bars: Bars, symbols: Mapping[int, str], schema: dbn.Schema | None = dbn.Schema.OHLCV_1M
) -> bytes:
    """Return the head of a file, which maps instrument ids to symbols."""
    days = bars.frame.index.date
    span = (days[0] - datetime.timedelta(days=1), days[-1] + datetime.timedelta(days=2))
    mapped = [Mapped(symbol, [Interval(*span, str(number))]) for number, symbol in symbols.items()]
    return bytes(
        dbn.Metadata(
            dataset="GLBX.MDP3",
            start=int(bars.timestamps_ns[0]),
            end=int(bars.timestamps_ns[-1]) + 60 * FIXED,
            stype_in=dbn.SType.RAW_SYMBOL,
            stype_out=dbn.SType.INSTRUMENT_ID,
            schema=schema,
            symbols=list(symbols.values()),
            mappings=mapped,
        )
    )


def records(bars: Bars, instrument: int = 4916, rtype: int = 33) -> list[bytes]:
    """Return one record a bar."""
    rows = zip(bars.timestamps_ns, bars.frame.itertuples(index=False), strict=True)
    return [
        bytes(
            dbn.OHLCVMsg(
                rtype, 1, instrument, int(at), *(round(price * FIXED) for price in row[:4]), int(row[4])
            )
        )
        for at, row in rows
    ]


def dbn_file(bars: Bars, symbols: Mapping[int, str]) -> bytes:
    """Return a whole file of bars, every one of the first instrument."""
    return metadata(bars, symbols) + b"".join(records(bars, next(iter(symbols), 4916)))

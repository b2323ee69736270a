"""Headers as vendors write them: which column holds what, and what to say where one is missing.

A header is told from its names. What is understood is renamed to the canonical names; for the rest
there is one sentence that lists the columns there are, guesses the vendor, and says what to do in its
words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foundation.errors import InputError
from markets.bars import COLUMNS
from markets.readers.table import CANONICAL

TIME_NAMES = ("timestamp", "datetime", "time", "date")
"""Names of a column of timestamps, the first that is there counts."""
UTC_NAMES = ("datetime_utc", "timestamp_utc", "time_utc", "date_utc", "utc", "gmt time")
"""Names that say their zone; they win over a column of another zone."""
OTHER_TIME_NAMES = (
    "window_start",
    "ts_event",
    "open_time",
    "opentime",
    "date_time",
    "date/time",
    "bar_time",
    "local time",
    "t",
)
"""Names under which other vendors write a bar's open."""
CLOCK_NAMES = ("time", "trade_time")
DAY_NAMES = ("date", "timestamp", "day", "dtyyyymmdd", "date_ymd", "trade_date", "date/time")
"""Names of a column of times of day, and of a column of dates beside it."""
SYMBOL_NAMES = ("symbol", "ticker", "instrument", "contract")
SYNONYMS = {
    "period volume": "volume",
    "periodvolume": "volume",
    "period_volume": "volume",
    "periodvol": "volume",
    "last": "close",
    "vol": "volume",
    "o": "open",
    "h": "high",
    "l": "low",
    "c": "close",
    "v": "volume",
}
"""Other names of the canonical columns, used where the canonical one is absent."""
PERIOD_VOLUMES = tuple(name for name in SYNONYMS if name.startswith("period"))
"""IQFeed's names of a bar's own volume; beside one of them, a column volume is the day's total."""
TWO_VOLUMES = (
    ("up", "down"),
    ("upvol", "downvol"),
    ("upvolume", "downvolume"),
    ("up volume", "down volume"),
    ("up_volume", "down_volume"),
    ("bidvolume", "askvolume"),
    ("bid volume", "ask volume"),
    ("bid_volume", "ask_volume"),
    ("buyvolume", "sellvolume"),
    ("buy volume", "sell volume"),
    ("buy_volume", "sell_volume"),
    ("upticks", "downticks"),
)
"""Pairs of columns whose sum is the volume."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a header's canonical columns stand.

    Attributes:
        time: column of timestamps, or of dates.
        clock: column of times of day, where dates stand in a column of their own; else None.
        columns: canonical name to the file's name, for open, high, low, close and volume.
        utc: whether the time column's name says that it is UTC.
        symbol: column that names the instrument; None where there is none.
    """

    time: str
    clock: str | None
    columns: dict[str, str]
    utc: bool
    symbol: str | None


def symbol_column(names: Sequence[str]) -> str | None:
    """Return the first column that names instruments, or None."""
    return next((name for name in SYMBOL_NAMES if name in names), None)


def lay_out(names: Sequence[str], source: str, index: tuple[str, bool] | None = None) -> Layout:
    """Return where the canonical columns stand in a header of lower-case names.

    Args:
        names: all columns.
        source: the file's name, for messages.
        index: the column that pandas stored as its index, and whether that holds timestamps.

    Raises:
        InputError: a column is missing; names all that are, and what to do about it.
    """
    columns = {
        canonical: canonical if canonical in names else _synonym(names, canonical) or ""
        for canonical in COLUMNS
    }
    columns["volume"] = next((name for name in PERIOD_VOLUMES if name in names), columns["volume"])
    time, clock, utc = _time_columns(names, index)
    missing = [name for name, stored in columns.items() if not stored]
    if time is None:
        missing.insert(0, "timestamp")
    if missing or time is None:
        raise InputError(f"{source}: no column {', '.join(missing)}; {_advice(names, missing)}")
    return Layout(time, clock, columns, utc, symbol_column(names))


def _synonym(names: Sequence[str], canonical: str) -> str | None:
    """Return a column's name under which a canonical one stands, or None."""
    return next((name for name in names if SYNONYMS.get(name) == canonical), None)


def _time_columns(
    names: Sequence[str], index: tuple[str, bool] | None
) -> tuple[str | None, str | None, bool]:
    whole = [name for name in TIME_NAMES[:2] if name in names]
    # An index of timestamps counts before columns that may be dates alone, such as date.
    if index is not None and not whole and (index[1] or not set(TIME_NAMES) & set(names)):
        return index[0], None, False
    for name in UTC_NAMES:
        if name in names:
            return name, None, True
    clock = next((name for name in CLOCK_NAMES if name in names), None)
    if clock is not None:
        day = next((name for name in DAY_NAMES if name in names), None)
        if day is not None:
            return day, clock, False
    for name in (*TIME_NAMES, *OTHER_TIME_NAMES):
        if name in names:
            return name, None, False
    return None, None, False


def _advice(names: Sequence[str], missing: Sequence[str]) -> str:
    """Return what to do about missing columns, in the words of the likely vendor."""
    listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    there = f"the file has {listed}"
    for one, other in TWO_VOLUMES if "volume" in missing else ():
        if one in names and other in names:
            return (
                f"{there}; volume is the sum of {one} and {other}, as MultiCharts and others write it: "
                "add a column Volume that holds their sum"
            )
    if "volume" in missing and any("total" in name and "vol" in name for name in names):
        return (
            f"{there}; a total volume is the day's so far and no bar's own: export the bar's own "
            "(IQFeed: Period Volume)"
        )
    if missing == ["volume"] and "time" in names:
        return f"{there}; in TradingView add the Volume study to the chart and export again"
    if names[:1] == ["price"] or "adj close" in names:
        return (
            f"{there}; a file of yfinance with more than one header line: download with "
            "multi_level_index=False, or remove lines 2 and 3 and name the first column timestamp"
        )
    likely = [
        name for name in names if any(word in name for word in ("time", "date", "stamp", "start"))
    ]
    if "timestamp" in missing and likely:
        return (
            f"{there}; if {likely[0]} holds the times, rename it timestamp; a file of bars needs "
            f"{CANONICAL}"
        )
    return f"{there}; a file of bars needs {CANONICAL}"

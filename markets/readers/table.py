"""A file's columns as read, before anything is made of them, and how to point at one of its rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.bars import COLUMNS
from markets.file_facts import FileFacts, Stamps
from markets.spacing import MINUTE, SECOND, bar_steps, usual_step

Stamped = Literal["open", "close"]

MOST_TURNS = 64
"""Rows with another instrument than the row before of which the times are kept; 16 years of rolls."""

_THIRTY_SECONDS = re.compile(r"([5-9]\d|1\d\d)['’^-]([0-2]\d|3[01])([0257+])?")
"""A price such as 110'16, 110-165 or 110-16+: whole points, 32nds, and eighths of a 32nd."""
_EIGHTHS = {"": 0.0, "+": 0.5, "0": 0.0, "2": 0.25, "5": 0.5, "7": 0.75}

CANONICAL = ", ".join(("timestamp", *COLUMNS))


@dataclass(frozen=True)
class Options:
    """What a reader is told beside the path.

    Attributes:
        timezone: zone of timestamps that carry none, such as "America/Chicago"; None for UTC.
        instrument: the symbol or instrument id to keep, of a file that holds several.
        stamped: "open" or "close", which of its ends a bar's time is; None for the format's own.
    """

    timezone: str | None = None
    instrument: str | None = None
    stamped: Stamped | None = None


@dataclass(frozen=True)
class RawTable:
    """Columns under lower-case names.

    Attributes:
        table: the columns, typed as the file's parser inferred them.
        source: the file's name, for messages.
        where: words for a row, such as "line 17", from its index in the table.
    """

    table: pa.Table
    source: str
    where: Callable[[int], str]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as float64, shape (T,); an empty cell is NaN.

        Raises:
            InputError: a cell is not a number; the message names its row and column.
        """
        column = self.table.column(name)
        if pa.types.is_null(column.type):
            return np.full(len(column), np.nan)
        if not _is_number(column.type):
            return self._numbers_from_text(name)
        values: NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy()
        return values

    def text(self, name: str) -> list[str | None]:
        """Return a column's cells as text, None for an empty one.

        Raises:
            InputError: the bytes are not UTF-8.
        """
        try:
            cells = self.table.column(name).to_pylist()
        except UnicodeDecodeError:
            raise InputError(
                f"{self.source}: {name} holds text that is not UTF-8; write it again"
            ) from None
        return [
            self._decoded(name, row, cell)
            if isinstance(cell, bytes)
            else cell
            if cell is None
            else str(cell)
            for row, cell in enumerate(cells)
        ]

    def _decoded(self, name: str, row: int, cell: bytes) -> str:
        try:
            return cell.decode()
        except UnicodeDecodeError:
            raise InputError(
                f"{self.source}, {self.where(row)}: {name} holds bytes that are not UTF-8; save the "
                "file in UTF-8, or mend the line"
            ) from None

    def as_text(self, name: str) -> pa.ChunkedArray:
        """Return a column as Arrow's text, null for an empty cell.

        Raises:
            InputError: its cells have no text, or are not UTF-8.
        """
        column = self.table.column(name)
        try:
            text = column.cast(pa.string())
            text.validate(full=True)
        except pa.ArrowException:
            self.text(name)  # which names the row whose bytes are not UTF-8
            raise InputError(
                f"{self.source}: {name} holds values of type {column.type}, which are no text; write "
                "it as text"
            ) from None
        return text

    def distinct(self, name: str, limit: int = 20) -> tuple[str, ...]:
        """Return a column's different cells as text, in order of their first row, at most ``limit``."""
        values = self.as_text(name).unique().slice(0, limit).to_pylist()
        return tuple(value for value in values if value is not None)

    def different(self, name: str) -> int:
        """Return how many different cells a column has, an empty one as one of them."""
        return len(self.table.column(name).unique())

    def turns(self, name: str) -> NDArray[np.int64]:
        """Return the rows whose cell differs from that of the row before."""
        column = self.table.column(name)
        if column.null_count == 0 and pc.count_distinct(column).as_py() == 1:
            return np.zeros(0, np.int64)
        coded = column.combine_chunks()
        if not pa.types.is_dictionary(coded.type):
            coded = coded.dictionary_encode("encode")
        codes = coded.indices.to_numpy(zero_copy_only=False)
        return np.flatnonzero(codes[1:] != codes[:-1]) + 1

    def _numbers_from_text(self, name: str) -> NDArray[np.float64]:
        text = pd.Series(self.text(name), dtype=object)
        values = pd.to_numeric(text, errors="coerce")
        bad = (values.isna() & text.notna()).to_numpy()
        if bad.any():
            row = int(np.argmax(bad))
            if parts := _THIRTY_SECONDS.fullmatch(str(text[row]).strip()):
                raise InputError(
                    f"{self.source}, {self.where(row)}: {name} is {parts[0]!r}, in 32nds of a point, "
                    f"as bonds and notes are quoted; write decimals ({_as_decimal(parts):.10g})"
                )
            raise InputError(
                f"{self.source}, {self.where(row)}: {name} is {str(text[row])[:40]!r}, which is not a "
                "number; write numbers with a point and no thousands separators"
            )
        return values.to_numpy(np.float64)

    def frame(self, index: pd.DatetimeIndex, names: Iterable[str]) -> pd.DataFrame:
        """Return the named columns as float64 on an index."""
        return pd.DataFrame({name: self.numbers(name) for name in names}, index=index)


def _as_decimal(parts: re.Match[str]) -> float:
    """Return a price in 32nds in points."""
    return int(parts[1]) + (int(parts[2]) + _EIGHTHS.get(parts[3] or "", 0.0)) / 32


def with_facts(
    frame: pd.DataFrame,
    source: str,
    stamps: Stamps,
    options: Options,
    contracts: Iterable[str] = (),
    turns: NDArray[np.int64] | None = None,
    member: str = "",
    different: int = 0,
) -> pd.DataFrame:
    """Return a frame that carries what its file says of itself, as ``frame.attrs["file"]``.

    Args:
        frame: bars on their opens.
        source: the file's name.
        stamps: the form of its timestamps.
        options: what the reader was told.
        contracts: instruments that its column of symbols names.
        turns: rows that hold another instrument than the row before.
        member: the name of the file within it, of a zip.
        different: instruments that its column of symbols names in all; 0 where it is unknown.
    """
    zone = options.timezone if stamps == "wall" else None
    turns = np.zeros(0, np.int64) if turns is None else turns
    index = frame.index
    assert isinstance(index, pd.DatetimeIndex)
    first = tuple(int(ns) for ns in index[turns[:MOST_TURNS]].as_unit("ns").asi8)
    frame.attrs["file"] = FileFacts(
        stamps, zone, tuple(contracts), source, member, len(turns), first, different
    )
    return frame


def moved_to_open(index: pd.DatetimeIndex, options: Options, own: Stamped) -> pd.DatetimeIndex:
    """Return bars' opens, from times that are their opens or their closes, of minutes or of seconds."""
    if (options.stamped or own) == "open":
        return index
    stamps = index.as_unit("ns").asi8
    within = bool((stamps % MINUTE != 0).any())  # what is neither is refused once the bars are whole
    length = SECOND if within and usual_step(bar_steps(stamps)) == SECOND else MINUTE
    return (index - pd.Timedelta(length, "ns")).rename("timestamp")


def require_columns(names: list[str], wanted: Iterable[str], source: str, needs: str) -> None:
    """Refuse a header that lacks a wanted column or has it twice.

    Raises:
        InputError: naming the columns; ``needs`` completes the sentence with what to give instead.
    """
    wanted = list(wanted)
    missing = [name for name in wanted if name not in names]
    if missing:
        raise InputError(f"{source}: no column {', '.join(missing)}; {needs}")
    twice = [name for name in wanted if names.count(name) > 1]
    if twice:
        raise InputError(
            f"{source}: the header names {', '.join(twice)} more than once (in any case); remove or "
            "rename the surplus columns"
        )


def refuse_instrument(options: Options, source: str) -> None:
    """Refuse the choice of an instrument for a file of a format that holds only one."""
    if options.instrument is not None:
        raise InputError(
            f"{source}: instrument {options.instrument!r} cannot be picked, since a file of this "
            "format holds only one; leave it out"
        )


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))

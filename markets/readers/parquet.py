"""Parquet: the canonical columns, the timestamps in a column or as the pandas index.

Features under their names come along, as in a processed CSV.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.bars import COLUMNS, FEATURES
from markets.readers.columns import TIME_NAMES, lay_out, symbol_column
from markets.readers.table import (
    CANONICAL,
    Options,
    RawTable,
    moved_to_open,
    refuse_instrument,
    require_columns,
    with_facts,
)
from markets.readers.times import utc_index

MAGIC = b"PAR1"


def read(path: Path, options: Options) -> pd.DataFrame:
    """Return bars (and features, where all eleven are there) on their UTC index; see ``read_frame``."""
    source = path.name
    refuse_instrument(options, source)
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        schema = file.schema_arrow
        lower = [name.lower() for name in schema.names]
        time = _time_name(schema, lower, source)
        features = FEATURES if set(FEATURES) <= set(lower) else ()
        wanted = list(dict.fromkeys([time, *COLUMNS, *features]))
        require_columns(lower, wanted, source, f"a file of bars needs {CANONICAL}")
        table = file.read([schema.names[lower.index(name)] for name in wanted])
        symbols, turns = _symbols(file, schema.names)
    except (OSError, UnicodeError, OverflowError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{source} cannot be read as Parquet ({reason}); write it again") from None
    if not len(table):
        raise InputError(f"{source} holds no bars; give a file with at least one")
    table = table.rename_columns([name.lower() for name in table.column_names])
    raw = RawTable(table, source, lambda row: f"row {row + 1}")
    index, stamps = utc_index(raw, time, options.timezone)
    frame = raw.frame(moved_to_open(index, options, "open"), [name for name in wanted if name != time])
    return with_facts(frame, source, stamps, options, symbols, turns)


def _symbols(
    file: pq.ParquetFile, names: list[str]
) -> tuple[tuple[str, ...], NDArray[np.int64] | None]:
    """Return the instruments that a column of symbols names, and the rows at which they change."""
    column = symbol_column([name.lower() for name in names])
    if column is None:
        return (), None
    stored = names[[name.lower() for name in names].index(column)]
    table = RawTable(file.read([stored]), "", str)
    told = table.distinct(stored)
    return told, table.turns(stored) if len(told) > 1 else None


def _time_name(schema: pa.Schema, lower: list[str], source: str) -> str:
    """Return the lower-case name of the timestamps: a column, else the index that pandas stored."""
    if not set(TIME_NAMES) & set(lower):
        names = _stored_index(schema)
        if len(names) == 1 and names[0] in lower:
            return names[0]
    return lay_out(lower, source).time


def _stored_index(schema: pa.Schema) -> list[str]:
    """Return the lower-case index columns that pandas noted; none where the note is damaged."""
    try:
        note = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    except (ValueError, RecursionError):
        return []
    stored = note.get("index_columns", []) if isinstance(note, dict) else []
    return (
        [name.lower() for name in stored if isinstance(name, str)] if isinstance(stored, list) else []
    )

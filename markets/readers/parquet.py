"""Parquet: the canonical columns, the timestamps in a column or as the pandas index.

Features under their names come along, as in a processed CSV.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from foundation.errors import InputError
from markets.bars import FEATURES
from markets.file_sizes import require_rows
from markets.readers.arranged import arrange, columns_of
from markets.readers.columns import lay_out
from markets.readers.table import CANONICAL, Options, RawTable, require_columns

MAGIC = b"PAR1"


def read(path: Path, options: Options) -> pd.DataFrame:
    """Return bars (and features, where all eleven are there) on their UTC index; see ``read_frame``."""
    source = path.name
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        schema = file.schema_arrow
        lower = [name.lower() for name in schema.names]
        layout = lay_out(lower, source, index=_index_of_times(schema))
        features = FEATURES if set(FEATURES) <= set(lower) else ()
        wanted = columns_of(layout, features)
        require_columns(lower, wanted, source, f"a file of bars needs {CANONICAL}")
        require_rows(path, file.metadata.num_rows, len(wanted))
        stored = file.read([schema.names[lower.index(name)] for name in wanted])
        table = _in_plain_types(stored)
    except (OSError, UnicodeError, OverflowError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{source} cannot be read as Parquet ({reason}); write it again") from None
    if not len(table):
        raise InputError(f"{source} holds no bars; give a file with at least one")
    table = table.rename_columns([name.lower() for name in table.column_names])
    raw = RawTable(table, source, lambda row: f"row {row + 1}")
    return arrange(raw, layout, options, features=features)


def _in_plain_types(table: pa.Table) -> pa.Table:
    """Return a table with the values of categories, and one type of text instead of three."""
    for at, name in enumerate(table.column_names):
        column = table.column(at)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
            column = column.cast(pa.string())
        table = table.set_column(at, name, column)
    return table


def _index_of_times(schema: pa.Schema) -> tuple[str, bool] | None:
    """Return the lower-case name of the one index that pandas stored as times, or that may be times.

    The flag is True for timestamps; numbers and text may number the rows, too.
    """
    names = _stored_index(schema)
    lower = [name.lower() for name in schema.names]
    names = [name for name in names if name in lower]
    kinds = [schema.types[lower.index(name)] for name in names]
    times = [name for name, kind in zip(names, kinds, strict=True) if pa.types.is_timestamp(kind)]
    if len(times) == 1:
        return times[0], True
    return (names[0], False) if len(names) == 1 else None


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

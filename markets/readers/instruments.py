"""Files with several instruments: keep the rows of one, and list those there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.readers.table import RawTable

_SHOWN = 6


def choose(raw: RawTable, keys: Sequence[str], wanted: str) -> RawTable:
    """Return the rows of one instrument, still knowing where in the file they stand.

    Args:
        raw: rows of several instruments.
        keys: columns that name them, the first that names the wanted one counts.
        wanted: a symbol or an instrument id as the file has it.

    Raises:
        InputError: no column names instruments, or none of them the wanted one.
    """
    if not keys:
        raise InputError(
            f"{raw.source}: instrument {wanted!r} cannot be picked, since no column names instruments; "
            "leave it out"
        )
    for key in keys:
        chosen = pc.equal(raw.as_text(key), wanted)
        rows = np.flatnonzero(pc.fill_null(chosen, False).to_numpy())
        if len(rows):
            return _take(raw, rows)
    listed = listed_instruments(ranked_instruments(raw, keys[0]))
    raise InputError(f"{raw.source}: no instrument {wanted!r}; pick one of those it holds: {listed}")


def ranked_instruments(raw: RawTable, key: str) -> list[tuple[str, int]]:
    """Return a column's instruments and how many rows each has, the most first."""
    counts = raw.as_text(key).value_counts().to_pylist()
    # Whatever a stray quote made of a symbol, its words stay on one line of the message.
    names = [(" ".join(str(item["values"]).split())[:20], item["counts"]) for item in counts]
    return sorted(names, key=lambda item: (-item[1], item[0]))


def listed_instruments(ranked: Sequence[tuple[str, int]]) -> str:
    """Return instruments and their rows in words, the first few of many."""
    listed = ", ".join(f"{name} ({rows} rows)" for name, rows in ranked[:_SHOWN])
    return listed + (f" and {len(ranked) - _SHOWN} more" if len(ranked) > _SHOWN else "")


def _take(raw: RawTable, rows: NDArray[np.int64]) -> RawTable:
    return RawTable(raw.table.take(pa.array(rows)), raw.source, lambda row: raw.where(int(rows[row])))

"""Files with several instruments: keep the rows of one, and list those there are."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.file_facts import spread_in
from markets.readers.table import RawTable

Ranked: TypeAlias = Sequence[tuple[str | None, int]]

_SHOWN = 6
_LISTED, _LONGEST_TYPED = 20, 60
"""Characters of a name in a list, and of one that someone is told to type."""


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


def ranked_instruments(raw: RawTable, key: str) -> Ranked:
    """Return a column's instruments, None for an empty cell, and the rows of each, the most first."""
    counts = raw.as_text(key).value_counts().to_pylist()
    names = [(item["values"], item["counts"]) for item in counts]
    return sorted(names, key=lambda item: (-item[1], str(item[0])))


def choice_of(ranked: Ranked) -> str:
    """Return words that ask for one of several instruments: no spread where there are others."""
    names = [name for name, _ in ranked if name and name.isprintable() and len(name) <= _LONGEST_TYPED]
    if not names:
        return "pick one with --instrument"
    name = next((name for name in names if not spread_in(name)), names[0])
    return f"pick one, for example --instrument {shlex.quote(name)}"


def listed_instruments(ranked: Ranked) -> str:
    """Return instruments and their rows in words, the first few of many."""
    listed = ", ".join(f"{_short(name)} ({rows} rows)" for name, rows in ranked[:_SHOWN])
    return listed + (f" and {len(ranked) - _SHOWN} more" if len(ranked) > _SHOWN else "")


def _short(name: str | None) -> str:
    """Return a name for a list, on one line whatever a stray quote made of it."""
    return " ".join(str(name).split())[:_LISTED]


def _take(raw: RawTable, rows: NDArray[np.int64]) -> RawTable:
    return RawTable(raw.table.take(pa.array(rows)), raw.source, lambda row: raw.where(int(rows[row])))

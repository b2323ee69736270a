"""The canonical CSV: a header and ``timestamp,open,high,low,close,volume``.

The header may be in any case and order, and further columns are left alone. A timestamp is the bar's
open: in UTC (or the zone given) when it carries no offset, with an offset, or a number since 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from foundation.errors import InputError
from markets.bars import COLUMNS
from markets.readers.table import CANONICAL, Options, refuse_instrument, require_columns
from markets.readers.text import look, parse
from markets.readers.times import utc_index

TIME_NAMES = ("timestamp", "datetime", "time", "date")


def time_column(names: list[str], source: str) -> str:
    """Return the name of the column that holds the timestamps.

    Raises:
        InputError: there is none, or date and time are in two columns.
    """
    found = [name for name in TIME_NAMES if name in names]
    if not found:
        raise InputError(f"{source}: no column timestamp; a file of bars needs {CANONICAL}")
    if found == ["time", "date"]:
        raise InputError(
            f"{source}: date and time are two columns; join them into one column named timestamp"
        )
    return found[0]


def read(path: Path, options: Options, *, features: Sequence[str] = ()) -> pd.DataFrame:
    """Return bars, and any feature columns asked for, on their UTC index; see ``read_frame``."""
    head = look(path)
    refuse_instrument(options, head.source)
    names = head.names()
    time = time_column(names, head.source)
    wanted = list(dict.fromkeys([*COLUMNS, *features]))
    require_columns(
        names,
        [time, *wanted],
        head.source,
        f"a file of bars needs {CANONICAL}"
        + (f", and a processed one {', '.join(features)}" if features else ""),
    )
    raw = parse(path, head, names, [time, *wanted])
    return raw.frame(utc_index(raw, time, options.timezone), wanted)

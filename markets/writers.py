"""Write bars as CSV or Parquet, in the forms that the readers take."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from foundation.errors import InputError
from foundation.files import atomic_files, writing
from markets.bars import COLUMNS, FEATURES, PRICE_COLUMNS, Bars
from markets.contracts import decimals

SUFFIXES = (".csv", ".parquet")


def write_bars(bars: Bars, path: str | PathLike[str]) -> Path:
    """Write bars to a file whose suffix, .csv or .parquet, says how; return its path.

    The file appears whole or not at all. Timestamps are UTC with their offset, prices have the decimals
    of the tick, and the bars that are read back have the same digest. Precomputed features are written
    too, with the bars' own close and volume.

    Raises:
        InputError: the suffix is neither, there are no bars, or the file cannot be written there.
    """
    path = Path(path)
    write_together({path: bars})
    return path


def write_together(files: Mapping[Path, Bars]) -> None:
    """Write bars that belong together, by their files, as :func:`write_bars` does: all or none.

    Raises:
        InputError: as there.
    """
    for path, bars in files.items():
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{path}: a file of bars ends in {' or '.join(SUFFIXES)}; name it so")
        if not len(bars):
            raise InputError(f"{path}: there are no bars to write; make or read at least one")
    with atomic_files(tuple(files)) as besides:
        for (path, bars), beside in zip(files.items(), besides, strict=True):
            with writing(path):
                if path.suffix.lower() == ".csv":
                    _write_csv(_table(bars), beside)
                else:
                    pq.write_table(_table(bars), beside, compression="zstd", write_page_checksum=True)


def _table(bars: Bars) -> pa.Table:
    places = decimals(bars.contract.tick_size)
    columns = {"timestamp": pa.array(bars.timestamps_ns, pa.timestamp("ns", "UTC"))}
    for name in COLUMNS:
        values = bars.frame[name].to_numpy()
        columns[name] = pa.array(np.round(values, places) if name in PRICE_COLUMNS else values)
    if bars.precomputed is not None:
        for name in FEATURES:
            if name not in columns:
                columns[name] = pa.array(bars.precomputed[name].to_numpy(), from_pandas=True)
    return pa.table(columns)


def _write_csv(table: pa.Table, path: Path) -> None:
    """Write a table as CSV whose header has no quotes, and times to the second."""
    seconds = table.column("timestamp").cast(pa.timestamp("s", "UTC"))
    with path.open("wb") as file:
        file.write((",".join(table.column_names) + "\n").encode())
        arrow_csv.write_csv(
            table.set_column(0, "timestamp", seconds),
            file,
            arrow_csv.WriteOptions(include_header=False),
        )

"""Files of bars: damaged ones are refused, or read row by row as an independent reader reads them."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from markets import Bars
from markets.bars import COLUMNS, FEATURES
from markets.readers import read_frame
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from rltrader.__main__ import app
from tests.fuzz.fuzz import Kind
from tests.fuzz.mutations import damage_bytes, damage_text
from tests.markets.readers.dbn_files import dbn_file

ROWS = 60
RECORD_BYTES = 56
"""A bar in DBN."""
Check = Callable[[Path, bytes], str | None]


@cache
def made_bars() -> Bars:
    return synthetic_bars("ES", days=3, seed=11, start="2025-01-13")


@cache
def few_bars() -> Bars:
    return made_bars().select(np.arange(len(made_bars())) < ROWS)


def check_command(path: Path) -> object:
    return app(["data", "check", str(path), "--symbol", "ES", "--json"])


def written(bars: Bars, suffix: str) -> bytes:
    with TemporaryDirectory() as folder:
        return write_bars(bars, Path(folder) / f"bars{suffix}").read_bytes()


def ninjatrader() -> bytes:
    closes = few_bars().frame.index + pd.Timedelta(minutes=1)
    rows = zip(closes.strftime("%Y%m%d %H%M%S"), few_bars().frame.itertuples(index=False), strict=True)
    text = "".join(f"{at};" + ";".join(f"{x:g}" for x in row) + "\n" for at, row in rows)
    return text.encode()


def databento() -> bytes:
    head = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"
    rows = zip(few_bars().timestamps_ns, few_bars().frame.itertuples(index=False), strict=True)
    text = "".join(
        f"{at},33,1,4916,"
        + ",".join(str(round(price * 1e9)) for price in row[:4])
        + f",{row[4]:.0f},ESH5\n"
        for at, row in rows
    )
    return (head + text).encode()


def every_record(path: Path, good: bytes) -> str | None:
    """Say where rows and records of a DBN file differ in number; its head tells its own length."""
    data = path.read_bytes()
    records, rest = divmod(len(data) - 8 - int.from_bytes(data[4:8], "little"), RECORD_BYTES)
    rows = len(read_frame(path))
    return None if rows == records and not rest else f"{records} records, and {rows} were read"


def processed() -> bytes:
    frame = few_bars().frame.copy()
    for number, name in enumerate(FEATURES):
        if name not in frame:
            frame[name] = 0.5 + number
    return frame.to_csv().encode()


def sierra() -> bytes:
    local = few_bars().frame.index.tz_convert("America/New_York")
    rows = zip(local, few_bars().frame.itertuples(index=False), strict=True)
    lines = ["Date, Time, Open, High, Low, Last, Volume, NumberOfTrades\n"]
    lines += [
        f"{at.year}/{at.month}/{at.day}, {at:%H:%M:%S}, " + ", ".join(f"{x:g}" for x in row) + ", 1\n"
        for at, row in rows
    ]
    return "".join(lines).encode()


def month_first() -> bytes:
    """Return a file whose one column of times begins with the month, as spreadsheets save it."""
    local = few_bars().frame.index.tz_convert("America/New_York")
    rows = zip(local, few_bars().frame.itertuples(index=False), strict=True)
    lines = ["Timestamp,Open,High,Low,Close,Volume\n"]
    lines += [f"{at:%m/%d/%Y %H:%M}," + ",".join(f"{x:g}" for x in row) + "\n" for at, row in rows]
    return "".join(lines).encode()


def sierra_command(path: Path) -> object:
    return app(["data", "check", str(path), "--symbol", "ES", "--json", "--tz", "America/New_York"])


def every_row(
    header: bool, separator: str, close: str = "close", factor: float = 1.0, **reader: str
) -> Check:
    """Return a check that the program's reading is that of Python's own ``csv``, value for value."""

    def check(path: Path, good: bytes) -> str | None:
        frame = read_frame(path, **reader)  # type: ignore[arg-type]
        rows = list(independent(path.read_bytes(), separator))
        names = [name.strip().lower() for name in rows.pop(0)] if header else ["timestamp", *COLUMNS]
        if len(rows) != len(frame):
            return f"the file has {len(rows)} rows, and {len(frame)} were read"
        stored = {"close": close if close in names else "close"}
        for name in COLUMNS:
            column = names.index(stored.get(name, name))
            scale = (
                factor
                if name != "volume" and factor != 1 and "." not in "".join(row[column] for row in rows)
                else 1.0
            )
            other = np.array([number(row[column]) for row in rows]) / scale
            if not np.array_equal(frame[name].to_numpy(), other, equal_nan=True):
                return f"column {name} was read otherwise"
        return None

    return check


def independent(data: bytes, separator: str) -> Iterator[list[str]]:
    """Yield the fields of every line that is not empty."""
    for line in data.decode("utf-8-sig").split("\n"):
        if line.rstrip("\r"):
            if not line.strip() and separator not in line:
                continue
            yield next(csv.reader([line.rstrip("\r")], delimiter=separator))


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def as_before(path: Path, good: bytes) -> str | None:
    """Say what a damaged Parquet file was read as, where that is not what the good one holds."""
    frame = read_frame(path)
    before = read_frame_of(good)
    if len(frame) != len(before):
        return f"the good file has {len(before)} rows, and {len(frame)} were read"
    for name in COLUMNS:
        if not np.array_equal(frame[name].to_numpy(), before[name].to_numpy(), equal_nan=True):
            return f"column {name} was read otherwise"
    return None if frame.index.equals(before.index) else "the timestamps were read otherwise"


@cache
def read_frame_of(data: bytes) -> pd.DataFrame:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bars.parquet"
        path.write_bytes(data)
        return read_frame(path)


def pandas_parquet() -> bytes:
    stream = io.BytesIO()
    few_bars().frame.to_parquet(stream)
    return stream.getvalue()


def damage_note(rng: random.Random, data: bytes) -> bytes:
    """Damage the note that pandas leaves in Parquet, or the rest of the footer."""
    at = data.rfind(b'{"index_columns"')
    if at < 0 or rng.random() < 0.3:
        footer = int.from_bytes(data[-8:-4], "little")
        split = len(data) - 8 - footer
        return data[:split] + damage_bytes(rng, data[split:])
    end = data.find(b"}", at) + 1
    place = rng.randrange(at, end)
    return data[:place] + rng.choice((b"[", b"{", b'"', b"9", b"\xff", b" ")) + data[place + 1 :]


def kinds() -> list[Kind]:
    """Return the kinds of files of bars."""
    csv_file = written(few_bars(), ".csv")
    return [
        Kind("csv", csv_file, "bars.csv", damage_text, check_command, every_row(True, ",")),
        Kind(
            "ninjatrader", ninjatrader(), "bars.txt", damage_text, check_command, every_row(False, ";")
        ),
        Kind(
            "databento",
            databento(),
            "bars.csv",
            damage_text,
            check_command,
            every_row(True, ",", factor=1e9),
        ),
        Kind(
            *("dbn", dbn_file(few_bars(), {4916: "ESH5"}), "bars.dbn", damage_bytes, check_command),
            every_record,
        ),
        Kind("processed", processed(), "bars.csv", damage_text, check_command, every_row(True, ",")),
        Kind(
            *("sierra", sierra(), "bars.txt", damage_text, sierra_command),
            every_row(True, ",", close="last", timezone="America/New_York"),
        ),
        Kind(
            *("dates", month_first(), "bars.csv", damage_text, sierra_command),
            every_row(True, ",", timezone="America/New_York"),
        ),
        Kind(
            "parquet",
            written(few_bars(), ".parquet"),
            "bars.parquet",
            damage_bytes,
            check_command,
            as_before,
        ),
        Kind("pandas", pandas_parquet(), "bars.parquet", damage_note, check_command),
    ]

"""Text files: open, look at the head, parse the body with Arrow, and find the line of a row.

Compressed text (.gz, .zst, .bz2) is read as it is.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv

from foundation.errors import InputError
from markets.readers.table import RawTable

HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class Head:
    """The first line of a text file that is not blank.

    Attributes:
        source: the file's name, for messages.
        line: that line, without its end and without a byte order mark.
        number: its number, counted from 1.
    """

    source: str
    line: str
    number: int

    def names(self) -> list[str]:
        """Return the comma-separated fields in lower case, without surrounding spaces."""
        return [name.strip().lower() for name in next(csv.reader([self.line], skipinitialspace=True))]


def read_bytes(path: Path, count: int | None = None) -> bytes:
    """Return a file's first ``count`` bytes (None: all), decompressed.

    Raises:
        InputError: there is no such file, it is a directory, or it cannot be read.
    """
    if path.is_dir():
        raise InputError(f"{path} is a directory; name one file of bars")
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            data: bytes = stream.read(count)
            return data
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path") from None
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} cannot be read ({reason}); check the file") from None


def look(path: Path) -> Head:
    """Return the head of a text file.

    Raises:
        InputError: the file is empty, or is not text.
    """
    data = read_bytes(path, HEAD_BYTES)
    source = path.name
    if data[:2] == b"PK":
        raise InputError(f"{source} is a zip or Excel file; unpack it, or save the sheet as CSV")
    if b"\0" in data:
        raise InputError(f"{source} is not a text file; give CSV text in UTF-8, or Parquet")
    try:
        text = data.decode("utf-8-sig", errors="strict" if len(data) < HEAD_BYTES else "ignore")
    except UnicodeDecodeError:
        raise InputError(f"{source} is not UTF-8 text; save it as CSV in UTF-8") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            return Head(source, line, number)
    raise InputError(f"{source} is empty; give a file with at least one bar")


def parse(
    path: Path,
    head: Head,
    names: list[str],
    wanted: Sequence[str],
    *,
    header: bool = True,
    delimiter: str = ",",
    timestamp_parsers: Sequence[str] = (),
) -> RawTable:
    """Parse the wanted columns of a text file.

    Args:
        path: the file.
        head: what :func:`look` said of it.
        names: the names of all its columns, in order.
        wanted: the names to keep.
        header: whether the head is a header, and no bar.
        delimiter: what separates two fields.
        timestamp_parsers: strptime forms to try before ISO 8601.

    Raises:
        InputError: a line has too few or too many fields, or there is no line beside the header.
    """
    data = read_bytes(path)
    lines_before = head.number if header else head.number - 1
    start = 0
    for _ in range(lines_before):
        start = data.find(b"\n", start) + 1 or len(data)
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(memoryview(data)[start:] if start < len(data) else b"\n"),
            read_options=arrow_csv.ReadOptions(column_names=names),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=list(wanted),
                timestamp_parsers=[*timestamp_parsers, arrow_csv.ISO8601] if timestamp_parsers else [],
            ),
        )
    except pa.ArrowInvalid as error:
        raise _explain(error, data, lines_before, len(names), delimiter, head.source) from None
    if not len(table):
        raise InputError(f"{head.source} holds a header and no bars; give a file with at least one bar")
    return RawTable(table, head.source, partial(_line_of_row, data, lines_before))


def _explain(
    error: pa.ArrowInvalid, data: bytes, lines_before: int, width: int, delimiter: str, source: str
) -> InputError:
    """Return the error that names the first line whose number of fields is wrong."""
    lines = data.decode("utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines[lines_before:], start=lines_before + 1):
        fields = next(csv.reader([line], delimiter=delimiter), [])
        if line and len(fields) != width:
            return InputError(
                f"{source}, line {number}: {len(fields)} fields where {width} are expected; mend or "
                "remove the line"
            )
    reason = str(error).splitlines()[0]
    return InputError(f"{source} cannot be read as CSV ({reason}); save it again as CSV in UTF-8")


def _line_of_row(data: bytes, lines_before: int, row: int) -> str:
    """Return words for a row of the table; the parser skips empty lines, so they are counted here."""
    seen = -1
    for number, line in enumerate(data.splitlines()[lines_before:], start=lines_before + 1):
        seen += bool(line)
        if seen == row:
            return f"line {number}"
    return f"row {row + 1}"

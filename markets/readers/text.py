"""Text files: open, look at the head, parse the body with Arrow, and find the line of a row.

Compressed text is read as it is (see ``opening``), and Databento's DBN as the CSV that it stands for.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv

from foundation.errors import InputError
from markets.file_sizes import MOST_TEXT
from markets.readers.dbn import dbn_to_csv, is_dbn
from markets.readers.opening import member_name, read_bytes, require_text
from markets.readers.table import RawTable

HEAD_BYTES = 1 << 16
TAIL_BYTES, FEWEST_LINES = 1 << 14, 20
"""Bytes at the end, and lines in them, by which it is told whether the last number is whole."""


@dataclass(frozen=True)
class Head:
    """The first line of a text file that is not blank.

    Attributes:
        source: the file's name, for messages.
        line: that line, without its end and without a byte order mark.
        number: its number, counted from 1.
        member: the name of the file within it, of a zip; else empty.
    """

    source: str
    line: str
    number: int
    member: str = ""

    def names(self) -> list[str]:
        """Return the comma-separated fields in lower case, without surrounding spaces and ``<>``.

        Raises:
            InputError: a field is longer than any name of a column.
        """
        names = fields_of(self.line, self.source, self.number)
        return [name.lower().removeprefix("<").removesuffix(">") for name in names]


def fields_of(line: str, source: str, number: int) -> list[str]:
    """Return a header line's comma-separated fields, without surrounding spaces."""
    try:
        return [field.strip() for field in next(csv.reader([line], skipinitialspace=True))]
    except csv.Error as error:
        raise InputError(
            f"{source}, line {number}: this is no header of bars ({error}); give CSV text in UTF-8"
        ) from None


def read_text(path: Path, count: int | None = None) -> bytes:
    """Return what :func:`read_bytes` does, or, where that is DBN, the CSV text that it stands for.

    Raises:
        InputError: as there, or the DBN cannot be read.
    """
    data = read_bytes(path, count)
    if not is_dbn(data):
        return data
    head = b""
    if count is not None:
        head = dbn_to_csv(data, path.name, most=MOST_TEXT, whole=False)
    # A list of symbols may be longer than a head.
    return head or dbn_to_csv(read_bytes(path), path.name, most=MOST_TEXT)


def look(path: Path) -> Head:
    """Return the head of a text file. Lines end with LF or CRLF, and with nothing else.

    Raises:
        InputError: the file is empty, or is not text.
    """
    data = read_text(path, HEAD_BYTES)
    source = path.name
    require_text(data, source)
    try:
        text = data.decode("utf-8-sig", errors="strict" if len(data) < HEAD_BYTES else "ignore")
    except UnicodeDecodeError:
        raise InputError(f"{source} is not UTF-8 text; save it as CSV in UTF-8") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            return Head(source, line.rstrip("\r"), number, member_name(path))
    raise InputError(f"{source} is empty; give a file with at least one bar")


def second_header_lines(path: Path, head: Head, count: int = 2) -> list[list[str]]:
    """Return the lower-case fields of the lines that follow the head."""
    text = read_text(path, HEAD_BYTES).decode("utf-8-sig", errors="ignore")
    lines = text.split("\n")[head.number : head.number + count]
    return [
        [field.lower() for field in fields_of(line, head.source, head.number + offset)]
        for offset, line in enumerate(lines, start=1)
    ]


def parse(
    path: Path,
    head: Head,
    names: list[str],
    wanted: Sequence[str],
    *,
    header: bool = True,
    delimiter: str = ",",
    timestamp_parsers: Sequence[str] = (),
    skip: int = 0,
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
        skip: further header lines after the head.

    Raises:
        InputError: a line has too few or too many fields, or there is no line beside the header.
    """
    data = read_text(path)
    lines_before = (head.number if header else head.number - 1) + skip
    _require_line_ends(data, head.source)
    start = 0
    for _ in range(lines_before):
        start = data.find(b"\n", start) + 1 or len(data)
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(_arrow_buffer(memoryview(data)[start:] if start < len(data) else b"\n")),
            read_options=arrow_csv.ReadOptions(column_names=names),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=list(wanted),
                timestamp_parsers=[*timestamp_parsers, arrow_csv.ISO8601] if timestamp_parsers else [],
            ),
        )
    except pa.ArrowInvalid as error:
        raise _explain(error, data, lines_before, len(names), delimiter, head.source) from None
    _require_every_line(data, start, len(table), lines_before, head.source)
    _require_whole_last_line(data, start, delimiter, head.source)
    if not len(table):
        raise InputError(f"{head.source} holds a header and no bars; give a file with at least one bar")
    return RawTable(table, head.source, partial(_place_of_row, path, data, lines_before))


def _arrow_buffer(data: bytes | memoryview) -> pa.Buffer:
    """Return a copy of ``data`` in memory that Arrow owns.

    Arrow's threads may let go of the last piece while Python is ending; where that memory is
    Python's, the process then aborts (apache/arrow, issue 34314).
    """
    buffer = pa.allocate_buffer(len(data))
    pa.FixedSizeBufferWriter(buffer).write(data)
    return buffer


def _require_line_ends(data: bytes, source: str) -> None:
    """Refuse a carriage return that ends no line: parsers do not agree on what it means."""
    if data.count(b"\r") == data.count(b"\r\n"):
        return
    at = re.search(rb"\r(?!\n)", data)
    number = data.count(b"\n", 0, at.start() if at else 0) + 1
    raise InputError(
        f"{source}, line {number}: there is a carriage return within the line; save the file with LF "
        "or CRLF line ends"
    )


def _require_every_line(data: bytes, start: int, rows: int, before: int, source: str) -> None:
    """Refuse a table that has not one row for every line of the file that is not empty."""
    lines = data.count(b"\n", start) + (start < len(data) and not data.endswith(b"\n"))
    if lines == rows:
        return
    body = [line.rstrip(b"\r") for line in data[start:].split(b"\n")]
    if sum(bool(line) for line in body) == rows:
        return
    odd = next((number for number, line in enumerate(body) if line.count(b'"') % 2), 0)
    raise InputError(
        f"{source}, line {before + 1 + odd}: a quotation mark joins lines, so rows would be lost; "
        "remove the quotation marks"
    )


def _require_whole_last_line(data: bytes, start: int, delimiter: str, source: str) -> None:
    """Refuse a last price that was cut off: no line end, and fewer decimals than all rows before."""
    if data.endswith(b"\n"):
        return
    lines = data[max(start, len(data) - TAIL_BYTES) :].split(b"\n")[1:]
    ends = [
        line.rstrip(b"\r").rpartition(delimiter.encode())[2].partition(b".") for line in lines if line
    ]
    decimals = {len(decimal) for _, point, decimal in ends[:-1]}
    if len(ends) >= FEWEST_LINES and len(decimals) == 1 and len(ends[-1][2]) < decimals.pop():
        number = data.count(b"\n") + 1
        raise InputError(
            f"{source}, line {number}: the file ends within the last number "
            f"({b''.join(ends[-1]).decode()!r} has fewer decimals than every row before it, and no "
            "line end); fetch the file again, or remove the line"
        )


def _explain(
    error: pa.ArrowInvalid, data: bytes, lines_before: int, width: int, delimiter: str, source: str
) -> InputError:
    """Return the error that names the first line whose number of fields is wrong."""
    lines = data.decode("utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines[lines_before:], start=lines_before + 1):
        stripped = line.rstrip("\r")
        try:
            fields = len(next(csv.reader([stripped], delimiter=delimiter), []))
        except csv.Error:
            fields = 0
        if stripped and fields != width:
            return InputError(
                f"{source}, line {number}: {fields} fields where {width} are expected "
                f"({stripped[:40]!r}); mend or remove the line"
            )
    reason = str(error).splitlines()[0]
    return InputError(f"{source} cannot be read as CSV ({reason}); save it again as CSV in UTF-8")


def _place_of_row(path: Path, data: bytes, lines_before: int, row: int) -> str:
    """Return words for a row of the table; the parser skips empty lines, so they are counted here."""
    if is_dbn(read_bytes(path, 4)):
        return f"record {row + 1}"
    number = -1
    for line_number, line in enumerate(data.split(b"\n")[lines_before:], start=lines_before + 1):
        number += bool(line.rstrip(b"\r"))
        if number == row:
            return f"line {line_number}"
    return f"row {row + 1}"

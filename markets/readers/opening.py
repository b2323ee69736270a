"""Open a file: decompress it by what it begins with, take a zip's one file, name what is no text."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from pathlib import Path
from typing import IO

import pyarrow as pa

from foundation.errors import InputError, reason_of
from markets.file_sizes import text_limit

COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xfd7zXZ\0": "xz",
}
"""What compressed files begin with, whatever they are called."""
MAC_NOTES = ("__macosx/", ".ds_store")
"""What a Mac adds to a zip beside the files that were put in."""

BINARY: tuple[tuple[bytes, str, str], ...] = (
    (b"PK", "a zip or Excel file", "unpack it, or save the sheet as CSV"),
    (b"\xff\xfe", "UTF-16 text", "save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "save it as UTF-8"),
    (b"\xd0\xcf\x11\xe0", "an Excel file", "save the sheet as CSV"),
    (b"PAR1", "Parquet", "read it as such, with --format parquet or none"),
    (b"ARROW1", "a Feather (Arrow) file", "write it as Parquet, with DataFrame.to_parquet"),
    (b"\x89HDF", "an HDF5 file", "write its table as Parquet or CSV"),
    (b"SQLite format 3", "an SQLite database", "write its table as CSV"),
    (b"\x93NUMPY", "a NumPy array without columns or times", "write CSV or Parquet with both"),
    (b"\x80\x03", "a pickle, which is not opened", "write Parquet, with DataFrame.to_parquet"),
    (b"\x80\x04", "a pickle, which is not opened", "write Parquet, with DataFrame.to_parquet"),
    (b"\x80\x05", "a pickle, which is not opened", "write Parquet, with DataFrame.to_parquet"),
    (
        b"SCID",
        "Sierra Chart's binary intraday file",
        "open it as a chart and choose Edit, Export Bar Data to Text File",
    ),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it"),
    (b"Rar!", "a RAR archive", "unpack it"),
    (b"]\0\0", "an LZMA file, as Dukascopy's .bi5 of ticks is", "export one-minute bars as CSV"),
    (b"%PDF", "a PDF", "give CSV text in UTF-8, or Parquet"),
)
"""First bytes, what such a file is, and what to do."""
TEXT: tuple[tuple[str, str, str], ...] = (
    (
        "{",
        "JSON",
        "ask the vendor for CSV, or write its bars as CSV; where it is an answer that only tells of an "
        "error, mend the request",
    ),
    ("[", "JSON", "ask the vendor for CSV, or write its bars as CSV"),
    ("<!doctype", "a web page", "download the file itself; a login may have come in its place"),
    ("<html", "a web page", "download the file itself; a login may have come in its place"),
    ("<?xml", "XML", "write its bars as CSV"),
    ("version https://git-lfs", "a pointer of Git LFS", "fetch the file itself with git lfs pull"),
)
"""How a text begins, in lower case, what it is, and what to do."""


def read_bytes(path: Path, count: int | None = None) -> bytes:
    """Return a file's first ``count`` bytes (None: all), decompressed; a zip's one member.

    Raises:
        InputError: there is no such file, it is a directory, it cannot be read, or it would take more
            than :func:`markets.file_sizes.text_limit` says.
    """
    if path.is_dir():
        raise InputError(f"{path} is a directory; name one file of bars")
    limit, why = text_limit(path)
    most = limit + 1 if count is None else count
    try:
        if zipfile.is_zipfile(path):
            data = _read_zip(path, most)
        else:
            with _decompressed(path) as stream:
                data = bytes(stream.read(most))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path") from None
    except (
        OSError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        pa.ArrowException,
    ) as error:
        raise InputError(
            f"{path} cannot be read ({reason_of(error)}); compress or download it again"
        ) from None
    if len(data) > limit:
        raise InputError(f"{path} holds more than {why}")
    return data


def member_name(path: Path) -> str:
    """Return the name of a zip's one file, without its folders; empty where the file is no zip."""
    if not zipfile.is_zipfile(path):
        return ""
    with zipfile.ZipFile(path) as archive:
        members = _members(archive)
    return Path(members[0].filename).name if len(members) == 1 else ""


def require_text(data: bytes, source: str) -> None:
    """Refuse what is no UTF-8 text with LF or CRLF, by what it is.

    Raises:
        InputError: saying what the bytes are, and what to do.
    """
    for begin, what, mend in BINARY:
        if data.startswith(begin):
            raise InputError(f"{source} is {what}; {mend}")
    if b"\0" in data:
        wide = data[1:200:2].count(0) > 90 or data[0:200:2].count(0) > 90
        raise InputError(
            f"{source} is UTF-16 text; save it as UTF-8"
            if wide
            else f"{source} is not a text file; give CSV text in UTF-8, or Parquet"
        )
    begins = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for word, what, mend in TEXT:
        if begins.startswith(word.encode()):
            raise InputError(f"{source} is {what}, and no table of bars; {mend}")
    if b"\r" in data and b"\n" not in data:
        raise InputError(f"{source}: its lines end with CR alone; save it with LF or CRLF line ends")


def _decompressed(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        begin = file.read(6)
    codec = next((codec for magic, codec in COMPRESSED.items() if begin.startswith(magic)), None)
    if codec == "xz":
        return lzma.open(path)
    stream: IO[bytes] = pa.input_stream(str(path), compression=codec)
    return stream


def _read_zip(path: Path, most: int) -> bytes:
    with zipfile.ZipFile(path) as archive:
        members = _members(archive)
        names = [item.filename for item in members]
        if len(members) != 1 or not names[0].lower().endswith((".csv", ".txt")):
            raise InputError(
                f"{path.name} is a zip or Excel file with {len(names)} members; unpack it, or save the "
                "sheet as CSV: a zip may hold one .csv or .txt"
            )
        try:
            with archive.open(members[0]) as member:
                return member.read(most)
        except (RuntimeError, NotImplementedError) as error:
            raise InputError(f"{path.name} cannot be unpacked ({error}); unpack it yourself") from None


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return [
        item
        for item in archive.infolist()
        if not item.is_dir() and not any(note in item.filename.lower() for note in MAC_NOTES)
    ]

"""Databento's binary form (DBN), turned by Databento's own library into the CSV that its reader takes.

The library is the extra ``databento``. Prices become decimal, times nanoseconds, and instrument ids
the symbols that the file itself maps them to.
"""

from __future__ import annotations

import io

from foundation.errors import InputError
from foundation.extras import how_to_install

MAGIC = b"DBN"
BAR_KINDS, BAR_WORDS = range(32, 36), 14
"""Kinds of records that are bars, and how many times four bytes a bar takes."""
BAR_SCHEMAS, SCHEMA_AT = range(5, 9), 24
"""Schemas of bars as a file's head names them, and where in it."""
_PIECE = 1 << 22
_AS_CSV = "write CSV, with DBNStore.to_csv or `dbn --csv`"


def is_dbn(data: bytes) -> bool:
    """Return whether bytes, decompressed, begin as DBN does: three letters and the version."""
    return data[: len(MAGIC)] == MAGIC and len(data) > len(MAGIC) and data[len(MAGIC)] < ord(" ")


def dbn_to_csv(data: bytes, source: str, *, most: int, whole: bool = True) -> bytes:
    """Return DBN records as CSV text with a header, UTF-8.

    Args:
        data: a file's bytes, decompressed.
        source: the file's name, for messages.
        most: bytes of text at which to stop.
        whole: whether these are all of the file's bytes, so that none may be left over.

    Raises:
        InputError: the extra is not installed, the library cannot read the bytes, the last record is
            cut off, or the text would take more than ``most``.
    """
    try:
        import databento_dbn as dbn
    except ModuleNotFoundError:
        how = how_to_install("databento_dbn") or "databento_dbn is not installed, and this needs it"
        raise InputError(f"{source} is Databento's binary form (DBN): {how}; or {_AS_CSV}") from None
    _require_alike(data, source)
    text = io.BytesIO()
    try:
        transcoder = dbn.Transcoder(
            text,
            dbn.Encoding.from_str("csv"),
            dbn.Compression.from_str("none"),
            pretty_px=True,
            pretty_ts=False,
            map_symbols=True,
        )
        for start in range(0, len(data), _PIECE):
            transcoder.write(data[start : start + _PIECE])
            transcoder.flush()
            if text.tell() > most:
                raise InputError(f"{source} holds more than {most >> 30} GiB as text; split it by year")
        left = len(transcoder.buffer())
    except (dbn.DBNError, ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        reason = str(error).splitlines()[0]
        raise InputError(f"{source} cannot be read as DBN ({reason}); download it again") from None
    except BaseException as error:  # a panic of its Rust code is no Exception
        if type(error).__module__ != "pyo3_runtime":
            raise
        reason = str(error).splitlines()[0]
        raise InputError(f"{source} cannot be read as DBN ({reason}); download it again") from None
    if whole and (left or not text.tell()):
        raise InputError(
            f"{source} is Databento's binary form (DBN), and ends within a record; download it again, "
            f"or {_AS_CSV}"
        )
    rows = text.getvalue().count(b"\n") - 1
    if whole and rows != (records := _records(data)):
        raise InputError(
            f"{source} cannot be read as DBN ({records} records, of which the library reads {rows}); "
            "download it again"
        )
    return text.getvalue()


def _require_alike(data: bytes, source: str) -> None:
    """Refuse bars whose records are not all of one kind and as long as bars are.

    The library believes what a record says of its length, and ends in a panic where that is too short.
    """
    start = 8 + int.from_bytes(data[4:8], "little")
    if start + 1 >= len(data):
        return
    kind, schema = data[start + 1], int.from_bytes(data[SCHEMA_AT : SCHEMA_AT + 2], "little")
    if kind not in BAR_KINDS:
        if schema not in BAR_SCHEMAS:
            return
        kind = BAR_KINDS[BAR_SCHEMAS.index(schema)]
    size = 4 * BAR_WORDS
    lengths, kinds = data[start::size], data[start + 1 :: size]
    if lengths.count(BAR_WORDS) == len(lengths) and kinds.count(kind) == len(kinds):
        return
    for number, (length, other) in enumerate(zip(lengths, kinds, strict=False), start=1):
        if length != BAR_WORDS or other != kind:
            raise InputError(
                f"{source} cannot be read as DBN (record {number} says that it is {4 * length} bytes "
                f"of kind {other}, where a bar has {size} of kind {kind}); download it again"
            )


def _records(data: bytes) -> int:
    """Return how many records a file of one schema holds: they are all as long as the first."""
    start = 8 + int.from_bytes(data[4:8], "little")
    length = 4 * data[start] if start < len(data) else 0
    return (len(data) - start) // length if length else 0

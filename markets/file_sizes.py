"""How much a file of bars may hold: no more than memory can take, nor than honest files are packed."""

from __future__ import annotations

from pathlib import Path

from foundation.memory import available_memory, require_memory
from foundation.report.format import byte_size

MOST_TEXT = 4 << 30
"""Text that is read at once, decompressed; ten years of one-second bars take less."""
MOST_PACKED = 100
"""Bytes of text to a byte of a compressed file; xz packs one-second bars to an eighteenth."""
SMALL = 64 << 20
"""Text that is read however far it is packed."""
COPIES = 4
"""Times that memory holds what is read: the text, Arrow's copy, the table and the frame."""


def text_limit(path: Path) -> tuple[int, str]:
    """Return the most bytes of text that are read of a file, and in words whose limit that is."""
    size = path.stat().st_size if path.exists() else 0
    memory = available_memory()
    room = MOST_TEXT if memory is None else memory // COPIES
    return min(
        (MOST_TEXT, f"{byte_size(MOST_TEXT)} of text; split it by year, or write Parquet"),
        (room, f"{byte_size(room)} of text, which memory has room for; split it by year"),
        (
            max(SMALL, MOST_PACKED * size),
            f"{MOST_PACKED} bytes of text for each byte of the file, as no file of bars does; unpack "
            "it yourself, and look at what it holds",
        ),
        key=lambda limit: limit[0],  # the first of equal ones: memory's is told where it is known
    )


def require_rows(path: Path, rows: int, columns: int) -> None:
    """Refuse a table with more rows than memory has room for, before it is read.

    Args:
        path: the file.
        rows: that it says it holds.
        columns: that are read, eight bytes each.

    Raises:
        InputError: naming the estimate and what memory there is.
    """
    require_memory(
        f"{path}: reading it",
        {f"{rows:,} rows": rows * columns * 8.0 * COPIES},
        {f"{rows:,} rows": "their number: split it by year"},
        available_memory(),
    )

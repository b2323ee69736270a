"""Numbers, sizes and durations for reading, a console wide enough for tables, and JSON files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
from rich.console import Console
from rich.table import Table

from foundation.files import write_json

R = TypeVar("R")
WIDTH = 130
"""Columns of a table that goes to a file or a pipe."""


def short(number: float) -> str:
    """Return a number with three figures and its unit, such as "3.41M"."""
    for unit, name in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.3g}{name}"
    return f"{number:.3g}"


def size_words(size: float) -> str:
    """Return bytes for reading, such as "1.9 KiB"."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}" if size / unit < 999.5 else f"{size / unit:,.0f} {name}"
    return f"{size:.0f} B"


def duration(seconds: float) -> str:
    """Return seconds for reading, such as "23 min"."""
    for size, name in ((3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds:.3g} s"


def percent(share: float) -> str:
    """Return a share as a percentage with two figures."""
    return f"{100 * share:,.0f}%" if share >= 0.1 else f"{100 * share:.2g}%"


def wide_console() -> Console:
    """Return a console that leaves tables their width where nobody's screen limits it."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def numeric_table(*columns: str, words: int = 1) -> Table:
    """Return an empty table whose first ``words`` columns hold words and the rest numbers."""
    table = Table(*columns, box=None)
    for column in table.columns[:words]:
        column.no_wrap = True
    for column in table.columns[words:]:
        column.justify = "right"
    return table


def publish(report: R, show: Callable[[R, Console], None], out: Path | None) -> None:
    """Print a report, and write it to a file if one is given."""
    show(report, wide_console())
    if out is not None:
        write_report(out, report)


def write_report(path: Path, report: object) -> Path:
    """Write a typed report as JSON, replacing the file in one step."""
    return write_json(path, msgspec.to_builtins(report), indent=2)

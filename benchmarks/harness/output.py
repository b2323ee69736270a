"""A console wide enough for tables of numbers, and reports as JSON files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.harness.rows import Row
from foundation.files import write_json

R = TypeVar("R")
WIDTH = 130
"""Columns of a table that goes to a file or a pipe."""


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


def print_errors(rows: Iterable[Row], console: Console) -> None:
    """Print why rows could not be measured, one a line; a table would break the sentences up."""
    for row in rows:
        if row.error is not None:
            console.print(f"{row.name}: {row.error}", markup=False, highlight=False, soft_wrap=True)


def publish(report: R, show: Callable[[R, Console], None], out: Path | None) -> None:
    """Print a report, and write it to a file if one is given."""
    show(report, wide_console())
    if out is not None:
        write_report(out, report)


def write_report(path: Path, report: object) -> Path:
    """Write a typed report as JSON, replacing the file in one step."""
    return write_json(path, msgspec.to_builtins(report), indent=2)

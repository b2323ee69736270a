"""The consoles and progress bars that commands print to."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

WIDTH = 100
"""Columns of a report that goes to a file or a pipe, and most columns of one on a screen."""


def report_console() -> Console:
    """Return a console for reports; rich gives no meaning to what stands in them."""
    console = Console(highlight=False)
    if not console.is_terminal or console.width > WIDTH:
        console.width = WIDTH
    return console


def progress_bar(task: str, unit: str = "", *, console: Console | None = None) -> Progress:
    """Return a bar on stderr with a count and the time it took, gone when it is done.

    Args:
        task: what is going on, in bold.
        unit: after the count; may hold fields such as ``{task.fields[world]}``.
        console: another than stderr.
    """
    return Progress(
        TextColumn(f"[bold]{task}"),
        BarColumn(),
        MofNCompleteColumn(),
        *([TextColumn(unit)] if unit else []),
        TimeElapsedColumn(),
        console=console or Console(stderr=True),
        transient=True,
    )

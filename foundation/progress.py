"""Progress bar of a long command: its name, how much is done, what came last, and for how long."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

EACH_TASK = "{task.description}"
"""As a bar's name: every task of it is shown by its own."""


def progress_bar(
    task: str, unit: str = "", *, console: Console | None = None, transient: bool = True
) -> Progress:
    """Return a bar with a count and the time it took.

    Args:
        task: what is going on, in bold.
        unit: after the count; may hold fields such as ``{task.fields[world]}``.
        console: another than stderr.
        transient: gone when it is done.
    """
    return Progress(
        TextColumn(f"[bold]{task}"),
        BarColumn(),
        MofNCompleteColumn(),
        *([TextColumn(unit, markup=False)] if unit else []),
        TimeElapsedColumn(),
        console=console or Console(stderr=True),
        transient=transient,
    )

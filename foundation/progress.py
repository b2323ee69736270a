"""Progress of a long command: a bar on a terminal, elsewhere a line every half minute."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from foundation.errors import printable

EACH_TASK = "{task.description}"
"""As a bar's name: every task of it is shown by its own."""
EVERY = 30.0
"""Seconds between two lines where there is no terminal to draw a bar on."""


class Lines:
    """Prints a line every half minute while a block runs, if the console is no terminal.

    Args:
        console: to print to.
        lines: returns what to print; empty lines are left out.
        every: seconds between two lines.
    """

    def __init__(
        self, console: Console, lines: Callable[[], list[str]], every: float | None = None
    ) -> None:
        self._console, self._lines = console, lines
        self._every = EVERY if every is None else every
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Lines:
        if not (self._console.is_terminal or self._console.is_jupyter):
            self._thread = threading.Thread(target=self._run, name="progress lines", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=1)

    def _run(self) -> None:
        while not self._over.wait(self._every):
            for line in filter(None, self._lines()):
                self._console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)


class ReportedProgress(Progress):
    """Rich's progress bar, which off a terminal prints a line every half minute instead of nothing."""

    def __enter__(self) -> ReportedProgress:
        self._reported = Lines(self.console, self.lines).__enter__()
        super().__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self._reported.__exit__(exc_type, exc_val, exc_tb)
        super().__exit__(exc_type, exc_val, exc_tb)

    def lines(self) -> list[str]:
        """Return a line for each task that goes on, with all that its bar shows but the bar."""
        return [_line(self.columns, task) for task in self.tasks if not task.finished and task.visible]


def _line(columns: tuple[str | ProgressColumn, ...], task: Task) -> str:
    """Return a task's name, count and times as one line."""
    from foundation.report.format import duration

    parts = []
    for column in columns:
        if isinstance(column, TimeElapsedColumn):
            parts.append(f"after {duration(round(task.elapsed or 0.0))}")
        elif isinstance(column, TimeRemainingColumn):
            left = task.time_remaining
            parts.append("" if left is None else f"some {duration(max(1, round(left)))} left")
        elif isinstance(column, MofNCompleteColumn):
            total = "?" if task.total is None else f"{int(task.total):,}"
            parts.append(f"{int(task.completed):,} of {total}")
        elif not isinstance(column, (BarColumn, str)):
            shown = column(task)
            parts.append(shown.plain if isinstance(shown, Text) else str(shown))
    return ", ".join(part.strip() for part in parts if part.strip())


def progress_bar(
    task: str, unit: str = "", *, console: Console | None = None, transient: bool = True
) -> ReportedProgress:
    """Return a bar with a count and the time it took; off a terminal a line every half minute.

    Args:
        task: what is going on, in bold.
        unit: after the count; may hold fields such as ``{task.fields[world]}``.
        console: another than stderr.
        transient: gone when it is done.
    """
    return ReportedProgress(
        TextColumn(task, style="bold", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        *([TextColumn(unit, markup=False)] if unit else []),
        TimeElapsedColumn(),
        console=console or Console(stderr=True),
        transient=transient,
    )


@contextmanager
def status(console: Console, text: str) -> Iterator[Callable[[str], None]]:
    """Show what is going on, without a count: a spinner, or off a terminal a line every half minute.

    Yields what is to be told of the next thing that goes on.

    Args:
        console: to print to.
        text: what is going on at first.
    """
    import time

    from foundation.report.format import duration

    began, shown = time.monotonic(), [text]

    def lines() -> list[str]:
        return [f"{shown[0]}, after {duration(round(time.monotonic() - began))}"]

    with (
        console.status(Text(printable(text))) as spinner,
        Lines(console, lines),
    ):  # a name of a file is no markup

        def update(what: str) -> None:
            shown[0] = what
            spinner.update(Text(printable(what)))

        yield update

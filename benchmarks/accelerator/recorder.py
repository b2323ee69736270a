"""A report that is on disk as soon as something is known, made within a budget of seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from benchmarks.harness.measure import sentence
from foundation.files import write_json

SCHEMA = 2


class Recorder:
    """Writes a report again after each row.

    Args:
        path: of the report, JSON.
        budget: seconds from now after which nothing new is begun.
        clock: seconds, always rising.

    Attributes:
        values: the report so far.
    """

    def __init__(
        self, path: Path, budget: float, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._path, self._budget, self._clock = path, budget, clock
        self._began = clock()
        self.values: dict[str, Any] = {
            "schema": SCHEMA,
            "benchmark": "accelerator",
            "budget_seconds": budget,
            "parts": {},
        }

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return self._clock() - self._began

    @property
    def left(self) -> float:
        """Seconds left of the budget."""
        return self._budget - self.elapsed

    def note(self, **values: Any) -> None:
        """Write values at the top of the report."""
        self.values.update(values)
        self._write()

    @contextmanager
    def part(self, name: str, needs: float) -> Iterator[Part]:
        """Give a part to add rows to; what goes wrong in it is written, and the next part is begun.

        Args:
            name: of the part.
            needs: seconds that it takes at least; with less left it is left out.
        """
        values: dict[str, Any] = {"rows": []}
        self.values["parts"][name] = values
        part = Part(self, values, enough=self.left >= needs)
        began = self._clock()
        if not part.enough:
            values["error"] = f"left out: {max(self.left, 0):.0f} s were left, it takes {needs:.0f} s"
        click.echo(
            f"{self.elapsed:6.1f} s  {name}{': ' if 'error' in values else ''}{values.get('error', '')}"
        )
        try:
            yield part
        except Exception as error:
            values["error"] = sentence(error)
            click.echo(f"{self.elapsed:6.1f} s    failed: {values['error']}")
        values["seconds"] = self._clock() - began
        self._write()

    def _write(self) -> None:
        self.values["elapsed_seconds"] = self.elapsed
        write_json(self._path, self.values)


class Part:
    """A part of a report.

    Attributes:
        enough: whether there was time for it; a part that is left out adds no rows.
    """

    def __init__(self, recorder: Recorder, values: dict[str, Any], enough: bool) -> None:
        self._recorder, self._values, self.enough = recorder, values, enough

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Rows so far."""
        rows: list[dict[str, Any]] = self._values["rows"]
        return rows

    def add(self, row: Mapping[str, Any], line: str = "") -> None:
        """Write a row at once, and print a line about it."""
        self.rows.append(dict(row))
        self._recorder._write()
        if line:
            self.say(line)

    def say(self, line: str) -> None:
        """Print a line."""
        click.echo(f"{self._recorder.elapsed:6.1f} s    {line}")

    def note(self, **values: Any) -> None:
        """Write values beside the rows."""
        self._values.update(values)
        self._recorder._write()

"""The consoles and progress bars that commands print to; names from files are shown as they are."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.text import Text

from foundation.errors import printable

WIDTH = 100
"""Columns of a report that goes to a file or a pipe, and most columns of one on a screen."""


class PlainConsole(Console):
    """A console to which text is only text: brackets mean nothing, control characters are escaped."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string, of a line or of a table's cell, as it is shown."""
        shown = "\n".join(printable(line) for line in text.split("\n"))
        return super().render_str(shown, **{**options, "markup": False, "emoji": False})


def report_console(width: int = WIDTH, **options: Any) -> PlainConsole:
    """Return a console for reports, at most ``width`` columns wide."""
    console = PlainConsole(**options)
    if not console.is_terminal or console.width > width:
        console.width = width
    return console


def say(text: str) -> None:
    """Print one line to stdout, with control characters escaped."""
    click.echo(printable(text))

"""The one exception that user-facing code raises for bad input."""

from __future__ import annotations

import sys
from collections.abc import Callable


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence that says what is wrong, where, and what to do. The command line
    prints it without a traceback and exits with code 2.
    """


def run_command(command: Callable[[], object]) -> None:
    """Run a command line; bad input prints one sentence and exits with code 2."""
    try:
        command()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)

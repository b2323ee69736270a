"""The one exception that user-facing code raises for bad input."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence that says what is wrong, where, and what to do. The command line
    prints it without a traceback and exits with code 2.
    """

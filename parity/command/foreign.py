"""Errors of a pair's own code, told in a sentence with file and line, not as a fault of the harness."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foundation.errors import InputError

OURS = ("parity.harness", "parity.command", "parity.mutation", "foundation", "click", "contextlib")
"""Modules that call a pair's code."""
TOOLS = frozenset({"jax", "jaxlib", "numpy", "scipy", "msgspec", "rich", "jinja2", "matplotlib"})
"""Packages that the harness calls itself: what they raise with no pair's code between is its fault."""


@contextmanager
def their_errors() -> Iterator[None]:
    """Turn what a pair's own code raises within into bad input that names the place.

    Raises:
        InputError: a factory, ``read``, ``write``, a reset or a step of a side raised something.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # whatever foreign code raises
        place = where_raised(error)
        if place is None:
            raise
        message = str(error).strip().partition("\n")[0][:300]
        raise InputError(f"{place} raises {type(error).__name__}: {message}") from error


def where_raised(error: BaseException) -> str | None:
    """Return the place in a pair's code that an error came from; None if it came from none."""
    frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    modules = [str(frame.f_globals.get("__name__", "")) for frame, _ in frames]
    ours = [n for n, name in enumerate(modules) if any(_within(name, one) for one in OURS)]
    first = ours[-1] + 1 if ours else 0
    if first >= len(frames):
        return None
    root = modules[first].partition(".")[0]
    if root in TOOLS or root in sys.stdlib_module_names:
        return None
    frame, line = frames[first]
    function = frame.f_code.co_name
    named = "" if function.startswith("<") else f", in {function},"
    return f"{Path(frame.f_code.co_filename).name}, line {line}{named}"


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")

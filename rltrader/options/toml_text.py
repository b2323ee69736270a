"""Plain values as lines of a TOML file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foundation.errors import InputError

BARE = re.compile(r"[A-Za-z0-9_-]+")


def key(name: str) -> str:
    """Return a name, in quotes where TOML asks for them."""
    return name if BARE.fullmatch(name) else _quoted(name)


def line(name: str, value: Any) -> str:
    """Return ``name = value``."""
    return f"{key(name)} = {toml(value)}"


def toml(value: Any) -> str:
    """Return a value as TOML, whose finite numbers are those of JSON."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(line(name, one) for name, one in value.items())} }}"
    if isinstance(value, str | Path):
        return _quoted(str(value))
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)  # inf, -inf and nan, where JSON has other words, or none
    if isinstance(value, float) and value == int(value) and abs(value) < 1e16:
        return f"{value:.1f}"
    return json.dumps(value)


def _quoted(text: str) -> str:
    """Return a text in quotes: as JSON's, but that TOML takes no bare U+007F.

    Raises:
        InputError: it is a path with bytes that are no UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{text}: this name has bytes that are no UTF-8, which no run's file can hold; rename it"
        ) from None
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

"""Plain values as lines of a TOML file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BARE = re.compile(r"[A-Za-z0-9_-]+")


def key(name: str) -> str:
    """Return a name, in quotes where TOML asks for them."""
    return name if BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def line(name: str, value: Any) -> str:
    """Return ``name = value``."""
    return f"{key(name)} = {toml(value)}"


def toml(value: Any) -> str:
    """Return a value as TOML, whose numbers and quoted texts are those of JSON."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(line(name, one) for name, one in value.items())} }}"
    if isinstance(value, float) and value == int(value) and abs(value) < 1e16:
        return f"{value:.1f}"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)

"""Numbers and rules in words, for the report's page."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from parity.engine.compare import FAR


def show(value: Any) -> str:
    """Return a value for reading: thousands separated, float32 in its shortest form."""
    if value is None or value == "":
        return "–"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{int(value):,}"
    if isinstance(value, (float, np.floating)):
        return _show_float(float(value))
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, default=str)
    return str(value)


def _show_float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value.is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    with np.errstate(over="ignore"):
        narrow = np.float32(value)
    text = str(narrow) if float(narrow) == value else repr(value)
    whole, point, rest = text.partition(".")
    return f"{int(whole):,}{point}{rest}" if abs(value) >= 1000 and "e" not in text else text


def signed(value: float) -> str:
    """Return a difference for reading, with its sign, to six digits."""
    if not math.isfinite(value) or value == 0:
        return _show_float(value)
    return f"{value:+,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:+,.6g}"


def ulps(distance: int | None) -> str:
    """Return a distance in ulps for reading."""
    if distance is None:
        return "–"
    return "not finite" if distance >= FAR else f"{distance:,}"


def short(number: float) -> str:
    """Return a count in at most five characters or so."""
    for size, letter in ((1e9, "bn"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            scale = 1e3 if letter == "k" else size
            return f"{number / scale:.3g}{letter}"
    return f"{number:,.0f}"


def percent(share: float) -> str:
    """Return a share as a percentage with two decimals."""
    return f"{100 * share:,.2f}%" if math.isfinite(share) else _show_float(share)


def exponent(number: float) -> str:
    """Return a small number with two digits and its power of ten."""
    if not math.isfinite(number) or number == 0:
        return _show_float(number)
    return f"{number:.1e}".replace("e-0", "e-").replace("e+0", "e+")


def plain(name: str) -> str:
    """Return a name in code as words."""
    return str(name).replace("_", " ")


def runs(actions: Sequence[int]) -> list[tuple[int, int]]:
    """Return a sequence of actions as (action, how often in a row)."""
    return [(action, len(list(same))) for action, same in groupby(actions)]


def unit_of(rule: str) -> str:
    """Return the unit that a rule's words name in brackets, or nothing."""
    found = re.search(r"\(([^()]*)\)$", rule)
    return found.group(1) if found else ""


def tolerance_of(rule: str) -> int | None:
    """Return how many ulps a rule allows; None for a field that must be equal."""
    found = re.match(r"within (\d+) ulps", rule)
    return int(found.group(1)) if found else None

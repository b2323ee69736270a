"""Numbers, dollars, shares, sizes and times as text, written one way on every page and console."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

DASH = "–"
"""Stands for a value that is not there."""
MINUS = "−"
"""The true minus sign, as wide as a digit."""


def _signed(text: str, negative: bool) -> str:
    return f"{MINUS}{text}" if negative else text


def dollars(value: float | None, places: int = 2) -> str:
    """Return an amount of US dollars, such as "−$1,234.50"; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return DASH
    return _signed(f"${abs(value):,.{places}f}", round(value, places) < 0)


def dollars_short(value: float, _: int | None = None) -> str:
    """Return a round amount of US dollars for an axis, such as "$50,000" or "−$1.5M"."""
    if abs(value) >= 1e6:
        return _signed(f"${rounded(abs(value) / 1e6, 6)}M", value < 0)
    return _signed(f"${rounded(abs(value), 6)}", value < 0)


def dollars_of_cents(cents: float) -> str:
    """Return whole or broken cents as US dollars, no digit lost: "$49,997.50", "$0.0375"."""
    if not math.isfinite(cents):
        return show(cents)
    if float(cents).is_integer():
        return dollars(cents / 100)
    return _signed(_exponent(f"${abs(cents) / 100:,.10g}"), cents < 0)


def percent(share: float | None, places: int = 1) -> str:
    """Return a share of 1 as a percentage, such as "12.3%"; a dash where there is none."""
    if share is None:
        return DASH
    if not math.isfinite(share):
        return show(share)
    return _signed(f"{abs(100 * share):,.{places}f}%", round(100 * share, places) < 0)


def percent_figures(share: float) -> str:
    """Return a share of 1 as a whole percentage, of less than 10% with two figures."""
    return f"{100 * share:,.0f}%" if share >= 0.1 else f"{100 * share:.2g}%"


def number(value: float | None, places: int = 2) -> str:
    """Return a number with a fixed count of decimals, an integer with none; a dash for none."""
    if value is None or not math.isfinite(value):
        return DASH
    if isinstance(value, int):
        return _signed(f"{abs(value):,}", value < 0)
    return _signed(f"{abs(value):,.{places}f}", round(value, places) < 0)


def change(value: float, places: int = 3) -> str:
    """Return a difference with its sign and a fixed count of decimals, such as "+0.012"."""
    if not math.isfinite(value):
        return show(value)
    text = number(float(value), places)
    return text if round(value, places) <= 0 else f"+{text}"


def difference(value: float) -> str:
    """Return a difference with its sign, to six digits or all of its whole part; 0 as "0"."""
    if not math.isfinite(value) or value == 0:
        return _show_float(value)
    whole = abs(value) < 1e15 and float(value).is_integer()
    text = f"{abs(value):,.0f}" if whole else rounded(abs(value), 6)
    return f"{'+' if value > 0 else MINUS}{_exponent(text)}"


def show(value: Any) -> str:
    """Return any value with no digit lost: thousands separated, float32 in its shortest form."""
    if value is None or value == "":
        return DASH
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return _signed(f"{abs(int(value)):,}", int(value) < 0)
    if isinstance(value, (float, np.floating)):
        return _show_float(float(value))
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, default=str)
    return str(value)


def _show_float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return _signed("∞", value < 0)
    size = abs(value)
    if size < 1e16 and float(value).is_integer():  # from there on the shortest form is a power
        return _signed(f"{int(size):,}", value < 0)
    with np.errstate(over="ignore"):
        narrow = np.float32(size)
    text = str(narrow) if float(narrow) == size else repr(size)
    whole, point, rest = text.partition(".")
    if size >= 1000 and "e" not in text:
        text = f"{int(whole):,}{point}{rest}"
    return _signed(_exponent(text), value < 0)


def _exponent(text: str) -> str:
    """Return a number's text with its exponent in the shortest form and a true minus sign."""
    return re.sub(r"e([+-])0*(?=[0-9])", lambda sign: f"e{MINUS}" if sign[1] == "-" else "e", text)


def exponent(value: float) -> str:
    """Return a small number with two digits and its power of ten, such as "1.2e−7"."""
    if not math.isfinite(value) or value == 0:
        return _show_float(value)
    return _signed(_exponent(f"{abs(value):.1e}"), value < 0)


def figures(value: float, places: int = 2) -> str:
    """Return a number with so many figures, such as "0.00019" or "2.8e−6"."""
    if not math.isfinite(value):
        return show(value)
    return _signed(_exponent(f"{abs(value):.{places}g}"), value < 0)


def rounded(value: float, places: int) -> str:
    """Return a number above zero with so many figures, and all digits of its whole part."""
    whole = 10.0**places - 0.5 <= value < 1e15
    return f"{value:,.0f}" if whole else f"{value:,.{places}g}"


ROUNDED_UP = 0.9995
"""Share of a unit from which three figures make a whole one."""


def short(value: float) -> str:
    """Return a count in at most five characters or so, such as "12.3k" or "1.89M"."""
    for size, letter in ((1e9, "bn"), (1e6, "M")):
        if value >= ROUNDED_UP * size:
            return f"{rounded(value / size, 3)}{letter}"
    return f"{rounded(value / 1e3, 3)}k" if value >= 1e4 else f"{value:,.0f}"


def short_rate(value: float) -> str:
    """Return a rate with three figures and the prefix of its unit, such as "3.41M"."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= ROUNDED_UP * size:
            return f"{rounded(value / size, 3)}{letter}"
    return f"{value:.3g}"


def byte_size(size: float) -> str:
    """Return bytes, such as "1.9 KiB"."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{rounded(size / unit, 3)} {name}"
    return f"{size:.0f} B"


def duration(seconds: float) -> str:
    """Return seconds, such as "23 min" or "5.5 s"."""
    for size, name in ((3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{rounded(seconds / size, 3)} {name}"
    return f"{seconds:.3g} s"


def when(stamp: str) -> str:
    """Return a UTC time in ISO form to the minute, such as "2026-11-26 14:10 UTC"."""
    return f"{stamp[:16].replace('T', ' ')} UTC"


def count(number: int, word: str) -> str:
    """Return a number of things: "1 day", "2 days"."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def plain(name: object) -> str:
    """Return a name in code as words."""
    return str(name).replace("_", " ")

"""How an evaluation writes amounts, shares and counts, on its page and on the console."""

from __future__ import annotations

import math

DASH = "–"


def money(value: float) -> str:
    """Return dollars to the cent, with a true minus sign."""
    return f"{'−' if round(value, 2) < 0 else ''}${abs(value):,.2f}"


def show_money(value: float | None, places: int = 2) -> str:
    """Return dollars for reading, a dash for none."""
    if value is None or not math.isfinite(value):
        return DASH
    if places == 0:
        return f"{'−' if round(value) < 0 else ''}${abs(value):,.0f}"
    return money(value)


def show_percent(share: float | None) -> str:
    """Return a share for reading, a dash for none."""
    return DASH if share is None or not math.isfinite(share) else f"{share:.1%}"


def show_number(value: float | None, places: int = 2) -> str:
    """Return a number for reading, a dash for none."""
    if value is None or not math.isfinite(value):
        return DASH
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    text = f"{value:,.{places}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.lstrip("-")


def count(number: int, word: str) -> str:
    """Return a number of things: "1 day", "2 days"."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"

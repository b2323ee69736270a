"""Formatting of distances, tolerances and values of compared fields, for the report's page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from foundation.report.format import DASH, difference, dollars_of_cents, short, show
from parity.engine.compare import FAR

CENTS = "cents"
"""Unit of fields that are compared as whole cents and shown in dollars."""


LANE_WORDS = {
    **dict.fromkeys(("generated", "restart after a generated case", "forbidden is hold"), "case"),
    **dict.fromkeys(("no look-ahead", "learner decisions"), "case"),
    **dict.fromkeys(("restart draws", "reset draws"), "draw"),
    **dict.fromkeys(("independent draws", "random bits at scale", "orders at scale"), ""),
    "data": "bar",
    "learner": "update",
    "learner draws": "update",
}
"""What a lane of a kind of check is, where it is no episode; nothing where it is no place."""


def lane_word(check: str) -> str:
    """Return what a lane of a check is called; nothing where a check knows no lanes."""
    return LANE_WORDS.get(check.partition(",")[0], "episode")


def name_at(name: str, index: Iterable[int]) -> str:
    """Return a field's name with the place of one of its numbers, such as "obs[3, 0]"."""
    inner = ", ".join(map(str, index))
    return f"{name}[{inner}]" if inner else name


def place_of(check: str, field: str, lane: int, step: int) -> str:
    """Return where a check first found a difference, such as "at episode 3, step 41"; or nothing.

    Args:
        check: its name.
        field: in which the sides differ.
        lane, step: of a :class:`parity.engine.verify.Mismatch`.
    """
    word = lane_word(check)
    if field == "draws of a start":
        word = "start"
    elif check == "learner draws" and step < 0:
        word = ""
    if not word:
        return ""
    return f"at {word} {lane:,}, step {step:,}" if step >= 0 else f"at {word} {lane:,}"


def ulps(distance: int | None) -> str:
    """Return a distance in ulps for reading."""
    if distance is None:
        return DASH
    return "not finite" if distance >= FAR else f"{distance:,}"


def brief_ulps(distance: int) -> str:
    """Return a distance short enough for the head of the page."""
    return ulps(distance) if distance < 10**6 or distance >= FAR else short(distance)


def runs(actions: Sequence[int]) -> list[tuple[int, int]]:
    """Return a sequence of actions as (action, how often in a row)."""
    return [(action, len(list(same))) for action, same in groupby(actions)]


def unit_of(rule: str) -> str:
    """Return the unit that a rule's words name in brackets, or nothing."""
    match = re.search(r"\(([^()]*)\)$", rule)
    return match.group(1) if match else ""


def tolerance_of(rule: str) -> int | None:
    """Return how many ulps a rule allows; None for a field that must be equal."""
    match = re.match(r"within (\d+) ulps", rule)
    return int(match.group(1)) if match else None


def amount(value: Any, unit: str) -> tuple[str, str]:
    """Return a value with its unit for reading: cents as dollars, with the cents beside them."""
    if unit == CENTS and isinstance(value, (int, float)) and not isinstance(value, bool):
        return dollars_of_cents(value), f"({show(value)} cents)"
    return show(value), unit


def amount_apart(value: float, unit: str) -> tuple[str, str]:
    """Return a difference with its sign and unit for reading, as :func:`amount` does."""
    if unit == CENTS:
        return f"{'+' if value > 0 else ''}{dollars_of_cents(value)}", f"({difference(value)} cents)"
    return difference(value), unit

"""Options of a fusion of advice and policy, as its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from foundation.errors import InputError

if TYPE_CHECKING:
    from markets.advice.fusion import FusionSettings

RULES = ("weighted", "gated", "agreement", "veto", "alone")
"""Names of :data:`markets.advice.fusion.RULES`, without importing it."""

RULE = "gated"
"""Taken where none is given."""


def fusion_settings(rule: str, changes: Sequence[str]) -> FusionSettings:
    """Return a fusion from a rule and NAME=VALUE texts.

    Raises:
        InputError: a name is unknown, or a value makes no sense.
    """
    from markets.advice.fusion import FusionSettings

    values = FusionSettings(rule=rule).to_dict()
    for text in changes:
        name, equals, value = text.partition("=")
        if not equals or name not in values or name == "rule":
            names = ", ".join(name for name in values if name != "rule")
            raise InputError(f"--fusion-set {text}: give NAME=VALUE with one of {names}")
        values[name] = _number(text, value, type(values[name]))
    return FusionSettings(**values)


def refuse_without_advice(given: Mapping[str, Any]) -> None:
    """Refuse options that say how advice is used where there is no advice to use.

    Args:
        given: options by their names on the command line; None or () where one is not given.

    Raises:
        InputError: one of them is given.
    """
    for name, value in given.items():
        if value is not None and value != ():
            raise InputError(f"{name} is about advice; give a table with --advice, or leave it out")


def _number(text: str, value: str, kind: type) -> Any:
    if kind is bool:
        if value not in ("true", "false"):
            raise InputError(f"--fusion-set {text}: give true or false")
        return value == "true"
    try:
        return kind(value)
    except ValueError:
        needed = "a whole number" if kind is int else "a number"
        raise InputError(f"--fusion-set {text}: give {needed}") from None

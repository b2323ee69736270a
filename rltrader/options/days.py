"""The type of options that count trading days: ``60`` or ``60d``."""

from __future__ import annotations

import re
from typing import Any

import click

COUNT = re.compile(r"\s*(\d+)\s*d\s*", re.IGNORECASE)


class Days(click.IntRange):
    """A number of trading days, at least one; a ``d`` after it says so, and changes nothing."""

    name = "days"

    def __init__(self) -> None:
        super().__init__(min=1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number.

        Raises:
            click.BadParameter: it is no whole number of days, or below one.
        """
        days = COUNT.fullmatch(value) if isinstance(value, str) else None
        number: Any = days[1] if days else value
        try:
            return int(super().convert(number, param, ctx))
        except click.BadParameter:
            self.fail(f"{value!r} is no number of trading days; give 60 or 60d", param, ctx)

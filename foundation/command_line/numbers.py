"""The type of an option that is a number; nan and inf are none, though Python reads them as floats."""

from __future__ import annotations

import math
from typing import Any

import click


class Number(click.FloatRange):
    """A finite number, within limits where they are given.

    A comparison with NaN is always false, so that a limit alone lets it pass.
    """

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number.

        Raises:
            click.BadParameter: it is no number, not finite, or outside the limits.
        """
        try:
            number = float(click.FLOAT.convert(value, param, ctx))
        except OverflowError:  # a whole number of a file, of more than 308 digits
            number = math.inf
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return float(super().convert(number, param, ctx))

    def _describe_range(self) -> str:
        """Return the limits for a help text; nothing where there are none."""
        limited = self.min is not None or self.max is not None
        return str(super()._describe_range()) if limited else ""

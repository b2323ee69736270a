"""Plots of a policy that never trades have axes that a reader can use."""

from __future__ import annotations

import re

import pytest

from jax_port.evaluation.sheet.plots import weekday_plot

DAYS = ("Monday", "Tuesday", "Wednesday")


@pytest.mark.parametrize(("mean", "shown"), [(0.0, "$80"), (150.0, "$160")])
def test_the_dollars_of_weekdays_are_dollars(mean: float, shown: str) -> None:
    drawn = str(weekday_plot({day: {"mean": mean} for day in DAYS}))
    names = re.findall(r">([^<]*\$[^<]*)</text>", drawn)
    assert any(shown in name for name in names), names
    assert not any("e" in name for name in names if name.startswith(("$", "−")))

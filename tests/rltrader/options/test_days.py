"""Trading days are counted as 60 or 60d, on the command line and in a file."""

from __future__ import annotations

from typing import Any

import click
import pytest

from rltrader.options.days import Days
from tests.sentences import refuses


@pytest.mark.parametrize("value", ["60d", "60", " 60 D ", 60])
def test_days_are_a_number_with_or_without_d(value: Any) -> None:
    assert Days().convert(value, None, None) == 60


@pytest.mark.parametrize("value", ["0d", "0", "-1d", "d", "60h", "6.5d", "", 0])
def test_anything_else_is_one_sentence(value: Any) -> None:
    with refuses(kind=click.BadParameter):
        Days().convert(value, None, None)

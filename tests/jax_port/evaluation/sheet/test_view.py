"""Numbers of the sheet as text, those that are nothing among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from foundation.report.format import dollars
from jax_port.evaluation.sheet.view import _shown


@pytest.mark.parametrize(
    ("value", "how", "text"),
    [
        (None, "minutes", "–"),
        (0.0, "minutes", "0 min"),
        (0.4, "minutes", "0 min"),
        (59.6, "minutes", "1 h"),
        (1441.0, "minutes", "1 d 1 min"),
        (2 * 1440 + 61.0, "minutes", "2 d 1 h 1 min"),
        (None, dollars, "–"),
        (0.0, dollars, "$0.00"),
    ],
)
def test_a_dash_stands_for_what_is_not_known_alone(
    value: float | None, how: str | Callable[..., Any], text: str
) -> None:
    assert _shown(value, how) == text

"""Bars lie in the order in which they were given, from the top, each beside its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from foundation.report.bars import Bar, Scale, above, beside

BARS = [
    Bar("first", 10.0, "10", "port"),
    Bar("second", 200.0, "200", "port"),
    Bar("third", None, "failed", "bad"),
]
SCALE = Scale("steps per second", lambda value: f"{value:g}")


@pytest.mark.parametrize("draw", [beside, above])
def test_the_first_bar_is_the_uppermost_and_all_are_on_the_page(draw: Callable[..., Any]) -> None:
    (axes,) = draw(BARS, SCALE).axes
    bottom, top = axes.get_ylim()
    assert (bottom > 0, top) == (True, 0)
    texts = [
        text.get_position()[1] for text in axes.texts if text.get_text() in {"10", "200", "failed"}
    ]
    assert len(texts) == 3
    assert texts == sorted(texts)  # downwards, as the axis is
    assert all(top < at < bottom for at in texts)


def test_names_stand_beside_their_bars() -> None:
    (axes,) = beside(BARS, SCALE).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second", "third"]
    values = [text.get_position()[1] for text in axes.texts]
    assert axes.get_yticks().tolist() == values
    assert axes.get_ylim() == (values[-1] + values[0], 0)

"""Bars lie in the order in which they were given, from the top, each beside its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from foundation.report.bars import Bar, Scale, above, beside, draw_bars
from foundation.report.svg import NARROW, draw
from tests.drawings import Drawings

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


@pytest.mark.parametrize("draw", [beside, above])
def test_lengths_are_told_from_nothing_unless_a_scale_says_otherwise(draw: Callable[..., Any]) -> None:
    plain = Scale("steps per second", SCALE.words, log=False)
    for scale, low, high in (
        (plain, 0.0, 210.0),
        (Scale("share", SCALE.words, log=False, limits=(5.0, 400.0)), 5.0, 400.0),
        (SCALE, 1.0, 230.0),
    ):
        (axes,) = draw(BARS, scale).axes
        assert axes.get_xlim() == pytest.approx((low, high))
        (first, second) = [bar for bar in axes.patches if bar.get_width() > 0]
        assert [bar.get_x() for bar in (first, second)] == pytest.approx([low, low])
        assert [bar.get_x() + bar.get_width() for bar in (first, second)] == pytest.approx(
            [10.0, 200.0]
        )
    (axes,) = draw(BARS[2:], plain).axes
    assert axes.get_xlim() == pytest.approx((0.0, 1.05))


LONG = "a name that is as long as the names of trainers with all their settings are, 8 workers"


def test_bars_are_drawn_as_reviewed(drawings: Drawings) -> None:
    bars = [
        Bar(LONG, 48_000.0, "48k", "port", interval=(47_000.0, 49_000.0)),
        Bar("second", 1_030.0, "1.03k", "reference", "muted"),
        Bar("third", 100.0, "100", "reference"),
        Bar("fourth", None, "failed: there was no room for so many environments", "bad", "bad"),
    ]
    plain = Scale("share", lambda value: f"{value:.0%}", log=False, limits=(0.0, 1.0))
    shares = [Bar("kept", 0.25, "25%", "good"), Bar("left", 0.75, "75%", "loss")]
    shares.append(Bar("with a name that is as long, and none at all", 0.0, "0%", "loss"))
    doubled = Scale("times, log scale", lambda value: f"{value:g}x", base=2.0, limits=(1.0, 4096.0))
    with drawings():
        draw_bars("speed", "steps a second", bars, SCALE)
        draw_bars("shares", "shares", shares, plain)
        draw_bars("nothing", "nothing was measured", [BARS[2]], SCALE)
        draw("tracked", "with whole bars", lambda size: above(bars[1:3], doubled, 9.0, True), NARROW)

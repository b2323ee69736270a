"""Sessions that begin whole hours beside where they should, in a part of the file."""

from __future__ import annotations

import numpy as np
import pytest

from markets.quality.parts import _few_minutes, _first_run, _whole_hours

DAYS = 100


@pytest.mark.parametrize(
    ("opening", "off"),
    [
        (570, 0),
        (1080, 0),
        (630, 60),
        (510, -60),
        (1020, -60),
        (1140, 60),
        (690, 120),
        (585, 0),
        (571, 0),
    ],
)
def test_whole_hours_beside_an_opening(opening: int, off: int) -> None:
    opens = np.array([570, opening, 1080])
    assert _whole_hours(opens, DAYS).tolist() == [0, off, 0]


def test_what_most_days_do_is_a_habit_of_the_file() -> None:
    opens = np.array([630] * 80 + [570] * 100)
    assert not _whole_hours(opens, DAYS).any()
    assert (_whole_hours(opens[75:], DAYS)[:5] == 60).all()


@pytest.mark.parametrize(
    ("opening", "last", "off"),
    [
        (1085, 1024, 5),
        (1075, 1014, -5),
        (575, 964, 5),
        (1085, 1025, 0),
        (1081, 1020, 0),
        (1139, 1078, 59),
        (1140, 1079, 0),
    ],
)
def test_a_few_minutes_show_at_both_ends(opening: int, last: int, off: int) -> None:
    assert _few_minutes(np.array([1080, opening]), np.array([1019, last])).tolist() == [0, off]


def test_the_first_run_that_is_long_enough() -> None:
    off = np.array([0, 60, 0, 60, 60, 60, 60, 60, 60, 0, 60])
    opens = 570 + off
    assert _first_run(off, opens) == (3, 9)
    assert _first_run(off * 0, opens) is None
    opens[6] += 1  # another minute begins another run
    assert _first_run(off[:7], opens[:7]) in (None, (3, 6))

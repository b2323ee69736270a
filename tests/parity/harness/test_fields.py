"""Domains and rules: what they draw, how they compare, and what they refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from parity import angle, close, exact, integer, near, real
from tests.sentences import refuses


def test_real_values_stay_inside_and_meet_zero_the_ends_and_the_aims() -> None:
    drawn = (real(-2.4, 2.4) | near(0.5)).sample(np.random.default_rng(0), (5000,))
    assert drawn.dtype == np.float64
    assert (np.abs(drawn) <= 2.4).all()
    for value in (0.0, 0.5, 2.4, -2.4):
        assert (drawn == value).any()
    close_by = np.abs(drawn - 0.5)
    assert ((close_by > 0) & (close_by < 1e-6)).any()


def test_whole_values_are_whole_and_meet_both_sides_of_an_aim() -> None:
    drawn = (integer(0, 499) | near(100)).sample(np.random.default_rng(0), (2000, 2))
    assert drawn.dtype == np.int64
    assert drawn.shape == (2000, 2)
    assert {0, 99, 100, 101, 499} <= set(drawn.reshape(-1).tolist())
    assert drawn.min() == 0
    assert drawn.max() == 499


def test_simpler_values_lie_inside_the_domain_and_the_simplest_comes_first() -> None:
    assert (real(-3, 3) | near(2.4)).simpler(2.3987654)[:3] == [0, 1, -1]
    assert 2.4 in (real(-3, 3) | near(2.4)).simpler(2.3987654)
    assert all(5 <= value <= 9 for value in integer(5, 9).simpler(8))


def test_an_angle_is_compared_on_its_circle() -> None:
    a, b = np.array([math.pi - 1e-9, 0.0]), np.array([-math.pi + 1e-9, 1.0])
    assert angle().apart(a, b).tolist() == pytest.approx([2e-9, 1.0], abs=1e-12)
    assert angle(360).apart(np.array([359.0]), np.array([1.0])).tolist() == [2.0]


def test_minus_zero_equals_zero_and_nan_equals_itself_alone() -> None:
    a, b = np.array([-0.0, np.nan, np.nan, np.inf]), np.array([0.0, np.nan, 1.0, np.inf])
    assert exact().apart(a, b).tolist() == [0.0, 0.0, math.inf, 0.0]


BAD: dict[str, Any] = {
    "real(1, 0)": lambda: real(1, 0),
    "real(0, inf)": lambda: real(0, math.inf),
    "real('a', 1)": lambda: real("a", 1),
    "integer(0, 1.5)": lambda: integer(0, 1.5),
    "near()": lambda: near(),
    "near(nan)": lambda: near(math.nan),
    "real(0, 1) | 3": lambda: real(0, 1) | 3,
    "close(ulps=-1)": lambda: close(ulps=-1),
    "close(ulps=True)": lambda: close(ulps=True),
    "close(floor=-1.0)": lambda: close(floor=-1.0),
    "angle(0)": lambda: angle(0),
}


@pytest.mark.parametrize("words", BAD)
def test_bad_words_are_refused_in_a_sentence(words: str) -> None:
    with refuses():
        BAD[words]()

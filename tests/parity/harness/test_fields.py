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
    "near(1, nan)": lambda: near(1, math.nan),
    "near(inf)": lambda: near(math.inf),
    "near(-inf, 1)": lambda: near(-math.inf, 1),
    "near(1, '2')": lambda: near(1, "2"),  # type: ignore[arg-type]
    "real(nan, 1)": lambda: real(math.nan, 1),
    "real(0, nan)": lambda: real(0, math.nan),
    "real(-inf, 1)": lambda: real(-math.inf, 1),
    "real(inf, inf)": lambda: real(math.inf, math.inf),
    "real(0, '1')": lambda: real(0, "1"),  # type: ignore[arg-type]
    "integer(4, 3)": lambda: integer(4, 3),
    "integer(0.5, 3)": lambda: integer(0.5, 3),  # type: ignore[arg-type]
    "integer(-inf, 3)": lambda: integer(-math.inf, 3),  # type: ignore[arg-type]
    "close(ulps=1.0)": lambda: close(ulps=1.0),  # type: ignore[arg-type]
    "close(floor=nan)": lambda: close(floor=math.nan),
    "angle(ulps=-1)": lambda: angle(ulps=-1),
    "angle(floor=-0.5)": lambda: angle(floor=-0.5),
    "angle(-360)": lambda: angle(-360),
    "real(0, 1) | 3": lambda: real(0, 1) | 3,
    "close(ulps=-1)": lambda: close(ulps=-1),
    "close(ulps=True)": lambda: close(ulps=True),
    "close(floor=-1.0)": lambda: close(floor=-1.0),
    "angle(0)": lambda: angle(0),
    "angle(inf)": lambda: angle(math.inf),
    "angle('a turn')": lambda: angle("a turn"),  # type: ignore[arg-type]
    "integer(0, 2**63)": lambda: integer(0, 2**63),
    "integer(-2**63 - 1, 0)": lambda: integer(-(2**63) - 1, 0),
}


@pytest.mark.parametrize("words", BAD)
def test_bad_words_are_refused_in_a_sentence(words: str) -> None:
    with refuses():
        BAD[words]()


def plainly_apart(x: float, y: float, period: float) -> float:
    """Return how far two numbers are apart, by the plain definition."""
    if x == y or (math.isnan(x) and math.isnan(y)):
        return 0.0
    if math.isnan(x) or math.isnan(y) or math.isinf(x) or math.isinf(y):
        return math.inf
    if not period:
        return abs(x - y)
    turned = math.fmod(abs(x - y), period)
    return min(turned, period - turned)


ODD = (0.0, -0.0, 1.0, -1.0, 2.5, 180.0, 359.0, -721.5, 1e300, -1e300, math.nan, math.inf, -math.inf)


@pytest.mark.parametrize("rule", [exact(), close(), angle(), angle(360)], ids=lambda r: r.describe())
def test_any_two_numbers_are_apart_by_the_plain_definition(rule: Any) -> None:
    """In either order: which side is larger, or no number, changes nothing."""
    pairs = [(x, y) for x in ODD for y in ODD]
    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    expected = [plainly_apart(x, y, rule.period) for x, y in pairs]
    assert rule.apart(a, b).tolist() == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_a_bound_is_kept_whatever_the_rule() -> None:
    for rule in (close(3, 0.5), angle(ulps=3, floor=0.5)):
        assert (rule.ulps, rule.floor) == (3, 0.5)
        assert "3 ulps or 0.5" in rule.describe()
    with refuses():
        close(floor=math.inf)


def test_a_rule_is_told_with_its_bound_and_its_circle() -> None:
    assert [rule.describe() for rule in (exact(), close(), close(3), close(2, 0.25))] == [
        "equal",
        "equal but for rounding",
        "equal but for rounding within 3 ulps or 0",
        "equal but for rounding within 2 ulps or 0.25",
    ]
    assert [rule.describe() for rule in (angle(), angle(720, 0), angle(360.5, 4, 1e-9))] == [
        "equal but for rounding on a circle of 6.28319",
        "equal but for rounding within 0 ulps or 0 on a circle of 720",
        "equal but for rounding within 4 ulps or 1e-09 on a circle of 360.5",
    ]
    assert angle(720).apart(np.array([1.0, 1.0]), np.array([719.0, 361.0])).tolist() == [2.0, 360.0]


def test_a_domain_may_be_one_value_and_as_wide_as_its_numbers() -> None:
    rng = np.random.default_rng(0)
    for one, value in ((real(2.5, 2.5), 2.5), (integer(7, 7), 7), (integer(0, 0), 0)):
        assert set(one.sample(rng, (60, 2)).reshape(-1).tolist()) == {value}
    low, high = -(2**63), 2**63 - 1
    drawn = (integer(low, high) | near(2**62)).sample(rng, (4000,))
    assert {low, low + 1, high - 1, high} <= set(drawn.tolist())
    aims = {drawn.dtype.type(2**62) + beside for beside in (-2, -1, 0, 1, 2)}
    assert aims <= set(drawn.tolist())
    assert 0.1 < (drawn < 0).mean() < 0.7
    most = np.finfo(np.float64).max
    wide = real(-most, most).sample(rng, (4000,))
    assert np.isfinite(wide).all()
    assert {-most, 0.0, most} <= set(wide.tolist())
    quarters, _ = np.histogram(wide / most, 4, (-1, 1))
    assert quarters.min() > 500


def test_small_numbers_and_single_units_about_an_aim_are_drawn() -> None:
    drawn = (real(0, 1000) | near(100)).sample(np.random.default_rng(0), (20_000,))
    assert ((drawn > 1e-2) & (drawn < 1)).sum() > 200  # of a uniform draw, twenty
    units = (drawn - 100) / 2.0**-17  # of float32 at 100
    whole = units[(units == np.round(units)) & (np.abs(units) <= 12)]
    assert set(whole.tolist()) == set(range(-12, 13))


def test_aims_are_added_to_aims_and_both_ends_of_a_domain_stay() -> None:
    both = real(-1, 2) | near(0.5) | near(-0.25, 1.5)
    assert (both.low, both.high, both.aims) == (-1, 2, (0.5, -0.25, 1.5))


@pytest.mark.parametrize("aims", [(), (100,), (100, -7, 250)])
@pytest.mark.parametrize("domain", [real(-60, 300), integer(-60, 300)], ids=["real", "whole"])
def test_every_part_of_a_domain_and_both_sides_of_every_aim_are_drawn(domain: Any, aims: Any) -> None:
    if aims:
        domain |= near(*aims)
    drawn = domain.sample(np.random.default_rng(1), (20_000,))
    counts, _ = np.histogram(drawn, 12, (domain.low, domain.high))
    assert counts.min() > 20_000 / 12 / 4
    if domain.whole:
        assert set(range(-60, 301)) == set(drawn.tolist())
    for aim in (*aims, domain.low, domain.high):
        reach = 2 if domain.whole else 1e-5
        beside = np.sign(drawn[np.abs(drawn - aim) <= reach] - aim)
        sides = {0.0, *([-1.0] if aim > domain.low else []), *([1.0] if aim < domain.high else [])}
        assert set(beside.tolist()) == sides, aim


def test_both_sides_of_an_aim_are_drawn_where_a_domain_is_wide() -> None:
    aim = 4 * 10**8
    drawn = (integer(0, 10**9) | near(aim)).sample(np.random.default_rng(0), (4000,))
    near_by, counts = np.unique(drawn[np.abs(drawn - aim) < 5] - aim, return_counts=True)
    assert near_by.tolist() == [-2, -1, 0, 1, 2]
    assert counts.min() > 40


def test_simpler_values_are_the_nearest_aim_round_numbers_and_ends_within_the_domain() -> None:
    domain = real(-2, 9) | near(8.5, 0.75, -1.5)
    assert domain.simpler(0.7123) == [0, 1, -1, 0.75, 0.7, 0.71, 0.712, -2.0, 9.0]
    assert domain.simpler(7.0)[:4] == [0, 1, -1, 8.5]
    assert domain.simpler(0.75)[:3] == [0, 1, -1]
    counts = integer(1, 40) | near(30, 12)
    assert counts.simpler(17) == [1, 12, 40, 8, 16]


def test_no_value_is_simpler_than_one_that_is_simpler_than_it() -> None:
    """So that a case that is made simple in turns comes to rest."""
    counts = integer(1, 40) | near(30, 12)
    assert [counts.simpler(n) for n in (1, 12, 40, 2)] == [[], [1], [1, 30], [1, 12, 40]]
    assert integer(-50, 40).simpler(-17) == [0, 1, -1, -50, 40, -8, -16]
    domain = real(-2, 9) | near(8.5, 0.75, -1.5)
    assert [domain.simpler(n) for n in (0, 1, -1, 9.0)] == [[], [0], [0, 1], [0, 1, -1, 8.5]]
    assert domain.simpler(0.7) == [0, 1, -1, 0.75, -2.0, 9.0]
    circle = real(-math.pi, math.pi)
    assert circle.simpler(2.0) == [0, 1, -1]  # an end has more digits
    ends = [-math.pi, math.pi]
    assert circle.simpler(2.0345) == [0, 1, -1, 2.0, 2.03, 2.034]
    assert circle.simpler(2.03456789)[-3:] == [2.034568, *ends]
    assert circle.simpler(math.pi) == [0, 1, -1, 3.0, 3.1, 3.14, 3.14159, -math.pi]
    for one in (domain, counts, circle, integer(-7, 9) | near(4), real(-0.3, 2 / 3) | near(0.5)):
        values = set(one.sample(np.random.default_rng(0), (40,)).tolist())
        for _ in range(8):
            values |= {simple for value in values for simple in one.simpler(value)}
        below = {value: set(one.simpler(value)) for value in values}
        for value in values:
            assert value not in below[value]
            assert not any(value in below[simple] for simple in below[value])

"""Two-sample tests by hand: gaps, chances, ends and counts of small samples of unequal sizes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from parity.harness.contract.samples import (
    ALPHA,
    MOST_NUMBERS,
    MOST_PAIRS,
    _beyond_the_other,
    _kolmogorov,
    _spread,
    _too_few,
    _varies,
    compare_samples,
)


def numbers(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


@pytest.mark.parametrize(
    ("a", "b", "gap"),
    [
        ((1, 2, 2, 5), (2, 3), 0.25),
        ((2, 3), (1, 2, 2, 5), 0.25),
        ((1, 2, 3), (4, 5), 1.0),
        ((4, 5), (1, 2, 3), 1.0),
        ((1, 1, 1, 2), (1, 2, 2, 2, 2), 0.75 - 0.2),
        ((1, 2, 2, 2, 2), (1, 1, 1, 2), 0.75 - 0.2),
        ((7,), (7, 7, 7), 0.0),
        ((1, np.nan, np.nan), (1, 2, 2, 2), 2 / 3),
        ((-np.inf, 0, np.inf), (0, 0, 0, 0), 1 / 3),
    ],
)
def test_a_gap_is_between_shares_up_to_a_value_and_that_value_itself(
    a: Any, b: Any, gap: float
) -> None:
    found, chance = _kolmogorov(numbers(*a), numbers(*b))
    assert found == pytest.approx(gap)
    size = len(a) * len(b) / (len(a) + len(b))
    assert chance == pytest.approx(min(1.0, 2 * math.exp(-2 * size * gap**2)))


def test_the_chance_of_a_gap_is_smaller_the_more_draws_there_are_on_either_side() -> None:
    a, b = np.arange(10.0), np.full(30, 100.0)
    assert _kolmogorov(a, b) == (1.0, pytest.approx(2 * math.exp(-15)))
    assert _kolmogorov(b, a) == (1.0, pytest.approx(2 * math.exp(-15)))
    half = np.r_[np.full(15, 4.5), np.full(15, 100.0)]
    assert _kolmogorov(a, half) == (0.5, pytest.approx(2 * math.exp(-15 / 4)))


@pytest.mark.parametrize(
    ("a", "b", "chance"),
    [
        ((0, 1, 2, 3), (2, 3, 4, 5, 6), (5 / 9) ** 3),
        ((0, 1, 1, 1, 2, 3), (2, 3, 4), (6 / 9) ** 4),
        ((2, 3), (2, 3, 3), 1.0),
        ((0, 9), (1, 2, 3, 4, 5, 6), 2 / 8),
        ((1, 2), (0, 1, 2, 2), 4 / 6),
        ((1, 2, np.nan), (0, 1, 2, 2), 3 / 7),
        ((5, 5, 5, 9), (1, 2, 3, 4, 5), (5 / 9) ** 4),
    ],
)
def test_the_chance_of_draws_beyond_all_of_the_other_side_s(a: Any, b: Any, chance: float) -> None:
    assert _beyond_the_other(numbers(*a), numbers(*b)) == pytest.approx(chance)
    assert _beyond_the_other(numbers(*b), numbers(*a)) == pytest.approx(chance)
    if not np.isnan([*a, *b]).any():
        assert _beyond_the_other(-numbers(*a), -numbers(*b)) == pytest.approx(chance)


@pytest.mark.parametrize(
    ("mine", "theirs", "found"),
    [(901, 499, True), (900, 499, False), (901, 500, False), (1000, 1, True), (499, 901, False)],
)
def test_a_port_takes_too_few_values_beside_a_reference_that_takes_many(
    mine: int, theirs: int, found: bool
) -> None:
    a = np.arange(2000.0) % (2 * mine)  # of twice as many draws as the port's
    b = np.arange(1000.0) % theirs
    words = f"takes {theirs} distinct values in 1000 draws, the reference {2 * mine}"
    assert _too_few(a, b) == (words if found else "")


def test_what_varies_has_two_numbers_and_a_spread_is_never_nothing() -> None:
    assert not _varies(numbers())
    assert not _varies(numbers(3))
    assert not _varies(numbers(np.nan, 3, 3, np.inf, 3))
    assert not _varies(numbers(np.nan, np.nan))
    assert _varies(numbers(3, 3, 3, 4))
    assert _spread(numbers(1, 3, 3, 9)) == 3.0
    assert _spread(numbers(1, np.nan, 3, 3, 9, np.inf)) == 3.0
    assert _spread(numbers(2, 2)) == _spread(numbers(1e-300, 2e-300)) == 1.0


def test_numbers_of_any_size_show_how_they_hang_together() -> None:
    """Sums and differences are of numbers as they spread, or the largest would be all that counts."""
    a, b, c, d, e, f = (np.random.default_rng(seed).normal(size=1000) for seed in range(6))
    sizes = {"x": 1e-9, "y": 1.0, "z": 1e9}
    mine = {name: size * one for (name, size), one in zip(sizes.items(), (a, b, c), strict=True)}
    free = {name: size * one for (name, size), one in zip(sizes.items(), (d, e, f), strict=True)}
    result = compare_samples(mine, free)
    assert result.differs == {}
    assert result.tests == 3 + 3 * 2 + 4 * 3
    for one, two in (("x", "y"), ("x", "z"), ("y", "z")):
        for sign, word in ((1, "-"), (-1, "+")):
            other = {**free, two: sign * free[one] / sizes[one] * sizes[two]}
            # what cancels is always 0 there, and the other of the two is twice as wide
            assert set(compare_samples(mine, other).differs) >= {f"{one} {word} {two}, scaled"}
            assert not {"x", "y", "z"} & set(compare_samples(mine, other).differs)


def test_a_difference_that_cancels_but_for_rounding_is_the_same_constant_on_both_sides() -> None:
    a, b = (np.random.default_rng(seed).normal(size=1000) for seed in range(2))
    mine, theirs = {"x": a, "y": a}, {"x": b, "y": b * (1 + 2.0**-50)}
    assert compare_samples(mine, theirs).differs == {}
    assert compare_samples(theirs, mine).differs == {}


def test_up_to_so_many_pairs_of_numbers_and_numbers_of_a_field_are_looked_at() -> None:
    assert (MOST_NUMBERS, MOST_PAIRS, ALPHA) == (256, 40, 1e-6)
    for many, pairs in ((1, 0), (2, 1), (9, 36), (10, 45), (20, 62)):
        a, b = (np.random.default_rng(seed).normal(size=(400, many)) for seed in range(2))
        assert compare_samples({"x": a}, {"x": b}).tests == 5 * many + 2 * pairs
    a, b = (np.random.default_rng(seed).normal(size=(50, 300)) for seed in range(2))
    assert compare_samples({"x": a}, {"x": b}).tests == 5 * 256 + 2 * 294


@pytest.mark.parametrize("many", [3, 20, 256])
def test_of_many_numbers_each_is_held_beside_the_next(many: int) -> None:
    """Two that are one number on one side alone have the distributions that they should have."""
    a, b = (np.random.default_rng(seed).normal(size=(400, many)) for seed in range(2))
    for first in (0, many // 2, many - 2):
        alike = b.copy()
        alike[:, first + 1] = np.sort(b[:, first + 1])[np.argsort(np.argsort(b[:, first]))]
        found = compare_samples({"x": a}, {"x": alike}).differs
        assert f"x[{first}] - x[{first + 1}], scaled" in found  # always zero
        assert all(f"x[{first + 1}]" in name or f"x[{first}]" in name for name in found)
    assert compare_samples({"x": a}, {"x": b}).differs == {}


def test_a_false_alarm_is_as_seldom_as_is_asked_for() -> None:
    a, b = np.arange(100.0), (np.arange(60.0) / 59) ** 2 * 99  # within the same ends
    gap, chance = _kolmogorov(a, b)
    tests = 5
    for share, found in ((0.99, False), (1.01, True)):
        result = compare_samples({"x": a}, {"x": b}, alpha=chance * tests * share)
        assert ("x" in result.differs) is found
        assert result.tests == tests
        assert not found or result.differs["x"].endswith(f"(gap {gap:.2f})")
    # three of its draws lie beyond all of the other's, of a hundred in a hundred and sixty
    low = np.r_[np.arange(97) * 57 / 97 + 2, np.full(3, -5.0)]
    beyond = (100 / 160) ** 3
    for share, found in ((0.99, False), (1.01, True)):
        result = compare_samples({"x": low}, {"x": np.arange(60.0)}, alpha=beyond * tests * share)
        assert ("x" in result.differs) is found


def test_few_draws_show_no_gap_and_an_empty_set_of_numbers_no_difference() -> None:
    assert compare_samples({"x": numbers(1)}, {"x": numbers(2, 3)}).smallest == 1.0
    none = np.zeros((5, 0))
    result = compare_samples({"x": none}, {"x": none})
    assert (result.differs, result.tests) == ({}, 1)


def test_each_side_s_range_stands_beside_its_own_name() -> None:
    mine, theirs = np.arange(1000) / 8, np.full((600, 2), [7, 2.5])
    differs = compare_samples({"x": np.stack([mine, mine], axis=1)}, {"x": theirs}).differs
    whole = "from 0 to 124.9, mean 62.44 on the reference; always"
    assert differs["x[0]"] == f"{whole} 7 on the port (gap 0.94)"
    assert differs["x[1]"] == f"{whole} 2.5 on the port (gap 0.98)"
    few = np.arange(1000.0) // 10 * 10 * 0.125
    # it differs by its range or shape already: that is what is told
    shifted = few + 60
    assert "distinct" not in compare_samples({"x": mine}, {"x": shifted}).differs["x"]
    assert compare_samples({"x": mine}, {"x": few}).differs["x"].startswith("takes 100 distinct values")

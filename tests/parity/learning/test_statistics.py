"""Tests of equivalence and bootstrap intervals, number by number, against formulas written out here."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from parity.learning.compare import compare
from parity.learning.statistics import (
    DIFFERENT,
    TOO_FEW,
    bootstrap_iqm_difference,
    equivalence,
    power,
    seeds_needed,
)
from parity.learning.tables import Results
from tests.sentences import refuses

FIRST = [1.0, 2.5, 2.0, 7.0, 4.5, 3.0, 3.5]
SECOND = [2.0, 2.25, 9.0, 6.5]


def test_every_number_of_a_test_is_welchs() -> None:
    a, b = np.array(FIRST), np.array(SECOND)
    parts = [x.var(ddof=1) / x.size for x in (a, b)]
    error = np.sqrt(sum(parts))
    freedom = sum(parts) ** 2 / sum(
        part**2 / (x.size - 1) for part, x in zip(parts, (a, b), strict=True)
    )
    apart = b.mean() - a.mean()
    reach = stats.t.ppf(0.975, freedom) * error
    found = equivalence(FIRST, SECOND, margin=1.25, alpha=0.025, planned=5).to_dict()
    above = stats.t.cdf((apart - 1.25) / error, freedom)
    assert found == {
        "difference": pytest.approx(apart),
        "low": pytest.approx(apart - reach),
        "high": pytest.approx(apart + reach),
        "margin": 1.25,
        "alpha": 0.025,
        "p_below": pytest.approx(stats.t.sf((apart + 1.25) / error, freedom)),
        "p_above": pytest.approx(above),
        "p_zero": pytest.approx(2 * stats.t.sf(abs(apart) / error, freedom)),
        "n": [7, 4],
        "planned": 5,
        "p": pytest.approx(above),
        "verdict": TOO_FEW,
    }
    # The other way around the sides of the margin change places, and the worse one still counts.
    back = equivalence(SECOND, FIRST, margin=1.25, alpha=0.025).to_dict()
    assert (back["low"], back["high"]) == pytest.approx((-apart - reach, reach - apart))
    assert (back["p"], back["p_below"], back["n"]) == (
        pytest.approx(above),
        pytest.approx(above),
        [4, 7],
    )


@pytest.mark.parametrize("turned", [False, True])
def test_one_of_two_trainers_may_not_scatter_at_all(turned: bool) -> None:
    """As a baseline does; what scatters alone says how sure it is, and nothing is warned of."""
    still, b = np.full(5, 3.0), np.array(SECOND)
    samples = (b, still) if turned else (still, b)
    results = [
        Results(name, tuple(map(str, range(x.size))), ("score",), x[:, None])
        for name, x in zip("ab", samples, strict=True)
    ]
    report = compare(results[0], results[1], margin=4.0)
    error, sign = b.std(ddof=1) / 2, -1 if turned else 1
    apart, reach = b.mean() - 3, stats.t.ppf(0.95, 3) * error
    assert report["test"]["difference"] == pytest.approx(sign * apart)
    low, high = sorted((sign * (apart - reach), sign * (apart + reach)))
    assert (report["test"]["low"], report["test"]["high"]) == pytest.approx((low, high))
    assert report["test"]["p"] == pytest.approx(stats.t.cdf((apart - 4) / error, 3))
    assert report["arms"][0 if not turned else 1]["sd"] == 0


def test_each_sample_has_to_be_as_large_as_planned() -> None:
    steady = np.linspace(0.0, 0.1, 30)
    for sizes in ((30, 29), (29, 30)):
        one, other = steady[: sizes[0]], steady[: sizes[1]] + 9
        assert equivalence(one, other, margin=1.0, alpha=0.05, planned=30).verdict == TOO_FEW
        assert equivalence(one, other, margin=1.0, alpha=0.05, planned=29).verdict == DIFFERENT


def test_either_sample_has_two_finite_numbers() -> None:
    for wrong in ([1.0], [1.0, np.inf], [np.nan, 1.0]):
        for samples in ((wrong, FIRST), (FIRST, wrong)):
            with refuses(kind=ValueError):
                equivalence(*samples, margin=1.0, alpha=0.05)


@pytest.mark.parametrize(("level", "seed"), [(0.95, 0), (0.8, 3)])
def test_the_interval_of_a_difference_draws_each_sample_by_itself(level: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    means = [
        stats.trim_mean(np.array(x)[rng.integers(len(x), size=(4_000, len(x)))], 0.25, axis=1)
        for x in (FIRST, SECOND)
    ]
    expected = np.quantile(means[1] - means[0], [0.5 - level / 2, 0.5 + level / 2])
    assert bootstrap_iqm_difference(FIRST, SECOND, level, seed) == pytest.approx(tuple(expected))


def test_seeds_are_counted_for_a_difference_of_either_sign() -> None:
    assert power(9, 1.0, 2.0, 0.05, 0.5) == pytest.approx(power(9, 1.0, 2.0, 0.05, -0.5))
    assert seeds_needed(1.0, 2.0, 0.05, 0.8, -0.5) == seeds_needed(1.0, 2.0, 0.05, 0.8, 0.5)
    # With two seeds or three nothing is shown; the fewest that a test can have are two.
    assert seeds_needed(1e-6, 2.0, 0.05, 0.8) == 2
    for true in (-2.0, 2.0, -3.0):
        with refuses(kind=ValueError):
            seeds_needed(1.0, 2.0, 0.05, 0.8, true)

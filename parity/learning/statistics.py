"""Equivalence tests of two samples of areas under learning curves: same, different or too few."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

EQUIVALENT, DIFFERENT, TOO_FEW = "equivalent", "different", "not enough seeds"

CUT = 0.25
"""Share cut off at each end for the interquartile mean."""
RESAMPLES = 4_000
MOST_SEEDS = 100_000
"""More are no sensible number."""
AT_ONCE = 1 << 20
"""Numbers of resamples that are held at a time."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided Welch tests of whether a difference of means lies within a margin.

    Attributes:
        difference: mean of the second sample minus that of the first.
        low, high: its two-sided confidence interval of level 1 - 2 alpha. Both tests reject exactly
            if it lies within the margin.
        margin: largest difference that counts as none, above 0.
        alpha: of each test.
        p_below, p_above: of the tests against a difference of -margin and less, and of margin and more.
        p_zero: of the two-sided Welch test against no difference; for information.
        n: sizes of both samples.
        planned: size that each sample was to have.
    """

    difference: float
    low: float
    high: float
    margin: float
    alpha: float
    p_below: float
    p_above: float
    p_zero: float
    n: tuple[int, int]
    planned: int

    @property
    def p(self) -> float:
        """Of the whole procedure: the larger of the two."""
        return float(np.maximum(self.p_below, self.p_above))  # NaN, where one is

    @property
    def verdict(self) -> str:
        """What was shown.

        "equivalent": the interval lies within the margin. "different": it lies wholly outside.
        "not enough seeds": neither, or a sample is not as large as planned, since whoever looks
        early and stops when pleased is wrong more often than alpha.
        """
        if min(self.n) < self.planned:
            return TOO_FEW
        if self.p <= self.alpha:
            return EQUIVALENT
        if self.low > self.margin or self.high < -self.margin:
            return DIFFERENT
        return TOO_FEW

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {**asdict(self), "n": list(self.n), "p": self.p, "verdict": self.verdict}


def equivalence(
    first: ArrayLike, second: ArrayLike, *, margin: float, alpha: float, planned: int = 2
) -> Equivalence:
    """Test two samples of at least two finite numbers each, which need not scatter alike.

    Raises:
        ValueError: a sample is too small, a number is not finite, or the margin is not above zero.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if min(a.size, b.size) < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("each sample needs at least two numbers, all of them finite")
    if not 0 < margin < np.inf:
        raise ValueError(f"the margin is {margin}; it must be a number above zero")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)  # one that does not scatter
        zero = stats.ttest_ind(b, a, equal_var=False)
        below = stats.ttest_ind(b + margin, a, equal_var=False, alternative="greater")
        above = stats.ttest_ind(b - margin, a, equal_var=False, alternative="less")
    low, high = zero.confidence_interval(1 - 2 * alpha)
    return Equivalence(
        difference=float(b.mean() - a.mean()),
        low=float(low),
        high=float(high),
        margin=float(margin),
        alpha=alpha,
        p_below=float(below.pvalue),
        p_above=float(above.pvalue),
        p_zero=float(zero.pvalue),
        n=(a.size, b.size),
        planned=planned,
    )


def iqm(x: ArrayLike, axis: int = 0) -> Any:
    """Return the interquartile mean along an axis: the mean of the middle half."""
    return stats.trim_mean(np.asarray(x, np.float64), CUT, axis=axis)


def bootstrap_iqm(x: ArrayLike, level: float = 0.95, seed: int = 0) -> tuple[Floats, Floats]:
    """Return both ends of a percentile bootstrap interval of the IQM over the first axis.

    Args:
        x: float64 (n, ...); the seeds of one arm are drawn anew, each with its whole curve.
        level: of the interval, for each number by itself.
        seed: of the draws.
    """
    sample = np.asarray(x, np.float64)
    means = _resampled(sample, np.random.default_rng(seed))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def _resampled(sample: Floats, rng: np.random.Generator) -> Floats:
    """Return the IQM of each of many resamples, float64 (resamples, ...), in little memory."""
    count = max(1, AT_ONCE // max(1, sample.size))
    parts = [
        iqm(sample[rng.integers(len(sample), size=(min(count, RESAMPLES - done), len(sample)))], axis=1)
        for done in range(0, RESAMPLES, count)
    ]
    return np.concatenate(parts)


def bootstrap_iqm_difference(
    first: ArrayLike, second: ArrayLike, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Return the same for the IQM of the second sample minus the first's, stratified by arm."""
    rng = np.random.default_rng(seed)
    means = []
    for sample in (np.asarray(first, np.float64), np.asarray(second, np.float64)):
        means.append(_resampled(sample, rng))
    low, high = np.quantile(means[1] - means[0], [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def power(n: int, sd: float, margin: float, alpha: float, true_difference: float = 0.0) -> float:
    """Return the chance that n seeds per arm are found equivalent, were the areas normal.

    Args:
        n: seeds per arm, at least 2.
        sd: standard deviation over the seeds of either arm.
        margin, alpha: of the test.
        true_difference: of the means.
    """
    error = sd * np.sqrt(2 / n)
    freedom = 2 * (n - 1)
    reach = margin - stats.t.ppf(1 - alpha, freedom) * error
    if reach <= 0:
        return 0.0
    low, high = ((edge - true_difference) / error for edge in (-reach, reach))
    return float(stats.t.cdf(high, freedom) - stats.t.cdf(low, freedom))


def seeds_needed(
    sd: float, margin: float, alpha: float, wanted: float, true_difference: float = 0.0
) -> int:
    """Return the least number of seeds per arm with at least this power.

    Raises:
        ValueError: the true difference is not within the margin, or no sensible number suffices.
    """
    if not abs(true_difference) < margin:
        raise ValueError("no number of seeds shows a difference to be within a margin that it exceeds")
    least, enough = 1, 2
    while power(enough, sd, margin, alpha, true_difference) < wanted:
        if enough == MOST_SEEDS:
            raise ValueError(f"more than {MOST_SEEDS:,} seeds would be needed")
        least, enough = enough, min(2 * enough, MOST_SEEDS)
    while enough - least > 1:
        middle = (least + enough) // 2
        if power(middle, sd, margin, alpha, true_difference) < wanted:
            least = middle
        else:
            enough = middle
    return enough

"""Statistics of samples: median with quartiles, and the ratio of two programs paired round by round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.record import Record

RESAMPLES = 4000


class Summary(Record, frozen=True, kw_only=True):
    """Median and quartiles of some numbers, in the unit of those numbers.

    Attributes:
        median: the 50th percentile.
        quartiles: the 25th and the 75th percentile.
    """

    median: float
    quartiles: tuple[float, float]


class PairedRatio(Summary, frozen=True, kw_only=True):
    """Ratio of two programs that ran in the same rounds.

    Attributes:
        rounds: the ratio of each round; median and quartiles are theirs.
    """

    rounds: tuple[float, ...]


class Samples(Summary, frozen=True, kw_only=True):
    """Rates measured in rounds, higher is better; the unit stands in the row that holds them.

    Attributes:
        blocks: samples by block, one sample a round; a block in which the row failed is empty.

    Raises:
        ValueError: there is no sample, or one that is not above zero.
    """

    blocks: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if not self.samples or min(self.samples) <= 0:
            raise ValueError("samples must be above zero, and at least one")

    @classmethod
    def of(cls, *blocks: Sequence[float]) -> Self:
        """Return the samples of some blocks with their median and quartiles."""
        summary = summarise([sample for block in blocks for sample in block])
        values = tuple(tuple(block) for block in blocks)
        return cls(median=summary.median, quartiles=summary.quartiles, blocks=values)

    @property
    def samples(self) -> tuple[float, ...]:
        """The samples of all blocks."""
        return tuple(sample for block in self.blocks for sample in block)


def summarise(values: Sequence[float]) -> Summary:
    """Return the median and the quartiles of at least one number."""
    low, median, high = (float(x) for x in np.percentile(values, (25, 50, 75)))
    return Summary(median=median, quartiles=(low, high))


def ratio_of_rounds(numerator: Sequence[float], denominator: Sequence[float]) -> PairedRatio:
    """Return the ratio of two lists of samples, round by round.

    What slows the machine in a round slows both, so ratios scatter less than rates. Both must have the
    same number of rounds, at least one.
    """
    rounds = tuple(one / other for one, other in zip(numerator, denominator, strict=True))
    summary = summarise(rounds)
    return PairedRatio(median=summary.median, quartiles=summary.quartiles, rounds=rounds)


def paired_ratio(numerator: Samples | None, denominator: Samples | None) -> PairedRatio | None:
    """Return the ratio of two rows over the rounds that both have; None if there are none.

    A block counts if both rows have as many rounds in it.
    """
    if numerator is None or denominator is None:
        return None
    pairs = zip(numerator.blocks, denominator.blocks, strict=False)
    both = [(one, other) for one, other in pairs if one and len(one) == len(other)]
    if not both:
        return None
    above = [sample for block, _ in both for sample in block]
    below = [sample for _, block in both for sample in block]
    return ratio_of_rounds(above, below)


def scaled(ratio: Summary, factor: float) -> Summary:
    """Return a ratio's median and quartiles times a number."""
    low, high = ratio.quartiles
    return Summary(median=factor * ratio.median, quartiles=(factor * low, factor * high))


def resampled_medians(values: Sequence[float], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the medians of :data:`RESAMPLES` samples drawn with replacement (a bootstrap)."""
    drawn = rng.integers(0, len(values), (RESAMPLES, len(values)))
    return np.asarray(np.median(np.asarray(values, float)[drawn], axis=1))


def central_interval(values: NDArray[np.float64], level: float = 0.95) -> tuple[float, float]:
    """Return the bounds that hold the central share of some values."""
    low, high = np.percentile(values, (100 * (1 - level) / 2, 100 * (1 + level) / 2))
    return float(low), float(high)


def median_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Return the bootstrapped 95% interval of the median of at least one number."""
    return central_interval(resampled_medians(values, np.random.default_rng(seed)))


def block_scatter(medians: Sequence[float]) -> float | None:
    """Return the standard deviation of the blocks' medians over their mean; None below two blocks."""
    if len(medians) < 2:
        return None
    return float(np.std(medians, ddof=1) / np.mean(medians))

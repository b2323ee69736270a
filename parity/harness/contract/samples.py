"""Two-sample tests: whether both sides draw from one distribution, with a stated false-alarm rate."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from parity.harness.compare import narrower, spacing
from parity.harness.trees import Array, Fields, digits

ALPHA = 1e-6
"""Chance that one family of tests calls two equal distributions different."""
MOST_NUMBERS, MOST_PAIRS = 256, 40
ONE_ULPS = 4
"""Units in the last place of the narrower side within which two numbers are one that rounding parts."""

Column = tuple[str, Array, Array]
"""(name, the reference's draws, the port's) of one number."""


@dataclass
class Comparison:
    """Result of a family of tests.

    Attributes:
        differs: by name of what was tested, a sentence on how it differs.
        tests: how many there were.
        smallest: the largest gap between two distribution functions that can go unnoticed.
    """

    differs: dict[str, str]
    tests: int
    smallest: float


def compare_samples(reference: Fields, port: Fields, alpha: float = ALPHA) -> Comparison:
    """Compare two samples: each number's distribution, range and count of distinct values, and the
    distributions of sums and differences of numbers.

    Args:
        reference, port: fields (N, ...) and (M, ...) of the same names and shapes.
        alpha: chance of any false alarm, shared out evenly (Bonferroni).
    """
    given = _columns(reference, port)
    columns = [(name, *but_for_rounding(a, b)) for name, a, b in given]
    tests = columns + _combined(columns)
    count = max(len(tests) + 4 * len(columns), 1)
    level = alpha / count
    differs: dict[str, str] = {}
    for name, a, b in columns:
        if _beyond_the_other(a, b) < level:
            differs[name] = _sentence(name, a, b, _kolmogorov(a, b)[0])
    for name, a, b in tests:
        gap, chance = _kolmogorov(a, b)
        if chance < level:
            differs[name] = _sentence(name, a, b, gap)
    for name, a, b in given:  # a dtype too narrow to draw in shows in what is not rounded
        few = _too_few(a, b)
        if few and name not in differs:
            differs[name] = few
    n, m = len(next(iter(reference.values()))), len(next(iter(port.values())))
    smallest = math.sqrt(math.log(2 / level) * (n + m) / (2 * n * m))
    return Comparison(differs, count, min(smallest, 1.0))


def _columns(reference: Fields, port: Fields) -> list[Column]:
    """Return every number of every field by name, evenly spaced ones of large fields."""
    columns = []
    for name, value in reference.items():
        a = value.reshape(len(value), -1)
        b = port[name].reshape(len(port[name]), -1)
        places = np.unique(np.linspace(0, a.shape[1] - 1, min(a.shape[1], MOST_NUMBERS)).astype(int))
        for place in places:
            label = name if value.ndim == 1 else f"{name}[{place}]"
            columns.append((label, a[:, place], b[:, place]))
    return columns


def but_for_rounding(a: Array, b: Array) -> tuple[Array, Array]:
    """Return two samples (N,) and (M,) in float64 without what parts them by rounding alone.

    Where a side holds numbers with a fraction, both are rounded to the narrower dtype of those that do.
    Where both do, numbers within :data:`ONE_ULPS` of one another become one: a constant, or a choice
    among a few, that one side computes otherwise. No more is joined, however many lie in a row.
    """
    kinds = {a.dtype.kind, b.dtype.kind}
    if "f" not in kinds:
        return a.astype(np.float64), b.astype(np.float64)
    dtype = narrower(a, b)
    with np.errstate(over="ignore"):
        mine, theirs = a.astype(dtype).astype(np.float64), b.astype(dtype).astype(np.float64)
    every = np.concatenate([mine, theirs])
    known = np.unique(every[np.isfinite(every)])
    if kinds != {"f"} or len(known) < 2:
        return mine, theirs
    width = ONE_ULPS * spacing(known, dtype)
    first = np.arange(len(known))
    with np.errstate(over="ignore"):
        for low in np.flatnonzero(np.diff(known) <= width[:-1]):
            start = first[low]
            if known[low + 1] - known[start] <= width[start]:
                first[low + 1] = start
    shown = known[first]

    def joined(values: Array) -> Array:
        places = np.searchsorted(known, values).clip(0, len(known) - 1)
        return np.where(np.isfinite(values), shown[places], values)

    return joined(mine), joined(theirs)


def _combined(columns: list[Column]) -> list[Column]:
    """Return sums and differences of pairs of numbers that vary, which show how they depend."""
    varying = [(name, a, b) for name, a, b in columns if _varies(a)]
    combined = []
    for (one, a, b), (two, c, d) in _pairs(varying):
        scale, other = _spread(a), _spread(c)
        for sign, word in ((1, "+"), (-1, "-")):
            with np.errstate(invalid="ignore"):  # infinity less infinity is no number
                mine, theirs = a / scale + sign * c / other, b / scale + sign * d / other
            # what cancels but for rounding is a constant on one side and not quite on the other
            combined.append((f"{one} {word} {two}, scaled", mine.round(6), theirs.round(6)))
    return combined


def _pairs(columns: list[Column]) -> list[tuple[Column, Column]]:
    """Return all pairs of a few numbers; of more, each with the next and some evenly spaced."""
    every = list(itertools.combinations(columns, 2))
    if len(every) <= MOST_PAIRS:
        return every
    some = every[:: len(every) // MOST_PAIRS]
    beside = list(itertools.pairwise(columns))
    known = {(one[0], two[0]) for one, two in beside}
    return beside + [pair for pair in some if (pair[0][0], pair[1][0]) not in known]


def _varies(values: Array) -> bool:
    """Say whether there are two numbers among values: rounding gives a constant a spread, too."""
    numbers = values[np.isfinite(values)]
    return bool((numbers != numbers[:1]).any())


def _spread(values: Array) -> float:
    """Return the standard deviation of those that are finite."""
    return float(values[np.isfinite(values)].std()) or 1.0  # squares of the smallest numbers are zero


def _kolmogorov(a: Array, b: Array) -> tuple[float, float]:
    """Return the largest gap between two empirical distribution functions, and a bound on its chance.

    The bound is the first term of Kolmogorov's series, which is conservative, with ties as well.
    """
    values = np.concatenate([a, b])
    values.sort()
    below = np.searchsorted(np.sort(a), values, side="right") / len(a)
    other = np.searchsorted(np.sort(b), values, side="right") / len(b)
    gap = float(np.max(np.abs(below - other)))
    size = len(a) * len(b) / (len(a) + len(b))
    return gap, min(1.0, 2 * math.exp(-2 * size * gap**2))


def _beyond_the_other(a: Array, b: Array) -> float:
    """Return the smallest chance that so many draws of one side lie beyond all of the other's.

    Of draws from one distribution, the outermost j all come from one side with a chance of about its
    share to the power of j. So a range that is a few hundredths narrower is seen, and NaN, which counts
    as beyond all numbers.
    """
    a, b = np.sort(a), np.sort(b)  # NaN comes last
    chance = 1.0
    for one, two in ((a, b), (b, a)):
        share = len(one) / (len(one) + len(two))
        for many in (
            np.searchsorted(one, two[0], side="left"),
            len(one) - np.searchsorted(one, two[-1], side="right"),
        ):
            chance = min(chance, float(share**many))
    return chance


def _too_few(a: Array, b: Array) -> str:
    """Return a sentence if the port takes far fewer distinct values than the reference, or nothing."""
    mine, theirs = len(np.unique(a)) / len(a), len(np.unique(b)) / len(b)
    if mine > 0.9 and theirs < 0.5:
        one, two = len(np.unique(a)), len(np.unique(b))
        return f"takes {two} distinct values in {len(b)} draws, the reference {one}"
    return ""


def _sentence(name: str, a: Array, b: Array, gap: float) -> str:
    def words(x: Array) -> str:
        numbers = x[~np.isnan(x)]
        none = f"no number in {len(x) - len(numbers)} of {len(x)} draws"
        if not len(numbers):
            return f"never a number in {len(x)} draws"
        shown = f"from {numbers.min():.4g} to {numbers.max():.4g}, mean {numbers.mean():.4g}"
        if numbers.min() == numbers.max():
            shown = f"always {digits(numbers[0])}"
        return shown if len(numbers) == len(x) else f"{none}, else {shown}"

    return f"{words(a)} on the reference; {words(b)} on the port (gap {gap:.2f})"

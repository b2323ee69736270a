"""Tolerances, by which two arrays count as equal, and statistics of a comparison.

Every judge of this project says with a :class:`Tolerance` how far two sides may be apart, and keeps
what it saw in a :class:`Comparison`. Whole numbers and flags must be equal. A float32 number must be
within a few units in the last place (ulps) or an absolute floor, for values that pass through zero.
Where thousands of sums lie between two numbers, ulps say little, and tensors are compared as a whole,
by the Euclidean length of their difference (:mod:`parity.engine.measure`). Minus zero equals zero; a
value that is not finite agrees with nothing, unless the tolerance says that NaN means "not defined".
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

ULP_BUCKETS = (0, 1, 2, 3, 4, 8, 64, 4096)
"""Upper ends of the histogram of distances; a last bucket holds all beyond."""

FAR = np.iinfo(np.int64).max
"""Distance in ulps of values that can't be compared (one is NaN or infinite)."""


def ulp_distance(a: Array, b: Array) -> NDArray[np.int64]:
    """Return how many float32 values lie between ``a`` and ``b``.

    Args:
        a, b: arrays of one shape; cast to float32 first.

    Returns:
        int64 of that shape; 0 where equal (minus zero equals zero), :data:`FAR` where either is
        not finite.
    """

    def ordered(x: Array) -> NDArray[np.int64]:
        bits = x.astype(np.float32).view(np.int32).astype(np.int64)
        return np.where(bits < 0, np.int64(-(2**31)) - bits, bits)

    with np.errstate(over="ignore"):  # what float32 does not hold is infinite there
        a32, b32 = np.atleast_1d(a).astype(np.float32), np.atleast_1d(b).astype(np.float32)
    distance = np.abs(ordered(a32) - ordered(b32))
    distance[~(np.isfinite(a32) & np.isfinite(b32))] = FAR
    return distance.reshape(np.shape(a))


def distance(a: Array, b: Array) -> NDArray[np.float64]:
    """Return how far numbers are apart, as float64 of their shape; NaN or infinite where one is.

    Whole numbers beyond 2**53 that differ are at least 1 apart, which float64 alone does not tell.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        apart: NDArray[np.float64] = np.abs(a.astype(np.float64) - b.astype(np.float64))
    if a.dtype.kind in "iu" or b.dtype.kind in "iu":
        apart = np.where((apart == 0) & ~same_numbers(a, b), 1.0, apart)
    return apart


def _equal(a: Array, b: Array) -> NDArray[np.bool_]:
    """Return which numbers are finite and equal, value for value."""
    same = a == b if a.dtype.kind == b.dtype.kind else same_numbers(a, b)
    return np.asarray(same & np.isfinite(a))


@dataclass(frozen=True)
class Tolerance:
    """How far two numbers may be apart and still agree; all zero means equal, value for value.

    Attributes:
        absolute: difference that is always allowed.
        relative: allowed beside it, as a share of the expected number's size, or of
            ``relative_to``'s: the largest number in its row (logits are sums in which larger numbers
            cancel, so a small one is no more exact than its neighbours).
        ulps: distance in units in the last place of float32 that is always allowed.
        relative_to: "number" or "row", the last axis.
        nan_is_undefined: NaN on both sides agrees.
        unit: what the numbers count, for reports (ticks, cents, bars).
    """

    absolute: float = 0.0
    relative: float = 0.0
    ulps: int = 0
    relative_to: Literal["number", "row"] = "number"
    nan_is_undefined: bool = False
    unit: str = ""

    @property
    def exact(self) -> bool:
        """Whether numbers must be equal, value for value."""
        return self.absolute == self.relative == self.ulps == 0

    def allowed(self, expected: Array) -> NDArray[np.float64]:
        """Return how far apart numbers (N, ...) may be, ulps aside, of the same shape."""
        if not self.relative:
            return np.full(np.shape(expected), self.absolute)
        size = np.abs(expected.astype(np.float64))
        if self.relative_to == "row" and size.ndim > 1:
            size = np.broadcast_to(size.max(axis=-1, keepdims=True), size.shape)
        return self.absolute + self.relative * size

    def agree(self, expected: Array, actual: Array) -> NDArray[np.bool_]:
        """Return where two arrays of one shape agree: bool, their shape."""
        agrees = _equal(expected, actual)
        other = ~agrees  # most numbers are equal, and the distance of the others alone is asked for
        if not self.exact and other.any():
            a, b = expected[other], actual[other]
            apart = distance(a, b)
            near = np.isfinite(apart) & (apart <= self.allowed(expected)[other])
            if self.ulps:
                near |= ulp_distance(a, b) <= self.ulps
            agrees[other] = near
        if self.nan_is_undefined:
            agrees = agrees | (np.isnan(expected) & np.isnan(actual))
        return agrees

    def describe(self) -> str:
        """Return the tolerance as text."""
        if self.exact:
            return f"equal{f' ({self.unit})' if self.unit else ''}"
        of = "the row" if self.relative_to == "row" else "itself"
        if self.ulps:
            more = f" + {self.relative:g} of {of}" if self.relative else ""
            return f"within {self.ulps} ulps or {self.absolute:g}{more}"
        return f"{self.absolute:g} + {self.relative:g} of {of}"


def exact(unit: str = "", nan_is_undefined: bool = False) -> Tolerance:
    """Return the tolerance of whole numbers and flags: equal; ``unit`` is what they count."""
    return Tolerance(unit=unit, nan_is_undefined=nan_is_undefined)


def close(ulps: int = 4, floor: float = 1e-9, nan_is_undefined: bool = False) -> Tolerance:
    """Return the tolerance of float32 numbers: within some ulps, or an absolute floor near zero."""
    return Tolerance(absolute=floor, ulps=ulps, nan_is_undefined=nan_is_undefined)


@dataclass
class Comparison:
    """What was compared of one field or stage, and how far it came apart.

    Attributes:
        rule: the tolerance, or the property that must hold, as text.
        compared: numbers compared.
        mismatches: how many disagreed; of tensors, how many were too far off.
        max_ulps: largest distance seen between numbers above the tolerance's floor; 0 for equal fields.
        max_abs: largest absolute difference.
        ulp_histogram: counts by :data:`ULP_BUCKETS`, the last beyond them.
        error: of tensors, the largest relative error; NaN or infinite where a number is.
        limit: of tensors, the relative error that is allowed.
        where: what had the largest error.
    """

    rule: str = ""
    compared: int = 0
    mismatches: int = 0
    max_ulps: int = 0
    max_abs: float = 0.0
    ulp_histogram: list[int] = field(default_factory=lambda: [0] * (len(ULP_BUCKETS) + 1))
    error: float = 0.0
    limit: float = 0.0
    where: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing disagreed."""
        return self.mismatches == 0

    def merge(self, other: Comparison) -> Comparison:
        """Add another comparison of the same field and return this one; the larger error wins."""
        self.compared += other.compared
        self.mismatches += other.mismatches
        self.max_ulps = max(self.max_ulps, other.max_ulps)
        self.max_abs = float(np.maximum(self.max_abs, other.max_abs))  # NaN is the larger
        pairs = zip(self.ulp_histogram, other.ulp_histogram, strict=True)
        self.ulp_histogram = [mine + theirs for mine, theirs in pairs]
        if not (math.isnan(self.error) or other.error <= self.error):
            self.error, self.where = other.error, other.where
        return self

    def counts(self) -> dict[str, Any]:
        """Return what a report keeps of numbers that were compared one by one."""
        names = ("rule", "compared", "mismatches", "max_ulps", "max_abs", "ulp_histogram")
        return {name: getattr(self, name) for name in names}

    def largest(self) -> dict[str, Any]:
        """Return what a report keeps of tensors that were compared as a whole."""
        return {name: getattr(self, name) for name in ("error", "limit", "compared", "where")}


def compare(
    tolerance: Tolerance, reference: Array, port: Array, valid: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.bool_], Comparison]:
    """Compare two arrays, number by number.

    Args:
        tolerance: how far apart they may be.
        reference, port: arrays of one shape, (N, ...) or more leading axes.
        valid: bool; which leading entries count. All, if None.

    Returns:
        Where they disagree (bool, the arrays' shape, False outside ``valid``), and what was result.

    Raises:
        ValueError: the shapes differ; then the two sides don't mean the same field.
    """
    reference, port = np.asarray(reference), np.asarray(port)
    if reference.shape != port.shape:
        raise ValueError(f"the reference has shape {reference.shape}, the port {port.shape}")
    counted = np.ones(reference.shape, bool)
    if valid is not None:
        counted &= valid.reshape(valid.shape + (1,) * (reference.ndim - valid.ndim))
    differs = ~tolerance.agree(reference, port) & counted
    result = Comparison(tolerance.describe(), int(counted.sum()), int(differs.sum()))
    if not result.compared or reference.dtype == bool:
        return differs, result
    other = counted & ~_equal(reference, port)  # most numbers are equal, and no distance apart
    a, b = reference[other], port[other]
    apart = distance(a, b)
    result.max_abs = float(np.max(apart[np.isfinite(apart)], initial=0.0))
    if tolerance.exact:
        return differs, result
    undefined = np.isnan(a) & np.isnan(b) if tolerance.nan_is_undefined else np.zeros(a.shape, bool)
    ulps = np.where(undefined | (apart <= tolerance.absolute), 0, ulp_distance(a, b))
    result.max_ulps = int(ulps.max(initial=0))
    bucket = np.bincount(np.searchsorted(ULP_BUCKETS, ulps), minlength=len(ULP_BUCKETS) + 1)
    bucket[0] += result.compared - a.size
    result.ulp_histogram = bucket.tolist()
    return differs, result


def same_numbers(a: Array, b: Array) -> NDArray[np.bool_]:
    """Return where two arrays of one shape and any dtypes hold the same numbers, and where both NaN.

    NumPy rounds whole numbers to compare them with numbers with a fraction, and one beyond a dtype's
    ends may come back from a cast as the end; here 2**53 + 1 is another number than 2.0**53.
    """
    floats, whole = (a, b) if a.dtype.kind == "f" else (b, a)
    if floats.dtype.kind != "f" or whole.dtype.kind not in "iu":
        same = a == b
        return np.asarray(same | ((a != a) & (b != b)))
    ends = np.iinfo(whole.dtype)
    with np.errstate(over="ignore"):
        inside = (floats >= ends.min) & (floats < float(ends.max) + 1) & (floats == np.floor(floats))
    return np.asarray(inside & (np.where(inside, floats, 0).astype(whole.dtype) == whole))

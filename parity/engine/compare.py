"""Rules by which two arrays agree, and what is kept of a comparison.

A discrete field must be equal. A float32 field must be close: within a few units in the last place
(ulps), or within an absolute floor for values that pass through zero. Minus zero equals zero; a
value that is not finite agrees with nothing, unless the rule says that NaN means "not defined".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

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

    a32, b32 = np.atleast_1d(a).astype(np.float32), np.atleast_1d(b).astype(np.float32)
    distance = np.abs(ordered(a32) - ordered(b32))
    distance[~(np.isfinite(a32) & np.isfinite(b32))] = FAR
    return distance.reshape(np.shape(a))


@dataclass(frozen=True)
class Equal:
    """The field must be equal, value for value.

    Attributes:
        unit: what the numbers count, for reports (ticks, cents, bars).
    """

    unit: str = ""

    def agree(self, reference: Array, port: Array) -> NDArray[np.bool_]:
        """Return where the two agree: bool, the arrays' shape."""
        return np.asarray(reference == port)

    def describe(self) -> str:
        """Return the rule in words."""
        return f"equal{f' ({self.unit})' if self.unit else ''}"


@dataclass(frozen=True)
class Close:
    """The field must be close in float32.

    Attributes:
        ulps: largest distance in units in the last place.
        floor: absolute difference below which two values agree whatever their ulps.
        nan_is_undefined: NaN on both sides agrees.
        unit: what the numbers count, for reports.
    """

    ulps: int = 4
    floor: float = 1e-9
    nan_is_undefined: bool = False
    unit: str = ""

    def agree(self, reference: Array, port: Array) -> NDArray[np.bool_]:
        """Return where the two agree: bool, the arrays' shape."""
        near = ulp_distance(reference, port) <= self.ulps
        with np.errstate(invalid="ignore"):
            tiny = np.abs(reference.astype(np.float64) - port.astype(np.float64)) <= self.floor
        if self.nan_is_undefined:
            near |= np.isnan(reference) & np.isnan(port)
        return near | tiny

    def describe(self) -> str:
        """Return the rule in words."""
        return f"within {self.ulps} ulps or {self.floor:g}"


Rule = Equal | Close


@dataclass
class FieldStats:
    """What was seen of one field.

    Attributes:
        rule: in words.
        compared: numbers compared.
        mismatches: how many disagreed.
        max_ulps: largest distance seen between numbers above the rule's floor; 0 for equal fields.
        max_abs: largest absolute difference.
        ulp_histogram: counts by :data:`ULP_BUCKETS`, the last beyond them.
    """

    rule: str
    compared: int = 0
    mismatches: int = 0
    max_ulps: int = 0
    max_abs: float = 0.0
    ulp_histogram: list[int] = field(default_factory=lambda: [0] * (len(ULP_BUCKETS) + 1))

    def merge(self, other: FieldStats) -> None:
        """Add another comparison of the same field to this one."""
        self.compared += other.compared
        self.mismatches += other.mismatches
        self.max_ulps = max(self.max_ulps, other.max_ulps)
        self.max_abs = max(self.max_abs, other.max_abs)
        pairs = zip(self.ulp_histogram, other.ulp_histogram, strict=True)
        self.ulp_histogram = [mine + theirs for mine, theirs in pairs]


def compare(
    rule: Rule, reference: Array, port: Array, valid: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.bool_], FieldStats]:
    """Compare two arrays by a rule.

    Args:
        rule: how they must agree.
        reference, port: arrays of one shape, (N, ...) or more leading axes.
        valid: bool; which leading entries count. All, if None.

    Returns:
        Where they disagree (bool, the arrays' shape, False outside ``valid``), and the statistics.

    Raises:
        ValueError: the shapes differ; then the two sides don't mean the same field.
    """
    reference, port = np.asarray(reference), np.asarray(port)
    if reference.shape != port.shape:
        raise ValueError(f"the reference has shape {reference.shape}, the port {port.shape}")
    wanted = np.ones(reference.shape, bool)
    if valid is not None:
        wanted &= valid.reshape(valid.shape + (1,) * (reference.ndim - valid.ndim))
    differs = ~rule.agree(reference, port) & wanted
    stats = FieldStats(rule.describe(), int(wanted.sum()), int(differs.sum()))
    a, b = reference[wanted], port[wanted]
    if isinstance(rule, Close) and a.size:
        apart = np.abs(a.astype(np.float64) - b.astype(np.float64))
        undefined = np.isnan(a) & np.isnan(b) if rule.nan_is_undefined else np.zeros(a.shape, bool)
        distance = np.where(undefined | (apart <= rule.floor), 0, ulp_distance(a, b))
        stats.max_ulps = int(distance.max())
        stats.max_abs = float(np.max(apart[np.isfinite(apart)], initial=0.0))
        bucket = np.searchsorted(ULP_BUCKETS, distance)
        stats.ulp_histogram = np.bincount(bucket, minlength=len(ULP_BUCKETS) + 1).tolist()
    elif a.size and a.dtype != bool:
        stats.max_abs = float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())
    return differs, stats

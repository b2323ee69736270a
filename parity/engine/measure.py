"""Agreement of two programs that round differently: one relative error for a whole table of tensors.

Where thousands of sums lie between two numbers, units in the last place say little. A tensor's error
is the Euclidean length of the difference over that of the reference's tensor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from parity.engine.compare import Array


@dataclass(frozen=True)
class Measure:
    """How far apart the two sides are in one respect.

    Attributes:
        error: the largest relative error seen; NaN or infinite where a number is.
        limit: what is allowed.
        compared: numbers compared.
        where: what had the largest error.
    """

    error: float
    limit: float
    compared: int
    where: str = ""

    @property
    def passed(self) -> bool:
        """Whether the error is within its limit."""
        return self.error <= self.limit  # NaN is not

    def merge(self, other: Measure) -> Measure:
        """Return both as one; the larger error stands."""
        worse = self if math.isnan(self.error) or other.error <= self.error else other
        return Measure(worse.error, self.limit, self.compared + other.compared, worse.where)


def relative_error(reference: Array, port: Array, floor: float = 0.0) -> float:
    """Return |port - reference| / max(|reference|, floor) in Euclidean lengths, 0 where both are 0.

    Raises:
        ValueError: the shapes differ; then the two sides don't mean the same tensor.
    """
    reference, port = np.asarray(reference), np.asarray(port)
    if reference.shape != port.shape:
        raise ValueError(f"the reference has shape {reference.shape}, the port {port.shape}")
    a, b = reference.astype(np.float64), port.astype(np.float64)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("nan")
    apart = float(np.linalg.norm(b - a))
    size = max(float(np.linalg.norm(a)), floor)
    if apart == 0:
        return 0.0
    return apart / size if size else float("inf")


def measure_table(
    reference: Mapping[str, Array],
    port: Mapping[str, Array],
    limit: float,
    share: float = 0.0,
    where: str = "",
) -> Measure:
    """Compare tables of tensors; the largest error of a tensor counts.

    Args:
        reference, port: tensors by name.
        limit: largest error allowed.
        share: a tensor's length counts as at least this share of the whole table's, so that what
            nearly cancels out in a small tensor is not taken for an error.
        where: put before the tensor's name.

    Raises:
        ValueError: the names or shapes differ.
    """
    if set(reference) != set(port):
        odd = ", ".join(sorted(set(reference) ^ set(port)))
        raise ValueError(f"tensors without a counterpart: {odd}")
    lengths = [float(np.linalg.norm(np.asarray(x, np.float64))) for x in reference.values()]
    floor = share * float(np.hypot.reduce(lengths))
    worst = Measure(0.0, limit, 0)
    for name, value in reference.items():
        error = relative_error(value, port[name], floor)
        place = f"{where}{name}"
        worst = worst.merge(Measure(error, limit, int(np.size(value)), place))
    return worst

"""Relative error of tensors, for two programs that round differently.

Where thousands of sums lie between two numbers, units in the last place say little. A tensor's error
is the Euclidean length of the difference over that of the reference's tensor.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from parity.engine.compare import Array, Comparison


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
    with np.errstate(over="ignore"):
        apart = float(np.linalg.norm(b - a))
        size = max(float(np.linalg.norm(a)), floor)
    if apart == 0:
        return 0.0
    return apart / size if 0 < size < float("inf") else float("inf")


def share_of(error: float, limit: float) -> float:
    """Return an error as a share of its limit; of a limit of 0, 0 where there is no error."""
    return error / limit if limit else (0.0 if error == 0 else error * float("inf"))


def of_error(error: float, limit: float, compared: int, where: str = "") -> Comparison:
    """Return a comparison of which only its relative error is known.

    Args:
        error: NaN or infinite where a number is.
        limit: largest error allowed.
        compared: numbers compared.
        where: what had this error.
    """
    far = not error <= limit  # NaN is
    rule = f"relative error up to {limit:g}"
    return Comparison(rule, compared, int(far), error=error, limit=limit, where=where)


def measure_table(
    reference: Mapping[str, Array],
    port: Mapping[str, Array],
    limit: float,
    share: float = 0.0,
    where: str = "",
) -> Comparison:
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
    table = of_error(0.0, limit, 0)
    for name, value in reference.items():
        error = relative_error(value, port[name], floor)
        table.merge(of_error(error, limit, int(np.size(value)), f"{where}{name}"))
    return table

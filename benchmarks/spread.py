"""What samples say: a median with its quartiles, and the ratio of two rivals round by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return the median and the quartiles of at least one number, ready for JSON."""
    low, median, high = (float(x) for x in np.percentile(values, (25, 50, 75)))
    return {"median": median, "quartiles": [low, high], "rounds": len(values)}


def paired(above: Sequence[float], below: Sequence[float]) -> dict[str, Any] | None:
    """Return the spread of above / below, round by round.

    Both ran in every round, so what slowed the machine in one slowed both. None where a round of either
    is missing: such samples are no pairs.
    """
    if not above or len(above) != len(below):
        return None
    return spread([one / other for one, other in zip(above, below, strict=True)])


def samples_of(row: Mapping[str, Any]) -> list[float]:
    """Return a row's samples, higher is better; none if it failed."""
    measured = row.get("steps_per_second") or row.get("rate") or {}
    return list(measured.get("samples") or ())


def median_of(row: Mapping[str, Any]) -> float | None:
    """Return the median of a row's samples; None if it failed."""
    samples = samples_of(row)
    return float(np.median(samples)) if samples else None

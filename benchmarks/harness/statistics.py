"""What samples say: a median with its quartiles, and the ratio of two rivals round by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return the median and the quartiles of at least one number, ready for JSON."""
    low, median, high = (float(x) for x in np.percentile(values, (25, 50, 75)))
    return {"median": median, "quartiles": [low, high]}


def paired(above: Sequence[float], below: Sequence[float]) -> dict[str, Any]:
    """Return above over below, round by round: ``rounds``, their median and quartiles.

    What slows the machine in a round slows both, so ratios scatter less than rates. Both must have the
    same rounds, at least one.
    """
    rounds = [one / other for one, other in zip(above, below, strict=True)]
    return {**spread(rounds), "rounds": rounds}


def scaled(ratio: Mapping[str, Any], by: float) -> dict[str, Any]:
    """Return a ratio's median and quartiles times a number."""
    return {"median": by * ratio["median"], "quartiles": [by * x for x in ratio["quartiles"]]}


def samples_of(row: Mapping[str, Any]) -> list[float]:
    """Return a row's samples, higher is better; none if it failed."""
    measured = row.get("steps_per_second") or row.get("rate") or {}
    return list(measured.get("samples") or ())


def median_of(row: Mapping[str, Any]) -> float | None:
    """Return the median of a row's samples; None if it failed."""
    samples = samples_of(row)
    return float(np.median(samples)) if samples else None

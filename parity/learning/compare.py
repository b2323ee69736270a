"""Compare two tables of results: a test of equivalence, intervals, and the seeds that it takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from foundation import provenance
from foundation.errors import InputError
from parity.learning.statistics import (
    bootstrap_iqm,
    bootstrap_iqm_difference,
    equivalence,
    iqm,
    power,
    seeds_needed,
)
from parity.learning.tables import Results

LEVEL = 0.95
"""Of the bootstrap intervals."""


def margin_of(text: str, first: Results) -> float:
    """Return a margin given as a number, or as a share of the first's mean, such as "5%".

    Raises:
        InputError: it is neither, or not above zero.
    """
    share = text.strip().endswith("%")
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        raise InputError(f"--margin {text}: give a number, or a share such as 5%") from None
    margin = value / 100 * abs(float(first.scores.mean())) if share else value
    if not (np.isfinite(margin) and margin > 0):
        comes_to = f" comes to {margin:g}" if share else ""
        raise InputError(f"--margin {text}{comes_to}; give a number above zero")
    return margin


def compare(
    first: Results,
    second: Results,
    *,
    margin: float,
    alpha: float = 0.05,
    planned: int = 2,
    wanted_power: float = 0.8,
) -> dict[str, Any]:
    """Return the report on two tables, ready for JSON.

    Args:
        first, second: results of both trainers.
        margin: difference of mean scores that counts as none, fixed before the results were seen.
        alpha: of each of the two one-sided tests.
        planned: seeds that each was to have; with fewer there is no verdict.
        wanted_power: chance of finding equal trainers equivalent for which seeds are counted.

    Raises:
        InputError: the tables hold different curves, or scores that do not vary.
    """
    if first.columns != second.columns:
        raise InputError(
            f"{first.name} has {_columns(first)} and {second.name} has {_columns(second)}; give tables "
            "of the same columns, or one of them by --column"
        )
    a, b = first.scores, second.scores
    if (a == a[0]).all() and (b == b[0]).all():  # rounding gives equal numbers a spread, too
        raise InputError(
            f"no score of {first.name} or {second.name} varies with the seed; train with other seeds"
        )
    test = equivalence(a, b, margin=margin, alpha=alpha, planned=planned)
    sd = float(np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2))
    return {
        "format": 1,
        "verdict": test.verdict,
        "test": {
            **test.to_dict(),
            "iqm_difference": float(iqm(b) - iqm(a)),
            "iqm_interval": list(bootstrap_iqm_difference(a, b, LEVEL)),
        },
        "arms": [_describe(one) for one in (first, second)],
        "columns": list(first.columns),
        "level": LEVEL,
        "planning": {
            "sd": sd,
            "wanted_power": wanted_power,
            "seeds_if_none": _needed(sd, margin, alpha, wanted_power, 0.0),
            "seeds_if_half": _needed(sd, margin, alpha, wanted_power, margin / 2),
            "power_if_none": power(min(len(a), len(b)), sd, margin, alpha),
        },
        "made": {"when": provenance.now(), **provenance.versions(("numpy", "scipy", "envparity"))},
    }


def _needed(sd: float, margin: float, alpha: float, wanted: float, difference: float) -> int | None:
    try:
        return seeds_needed(sd, margin, alpha, wanted, difference)
    except ValueError:
        return None


def _columns(results: Results) -> str:
    names = results.columns
    return f"a learning curve of {len(names)}" if len(names) > 3 else ", ".join(names)


def _describe(results: Results) -> dict[str, Any]:
    scores = results.scores
    low, high = bootstrap_iqm(scores, LEVEL)
    described: dict[str, Any] = {
        "name": results.name,
        "seeds": len(scores),
        "scores": scores.tolist(),
        "mean": float(scores.mean()),
        "sd": float(scores.std(ddof=1)),
        "iqm": float(iqm(scores)),
        "iqm_interval": [float(low), float(high)],
    }
    if len(results.columns) > 1:
        band_low, band_high = bootstrap_iqm(results.values, LEVEL)
        described["curve"] = iqm(results.values).tolist()
        described["band"] = [band_low.tolist(), band_high.tolist()]
    return described

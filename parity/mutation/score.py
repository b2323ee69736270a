"""Score of a sample of mutants, and chances of what was counted in runs, with their intervals."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from scipy.stats import binomtest

CRASHED, SURVIVED, UNJUDGED = "crashed", "survived", "not judged"
"""What became of a mutant beside being killed by a judge: it did not even run, or it lives.

"not judged" is one whose judges took too long: it counts neither way."""

CONFIDENCE = 0.95


def score_of(outcomes: Iterable[str], judges: Collection[str]) -> dict[str, Any]:
    """Return counts, the share killed and its Wilson interval; no share where none was judged.

    Args:
        outcomes: of each mutant: one of ``judges``, or one of this module's; others are not counted.
        judges: outcomes that say who killed it.
    """
    found = list(outcomes)
    killed_by = (*judges, CRASHED)
    counts = {name: found.count(name) for name in (*killed_by, SURVIVED, UNJUDGED)}
    killed = sum(counts[name] for name in killed_by)
    judged = killed + counts[SURVIVED]
    if not judged:
        return {**counts, "score": None, "interval": None}
    interval = binomtest(killed, judged).proportion_ci(CONFIDENCE, "wilson")
    return {
        **counts,
        "score": round(killed / judged, 4),
        "interval": [round(float(interval.low), 4), round(float(interval.high), 4)],
    }


def at_most(alarms: int, runs: int) -> float:
    """Return the upper end of a one-sided 95% interval (Clopper and Pearson) of a chance."""
    if not runs:
        return 1.0
    return float(binomtest(alarms, runs, alternative="less").proportion_ci(CONFIDENCE, "exact").high)

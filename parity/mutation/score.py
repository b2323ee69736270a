"""Score of a sample of mutants: the share that is killed, with its interval, by module and in all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scipy.stats import binomtest

GATE, TESTS, CRASHED, SURVIVED, UNJUDGED = "gate", "tests", "crashed", "survived", "not judged"
"""What became of a mutant: killed by the gate or by the tests, it did not even run, or it lives.

"not judged" is one whose judges took too long: it counts neither way."""

KILLED = (GATE, TESTS, CRASHED)
CONFIDENCE = 0.95


def score_of(outcomes: Iterable[str]) -> dict[str, Any]:
    """Return counts, the share killed and its Wilson interval; no share where none was judged."""
    found = list(outcomes)
    counts = {name: found.count(name) for name in (*KILLED, SURVIVED, UNJUDGED)}
    judged = len(found) - counts[UNJUDGED]
    if not judged:
        return {**counts, "score": None, "interval": None}
    killed = sum(counts[name] for name in KILLED)
    interval = binomtest(killed, judged).proportion_ci(CONFIDENCE, "wilson")
    return {
        **counts,
        "score": round(killed / judged, 4),
        "interval": [round(float(interval.low), 4), round(float(interval.high), 4)],
    }


def summarize(lines: Sequence[Mapping[str, Any]], equivalent: Iterable[tuple[str, str, str]]) -> Any:
    """Return the score in all and by module, and the survivors, of a run's lines.

    Args:
        lines: as :mod:`parity.mutation.run` writes them.
        equivalent: (file, old, new) of changes that change nothing that can be reached; left out.
    """
    left_out = set(equivalent)
    counted = [one for one in lines if (one["file"], one["old"], one["new"]) not in left_out]
    files = sorted({str(one["file"]) for one in counted})
    return {
        "all": score_of(str(one["outcome"]) for one in counted),
        "equivalent": len(lines) - len(counted),
        "by_module": {
            file: score_of(str(one["outcome"]) for one in counted if one["file"] == file)
            for file in files
        },
        "survivors": [dict(one) for one in counted if one["outcome"] == SURVIVED],
    }

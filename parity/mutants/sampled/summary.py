"""Summary of a run of sampled mutants: the score in all and by module, and what survived."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from parity.mutation.lines import LINE, read_lines
from parity.mutation.score import SURVIVED, score_of

GATE, TESTS = "gate", "tests"
"""Outcomes of a mutant that the gate, or the tests, killed."""


TOLD = ("file", "line", "before", "after", "outcome", "by")
"""What each line of a sample says."""


def read_judged(path: Path) -> list[dict[str, Any]]:
    """Return the mutants of a sample that were judged already.

    Raises:
        InputError: a line is damaged, or does not say all that is asked of it.
    """
    lines = read_lines(path)
    for number, line in enumerate(lines, 1):
        if lacking := [name for name in TOLD if name not in line]:
            raise LINE.damaged(path, f"line {number} does not say {' and '.join(lacking)}")
    return lines


def summarize(lines: Sequence[Mapping[str, Any]], equivalent: Iterable[tuple[str, str, str]]) -> Any:
    """Return the score in all and by module, and the survivors, of a run's lines.

    Args:
        lines: as :mod:`parity.mutants.sampled.run` writes them.
        equivalent: (file, lines before, lines after) of changes that change nothing that can be
            reached; left out.
    """
    left_out = set(equivalent)
    counted = [one for one in lines if (one["file"], one["before"], one["after"]) not in left_out]
    files = sorted({str(one["file"]) for one in counted})

    def score(of: str | None) -> dict[str, Any]:
        chosen = (str(one["outcome"]) for one in counted if of in (None, one["file"]))
        return score_of(chosen, (GATE, TESTS))

    return {
        "all": score(None),
        "equivalent": len(lines) - len(counted),
        "by_module": {file: score(file) for file in files},
        "survivors": [dict(one) for one in counted if one["outcome"] == SURVIVED],
    }

"""Summary and page of a pair's mutants: the score, and what a person should look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from foundation.report.format import percent, show
from foundation.report.html import templates
from foundation.report.parts import Tile, Verdict
from parity.mutation.recorder import NOTHING, ROUNDING
from parity.mutation.score import CRASHED, SURVIVED, UNJUDGED, score_of
from parity.mutation.trial import KILLED

LISTS = {
    "survivors": SURVIVED,
    "likely_equivalent": ROUNDING,
    "without_effect": NOTHING,
    "not_judged": UNJUDGED,
}
"""Names of a summary's lists, and the outcome of the mutants in each."""


def summarize(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the score, counts by kind of change, and the mutants that a person should look at.

    Args:
        lines: of each mutant: file, line, operator, old, new, outcome and by.
    """
    kinds = sorted({str(one["operator"]) for one in lines})
    return {
        "tried": len(lines),
        "score": score_of([str(one["outcome"]) for one in lines], (KILLED,)),
        "by_kind": {kind: _counts([one for one in lines if one["operator"] == kind]) for kind in kinds},
        **{name: _listed(lines, outcome) for name, outcome in LISTS.items()},
    }


def _counts(lines: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    outcomes = [one["outcome"] for one in lines]
    return {
        "tried": len(outcomes),
        "killed": outcomes.count(KILLED) + outcomes.count(CRASHED),
        "survived": outcomes.count(SURVIVED),
        "rounding": outcomes.count(ROUNDING),
        "no_effect": outcomes.count(NOTHING),
        "not_judged": outcomes.count(UNJUDGED),
    }


def _listed(lines: Sequence[Mapping[str, Any]], outcome: str) -> list[dict[str, Any]]:
    chosen = [one for one in lines if one["outcome"] == outcome]
    return [
        {"at": f"{one['path']}:{one['line']}", **one}
        for one in sorted(chosen, key=lambda one: (one["path"], one["line"], one["start"]))
    ]


def sentence(summary: Mapping[str, Any]) -> str:
    """Return the score in words."""
    score = summary["score"]
    lists = {name: len(summary[name]) for name in LISTS}
    rest = (
        f"{lists['likely_equivalent']} changed nothing but by rounding, "
        f"{lists['without_effect']} had no effect"
    )
    if lists["not_judged"]:
        rest += f", {lists['not_judged']} took too long"
    if score["score"] is None and lists["not_judged"]:
        return f"none of {summary['tried']} mutants was killed or survived: {rest}"
    if score["score"] is None:
        return f"none of {summary['tried']} mutants changed anything: {rest}"
    low, high = score["interval"]
    killed, alive = score[KILLED] + score[CRASHED], score[SURVIVED]
    return (
        f"{killed} of {killed + alive} mutants killed: {percent(score['score'])} (95% interval "
        f"{percent(low, 0)} to {percent(high, 0)}); {rest}"
    )


def render(report: Mapping[str, Any]) -> str:
    """Return the page of a summary with its settings."""
    page = templates("parity.mutation").get_template("mutants.html.j2")
    return page.render(report=report, verdict=_verdict(report), tiles=_tiles(report))


def _verdict(report: Mapping[str, Any]) -> Verdict:
    survivors = len(report["survivors"])
    words = sentence(report)
    reason = f"{words[:1].upper()}{words[1:]}."
    unjudged = len(report["not_judged"])
    if report["score"]["score"] is None:
        return Verdict(
            "warn", "No mutant was judged" if unjudged else "No mutant changed anything", reason
        )
    if survivors:
        word = "mutant survives" if survivors == 1 else "mutants survive"
        return Verdict("warn", f"{survivors} {word}", reason)
    if unjudged:
        return Verdict("warn", "Every mutant that was judged and changes something is found", reason)
    return Verdict("good", "Every mutant that changes something is found", reason)


def _tiles(report: Mapping[str, Any]) -> list[Tile]:
    score = report["score"]
    share = "–" if score["score"] is None else percent(score["score"])
    interval = (
        "" if score["interval"] is None else " to ".join(percent(x, 0) for x in score["interval"])
    )
    counts = {name: len(report[name]) for name in LISTS}
    return [
        Tile("Killed", share, f"interval {interval}" if interval else "nothing to judge"),
        Tile("Survivors", show(counts["survivors"]), "to be judged", bool(counts["survivors"])),
        Tile("Likely equivalent", show(counts["likely_equivalent"]), "changed by rounding alone"),
        Tile("Without effect", show(counts["without_effect"]), "the same to the bit"),
    ]

"""A verdict for every field out of all the cases that were stepped."""

from __future__ import annotations

import numpy as np

from parity.harness.compare import LOGIC, ROUNDING
from parity.harness.contract.ends import only_at_ends
from parity.harness.contract.restarts import has_two_steps
from parity.harness.findings import FieldVerdict, SmallestCase
from parity.harness.judge import Evidence, Judge, covers
from parity.harness.modes.free_run import FreeRun
from parity.harness.pair import Accepted
from parity.harness.shrink import smallest_cases
from parity.harness.trees import Array

AT_ENDS = ("reward", "terminated", "truncated")


def field_verdicts(
    judge: Judge, evidence: list[Evidence], place: str, run: FreeRun | None, brief: bool = False
) -> tuple[list[FieldVerdict], list[SmallestCase], list[Accepted]]:
    """Return every field's verdict, small cases of what is wrong, and accepted differences seen.

    Args:
        judge, evidence: of the pair.
        place: "module:name" of the pair, for command lines.
        run: the free run, None if there was none.
        brief: whether small cases are left out.
    """
    verdicts = []
    used: list[Accepted] = []
    reference = evidence[0].native.reference.fields
    port = evidence[0].native.port.fields
    for name in reference:
        if name in judge.skipped:
            continue
        rule = judge.rule(name, reference[name], port[name]).describe()
        one = FieldVerdict(name, rule, judge.dtypes[name], "equal")
        if name in judge.random:
            one.verdict = "drawn"
        else:
            _fill(judge, evidence, one, used)
            if run is not None:
                one.growth = run.growth.get(name)
        verdicts.append(one)
    for name, why in judge.skipped.items():
        dtypes = judge.dtypes.get(name, ("", ""))
        verdicts.append(FieldVerdict(name, "", dtypes, "not compared", why=why))
    command = f"envparity case {place}" if place else ""
    wrong = any(not one.passed for one in verdicts) and not brief
    smallest = smallest_cases(judge, evidence, command) if wrong else []
    for one in verdicts:
        one.smallest = next((case for case in smallest if one.name in case.reference), None)
    return verdicts, smallest, used


def _of_ends(evidence: list[Evidence], name: str) -> bool:
    """Say whether a field that is wrong in last steps alone is about how episodes end: an observation
    is, where a port that has begun another episode hands out the last one of the episode before."""
    begun = any(one.native.port.restart is not None for one in evidence)
    return name in AT_ENDS or (
        name.partition(".")[0] == "obs" and begun and not has_two_steps(evidence)
    )


def _fill(judge: Judge, evidence: list[Evidence], one: FieldVerdict, used: list[Accepted]) -> None:
    name = one.name
    for part in evidence:
        labels, covered = part.labels[name], part.accepted[name]
        bad = (labels.labels == LOGIC) | labels.beyond
        one.compared += int(labels.compared.sum())
        one.rounding += int((labels.labels == ROUNDING).sum())
        one.logic += int(((labels.labels == LOGIC) & ~covered).sum())
        if name in part.natively:
            one.natively += int((part.natively[name] & ~covered).sum())
        one.beyond += int((labels.beyond & (labels.labels != LOGIC) & ~covered).sum())
        one.accepted += int((bad & covered).sum())
        rounding = np.where((labels.labels == ROUNDING) & ~_flipped(part), labels.apart, 0.0)
        row = int(np.argmax(rounding)) if len(rounding) else 0
        if len(rounding) and rounding[row] > one.largest:
            one.largest, one.largest_ulps = float(rounding[row]), float(labels.ulps[row])
            one.largest_at = {key: value[row].tolist() for key, value in part.native.state.items()}
    seen = [a for a in judge.pair.accepted if _was_seen(a, evidence, name)]
    used += [a for a in seen if a not in used]
    if one.accepted:
        one.why = "; ".join(a.reason for a in seen)
    one.verdict = _verdict(one, _of_ends(evidence, name) and only_at_ends(evidence, name))


def _flipped(evidence: Evidence) -> Array:
    """Return where rounding put a flag, or may have put a number, on the other side of a threshold: how
    far numbers then are apart says nothing of rounding."""
    flips = [
        (one.labels == ROUNDING) & (one.ulps == 0)
        for name, one in evidence.labels.items()
        if evidence.native.reference.fields[name].dtype.kind != "f"
    ]
    return np.asarray(np.any([evidence.cases.source == "boundary", *flips], axis=0))


def _verdict(one: FieldVerdict, at_ends: bool) -> str:
    if not one.compared:
        return "unseen"
    if one.logic:
        return "contract" if at_ends else "logic"
    if one.accepted:
        return "accepted"
    return "rounding" if one.rounding or one.beyond else "equal"


def _was_seen(accepted: Accepted, evidence: list[Evidence], name: str) -> bool:
    """Say whether an accepted difference covers a case in which a field differs."""
    if not {name, name.partition(".")[0]} & set(accepted.names):
        return False
    for part in evidence:
        labels = part.labels[name]
        bad = (labels.labels == LOGIC) | labels.beyond
        arm = part.double or part.native
        if (bad & covers(accepted.where, arm, part.cases.action)).any():
            return True
    return False

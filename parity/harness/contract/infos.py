"""Questions about what steps tell beside their outcome, in Gymnasium's info: names and numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.harness.compare import default_rule, differ_in_double, differ_in_single, discrete
from parity.harness.contract.forms import FORM_ULPS
from parity.harness.findings import Answer
from parity.harness.judge import Arm, Evidence, Judge
from parity.harness.trees import Array, equal

KEYS, VALUES = "info keys", "info values"
FEW, SEEDS = 16, 8
"""Cases with other numbers that are stepped again, and with how many seeds, where steps draw."""


def ask_info(judge: Judge, evidence: list[Evidence]) -> list[Answer]:
    """Ask whether both sides tell the same things, and of those the same numbers."""
    return [_keys(evidence[0]), _values(judge, evidence)]


def _keys(evidence: Evidence) -> Answer:
    """Compare the names of further values, which loggers and wrappers read."""
    mine, theirs = evidence.native.reference.info, evidence.native.port.info
    lacks, more = sorted(mine - theirs), sorted(theirs - mine)
    if lacks:
        return Answer(KEYS, "different", f"the port's info lacks {', '.join(lacks)}")
    if more:
        return Answer(KEYS, "note", f"only the port's info has {', '.join(more)}")
    names = ", ".join(sorted(mine)) or "nothing"
    return Answer(KEYS, "same", f"both hand out {names}")


def _values(judge: Judge, evidence: list[Evidence]) -> Answer:
    arms = [one.double or one.native for one in evidence]
    named = [set(side.told) for arm in arms for side in (arm.reference, arm.port)]
    names = sorted(set.intersection(*named))
    if not names:
        return Answer(VALUES, "not asked", "no number is told in every step of both sides")
    wrong: list[str] = []
    for name in names:
        answer = _of_one(judge, evidence, arms, name)
        if answer:
            wrong.append(answer)
    cases = _compared(arms)
    if not (cases or wrong):
        return Answer(
            VALUES, "not asked", "every step ended in a restart, and tells of what came after"
        )
    if wrong:
        return Answer(VALUES, "different", "; ".join(wrong[:4]))
    text = f"{', '.join(names)}: equal, but for rounding, in {cases:,} cases"
    return Answer(VALUES, "same", text)


def _of_one(judge: Judge, evidence: list[Evidence], arms: list[Arm], name: str) -> str:
    """Return a sentence on how a number that is told differs, nothing if it does not."""
    count, first = 0, ""
    for one, arm in zip(evidence, arms, strict=True):
        a, b = arm.reference.told[name], arm.port.told[name]
        if a.shape != b.shape:
            return f"{name} has shape {a.shape[1:]} on the reference and {b.shape[1:]} on the port"
        differs = _differs(a, b, one.double is not None).reshape(len(a), -1).any(axis=1)
        differs &= arm.reference.final & arm.port.final
        rows = np.flatnonzero(differs)
        if len(rows) and judge.random and _is_drawn(judge, one, rows[:FEW], name):
            return ""  # its distribution is not compared; the fields' is
        count += len(rows)
        if len(rows) and not first:
            row = int(rows[0])
            state = {key: value[row].tolist() for key, value in arm.state.items()}
            action = {key: value[row].tolist() for key, value in one.cases.action.items()}
            first = (
                f"{a[row].tolist()} on the reference and {b[row].tolist()} on the port, from state "
                f"{state} with {action}"
            )
    total = _compared(arms)
    return f"{name} differs in {count:,} of {total:,} cases, for example {first}" if count else ""


def _compared(arms: list[Arm]) -> int:
    """Return in how many cases both sides tell of the moment before a restart."""
    return sum(int((arm.reference.final & arm.port.final).sum()) for arm in arms)


def _differs(a: Array, b: Array, double: bool) -> Array:
    rule = default_rule(a, b)
    if double or discrete(a, b):
        return differ_in_double(rule, a, b)[0]
    return np.asarray(differ_in_single(rule, a, b)[2] > FORM_ULPS)


def _is_drawn(judge: Judge, one: Evidence, rows: Array, name: str) -> bool:
    """Say whether a number that is told changes with the seed on a side, in some of the rows."""
    few = one.cases.rows(np.repeat(rows, SEEDS))
    state, seeds = judge.states(few, False), np.tile(np.arange(SEEDS), len(rows))
    for side in (judge.pair.reference, judge.pair.port):
        if not side.can_write:
            return True
        values: Any = side.transition(state, few.action, seeds).told.get(name)
        if values is None:
            return True
        blocks = values.reshape(len(rows), SEEDS, -1)
        if not equal(blocks, np.broadcast_to(blocks[:, :1], blocks.shape)):
            return True
    return False

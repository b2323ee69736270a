"""Questions about what steps tell beside their outcome, in Gymnasium's info: names and numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from parity.harness.compare import (
    default_rule,
    differ_in_double,
    differ_in_single,
    discrete,
    own_numbers,
)
from parity.harness.contract.forms import FORM_ULPS
from parity.harness.findings import Answer
from parity.harness.judge import Arm, Evidence, Judge
from parity.harness.sides.side import Steps
from parity.harness.trees import Array, equal

KEYS, VALUES = "info keys", "info values"
SIDES = ("reference", "port")
FEW, SEEDS = 16, 8
"""Cases with other numbers that are stepped again, and with how many seeds, where steps draw."""


def ask_info(judge: Judge, evidence: list[Evidence]) -> list[Answer]:
    """Ask whether both sides tell the same things, and of those the same numbers."""
    return [_keys(evidence), _values(judge, evidence)]


def _keys(evidence: list[Evidence]) -> Answer:
    """Compare the names of further values, which loggers and wrappers read, in all cases but those
    about a boundary, where rounding may have one side alone tell of what lies beyond it."""
    parts = [one for one in evidence if (one.cases.source != "boundary").any()]
    mine, theirs = (
        frozenset[str]().union(*(getattr(one.native, side).info for one in parts)) for side in SIDES
    )
    lacks, more = sorted(mine - theirs), sorted(theirs - mine)
    if lacks:
        return Answer(KEYS, "different", f"the port's info lacks {', '.join(lacks)}")
    if more:
        return Answer(KEYS, "note", f"only the port's info has {', '.join(more)}")
    told, also = ({name for one in parts for name in getattr(one.native, side).told} for side in SIDES)
    if told - also:
        names = ", ".join(sorted(told - also))
        return Answer(KEYS, "note", f"only the reference tells {names} as a number in every step")
    some, any_of = ({name for one in parts for name in _names(getattr(one.native, s))} for s in SIDES)
    if some - any_of:
        names = ", ".join(sorted(some - any_of))
        return Answer(KEYS, "note", f"only the reference tells {names} as a number, at times")
    names = ", ".join(sorted(mine)) or "nothing"
    return Answer(KEYS, "same", f"both hand out {names}")


def _names(steps: Steps) -> set[str]:
    """Return the names of all numbers that steps told, in every step or at times."""
    return {*steps.told, *steps.at_times}


class _Told(NamedTuple):
    """What was found of a number that is told.

    Attributes:
        cases: in how many it was compared.
        differs: a sentence on how it differs, empty if it does not.
        drawn: whether it differs and is drawn, so that it is not compared one by one.
    """

    cases: int
    differs: str = ""
    drawn: bool = False


def _values(judge: Judge, evidence: list[Evidence]) -> Answer:
    arms = [one.double or one.native for one in evidence]
    names = sorted(set[str]().union(*(_names(arm.reference) & _names(arm.port) for arm in arms)))
    if not names:
        return Answer(VALUES, "not asked", "no number is told by both sides")
    found = {name: _of_one(judge, evidence, arms, name) for name in names}
    drawn = ", ".join(name for name, one in found.items() if one.drawn)
    left_out = f"{drawn}: drawn within the step, and not compared" if drawn else ""
    unseen = (one for one in found if not (found[one].cases or found[one].drawn or found[one].differs))
    alone = ", ".join(unseen)
    if alone and any(one.cases for one in found.values()):
        left_out = "; ".join([*([left_out] if left_out else []), f"{alone}: in no case told by both"])
    wrong = [one.differs for one in found.values() if one.differs]
    if wrong:
        more = [f"{len(wrong) - 4} more differ"] if len(wrong) > 4 else []
        text = "; ".join([*wrong[:4], *more, *([left_out] if left_out else [])])
        return Answer(VALUES, "different", text)
    equal_in: dict[int, list[str]] = {}
    for name, one in found.items():
        if one.cases and not one.drawn:
            equal_in.setdefault(one.cases, []).append(name)
    if not equal_in:
        text = left_out or "no number is told by both sides in one step before a restart"
        return Answer(VALUES, "not asked", text)
    texts = [
        f"{', '.join(some)}: equal, but for rounding, in {cases:,} cases"
        for cases, some in equal_in.items()
    ]
    return Answer(VALUES, "same", "; ".join([*texts, *([left_out] if left_out else [])]))


def _of_one(judge: Judge, evidence: list[Evidence], arms: list[Arm], name: str) -> _Told:
    """Compare a number wherever both sides tell it before a restart, if only at times."""
    total, count, first, alone = 0, 0, "", 0
    for one, arm in zip(evidence, arms, strict=True):
        mine, theirs = arm.reference.told_of(name), arm.port.told_of(name)
        if mine is None or theirs is None:
            continue
        a, b = mine[1], theirs[1]
        final = arm.reference.final & arm.port.final
        both = mine[0] & theirs[0] & final
        total += int(both.sum())
        if name in arm.reference.at_times and name in arm.port.at_times and not judge.random:
            # About a boundary rounding may have one side alone tell of what lies beyond it.
            lone = mine[0] & ~theirs[0] & final & (one.cases.source != "boundary")
            alone += int(lone.sum())
        if a.shape != b.shape:
            shapes = f"{a.shape[1:]} on the reference and {b.shape[1:]} on the port"
            return _Told(total, f"{name} has shape {shapes}")
        fields = (arm.state, one.cases.action, arm.reference.fields, arm.port.fields)
        own = own_numbers(len(a), *fields).reshape(-1, *(1,) * (a.ndim - 1))
        differs = _differs(a, b, one.double is not None, own).reshape(len(a), -1).any(axis=1)
        differs &= both
        rows = np.flatnonzero(differs)
        if len(rows) and judge.random and _is_drawn(judge, one, rows[:FEW], name):
            return _Told(0, drawn=True)  # its distribution is not compared; the fields' is
        count += len(rows)
        if len(rows) and not first:
            row = int(rows[0])
            state = {key: value[row].tolist() for key, value in arm.state.items()}
            action = {key: value[row].tolist() for key, value in one.cases.action.items()}
            first = (
                f"{a[row].tolist()} on the reference and {b[row].tolist()} on the port, from state "
                f"{state} with {action}"
            )
    text = f"{name} differs in {count:,} of {total:,} cases, for example {first}" if count else ""
    if alone and not count:
        text = f"{name} is told by the reference alone in {alone:,} cases"
    return _Told(total, text)


def _differs(a: Array, b: Array, double: bool, own: Array) -> Array:
    rule = default_rule(a, b)
    if double or discrete(a, b):
        return differ_in_double(rule, a, b, own=own)[0]
    return np.asarray(differ_in_single(rule, a, b)[2] > FORM_ULPS)


def _is_drawn(judge: Judge, one: Evidence, rows: Array, name: str) -> bool:
    """Say whether a number that is told changes with the seed on a side, in some of the rows; a side
    that cannot be put in a state does not say so."""
    few = one.cases.rows(np.repeat(rows, SEEDS))
    state = judge.states(few, False)
    seeds = np.tile(np.arange(SEEDS), len(rows))
    seeds[::SEEDS] = one.seeds[rows]  # with which it differed
    for side in (judge.pair.reference, judge.pair.port):
        if not side.can_write:
            continue
        told = side.transition(state, few.action, seeds).told_of(name)
        if told is None or not told[0].all():
            return True
        values: Any = told[1]
        blocks = values.reshape(len(rows), SEEDS, -1)
        if not equal(blocks, np.broadcast_to(blocks[:, :1], blocks.shape)):
            return True
    return False

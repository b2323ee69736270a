"""Questions about runs of one side: the same seed twice, jitted or not, one environment or many."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from parity.harness.cases import Cases
from parity.harness.compare import default_rule, narrower, spacing
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.sides.batched import BatchedSide
from parity.harness.sides.functional import FunctionalSide
from parity.harness.sides.going import advance_going
from parity.harness.sides.mutable import MutableSide
from parity.harness.sides.side import Side, Steps
from parity.harness.trees import Array, equal, take

FEW = 8
FORM_ULPS = 512
"""Units in the last place of a case's largest number by which two compiled forms may differ."""


def ask_forms(judge: Judge, cases: Cases) -> list[Answer]:
    """Ask about determinism and compiled forms."""
    answers = [_same_seed(judge, cases)]
    names: dict[Literal["eager", "one"], str] = {
        "eager": "eager against jitted",
        "one": "one environment against a batch",
    }
    for form, question in names.items():
        answers.append(_form(judge, cases, form, question))
    return answers


def _same_seed(judge: Judge, cases: Cases) -> Answer:
    """Ask whether one seed gives one result on each side."""
    question = "the same seed twice"
    seeds = np.arange(32)
    few, first = cases.spread(32), cases.rows(np.arange(min(32, len(cases))))
    state = judge.states(few, False)
    for word, side in (("reference", judge.pair.reference), ("port", judge.pair.port)):
        one, two = side.reset(seeds), side.reset(seeds)
        for name, value in {**one.state, **one.obs}.items():
            if not equal(value, {**two.state, **two.obs}[name]):
                return Answer(
                    question, "different", f"the {word}'s reset gives another {name} for one seed"
                )
        if not side.can_write:
            parted = _episodes_part(side, first)
            if parted:
                text = f"the {word}'s episode gives another {parted} for one seed and the same actions"
                return Answer(question, "different", text)
            continue
        again = [side.transition(state, few.action, np.arange(len(few))).fields for _ in range(2)]
        for name, value in again[0].items():
            if not equal(value, again[1][name]):
                hint = ""
                if isinstance(side, MutableSide | BatchedSide) and side.reseed is None:
                    hint = "; if it draws, give its side reseed, (environment, seed) -> None"
                text = f"the {word}'s step gives another {name} for one seed{hint}"
                return Answer(question, "different", text)
    return Answer(question, "same", "gives the same reset and the same step on each side")


def _episodes_part(side: Side, few: Cases) -> str:
    """Return a field in which two episodes of one seed part, of a side that is only played."""
    seeds = np.arange(FEW)
    both = [side.lanes(seeds, None) for _ in range(2)]
    going = np.full(FEW, True)
    for first in range(0, len(few) - FEW + 1, FEW):
        action = take(few.action, slice(first, first + FEW))
        one, two = (advance_going(lanes, action, seeds + first, going) for lanes in both)
        if one is None or two is None:
            break
        for name, value in one.of_the_step.items():
            if not equal(value, two.of_the_step[name]):
                return name
        going &= ~one.ended & ~two.ended
    return ""


def _form(judge: Judge, cases: Cases, form: Literal["eager", "one"], question: str) -> Answer:
    """Ask whether another form of the port's step gives the same but for rounding."""
    port = judge.pair.port
    if not isinstance(port, FunctionalSide) and not (form == "one" and isinstance(port, BatchedSide)):
        return Answer(question, "not asked", "the port is no pure function")
    if not port.can_write:
        return Answer(question, "not asked", "the port cannot be put in a state (give write)")
    few = _few(cases, port)
    state, seeds = judge.states(few, False), np.arange(len(few))
    batch = port.transition(state, few.action, seeds)
    try:
        other = (
            port.transition_as(form, state, few.action, seeds)
            if isinstance(port, FunctionalSide)
            else port.one().transition(state, few.action, seeds)
        )
    except Exception as error:  # a step that cannot run in this form is a finding of its own
        return Answer(question, "different", f"raises {type(error).__name__}: {str(error)[:160]}")
    drawn = _drawn_by_the_reference(judge, few) if isinstance(port, BatchedSide) else frozenset()
    largest, worst = _distance(batch, other, drawn)
    if largest > FORM_ULPS and isinstance(port, BatchedSide):
        text = f"a copy's step depends on the other copies: {worst} is another where it is alone"
        return Answer(question, "different", text)
    if largest > FORM_ULPS:
        by = apart_words(largest)
        return Answer(question, "different", f"{worst} differs {by} in {len(few)} cases")
    words = "to the bit" if largest == 0 else f"but for rounding (up to {largest:.1f} ulps, {worst})"
    return Answer(question, "same", f"the port gives the same {words} in {len(few)} cases")


def _few(cases: Cases, port: Side) -> Cases:
    """Return cases from the first to the last; for copies that are stepped together, some that end an
    episode and more that do not."""
    if not isinstance(port, BatchedSide) or cases.played is None:
        return cases.spread(FEW)
    ends = np.flatnonzero(cases.played.ended)[:FEW]
    others = np.flatnonzero(~cases.played.ended)[: 4 * FEW]
    return cases.rows(np.sort(np.concatenate([ends, others])))


def _drawn_by_the_reference(judge: Judge, few: Cases) -> frozenset[str]:
    """Return the fields that the reference draws in some cases: no two forms of a port draw alike."""
    if not judge.random or not judge.pair.reference.can_write:
        return frozenset()
    state, seeds = judge.states(few, False), np.arange(len(few))
    one, two = (
        judge.pair.reference.transition(state, few.action, seeds + more).fields for more in (0, 1_000)
    )
    return frozenset(n for n in one if n in judge.random and not equal(one[n], two[n]))


def _distance(a: Steps, b: Steps, left_out: frozenset[str]) -> tuple[float, str]:
    """Return the largest difference of any field, as :func:`form_distance`, and the field."""
    largest, worst = 0.0, ""
    others = b.of_the_step
    for name, x in a.of_the_step.items():
        if name in left_out:
            continue
        y = others[name]
        apart = form_distance(x, y)
        if apart > largest:
            largest, worst = apart, name
    return largest, worst


def apart_words(distance: float) -> str:
    """Return a distance of :func:`form_distance` in words."""
    if math.isinf(distance):
        return "in a whole number, a flag, or in whether it is a number"
    return f"by {distance:.0f} ulps"


def form_distance(x: Array, y: Array) -> float:
    """Return how far two runs (N, ...) of one function are apart: the largest difference in units in
    the last place of the largest number in its case; infinite where whole numbers or flags differ."""
    rule = default_rule(x, y)
    apart = rule.apart(x, y).reshape(len(x), -1).max(axis=1, initial=0)
    if rule.kind == "exact":
        return math.inf if (apart > 0).any() else 0.0
    size = np.abs(x.astype(np.float64)).reshape(len(x), -1).max(axis=1, initial=1e-3)
    size = np.where(np.isfinite(size), size, 1e-3)
    with np.errstate(divide="ignore", invalid="ignore"):
        ulps = np.where(apart > 0, apart / spacing(size, narrower(x, y)), 0.0)
    return float(ulps.max(initial=0))

"""Transitions that draw random numbers: which fields do, and whether both sides draw alike."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from parity.harness.cases import Cases, concat
from parity.harness.contract.samples import ALPHA, but_for_rounding, compare_samples
from parity.harness.findings import Answer
from parity.harness.judge import Evidence, Judge
from parity.harness.pair import Pair
from parity.harness.questions import OF_DRAWS
from parity.harness.sides.batched import BatchedSide
from parity.harness.sides.side import Steps
from parity.harness.trees import Array, Fields, equal

QUESTION = OF_DRAWS
PROBES, SEEDS = 24, 6
STATES, DRAWS = 12, 600
MOST_KINDS = 200


def drawn_fields(pair: Pair, probe: Cases) -> tuple[frozenset[str], frozenset[str]]:
    """Return the fields that the reference, and that the port, draws within a step.

    A few states are stepped with several seeds each, of their own; what changes with the seed is drawn.
    """
    few = probe.spread(PROBES)
    few = few.rows(np.repeat(np.arange(len(few)), SEEDS))
    seeds = np.arange(len(few))
    changing = []
    for side in (pair.reference, pair.port):
        if not side.can_write:
            changing.append(frozenset[str]())
            continue
        fields = side.transition(few.state, few.action, seeds).of_the_step
        changing.append(frozenset(name for name, value in fields.items() if _varies(value, SEEDS)))
    return changing[0], changing[1]


class Drawn(NamedTuple):
    """Fields that each side draws within a step, and cases beside visited ones to compare that in."""

    reference: frozenset[str]
    port: frozenset[str]
    cases: list[Cases]


def also_drawn(judge: Judge, evidence: list[Evidence]) -> Drawn:
    """Return further fields that the reference, and that the port, draws, and cases in which it does.

    A few probes may miss a field that is drawn in few states, such as a reward beside a goal, or that
    seldom comes out otherwise. Where a field differs, its cases are stepped with other seeds than that
    with which they differed; what changes with the seed is drawn there, and is no longer compared one
    by one.
    """
    pair, changing = judge.pair, (set[str](), set[str]())
    cases: list[Cases] = []
    for name in sorted({name for one in evidence for name in one.labels if one.wrong(name).any()}):
        for one in evidence:
            if name not in one.labels or not one.wrong(name).any():
                continue
            rows = np.flatnonzero(one.wrong(name))[:PROBES]
            few = one.cases.rows(rows)
            state = judge.states(few, False)
            tries = [one.seeds[rows], *(judge.next_seeds(len(rows)) for _ in range(SEEDS - 1))]
            for side, names in zip((pair.reference, pair.port), changing, strict=True):
                if not side.can_write:
                    continue
                steps = [side.transition(state, few.action, seeds).of_the_step for seeds in tries]
                if name in steps[0] and any(not equal(steps[0][name], s[name]) for s in steps[1:]):
                    names.add(name)
                    cases.append(one.cases.rows(rows[:STATES]))
    judge.random |= changing[0] | changing[1]
    for one in evidence:
        one.labels = {name: value for name, value in one.labels.items() if name not in judge.random}
    return Drawn(frozenset(changing[0]), frozenset(changing[1]), cases)


def _varies(values: Array, block: int) -> bool:
    rows = values.reshape(-1, block, *values.shape[1:])
    same = (rows == rows[:, :1]) | (rows != rows)
    return not same.all()


def ask_draws(judge: Judge, visited: Cases, drawn: Drawn, seed: int) -> Answer:
    """Ask whether steps that draw random numbers do so alike, from the same states.

    Args:
        judge: of the pair.
        visited: cases to choose states from, beside the others.
        drawn: fields, and other cases to choose from.
        seed: of the choice.
    """
    mine, theirs = drawn.reference, drawn.port
    if not judge.pair.port.can_write:
        text = "the port cannot be put in one state many times (give write)"
        return Answer(QUESTION, "not asked", text)
    if not mine | theirs and judge.pair.reference.can_write:
        return Answer(QUESTION, "same", "neither side draws: a step depends on state and action alone")
    only = "; ".join(
        f"only the {side} draws {', '.join(sorted(names))}"
        for side, names in (("reference", mine - theirs), ("port", theirs - mine))
        if names
    )
    if isinstance(judge.pair.port, BatchedSide) and theirs - mine:
        only += " (or its copies affect one another: see one environment against a batch)"
    if not judge.pair.reference.can_write:
        return Answer(
            QUESTION, "not asked", "both sides must be put in one state many times; give write"
        )
    rng = np.random.default_rng([seed, 6])
    sources = [visited, *drawn.cases]
    share = -(-STATES // len(sources))
    cases = concat(
        [one.rows(rng.choice(len(one), min(share, len(one)), replace=False)) for one in sources]
    )
    rows = np.arange(len(cases))
    first = ""
    smallest = tests = 0.0
    for row in rows:
        many = cases.rows(np.full(DRAWS, row))
        state = judge.states(many, False)
        a = _drawn(judge.pair.reference.transition(state, many.action, _seeds(rng)), mine | theirs)
        b = _drawn(judge.pair.port.transition(state, many.action, _seeds(rng)), mine | theirs)
        result = compare_samples(a, b, ALPHA / (2 * len(rows)))
        smallest, tests = max(smallest, result.smallest), tests + result.tests
        differing = [f"{name}: {text}" for name, text in result.differs.items()]
        joint = _joint(a, b, ALPHA / (2 * len(rows)))
        if joint:
            differing.append(joint)
        if differing and not first:
            where = {name: value[row].tolist() for name, value in cases.state.items()}
            what = {name: value[row].tolist() for name, value in cases.action.items()}
            first = f"{'; '.join(differing[:3])}; from state {where} with {what}"
    names = ", ".join(sorted(mine | theirs))
    power = (
        f"{len(rows)} states, {DRAWS} draws each, {tests:.0f} two-sample tests, chance of a false "
        f"alarm {ALPHA:g} in all; gaps of {smallest:.2f} between distribution functions are seen"
    )
    if first:
        return Answer(QUESTION, "different", f"{f'{only}; ' if only else ''}{first}. {power}")
    if only:
        return Answer(QUESTION, "note", f"{only}, so seldom that it may be chance: {power}")
    return Answer(QUESTION, "same", f"both draw {names} from the same distributions: {power}")


def _seeds(rng: np.random.Generator) -> Array:
    return rng.choice(2**31, DRAWS, replace=False)


def _drawn(steps: Steps, names: frozenset[str]) -> Fields:
    return {name: value for name, value in steps.fields.items() if name in names}


def _joint(a: Fields, b: Fields, alpha: float) -> str:
    """Compare how often each combination of drawn fields comes, where there are few (chi-squared)."""
    from scipy.stats import chi2

    columns = []
    for name in a:
        flat = [side[name].reshape(len(side[name]), -1).T for side in (a, b)]
        for pair in zip(*flat, strict=True):
            columns.append(but_for_rounding(*pair))
            if len(np.unique(np.concatenate(columns[-1]))) > MOST_KINDS:
                return ""
    rows = [np.stack(side, axis=1).astype(np.float32) for side in zip(*columns, strict=True)]
    kinds, which = np.unique(np.concatenate(rows), axis=0, return_inverse=True)
    if len(kinds) > MOST_KINDS or len(kinds) < 2:
        return ""
    counts = [
        np.bincount(part, minlength=len(kinds)) for part in np.split(which.reshape(-1), [len(rows[0])])
    ]
    both = np.stack(counts).astype(float)
    rare = both.sum(0) < 20
    table = np.concatenate([both[:, ~rare], both[:, rare].sum(1, keepdims=True)], axis=1)
    table = table[:, table.sum(0) > 0]
    expected = table.sum(0) * table.sum(1, keepdims=True) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    if table.shape[1] < 2 or chi2.sf(statistic, table.shape[1] - 1) >= alpha:
        return ""
    share = np.abs(table[0] / table[0].sum() - table[1] / table[1].sum())
    worst = int(np.argmax(share))
    rates = table[:, worst] / table.sum(1)
    return (
        f"one outcome comes in {rates[0]:.1%} of the reference's draws and {rates[1]:.1%} of the port's"
    )

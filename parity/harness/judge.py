"""Step both sides in the same cases, in native and in double precision, and label every field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foundation.errors import InputError
from parity.harness.cases import Cases
from parity.harness.compare import (
    LABELS,
    LOGIC,
    SENSITIVITY,
    FieldLabels,
    default_rule,
    finite_size,
    label,
    narrower,
    no_rounding,
    own_numbers,
    reached,
)
from parity.harness.fields import Rule
from parity.harness.pair import Pair
from parity.harness.precision import why_not_double
from parity.harness.sides.side import OUTCOME, Side, Steps
from parity.harness.spaces import Space
from parity.harness.trees import Array, Fields, take

NUDGES, NUDGE_ULPS = 8, 4
"""How often, and by how many units in the last place, inputs change where double precision lacks."""


@dataclass
class Arm:
    """What both sides did in N cases at one precision."""

    state: Fields
    reference: Steps
    port: Steps


@dataclass
class Evidence:
    """Cases with what both sides did in them, and a label for every field.

    Attributes:
        cases: what was stepped.
        native, double: the two runs; no second one where nothing has a fraction, or a side cannot.
        labels: by field.
        accepted: by field, bool (N,), the cases that an accepted difference covers.
        seeds: int64 (N,), what each case's draws came from.
        natively: by field, bool (N,), the cases that are wrong in native precision and right in double.
    """

    cases: Cases
    native: Arm
    double: Arm | None
    labels: dict[str, FieldLabels]
    accepted: dict[str, Array] = field(default_factory=dict)
    seeds: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    natively: dict[str, Array] = field(default_factory=dict)

    def wrong(self, name: str) -> Array:
        """Return where a field is wrong, by logic or beyond its bound, and not accepted: bool (N,)."""
        one = self.labels[name]
        return ((one.labels == LOGIC) | one.beyond) & ~self.accepted[name]

    def shown(self, names: Iterable[str], row: int) -> Arm:
        """Return the run in which fields of one case differ: in double precision, where there is one,
        but for a case that is right there."""
        natively = any(self.natively[name][row] for name in names if name in self.natively)
        return self.native if natively or self.double is None else self.double

    def label_of(self, name: str, row: int) -> str:
        """Return the label of one case in words."""
        return LABELS[int(self.labels[name].labels[row])]


def check_names(pair: Pair) -> None:
    """Refuse two sides whose states have other fields, or fields of other shapes.

    Raises:
        InputError: they have; says which.
    """
    reference, port = (side.reset(np.arange(2)).state for side in (pair.reference, pair.port))
    mine, theirs = set(reference), set(port)
    if mine != theirs:
        parts = []
        if mine - theirs:
            parts.append(f"only the reference has {', '.join(sorted(mine - theirs))}")
        if theirs - mine:
            parts.append(f"only the port has {', '.join(sorted(theirs - mine))}")
        raise InputError(
            f"{pair.name}: the states have other fields: {'; '.join(parts)}; read the same "
            "fields under the same names on both sides, or leave some out (leave_out, time=None)"
        )
    for name in mine:
        a, b = reference[name], port[name]
        if a.shape != b.shape:
            raise InputError(
                f"{pair.name}: {name} has shape {a.shape[1:]} on the reference and "
                f"{b.shape[1:]} on the port; read it alike on both"
            )


class Judge:
    """Steps and labels cases of one pair.

    Args:
        pair: the pair.
        probe: a few visited cases, by which it is found out what each side can do.
        random: names of fields that a side draws within a step; they are left to the two-sample tests.
    """

    def __init__(self, pair: Pair, probe: Cases, random: frozenset[str] = frozenset()) -> None:
        self.pair, self.random = pair, random
        self._largest: dict[str, Array] = {}
        self._given = 0
        few = probe.rows(np.arange(min(len(probe), 8)))
        first = self._arm(few, self.next_seeds(len(few)), False)
        self._check_rules(first)
        self.skipped = self._other_shapes(first)
        self.dtypes = {
            name: (str(value.dtype), str(first.port.fields[name].dtype))
            for name, value in first.reference.fields.items()
            if name in first.port.fields
        }
        self.fractions = any("float" in dtype for both in self.dtypes.values() for dtype in both)
        self.no_double: dict[str, str] = {}
        if self.fractions:
            sides = {"the reference": pair.reference, "the port": pair.port}
            reasons = {name: why_not_double(side, probe) for name, side in sides.items()}
            self.no_double = {name: why for name, why in reasons.items() if why}

    def _check_rules(self, arm: Arm) -> None:
        known = {*arm.reference.fields, *(name.partition(".")[0] for name in arm.reference.obs)}
        unknown = sorted(set(self.pair.rules) - known)
        if unknown:
            raise InputError(
                f"{self.pair.name}: there is a rule for {', '.join(unknown)}, and no such field; "
                f"the fields are {', '.join(arm.reference.fields)}"
            )

    def _other_shapes(self, arm: Arm) -> dict[str, str]:
        """Return fields of the observation and the outcome that cannot be compared, with the reason."""
        reasons = {}
        mine, theirs = arm.reference.fields, arm.port.fields
        for name in sorted(set(mine) | set(theirs)):
            if name not in mine or name not in theirs:
                reasons[name] = f"only the {'reference' if name in mine else 'port'} has it"
                continue
            a, b = mine[name], theirs[name]
            one_is_a_flag = (a.dtype == bool) != (b.dtype == bool)
            no_flags = name in ("terminated", "truncated") and a.ndim > 1
            if a.shape != b.shape or one_is_a_flag or no_flags:
                forms = [f"{value.dtype} of shape {value.shape[1:]}" for value in (a, b)]
                reasons[name] = f"{forms[0]} on the reference, {forms[1]} on the port"
                if name in OUTCOME:
                    wanted = "number" if name == "reward" else "flag (true or false)"
                    reasons[name] += f"; return one {wanted} a step on both sides"
        return reasons

    def rule(self, name: str, a: Array, b: Array) -> Rule:
        """Return the rule of a field."""
        rules = self.pair.rules
        return rules.get(name) or rules.get(name.partition(".")[0]) or default_rule(a, b)

    def states(self, cases: Cases, double: bool) -> Fields:
        """Return the states both sides are put in: in the narrower side's precision, or in double."""
        if double:
            return {
                name: value.astype(np.float64) if value.dtype.kind == "f" else value
                for name, value in cases.state.items()
            }
        dtypes: Mapping[str, np.dtype[Any]] = self.pair.port.native()
        own: Mapping[str, np.dtype[Any]] = self.pair.reference.native()
        states = {}
        for name, value in cases.state.items():
            sides = [np.empty(0, dtype[name]) for dtype in (dtypes, own) if name in dtype]
            narrow = narrower(sides[0], sides[-1]) if sides else value.dtype
            states[name] = value.astype(narrow) if value.dtype.kind == "f" else value
        return states

    def _arm(self, cases: Cases, seeds: Array, double: bool) -> Arm:
        state, steps = self.states(cases, double), list[Steps]()
        for word, side in (("reference", self.pair.reference), ("port", self.pair.port)):
            if side.can_write:
                steps.append(side.transition(state, cases.action, seeds, double))
            elif cases.played is not None:
                steps.append(cases.played)
            else:
                raise InputError(f"the {word} cannot be put in a state; give it write")
        return Arm(state, *steps)

    def next_seeds(self, count: int) -> Array:
        """Return seeds int64 (count,) that no other set of cases has: those after all given before."""
        first, self._given = self._given, self._given + count
        return np.asarray((first + np.arange(count)) % 2**31)

    def step(self, cases: Cases) -> Evidence:
        """Step both sides in every case and label every field."""
        seeds = self.next_seeds(len(cases))
        native = self._arm(cases, seeds, False)
        double = self._arm(cases, seeds, True) if self.fractions and not self.no_double else None
        nudged = None
        if self.fractions and double is None:
            # The reference's, where the port cannot be put in a state.
            side = self.pair.port if self.pair.port.can_write else self.pair.reference
            nudged = self._nudged(cases, seeds, native.state, side)
        labels = {}
        parts = (native.state, cases.action, native.reference.fields, native.port.fields)
        most = own_numbers(len(cases), *parts)
        for name, a in native.reference.fields.items():
            if name in self.skipped or name in self.random:
                continue
            b = native.port.fields[name]
            wide = None if double is None else (double.reference.fields[name], double.port.fields[name])
            if not self.fractions:
                wide = (a, b)
            others = None if nudged is None else [one.fields[name] for one in nudged]
            compared = native.reference.final_of(name) & native.port.final_of(name)
            before = native.state.get(name)
            largest, own = self._seen(name, a, before), most.reshape(-1, *(1,) * (a.ndim - 1))
            if before is not None:
                own = np.maximum(own, finite_size(before))
            both = (a, b) if self.pair.port.can_write else (b, a)  # the second one's inputs are changed
            labels[name] = label(self.rule(name, a, b), both, wide, compared, others, largest, own)
            # About a boundary rounding alone decides between two results: no bound on it could hold.
            labels[name].beyond &= cases.source != "boundary"
        evidence = Evidence(cases, native, double, labels, seeds=seeds)
        if double is not None:
            self._judge_natively(evidence)
        evidence.accepted = {name: self._accepted(evidence, name) for name in labels}
        return evidence

    def _judge_natively(self, evidence: Evidence) -> None:
        """Call logic what differs in native precision alone, in which the port is trained, and is no
        rounding: whole numbers, flags and whether there is a finite number, where nudged inputs do not
        explain it.

        An overflow of 32 bits is right in the double run, which has 64. About a boundary rounding alone
        decides.
        """
        native, odd = evidence.native, dict[str, Array]()
        for name, one in evidence.labels.items():
            a, b = native.reference.fields[name], native.port.fields[name]
            counts = one.compared & (one.labels != LOGIC) & (evidence.cases.source != "boundary")
            odd[name] = no_rounding(a, b).reshape(len(a), -1).any(axis=1) & counts
        rows = np.flatnonzero(np.any(list(odd.values()), axis=0))
        if not len(rows):
            return
        state, cases, seeds = take(native.state, rows), evidence.cases.rows(rows), evidence.seeds[rows]
        sides = (self.pair.reference, self.pair.port)
        mine, theirs = (
            self._nudged(cases, seeds, state, side, NUDGE_ULPS * SENSITIVITY, self.pair.legal is None)
            if side.can_write
            else [None] * NUDGES
            for side in sides
        )
        for name, flags in odd.items():
            a, b = (arm.fields[name][rows] for arm in (native.reference, native.port))
            values = [[one and one.fields[name] for one in side] for side in (mine, theirs)]
            nudged = list(zip(*values, strict=True))
            left = no_rounding(a, b) & ~reached(self.rule(name, a, b), a, b, nudged)
            wrong = np.zeros(len(flags), bool)
            wrong[rows] = left.reshape(len(rows), -1).any(axis=1)
            evidence.natively[name] = wrong & flags
            evidence.labels[name].labels[evidence.natively[name]] = LOGIC

    def _seen(self, name: str, after: Array, before: Array | None) -> Array:
        """Return a field's largest number in all cases so far, before and after the step, by place."""
        largest = self._largest.get(name, np.zeros(after.shape[1:]))
        for values in (after, before):
            if values is not None:
                largest = np.maximum(largest, finite_size(values).max(axis=0, initial=0.0))
        self._largest[name] = largest
        return largest

    def _nudged(
        self,
        cases: Cases,
        seeds: Array,
        states: Fields,
        side: Side,
        ulps: int = NUDGE_ULPS,
        actions: bool = False,
    ) -> list[Steps]:
        """Return what a side does after its inputs were changed by a few units in the last place; the
        actions too, within their space, if asked for."""
        rng = np.random.default_rng(0)
        spaces = [one.spaces()["action"] for one in (self.pair.reference, self.pair.port)]
        space, outcomes = spaces[0] or spaces[1] or {}, []
        for _ in range(NUDGES):
            state = {name: _moved(rng, value, ulps) for name, value in states.items()}
            action = cases.action
            if actions:
                moved = {name: _moved(rng, value, ulps) for name, value in cases.action.items()}
                action = {name: _within(space, name, moved[name], old) for name, old in action.items()}
            outcomes.append(side.transition(state, action, seeds))
        return outcomes

    def _accepted(self, evidence: Evidence, name: str) -> Array:
        covered = np.zeros(len(evidence.cases), bool)
        arm = evidence.double or evidence.native
        for one in self.pair.accepted:
            if name in one.names or name.partition(".")[0] in one.names:
                covered |= covers(one.where, arm, evidence.cases.action)
        return covered


def _moved(rng: np.random.Generator, value: Array, ulps: int) -> Array:
    """Return numbers moved by up to so many units in the last place; whole ones as they are."""
    if value.dtype.kind != "f":
        return value
    steps = rng.integers(-ulps, ulps, value.shape, endpoint=True)
    finite = np.isfinite(value)
    unit = np.spacing(np.abs(np.where(finite, value, 0)))
    moved: Array = np.where(finite, value + steps * unit, value).astype(value.dtype)
    return moved


def _within(space: Space, name: str, moved: Array, old: Array) -> Array:
    """Return actions that were moved, but not beyond their space, unless they were before."""
    leaf = space.get(name)
    if leaf is None or old.dtype.kind != "f":
        return moved
    within: Array = np.clip(moved, np.minimum(leaf.low, old), np.maximum(leaf.high, old))
    return within.astype(old.dtype)


def covers(where: Any, arm: Arm, action: Fields) -> Array:
    """Return which cases an accepted difference covers: bool (N,).

    Raises:
        InputError: its ``where`` returns something else.
    """
    count = len(arm.reference.final)
    if where is None:
        return np.ones(count, bool)
    covered = np.asarray(where(arm.state, action, arm.reference.fields))
    if covered.shape != (count,) or covered.dtype != bool:
        raise InputError(
            f"where of an accepted difference returns {covered.dtype} of shape {covered.shape} for "
            f"{count} cases; it must return one flag for each"
        )
    return covered


def rows_labelled(evidence: Evidence, name: str, wanted: int) -> Array:
    """Return which cases have a label in a field."""
    return np.flatnonzero(evidence.labels[name].labels == wanted)


def subset(evidence: Evidence, rows: Any) -> Cases:
    """Return some of the cases of an evidence."""
    return evidence.cases.rows(rows)

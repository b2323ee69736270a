"""Divergence reports: the shortest way to a disagreement, both values, and one finding a fault."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from parity.engine.compare import compare, ulp_distance
from parity.engine.generate import shrink
from parity.engine.pair import Case, Pair
from parity.engine.record import Recording, record_cases
from parity.engine.replay import replay
from parity.engine.verify import EPISODE_REWARD, Mismatch, diverges, shifted

NOT_STATE = frozenset({"obs", "masks"})
ENDS = frozenset({"terminated", "truncated"})


@dataclass(frozen=True)
class FieldDifference:
    """One field of one transition on which the sides disagree.

    Attributes:
        when: "before" the action or "after" it.
        field: its name, with the place where it is an array.
        reference, port: the values.
        ulps: their distance, None for a discrete field.
    """

    when: str
    field: str
    reference: int | float | bool
    port: int | float | bool
    ulps: int | None


@dataclass
class Divergence:
    """A disagreement, as small as it could be made.

    Attributes:
        check, world: where it was seen.
        lane, step: episode or case, and step, at which it first appeared.
        mismatch: the number that first disagreed.
        looks_like: always "logic": a field that must be equal, or a float beyond what its rule allows
            to rounding. Neither side runs in double precision, so nothing else is told of a cause.
        actions: the shortest sequence of actions that still diverges, from ``state``.
        state: the injected state from which it diverges; None if only a whole episode shows it.
        corner: policy, or the boundary the case aims at.
        differences: all fields that differ in the shortest case.
        moment: what the pair tells of that moment (the bar, the date).
        command: a command line that reproduces it; "" where no single case shows it.
    """

    check: str
    world: str
    lane: int
    step: int
    mismatch: Mismatch
    looks_like: Literal["logic"]
    actions: list[Any]
    state: dict[str, Any] | None
    corner: str
    differences: list[FieldDifference]
    moment: dict[str, Any]
    command: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)


@dataclass
class Finding:
    """One fault: all disagreements in the same fields, whichever data set and check they were seen in.

    Attributes:
        smallest: the one that is shortest to write down.
        fields: the fields that they share: those of the state, where any of it differs.
        worlds, checks: where it was seen, in order of appearance.
    """

    smallest: Divergence
    fields: list[str]
    worlds: list[str]
    checks: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the smallest disagreement as plain values, with where else it was seen."""
        seen = {"fields": self.fields, "worlds": self.worlds, "checks": self.checks}
        return {**self.smallest.to_dict(), "seen": seen}


def findings(divergences: Sequence[Divergence]) -> list[Finding]:
    """Return one finding for each fault, in order of appearance.

    Disagreements with a field of the state in common count as one fault's, and so do, where no state
    differs, those with any field in common: a wrong state leads to wrong floats, ends and masks.
    """
    groups: list[tuple[set[str], list[int]]] = []
    for number, one in enumerate(divergences):
        fields, numbers = reached(one), [number]
        for group in [group for group in groups if group[0] & fields]:
            groups.remove(group)
            fields, numbers = fields | group[0], group[1] + numbers
        groups.append((fields, sorted(numbers)))
    found = []
    for fields, numbers in sorted(groups, key=lambda group: group[1]):
        members = [divergences[number] for number in numbers]
        found.append(
            Finding(
                smallest=min(members, key=_length),
                fields=sorted(fields),
                worlds=list(dict.fromkeys(one.world for one in members)),
                checks=list(dict.fromkeys(one.check for one in members)),
            )
        )
    return found


def reached(divergence: Divergence) -> set[str]:
    """Return the fields by which a disagreement is known: of all that differ in its shortest case,
    those of the state; without any, flags and masks; without those, floats."""
    exact = {one.field.partition("[")[0] for one in divergence.differences if one.ulps is None}
    floats = {one.field.partition("[")[0] for one in divergence.differences if one.ulps is not None}
    return exact - NOT_STATE - ENDS or exact or floats or {divergence.mismatch.field}


def _length(divergence: Divergence) -> tuple[bool, int, int, int]:
    """Return how long a disagreement is to write down; one from a state comes before an episode."""
    state = json.dumps(divergence.state, default=str)
    return (
        divergence.state is None,
        len(divergence.actions),
        len(divergence.differences),
        len(state),
    )


def state_before(recording: Recording, lane: int, step: int) -> dict[str, Any]:
    """Return the reference's state before a step of a lane: plain numbers, arrays as nested lists."""
    before = shifted(recording.before, recording.after)
    return {name: value[lane, step].tolist() for name, value in before.items() if name not in NOT_STATE}


def differences(pair: Pair, case: Case) -> list[FieldDifference]:
    """Return every field on which the two sides disagree in one case."""
    recording = record_cases(pair, [case])
    played = replay(pair, recording)
    differing = []
    for when, mine, theirs in (
        ("before", recording.before, played.before),
        ("after", recording.after, played.after),
    ):
        for name, rule in pair.rules.items():
            if name not in mine:
                continue
            bad, _ = compare(rule, mine[name], theirs[name])
            for where in np.argwhere(bad):
                place = tuple(where)
                a, b = mine[name][place].item(), theirs[name][place].item()
                inner = [int(i) for i in where[1 if when == "before" else 2 :]]
                ulps = int(ulp_distance(np.array(a), np.array(b))) if not rule.exact else None
                label = name + (f"[{', '.join(map(str, inner))}]" if inner else "")
                differing.append(FieldDifference(when, label, a, b, ulps))
    return differing


def explain_replay(pair: Pair, recording: Recording, mismatch: Mismatch, check: str) -> Divergence:
    """Explain a disagreement met in a replayed episode.

    Cutting actions off the front of an episode that starts from a reset gets stuck; injecting the
    state just before the disagreement gives one action, unless a side hides state. An episode's reward
    takes all of its actions.
    """
    lane, step = mismatch.lane, max(mismatch.step, 0)
    world = int(recording.worlds[lane])
    taken = recording.lengths[lane] if mismatch.field == EPISODE_REWARD else step + 1
    actions = recording.actions[lane, :taken].tolist()
    state: dict[str, Any] | None = state_before(recording, lane, step)
    assert state is not None
    case = Case(world, state, actions[step])
    differing: list[FieldDifference] = []
    command = ""
    if diverges(pair, [case])[0]:
        actions, differing, command = [case.action], differences(pair, case), pair.command(case)
    else:
        state = None
    return Divergence(
        check=check,
        world=pair.worlds[world],
        lane=lane,
        step=mismatch.step,
        mismatch=mismatch,
        looks_like="logic",
        actions=actions,
        state=state,
        corner=recording.labels[lane],
        differences=differing,
        moment=pair.describe(world, case.state),
        command=command,
    )


def explain_case(pair: Pair, cases: Sequence[Case], mismatch: Mismatch) -> Divergence:
    """Explain a disagreement met in a generated case, after shrinking it with Hypothesis."""
    small = shrink(pair, cases[mismatch.lane], lambda case: bool(diverges(pair, [case])[0]))
    differing = differences(pair, small)
    return Divergence(
        check="generated",
        world=pair.worlds[small.world],
        lane=mismatch.lane,
        step=mismatch.step,
        mismatch=mismatch,
        looks_like="logic",
        actions=[small.action],
        state=dict(small.state),
        corner="; ".join(small.corner),
        differences=differing,
        moment=pair.describe(small.world, small.state),
        command=pair.command(small),
    )

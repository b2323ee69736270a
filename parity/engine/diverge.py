"""Divergence reports: the shortest way to a disagreement, both values, and rounding or logic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from parity.engine.compare import compare, ulp_distance
from parity.engine.generate import shrink
from parity.engine.pair import Case, Pair
from parity.engine.record import Recording, record_cases
from parity.engine.replay import replay
from parity.engine.verify import Mismatch, diverges, shifted

ROUNDING_ULPS = 4096
"""A float that is no further off than this was probably computed alike and rounded otherwise."""

NOT_STATE = frozenset({"obs", "masks"})


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
        looks_like: "rounding" or "logic".
        actions: the shortest sequence of actions that still diverges, from ``state``.
        state: the injected state from which it diverges; None if only a whole episode shows it.
        corner: policy, or the boundary the case aims at.
        differences: all fields that differ in the shortest case.
        moment: what the pair tells of that moment (the bar, the date).
        command: a command line that reproduces it.
    """

    check: str
    world: str
    lane: int
    step: int
    mismatch: Mismatch
    looks_like: str
    actions: list[Any]
    state: dict[str, Any] | None
    corner: str
    differences: list[FieldDifference]
    moment: dict[str, Any]
    command: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)


def looks_like(pair: Pair, mismatch: Mismatch) -> str:
    """Say whether a mismatch looks like rounding or like logic.

    A discrete field can only differ by logic. A float near its counterpart was probably computed
    by the same formula in another order.
    """
    rule = pair.rules.get(mismatch.field)
    if rule is None or rule.exact:
        return "logic"
    distance = ulp_distance(np.array(mismatch.reference), np.array(mismatch.port))
    return "rounding" if int(distance) <= ROUNDING_ULPS else "logic"


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
    state just before the disagreement gives one action, unless a side hides state.
    """
    lane, step = mismatch.lane, max(mismatch.step, 0)
    world = int(recording.worlds[lane])
    actions = recording.actions[lane, : step + 1].tolist()
    state: dict[str, Any] | None = state_before(recording, lane, step)
    assert state is not None
    case = Case(world, state, actions[-1])
    differing: list[FieldDifference] = []
    if diverges(pair, [case])[0]:
        actions, differing = [case.action], differences(pair, case)
    else:
        state = None
    return Divergence(
        check=check,
        world=pair.worlds[world],
        lane=lane,
        step=mismatch.step,
        mismatch=mismatch,
        looks_like=looks_like(pair, mismatch),
        actions=actions,
        state=state,
        corner=recording.labels[lane],
        differences=differing,
        moment=pair.describe(world, case.state),
        command=pair.command(case),
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
        looks_like=looks_like(pair, mismatch),
        actions=[small.action],
        state=dict(small.state),
        corner="; ".join(small.corner),
        differences=differing,
        moment=pair.describe(small.world, small.state),
        command=pair.command(small),
    )

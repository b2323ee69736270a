"""Questions about how episodes end: the last reward, terminated or truncated, a step afterwards."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from parity.harness.compare import LOGIC
from parity.harness.findings import Answer
from parity.harness.judge import Evidence, Judge, subset
from parity.harness.sides.side import Side, Steps
from parity.harness.trees import Fields, digits, take

FEW = 16


def ask_ends(judge: Judge, evidence: list[Evidence]) -> list[Answer]:
    """Ask about rewards at the end, the way episodes end, and a step after the end."""
    return [_reward(evidence), _which_end(evidence), _step_after(judge, evidence)]


def only_at_ends(evidence: list[Evidence], name: str) -> bool:
    """Say whether a field is wrong in steps that end an episode on both sides and in no other."""
    wrong = np.concatenate([one.wrong(name) for one in evidence])
    ends = []
    for one in evidence:
        ended, native = (
            arm.reference.ended & arm.port.ended for arm in (one.double or one.native, one.native)
        )
        ends.append(np.where(one.natively.get(name, False), native, ended))
    ended = np.concatenate(ends)
    return bool(wrong.any() and not (wrong & ~ended).any())


def _reward(evidence: list[Evidence]) -> Answer:
    question = "reward on the last step"
    ends = wrong = 0
    example = ""
    for one in evidence:
        if "reward" not in one.labels:
            return Answer(question, "not asked", "rewards are not compared one by one")
        arm = one.double or one.native
        ended = arm.reference.ended & arm.port.ended
        bad = ended & (one.labels["reward"].labels == LOGIC) & ~one.accepted["reward"]
        ends, wrong = ends + int(ended.sum()), wrong + int(bad.sum())
        if bad.any() and not example:
            row = int(np.flatnonzero(bad)[0])
            a, b = arm.reference.outcome["reward"][row], arm.port.outcome["reward"][row]
            example = f"; for example {digits(a)} on the reference and {digits(b)} on the port"
    if not ends:
        return Answer(question, "not asked", "no case ended an episode on both sides")
    if wrong:
        return Answer(question, "different", f"another in {wrong:,} of {ends:,} last steps{example}")
    return Answer(question, "same", f"equal, but for rounding, in {ends:,} last steps")


def _which_end(evidence: list[Evidence]) -> Answer:
    question = "terminated or truncated"
    kinds = {"terminated": 0, "truncated": 0}
    swapped = other = 0
    for one in evidence:
        arm = one.double or one.native
        a, b = arm.reference.outcome, arm.port.outcome
        if {"terminated", "truncated"} - set(one.labels):
            return Answer(question, "not asked", "ends are not compared one by one")
        for name in kinds:
            kinds[name] += int(a[name].sum())
        bad = one.wrong("terminated") | one.wrong("truncated")
        both = arm.reference.ended & arm.port.ended
        swapped += int(
            (
                bad & both & ((a["terminated"] != b["terminated"]) | (a["truncated"] != b["truncated"]))
            ).sum()
        )
        other += int((bad & ~both).sum())
    seen = f"{kinds['terminated']:,} terminated and {kinds['truncated']:,} truncated on the reference"
    if swapped:
        text = f"{swapped:,} steps end an episode on both sides and do not say the same of why ({seen})"
        return Answer(question, "different", text)
    if other:
        return Answer(
            question, "different", f"{other:,} steps end an episode on one side alone ({seen})"
        )
    if not sum(kinds.values()):
        return Answer(question, "not asked", "no case ended an episode")
    return Answer(question, "same", f"both sides say the same ({seen})")


def _step_after(judge: Judge, evidence: list[Evidence]) -> Answer:
    """Ask what a further step does after an end; no trainer should take one, so it is only told."""
    question = "step after the end"
    pair = judge.pair
    for one in evidence:
        arm = one.native
        rows = np.resize(np.flatnonzero(arm.reference.ended & arm.port.ended)[:FEW], FEW)
        if (
            (arm.reference.ended & arm.port.ended).any()
            and pair.reference.can_write
            and pair.port.can_write
        ):
            break
    else:
        return Answer(
            question, "not asked", "no case ended an episode on both sides that can be put there"
        )
    cases, state = subset(one, rows), take(one.native.state, rows)
    mine = _again(pair.reference, state, cases.action, not judge.random)
    theirs = _again(pair.port, state, cases.action, not judge.random)
    if mine == theirs:
        return Answer(question, "same", f"both: {mine}", mine, theirs)
    return Answer(question, "note", f"reference: {mine}; port: {theirs}", mine, theirs)


def _again(side: Side, state: Fields, action: Fields, repeats: bool) -> str:
    seeds = np.arange(len(next(iter(action.values()))))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # environments warn of just this
            lanes = side.lanes(seeds, state)
            first = lanes.advance(action, seeds)
            after = lanes.advance(action, seeds)
            # Put where the episode ended, it does not know of the end, and goes on.
            within = first.restart is not None and not first.final.any()
            last = first.restart.state if first.restart is not None and within else first.state
            on = side.transition(last, action, seeds) if within or first.final.all() else after
    except Exception as error:  # whatever a foreign environment raises is its answer
        return f"raises {type(error).__name__}"
    words = _words(after)
    if repeats and not after.ended.any() and _all_apart(after.state, on.state):
        return f"begins another episode (Gymnasium's NEXT_STEP); {words.partition('; ')[2]}"
    if within and not after.ended.all():
        return "has begun another episode in the step that ended one (Gymnasium's SAME_STEP)"
    return words


def _all_apart(a: Fields, b: Fields) -> bool:
    """Say whether two sets of N states differ in every row."""
    neither = {name: (a[name] != a[name]) & (b[name] != b[name]) for name in a}  # no number on both
    rows = [((a[n] != b[n]) & ~neither[n]).reshape(len(a[n]), -1).any(axis=1) for n in a]
    return bool(np.any(rows, axis=0).all())


def _words(steps: Steps) -> str:
    def some(values: Any) -> str:
        shown = np.unique(values) + 0.0  # minus zero is zero
        return str(shown[0].item()) if len(shown) == 1 else f"{shown[0]:.4g} to {shown[-1]:.4g}"

    share = f"{steps.ended.mean():.0%} of episodes ended"
    return f"goes on; reward {some(steps.outcome['reward'])}, {share}"

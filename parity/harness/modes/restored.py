"""Whether the reference, put in a state that it was in, does what it did there before."""

from __future__ import annotations

import numpy as np

from parity.harness.cases import Cases
from parity.harness.compare import default_rule, narrower, spacing
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.sides.mutable import MutableSide
from parity.harness.trees import equal, take

QUESTION = "the reference's state is complete"
CASES = 128
ULPS = 256
"""Units in the last place of a field's largest number that putting back may change."""


def ask_restored(judge: Judge, played: Cases) -> Answer:
    """Put the reference in visited states and hold the step to the one it took when it played, with the
    same seed."""
    few = played.spread(CASES)
    if few.played is None or not judge.pair.reference.can_write:
        return Answer(QUESTION, "not asked", "the reference cannot be put in a state")
    reference = judge.pair.reference
    seeds = np.arange(len(few)) if few.seeds is None else few.seeds
    again, back = reference.transition(few.state, few.action, seeds), slice(None, None, -1)
    repeats = isinstance(reference, MutableSide) and reference.reseed is not None
    for name, value in again.fields.items():
        if name in judge.random and not repeats:
            # The other way round, so that what is left of the case before is another case's.
            third = reference.transition(take(few.state, back), take(few.action, back), seeds[back])
            if not equal(third.fields[name][back], value):
                text = (
                    f"put in one state twice, with one seed, its step gives another {name}: read or "
                    "write leaves something out, or it draws and has no reseed, "
                    "(environment, seed) -> None"
                )
                return Answer(QUESTION, "different", text)
            continue
        before = few.played.fields[name]
        rule = default_rule(before, value)
        apart = rule.apart(before, value)
        allowed = 0.0
        if rule.kind != "exact":
            sizes = np.abs(before.astype(np.float64))
            size = sizes[np.isfinite(sizes)].max(initial=0.0)
            allowed = ULPS * float(spacing(np.array(size), narrower(before, value)))
        wrong = np.argwhere(apart > allowed)
        if len(wrong):
            row = int(wrong[0][0])
            text = (
                f"put back in a visited state, its step gives {name} {value[row].tolist()} where "
                f"it gave {before[row].tolist()}: read or write leaves something out"
            )
            return Answer(QUESTION, "different", text)
    return Answer(QUESTION, "same", f"put back in {len(few)} visited states, it does what it did there")

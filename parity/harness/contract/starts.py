"""The question how episodes begin: whether both sides' resets come from one distribution."""

from __future__ import annotations

import numpy as np

from parity.harness.contract.samples import ALPHA, Comparison, compare_samples
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.sides.side import Moments
from parity.harness.trees import Fields

OTHERS = 32
"""Episodes that are begun again with other seeds."""


def ask_resets(judge: Judge, count: int, seed: int) -> tuple[list[Answer], Moments]:
    """Ask whether both sides' resets come from one distribution; return the reference's resets too."""
    pair = judge.pair
    rng = np.random.default_rng([seed, 5])
    mine = pair.reference.reset(rng.choice(2**31, count, replace=False))
    theirs = pair.port.reset(rng.choice(2**31, count, replace=False))
    if _ignores_its_seed(judge, mine, theirs, rng):
        text = (
            f"the port's reset ignores its seed: other seeds give the same {OTHERS} starts, one by one"
        )
        return [Answer("reset distribution", "different", text)], mine
    result = compare_samples(*comparable(judge, mine, theirs))
    return [answer_of("reset distribution", result, count, count)], mine


def _ignores_its_seed(judge: Judge, mine: Moments, theirs: Moments, rng: np.random.Generator) -> bool:
    """Say whether the port begins alike with other seeds, and the reference does not: many copies that
    begin apart may hide it."""
    rows = np.arange(OTHERS)
    seeds = rng.choice(2**31, OTHERS, replace=False)
    same = [
        all(np.array_equal(shown.state[n][rows], again.state[n], equal_nan=True) for n in again.state)
        for shown, again in (
            (mine, judge.pair.reference.reset(seeds)),
            (theirs, judge.pair.port.reset(seeds)),
        )
    ]
    vary = any(
        not np.array_equal(value[rows], value[np.zeros_like(rows)], equal_nan=True)
        for value in theirs.state.values()
    )
    return vary and same == [False, True]


def comparable(judge: Judge, mine: Moments, theirs: Moments) -> tuple[Fields, Fields]:
    """Return the fields of two sets of moments that can be compared."""
    a, b = {**mine.state, **mine.obs}, {**theirs.state, **theirs.obs}
    names = [name for name in a if name in b and a[name].shape[1:] == b[name].shape[1:]]
    return {name: a[name] for name in names}, {name: b[name] for name in names}


def answer_of(question: str, result: Comparison, mine: int, theirs: int) -> Answer:
    """Return the answer that a comparison of so many draws of either side comes to."""
    power = (
        f"{result.tests} two-sample tests on {mine:,} and {theirs:,} draws, chance of a false alarm "
        f"{ALPHA:g} in all; gaps of {result.smallest:.2f} between distribution functions are seen"
    )
    if not result.differs:
        return Answer(question, "same", f"no difference in {power}")
    first = [f"{name}: {text}" for name, text in result.differs.items()]
    more = f"; and {len(first) - 4} more" if len(first) > 4 else ""
    return Answer(question, "different", f"{'; '.join(first[:4])}{more}. {power[0].upper()}{power[1:]}")

"""The question how episodes begin: whether both sides' resets come from one distribution."""

from __future__ import annotations

import numpy as np

from parity.harness.contract.samples import ALPHA, Comparison, compare_samples
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.sides.side import Moments
from parity.harness.trees import Fields


def ask_resets(judge: Judge, count: int, seed: int) -> tuple[list[Answer], Moments]:
    """Ask whether both sides' resets come from one distribution; return the reference's resets too."""
    pair = judge.pair
    rng = np.random.default_rng([seed, 5])
    mine = pair.reference.reset(rng.choice(2**31, count, replace=False))
    theirs = pair.port.reset(rng.choice(2**31, count, replace=False))
    result = compare_samples(*comparable(judge, mine, theirs))
    return [answer_of("reset distribution", result, count, count)], mine


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

"""Cases whose step leaves a number exactly at a value that is aimed at, such as a threshold.

Whether a threshold itself ends an episode shows nowhere else. Rounding may put the port a unit in the
last place beside it, so only cases count in which both sides come to the value to the bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.harness.cases import Cases, concat, possible
from parity.harness.judge import Evidence, Judge
from parity.harness.trees import Fields, take

CASES, CORRECTIONS = 48, 8


def step_exact_hits(judge: Judge, known: Cases, seed: int) -> Evidence | None:
    """Step cases in which both sides leave a number at a value to the bit; None where there are none.

    The number before the step is moved by what the step misses the value by, a few times over.

    Args:
        judge: of the pair, whose sides both compute in double precision.
        known: cases to begin from.
        seed: of the choice of them.
    """
    pair, rng = judge.pair, np.random.default_rng([seed, 9])
    parts, wanted = [], list[tuple[str, float]]()
    for name, domain in pair.state.items():
        if domain.whole or name in judge.random or known.state[name].ndim > 1:
            continue
        values = [value for value in domain.aims if domain.low <= value <= domain.high]
        for value in dict.fromkeys([*values, *([0.0] if domain.low <= 0 <= domain.high else [])]):
            cases = known.rows(rng.integers(0, len(known), CASES))
            cases = _moved(judge, cases, name, value)
            if len(cases):
                parts.append(cases)
                wanted += [(name, value)] * len(cases)
    if not parts:
        return None
    cases = concat(parts)
    both = judge.step(cases)
    arm = both.double or both.native
    hits = [
        bool(arm.reference.state[name][row] == value and arm.port.state[name][row] == value)
        for row, (name, value) in enumerate(wanted)
    ]
    return judge.step(cases.rows(np.flatnonzero(hits))) if any(hits) else None


def _moved(judge: Judge, cases: Cases, name: str, value: float) -> Cases:
    """Return the possible cases from which the reference comes to a value."""
    pair, domain = judge.pair, judge.pair.state[name]
    state: Fields = {
        key: field.astype(np.float64) if field.dtype.kind == "f" else field
        for key, field in cases.state.items()
    }

    def after(pick: Any = slice(None)) -> Any:
        action, seeds = take(cases.action, pick), np.zeros(len(cases), np.int64)[pick]
        return pair.reference.transition(take(state, pick), action, seeds, double=True).state[name]

    for _ in range(CORRECTIONS):
        miss = value - after()
        state[name] = np.clip(
            state[name] + np.where(np.isfinite(miss), miss, 0.0), domain.low, domain.high
        )
    moved = Cases(state, cases.action, np.full(len(cases), "boundary"))
    return possible(pair, moved.rows(np.flatnonzero(after() == value)))

"""Cases whose step leaves a number exactly at a value that is aimed at, such as a threshold.

Whether a threshold itself ends an episode shows nowhere else. Rounding may put the port a unit in the
last place beside it, so only cases count in which both sides come to the value to the bit.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from parity.harness.cases import Cases, concat, possible
from parity.harness.judge import Evidence, Judge
from parity.harness.trees import Fields, take

CASES, CORRECTIONS = 48, 8
PLACES, FEWEST = 16, 12
"""Of how many numbers of an array, at most, each is aimed at, and in how many cases at least."""

Place = tuple[int, ...]
"""Of a number within its field; () for a field of one number."""


def step_exact_hits(judge: Judge, known: Cases, seed: int) -> Evidence | None:
    """Step cases in which both sides leave a number at a value to the bit; None where there are none.

    The number before the step is moved by what the step misses the value by, a few times over; of an
    array each number by itself, or :data:`PLACES` of them.

    Args:
        judge: of the pair, whose sides both compute in double precision.
        known: cases to begin from.
        seed: of the choice of them.
    """
    pair, rng = judge.pair, np.random.default_rng([seed, 9])
    parts, wanted = [], list[tuple[str, Place, float]]()
    for name, domain in pair.state.items():
        if domain.whole or name in judge.random:
            continue
        values = [value for value in domain.aims if domain.low <= value <= domain.high]
        values = list(dict.fromkeys([*values, *([0.0] if domain.low <= 0 <= domain.high else [])]))
        places = list(np.ndindex(known.state[name].shape[1:]))
        if len(places) > PLACES:
            places = [places[one] for one in rng.choice(len(places), PLACES, replace=False)]
        many = max(FEWEST, CASES // max(len(places), 1))
        for place, value in product(places, values):
            cases = known.rows(rng.integers(0, len(known), many))
            cases = _moved(judge, cases, name, place, value)
            if len(cases):
                parts.append(cases)
                wanted += [(name, place, value)] * len(cases)
    if not parts:
        return None
    cases = concat(parts)
    both = judge.step(cases)
    arm = both.double or both.native
    hits = [
        all(steps.state[name][(row, *place)] == value for steps in (arm.reference, arm.port))
        for row, (name, place, value) in enumerate(wanted)
    ]
    return judge.step(cases.rows(np.flatnonzero(hits))) if any(hits) else None


def _moved(judge: Judge, cases: Cases, name: str, place: Place, value: float) -> Cases:
    """Return the possible cases from which the reference comes to a value in a place of a field."""
    pair, domain = judge.pair, judge.pair.state[name]
    state: Fields = {
        key: field.astype(np.float64) if field.dtype.kind == "f" else field
        for key, field in cases.state.items()
    }

    def after(pick: Any = slice(None)) -> Any:
        action, seeds = take(cases.action, pick), np.zeros(len(cases), np.int64)[pick]
        done = pair.reference.transition(take(state, pick), action, seeds, double=True)
        return done.state[name][(slice(None), *place)]

    held = state[name][(slice(None), *place)]
    for _ in range(CORRECTIONS):
        miss = value - after()
        held[:] = np.clip(held + np.where(np.isfinite(miss), miss, 0.0), domain.low, domain.high)
    moved = Cases(state, cases.action, np.full(len(cases), "boundary"))
    return possible(pair, moved.rows(np.flatnonzero(after() == value)))

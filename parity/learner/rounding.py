"""How far rounding alone leads the reference: the same updates from weights one rounding away.

Where a few large numbers nearly cancel (a value's loss when values are right, a weight whose gradient
is next to nothing), rounding is magnified, and two right programs come further apart than a limit
allows. The reference tells where that is so, without the port: it learns again with every weight moved
to the next float32, and what it is then away from itself is what rounding does in this case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from parity.learner.cases import LearnerCase
from parity.learner.judge import judge_updates
from parity.learner.port import Draws

if TYPE_CHECKING:
    from parity.learner.reference import Reference, ReferenceRun

REPEATS = 2
"""Times that the reference learns again, each time with other weights moved up and others down."""

STEADY = 0.25
"""Share of a limit by which the reference may be away from itself; a port was 4.4 times as far."""

OTHER_STATISTICS = "observation statistics, float32 batches"
"""What the reference is told by another formula; it says nothing of how rounding is magnified."""


def rounding_share(
    case: LearnerCase, begin: Callable[[], Reference], run: ReferenceRun, draws: Draws
) -> float:
    """Return how far a case's updates move where its weights do by one rounding.

    Args:
        case: what was learnt.
        begin: makes the reference as it was before it learnt.
        run: what it did.
        draws: what it was told to draw.

    Returns:
        The largest error of all things compared, as a share of its limit, or the first above
        :data:`STEADY`; infinite where the updates took another number of steps, NaN where a number is
        not finite.
    """
    largest = 0.0
    for number in range(REPEATS):
        reference = begin()
        reference.move_weights(np.random.default_rng([number, 52]))
        result = judge_updates(case, run.updates, reference.learn(draws).updates)
        if result.first is not None or result.error:
            return float("inf")
        for name, measure in result.measures.items():
            if name != OTHER_STATISTICS:
                largest = float(np.maximum(largest, measure.error / measure.limit))  # or NaN
        if not largest <= STEADY:
            break
    return largest

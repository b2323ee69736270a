"""Episodes side by side of which some have ended: environments may raise when they are stepped on."""

from __future__ import annotations

from foundation.errors import InputError
from parity.harness.sides.batched import BatchedLanes
from parity.harness.sides.mutable import MutableLanes
from parity.harness.sides.side import Lanes, Steps
from parity.harness.trees import Array, Fields


def advance_going(lanes: Lanes, actions: Fields, seeds: Array, going: Array) -> Steps | None:
    """Take one step in every lane that goes on.

    An environment of its own whose episode has ended is left as it is, and its row shows the last step;
    one that begins another episode by itself is stepped on. Copies that are stepped in one call are
    stepped together.

    Args:
        lanes: of one side.
        actions: fields (N, ...).
        seeds: int64 (N,), what the step draws from.
        going: bool (N,), the lanes whose episode has not ended.

    Returns:
        The steps; None where copies in one call that begin no other episode (``restarts="never"``)
        raise and some have ended: none of them can be stepped any more.
    """
    if isinstance(lanes, MutableLanes):
        lanes.leave(~going)
    try:
        return lanes.advance(actions, seeds)
    except InputError:
        raise
    except Exception:  # whatever foreign copies raise
        ended = isinstance(lanes, BatchedLanes) and lanes.restarts == "never" and not going.all()
        if not ended:
            raise
        return None

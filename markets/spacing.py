"""How long a bar is: one minute, or one second for evaluation (sections 3 and 8)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foundation.errors import InputError

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
_FEWEST = 10
"""With fewer steps than this, gaps are not told from longer bars."""


def bar_steps(timestamps_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positive steps between timestamps in order of time, in nanoseconds."""
    ordered = np.sort(timestamps_ns)
    steps = ordered[1:] - ordered[:-1]
    return steps[steps > 0]


def usual_step(steps: NDArray[np.int64]) -> int:
    """Return the commonest step, the shortest of several as common; 0 where there is none."""
    if not len(steps):
        return 0
    values, counts = np.unique(steps, return_counts=True)
    return int(values[np.argmax(counts)])


def longer_than_a_minute(steps: NDArray[np.int64]) -> bool:
    """Return whether bars are longer than a minute: no two of many are one minute apart or less."""
    return len(steps) >= _FEWEST and bool(steps.min() > MINUTE)


def require_minutes(timestamps_ns: NDArray[np.int64], source: str) -> None:
    """Refuse bars of seconds where rules, windows and episodes count minutes.

    Args:
        timestamps_ns: opens in nanoseconds, rising, shape (T,).
        source: what the message calls the bars.

    Raises:
        InputError: two bars are less than a minute apart.
    """
    steps = np.diff(timestamps_ns)
    if len(steps) and steps.min() < MINUTE:
        raise InputError(
            f"{source}: bars are {steps.min() / SECOND:g} seconds apart; give one-minute bars"
        )


def infer_bar_seconds(index: pd.Index, source: str) -> int:
    """Return 60 for bars stamped on whole minutes, 1 for one-second bars.

    Raises:
        InputError: the bars are longer than a minute, or stamped within a minute but not a second
            apart.
    """
    assert isinstance(index, pd.DatetimeIndex)
    stamps = index.as_unit("ns").asi8
    steps = bar_steps(stamps)
    off_minute = stamps % MINUTE != 0
    if not off_minute.any():
        if longer_than_a_minute(steps):
            raise InputError(
                f"{source}: its bars are {usual_step(steps) / MINUTE:g} minutes long; "
                "give one-minute bars"
            )
        return 60
    if usual_step(steps) == SECOND and not (stamps % SECOND != 0).any():
        return 1
    raise InputError(
        f"{source}: the bar at {index[int(np.argmax(off_minute))]} does not begin on a whole minute; "
        "give one-minute bars stamped by their open"
    )

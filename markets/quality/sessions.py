"""Trading sessions as a file shows them: where the bars stop for a while, and where they go on.

Times are int64 nanoseconds since 1970 in UTC, in increasing order. Everything here costs as much as the
file has days, not bars, but for one pass that looks for the breaks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from markets.clock import MINUTES_PER_DAY, new_york_dates, new_york_minutes
from markets.quality.pieces import far_steps
from markets.spacing import MINUTE

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

BREAK_MINUTES = 45
"""A pause of more than this between two bars is a break: the daily halt takes 60 minutes."""
HALT_FIRST_MINUTE = 1020
"""17:00 New York time, when the exchange halts for the day (or for the weekend)."""
REOPEN_MINUTE = 1080
"""18:00, when it opens again."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Runs of bars between two breaks, S of them in order of time.

    Attributes:
        opens: int64 (S,), the first bar of each.
        closes: int64 (S,), the last bar of each.
        bars: int64 (S,), how many bars each holds.
    """

    opens: Ints
    closes: Ints
    bars: Ints

    def __len__(self) -> int:
        return len(self.opens)


def find_sessions(ns: Ints) -> Sessions:
    """Return the runs of bars between breaks of more than :data:`BREAK_MINUTES` minutes."""
    if not len(ns):
        return Sessions(ns, ns, ns)
    at = far_steps(ns, ns, BREAK_MINUTES * MINUTE)
    return Sessions(
        np.concatenate([ns[:1], ns[at + 1]]),
        np.concatenate([ns[at], ns[-1:]]),
        np.diff(np.concatenate([[0], at + 1, [len(ns)]])),
    )


def while_closed(ns: Ints) -> Flags:
    """Return which bars lie in the daily halt (17:00 to 17:59) or the weekend, New York time."""
    minute = new_york_minutes(ns)
    weekday = (new_york_dates(ns) + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
    return np.asarray(
        ((minute >= HALT_FIRST_MINUTE) & (minute < REOPEN_MINUTE))
        | (weekday == 5)
        | ((weekday == 6) & (minute < REOPEN_MINUTE))
        | ((weekday == 4) & (minute >= HALT_FIRST_MINUTE))
    )


def closed_bars_by_day(ns: Ints) -> tuple[Ints, Ints]:
    """Return how many bars of each New York date lie in closed hours, for the dates that have any.

    Args:
        ns: bar opens in order of time.

    Returns:
        Dates as days since 1970, and bars of each, both int64 (D,).
    """
    if not len(ns):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    first, last = (int(day) for day in new_york_dates(ns[[0, -1]]))
    days = np.arange(first, last + 1, dtype=np.int64)
    weekday = (days + 3) % 7
    begin = np.where(weekday >= 5, 0, HALT_FIRST_MINUTE)
    end = np.where((weekday == 4) | (weekday == 5), MINUTES_PER_DAY, REOPEN_MINUTE)
    low, high = _moments(days, begin), _moments(days, end)
    bars = np.searchsorted(ns, high) - np.searchsorted(ns, low)
    some = bars > 0
    return days[some], bars[some].astype(np.int64)


def _moments(days: Ints, minutes: Ints) -> Ints:
    """Return UTC nanoseconds of New York wall times; none of them lies within a clock change."""
    wall = days * MINUTES_PER_DAY + minutes
    guess = (wall + 300) * MINUTE  # standard time; an hour too late while daylight saving holds
    early = guess - 60 * MINUTE
    summer = (
        new_york_dates(early).astype(np.int64) * MINUTES_PER_DAY + new_york_minutes(early)
    ) == wall
    return np.where(summer, early, guess)

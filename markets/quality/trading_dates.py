"""Evenings under the date of the next day, as exchanges and some vendors date trading days.

The session that opens on Sunday evening is Monday's. Dated so, Sunday has no opening, and Friday has one
that never was: of all weekdays it is the only one without an evening.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from markets.clock import new_york_dates, new_york_minutes
from markets.quality.clock_fault import ClockFault
from markets.quality.sessions import REOPEN_MINUTE, closed_bars_by_day

FRIDAY = 4
FEWEST = 30
"""Bars in closed hours on a Friday from which it is looked at closely."""
LIKE_MONDAY = 0.5
"""Bars of the hour from 18:00 on Fridays, of those on Mondays, from which Friday opens as Monday does."""


def trading_dates(ns: NDArray[np.int64]) -> ClockFault | None:
    """Return that evenings carry the date of the next day, or None.

    Args:
        ns: bar opens in UTC, int64 nanoseconds in order of time, shape (T,).
    """
    days, bars = closed_bars_by_day(ns)
    if not (((days + 3) % 7 == FRIDAY) & (bars >= FEWEST)).any():
        return None
    opening = new_york_minutes(ns) // 60 == REOPEN_MINUTE // 60
    weekdays = (new_york_dates(ns[opening]) + 3) % 7
    monday, friday, sunday = (int((weekdays == day).sum()) for day in (0, FRIDAY, 6))
    if sunday or not friday or friday < LIKE_MONDAY * monday:
        return None
    return ClockFault(
        "trading_dates",
        int(opening.sum()),
        f"{friday:,} bars lie at 18:00 to 18:59 New York time on Fridays, when the exchange is closed, and "
        "none on Sundays, when it opens, so dates are those of trading days, whose evening is the calendar "
        "day's before",
        "export calendar dates",
    )

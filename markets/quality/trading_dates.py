"""Evenings under the date of the next day, as exchanges and some vendors date trading days.

The session that opens on Sunday evening is Monday's. Dated so, Sunday has no opening, and Friday has
one that never was: of all weekdays it is the only one without an evening.
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
IN_THE_HALT = 0.1
"""Bars of the daily halt on other days, of those hours, beyond which the zone is another."""
LIKE_MONDAY = 0.5
"""Bars of 18:00 to 18:59 on Fridays, of those on Mondays, from which Friday opens as Monday does."""


def trading_dates(ns: NDArray[np.int64]) -> ClockFault | None:
    """Return that evenings carry the date of the next day, or None.

    Args:
        ns: bar opens in UTC, int64 nanoseconds in order of time, shape (T,).
    """
    days, bars = closed_bars_by_day(ns)
    if not (((days + 3) % 7 == FRIDAY) & (bars >= FEWEST)).any():
        return None
    hours, weekdays = new_york_minutes(ns) // 60, (new_york_dates(ns) + 3) % 7
    opening = hours == REOPEN_MINUTE // 60
    monday, friday, sunday = (int((opening & (weekdays == day)).sum()) for day in (0, FRIDAY, 6))
    day, halt = (int(((hours == hour) & (weekdays < FRIDAY)).sum()) for hour in (10, 17))
    # Read in another zone, too, Fridays have such bars; but then the halt is elsewhere, or the day is.
    elsewhere = day < LIKE_MONDAY * monday or halt > IN_THE_HALT * monday
    if elsewhere or sunday or not friday or friday < LIKE_MONDAY * monday:
        return None
    return ClockFault(
        "trading_dates",
        int(opening.sum()),
        f"{friday:,} bars lie at 18:00 to 18:59 New York time on Fridays, when the exchange is "
        "closed, and none on Sundays, when it opens, so dates are those of trading days, whose "
        "evening is the calendar day's before",
        "export calendar dates",
    )

"""Parts of a file whose sessions begin at another hour, or a few minutes beside the others'."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from markets.clock import MINUTES_PER_DAY, new_york_dates, new_york_minutes
from markets.quality.clock_fault import OPENS, ClockFault, clock
from markets.quality.sessions import Sessions
from markets.quality.shifted import LAST_MINUTES, LEAST, MOST, leap_and_peak, volume_is_right

Ints = NDArray[np.int64]

IN_A_ROW = 3
"""Sessions in a row at another minute that make a part of a file another zone's, or shifted."""
HABIT = 0.7
"""Share of the days on which a minute at which bars begin is a habit."""


def parts_elsewhere(sessions: Sessions, ns: Ints, volume: NDArray[np.float64]) -> Iterator[ClockFault]:
    """Yield a fault for the first three or more sessions in a row that are not where the others are.

    They begin whole hours beside 09:30 or 18:00; or begin and end the same few minutes beside; and
    volume does not say that they are right.

    Args:
        sessions: the file's sessions.
        ns: bar opens in UTC as they were read, int64 nanoseconds in order of time, shape (T,).
        volume: contracts of each bar, shape (T,).
    """
    opens = new_york_minutes(sessions.opens).astype(np.int64)
    closes = new_york_minutes(sessions.closes).astype(np.int64)
    days = len(np.unique(new_york_dates(sessions.opens)))
    hours, minutes = _whole_hours(opens, days), _few_minutes(opens, closes)
    run = _first_run(hours, opens)
    if run and not _traded_where_it_should(sessions, run, ns, volume):
        yield ClockFault(
            "time_zone",
            int(sessions.bars[slice(*run)].sum()),
            f"{_which(sessions, run, opens)}, others at 09:30 or 18:00, so a part of the file is in "
            "another zone",
            "read the parts of the file apart, each with its own --tz",
        )
        return
    run = _first_run(minutes, opens)
    if run and not _traded_where_it_should(sessions, run, ns, volume):
        late = int(minutes[run[0]])
        end = clock(int(closes[run[0]]))
        yield ClockFault(
            "shifted",
            int(sessions.bars[slice(*run)].sum()),
            f"{_which(sessions, run, opens)} and end at {end}, others where they should, so their "
            f"timestamps are {abs(late)} minutes {'late' if late > 0 else 'early'}",
            f"move the timestamps of these days by {-late:+d} minutes",
        )


def _traded_where_it_should(
    sessions: Sessions, run: tuple[int, int], ns: Ints, volume: NDArray[np.float64]
) -> bool:
    first = np.searchsorted(ns, sessions.opens[run[0]])
    last = np.searchsorted(ns, sessions.closes[run[1] - 1], side="right")
    return volume_is_right(*leap_and_peak(ns[first:last], volume[first:last]))


def _whole_hours(opens: Ints, days: int) -> Ints:
    """Return by how many minutes sessions begin whole hours beside 09:30 or 18:00; 0 for the others.

    A minute at which bars begin on most of the file's days, beside others, is a habit of the file.
    """
    off = np.zeros(len(opens), np.int64)
    for opening in OPENS:
        shift = opens - opening
        whole = (shift % 60 == 0) & (shift != 0)
        off = np.where(np.isin(opens, OPENS) | ~whole | (off != 0), off, shift)
    often = np.bincount(opens, minlength=MINUTES_PER_DAY) >= HABIT * days
    return np.where(often[opens], 0, off)


def _few_minutes(opens: Ints, closes: Ints) -> Ints:
    """Return by how many minutes sessions are shifted at both of their ends; 0 for the others."""
    off = np.zeros(len(opens), np.int64)
    for opening, last in LAST_MINUTES.items():
        late = opens - opening
        both = np.isin(closes - late, last) & (np.abs(late) >= LEAST) & (np.abs(late) <= MOST)
        off = np.where(both, late, off)
    return off


def _first_run(off: Ints, opens: Ints) -> tuple[int, int] | None:
    """Return where the first long enough run of sessions begins and ends (exclusive); or None."""
    if not off.any():
        return None
    new = (off[1:] != off[:-1]) | (opens[1:] != opens[:-1])
    edges = np.flatnonzero(np.concatenate([[True], new, [True]]))
    long = np.flatnonzero((np.diff(edges) >= IN_A_ROW) & (off[edges[:-1]] != 0))
    return (int(edges[long[0]]), int(edges[long[0] + 1])) if len(long) else None


def _which(sessions: Sessions, run: tuple[int, int], opens: Ints) -> str:
    days = new_york_dates(sessions.opens[[run[0], run[1] - 1]]).astype("datetime64[D]")
    return (
        f"from {days[0]} to {days[1]} {run[1] - run[0]} sessions in a row begin at "
        f"{clock(int(opens[run[0]]))} New York time"
    )

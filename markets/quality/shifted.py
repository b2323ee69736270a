"""Whether a file's timestamps are all a few minutes late or early, judged by the market's own day.

A clock that is five minutes wrong moves everything at once: sessions begin at 18:05 New York time and
end at 17:04, within the daily halt, and volume leaps at 09:35 instead of 09:30. One of these signs
alone may be a habit of the file, such as one that leaves out the first five minutes; a shift shows in
two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from markets.clock import MINUTES_PER_DAY, new_york_dates, new_york_minutes
from markets.quality.clock_fault import ClockFault, clock, zone_in_words
from markets.quality.sessions import Sessions

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CASH_OPEN, CASH_CLOSE = 570, 959
"""The minute in which volume leaps, and the busiest of the afternoon: 09:30 and 15:59 New York time."""
LATER_CLOSE = 974
"""16:14, the last and busiest minute of the regular session until 2020."""
LAST_MINUTES = {1080: (1019, 1034, 1049, 974), 570: (959, 974, 1019)}
"""Minutes in which sessions that begin at 18:00 and at 09:30 have ended, over the years."""
LEAST, MOST = 2, 59
"""Minutes of a shift: one is a bar stamped by its other end, sixty are another time zone."""
AROUND = 65
"""Minutes to both sides in which volume is looked at; with those of the next full hour."""
FEWEST_SESSIONS = 3
"""Sessions at one other minute that are no coincidence."""
FEWEST_DAYS = 5
"""Days from which volume is judged without the sessions."""
LEAP, PEAK = 3.0, 2.0
"""Factors by which volume leaps at 09:30, and by which the last minute beats others near it."""
BESIDE, STAYS, STAYS_AT = 5, 3, 1.5
"""Minutes before a leap that it is measured against, minutes that it lasts, and at what factor."""
FIRST_HOUR, BUSY_FIRST = 62, 1.6
"""Bars of a session that are looked at, and the factor by which its first minute beats those after."""
SHARE = 0.5
"""Share of the sessions that must begin, and end, at one minute."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A constant shift of a file's timestamps.

    Attributes:
        minutes: by which they are late, 1 to 59; negative where they are early.
        signs: what shows it, in words.
        by_volume: how many of the signs are volume's: none, one or two.
    """

    minutes: int
    signs: tuple[str, ...]
    by_volume: int

    def fault(self, bars: int, zone: str = "") -> ClockFault:
        """Return the shift as a fault of so many bars, seen when they are read in a zone."""
        late = self.minutes > 0
        minutes = f"{abs(self.minutes)} minute{'' if abs(self.minutes) == 1 else 's'}"
        do = f"{'subtract' if late else 'add'} {minutes} {'from' if late else 'to'} every timestamp"
        if abs(self.minutes) == 1:
            do += f", or pass --stamped {'close' if late else 'open'}"
        where = f"read as wall time of {zone_in_words(zone)}, " if zone else ""
        return ClockFault(
            {1: "stamped_by_close", -1: "stamped_early"}.get(self.minutes, "shifted"),
            bars,
            f"{where}{', and '.join(self.signs)}, in New York time, so every timestamp is {minutes} "
            f"{'late' if late else 'early'}",
            f"{do}, and pass --tz {zone}" if zone else do,
        )


def find_shift(sessions: Sessions, ns: Ints, volume: Floats) -> Shift | None:
    """Return the shift that two signs of the market's day agree on, or None.

    Args:
        sessions: the file's sessions.
        ns: bar opens in UTC as they were read, int64 nanoseconds in order of time, shape (T,).
        volume: contracts of each bar, shape (T,).
    """
    opens, closes = new_york_minutes(sessions.opens), new_york_minutes(sessions.closes)
    begin = usual_shift(sessions)
    leap, peak = leap_and_peak(ns, volume)
    if begin is not None:
        minutes, opening = begin
        at_open = opens == opening + minutes
        last = [minute + minutes for minute in LAST_MINUTES[opening]]
        ends = at_open & np.isin(closes, last)
        signs = [f"sessions begin at {clock(opening + minutes)}"]
        if ends.sum() >= max(FEWEST_SESSIONS, SHARE * at_open.sum()):
            usual_end = int(np.bincount(closes[ends]).argmax())
            signs[0] += f" and end at {clock(usual_end)}"
        if volume_is_right(leap, peak) and peak != minutes:
            return None  # a file that leaves out minutes
        traded = _signs_of_volume(leap, peak, minutes)
        if traded or " and end at " in signs[0]:
            return Shift(minutes, (*signs, *traded), len(traded))
        return None
    days = len(np.unique(new_york_dates(sessions.opens)))
    if not leap or leap != peak or abs(leap) > MOST or days < FEWEST_DAYS:
        return None
    return Shift(leap, tuple(_signs_of_volume(leap, peak, leap)), 2)


def volume_is_right(leap: int | None, peak: int | None) -> bool:
    """Return whether volume leaps, or is largest, where it should."""
    return leap == 0 or (leap is None and peak in (0, LATER_CLOSE - CASH_CLOSE))


def usual_shift(sessions: Sessions) -> tuple[int, int] | None:
    """Return by how much most sessions begin beside a usual opening, and that opening; or None."""
    opens = new_york_minutes(sessions.opens)
    counts = np.bincount(opens, minlength=MINUTES_PER_DAY)
    for opening in LAST_MINUTES:
        near = counts[opening - MOST : opening + MOST + 1]
        minutes = int(near.argmax()) - MOST
        if near.max() >= max(FEWEST_SESSIONS, SHARE * len(opens)) and LEAST <= abs(minutes) <= MOST:
            return minutes, opening
    return None


def leap_and_peak(ns: Ints, volume: Floats) -> tuple[int | None, int | None]:
    """Return how many minutes beside 09:30 volume leaps, and beside 15:59 it is largest.

    None where it does not stand out within an hour (and five minutes) of where it should, or where the
    file lacks most of 09:30 to 16:00.
    """
    usual = _usual_volume(ns, volume)
    if (usual[CASH_OPEN : CASH_CLOSE + 1] > 0).mean() < SHARE:
        return None, None
    leaps = [_leap(usual, at) for at in range(CASH_OPEN - AROUND, CASH_OPEN + AROUND + 1)]
    first = int(np.argmax(leaps))
    leap = first - AROUND if leaps[first] >= LEAP else None
    near = usual[CASH_CLOSE - AROUND : CASH_CLOSE + AROUND + 1]
    at = int(np.argmax(near))
    others = np.delete(near, range(max(at - 1, 0), min(at + 2, len(near))))
    peak = at - AROUND if near[at] >= PEAK * others.max() > 0 else None
    return leap, peak


def begins_busy(sessions: Sessions, ns: Ints, volume: Floats) -> bool:
    """Return whether sessions begin with their busiest minute, as they do at 09:30 and not at a cut.

    The first minute is held against ten minutes soon after it, and must not be beaten within the hour,
    as one before 09:30 would be.
    """
    first = np.searchsorted(ns, sessions.opens)
    whole = sessions.bars >= FIRST_HOUR
    if whole.sum() < FEWEST_SESSIONS:
        return False
    rows = first[whole][:, None] + np.arange(FIRST_HOUR)
    usual = np.log1p(np.maximum(np.nan_to_num(volume[rows]), 0.0)).mean(axis=0)
    after = float(usual[3:13].mean())
    return bool(usual[0] >= after + np.log(BUSY_FIRST) and usual[0] >= usual[1:].max())


def _usual_volume(ns: Ints, volume: Floats) -> Floats:
    """Return each New York minute's volume in units of its days' usual one, shape (1440,); 0 for none.

    Means are geometric, so that neither one day nor one bar decides.
    """
    minute, date = new_york_minutes(ns), new_york_dates(ns)
    date = date - date.min(initial=0)
    logs = np.log1p(np.maximum(np.nan_to_num(volume), 0.0))
    logs -= (np.bincount(date, weights=logs) / np.maximum(np.bincount(date), 1))[date]
    bars = np.bincount(minute, minlength=MINUTES_PER_DAY)
    sums = np.bincount(minute, weights=logs, minlength=MINUTES_PER_DAY)
    return np.where(bars > 0, np.exp(sums / np.maximum(bars, 1)), 0.0)


def _leap(usual: Floats, at: int) -> float:
    """Return by what factor volume leaps in a minute and stays up; 0 where it does not."""
    before = usual[at - BESIDE : at]
    stays = usual[at : at + STAYS].min() >= STAYS_AT * before.max()
    return float(usual[at] / before.max()) if before.all() and stays else 0.0


def _signs_of_volume(leap: int | None, peak: int | None, minutes: int) -> list[str]:
    signs = []
    if leap == minutes:
        signs.append(f"volume leaps at {clock(CASH_OPEN + minutes)}, not at 09:30")
    if peak == minutes:
        signs.append(f"its last busy minute is {clock(CASH_CLOSE + minutes)}, not 15:59")
    return signs

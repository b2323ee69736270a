"""Whether a file's timestamps can be in the zone they were read in, judged by the market's own hours.

Index futures open at 18:00 New York time and halt from 17:00 to 17:59; the regular session opens at
09:30.
Read in a wrong zone the same sessions begin at another minute, in winter, in summer, or in the weeks
between the two clock changes of America and Europe. So every such season is judged by itself, by days
and never by the share of a whole file's bars, and every usual zone is tried before a file is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from markets.clock import new_york_dates, new_york_minutes, utc_offset_minutes
from markets.file_facts import FileFacts
from markets.quality.sessions import Sessions, closed_bars_by_day, find_sessions
from markets.spacing import MINUTE

Ints = NDArray[np.int64]

OPENS = (570, 1080)
"""09:30 and 18:00 New York time: minutes at which a session begins."""
FEWEST = 2
"""Days from which a season can be judged."""
CLEAR = 0.5
"""Share of a season's days on which bars must begin at a minute for it to mean anything."""
IN_A_ROW = 3
"""Sessions in a row at another hour that make a part of a file another zone's."""
CLOSED_LIMIT = 0.03
"""Share of a season's bars in closed hours from which the time zone must be wrong."""
MANY_CLOSED = 30
"""Bars in closed hours from which a day counts against the zone."""

ZONES = (
    "UTC",
    "America/New_York",
    "America/Chicago",
    "EST",
    "Etc/GMT+6",
    "Europe/London",
    "Europe/Berlin",
    "America/Los_Angeles",
    "America/Denver",
    "Europe/Moscow",
    "Europe/Athens",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "America/Sao_Paulo",
    *(f"Etc/GMT{hours:+d}" for hours in range(-12, 13) if hours not in (0, 6)),
)
"""Zones that are tried, the usual ones first."""

SEASONS = (
    "winter",
    "the week between the two clock changes in autumn",
    "the weeks between the two clock changes in spring",
    "summer",
)
"""States of the American and the European clocks, by the numbers of :func:`season_of`."""

Verdict = Literal["right", "early", "late", "wrong", "unclear"]


@dataclass(frozen=True, slots=True)
class Season:
    """Sessions of one state of the American and the European clocks.

    Attributes:
        number: in :data:`SEASONS`.
        days: New York dates on which bars begin after a break.
        minute: New York minute at which they begin on most days.
        agreeing: days on which they do.
        verdict: "right" at 09:30 or 18:00, "early" and "late" a minute beside, "wrong" elsewhere,
            "unclear" where they begin at too few days at one minute.
    """

    number: int
    days: int
    minute: int
    agreeing: int
    verdict: Verdict

    @property
    def name(self) -> str:
        """The season in words."""
        return SEASONS[self.number]


@dataclass(frozen=True, slots=True)
class ClockFault:
    """What contradicts the zone (or the stamp) that a file was read with.

    Attributes:
        kind: "time_zone", "stamped_early" or "stamped_by_close".
        bars: bars concerned.
        message: what and where, without a full stop.
        mend: what to do.
    """

    kind: str
    bars: int
    message: str
    mend: str


def clock_faults(ns: Ints, facts: FileFacts, volume: NDArray[np.float64]) -> Iterator[ClockFault]:
    """Yield at most one contradiction between a file's hours and the zone that it was read in.

    Args:
        ns: bar opens in UTC as they were read, int64 nanoseconds in order of time.
        facts: the form of the timestamps and their zone.
        volume: contracts of each bar.
    """
    sessions = find_sessions(ns)
    seasons = judge_seasons(sessions.opens)
    clear = [season for season in seasons if season.verdict != "unclear"]
    odd = [season for season in clear if season.verdict == "wrong"]
    closed = _closed_seasons(ns, sessions)
    if odd or closed:
        zones = [name for name in ZONES if _fits(name, sessions, facts)]
        within = np.isin(season_of(ns), [season.number for season in odd])
        if closed or (zones and not _opens_with_the_cash_market(ns[within], volume[within])):
            yield _wrong_zone(odd, closed, zones, sessions, facts)
        return
    if clear and all(season.verdict == "early" for season in clear) and not _has_minute(ns, 1019):
        yield ClockFault(
            "stamped_early",
            len(ns),
            f"sessions begin at {clock(clear[0].minute)} New York time, a minute early on "
            f"{clear[0].agreeing} of {clear[0].days} days, and none reaches 16:59",
            "add one minute to every timestamp; or, where the format's times are read as closes, as "
            "NinjaTrader's are, pass --stamped open",
        )
        return
    if clear and all(season.verdict == "late" for season in clear):
        yield ClockFault(
            "stamped_by_close",
            len(ns),
            f"sessions begin a minute late, at {clock(clear[0].minute)} New York time on "
            f"{clear[0].agreeing} of {clear[0].days} days, so bars carry the time of their close",
            "subtract one minute from every timestamp, or pass --stamped close",
        )
        return
    yield from _days_elsewhere(sessions)


def unjudged_opening(ns: Ints) -> int | None:
    """Return the New York minute at which a file too short to be judged begins, where it is odd.

    None where there are days enough, or where some session begins at a usual minute.
    """
    sessions = find_sessions(ns)
    if any(season.days >= FEWEST for season in judge_seasons(sessions.opens)):
        return None
    minutes = new_york_minutes(sessions.opens)
    return None if np.isin(minutes, OPENS).any() else int(minutes[0])


def judge_seasons(opens: Ints) -> list[Season]:
    """Return the seasons that sessions lie in, each with what its sessions' openings say."""
    numbers, minutes, dates = season_of(opens), new_york_minutes(opens), new_york_dates(opens)
    return [
        _judge(int(number), minutes[numbers == number], dates[numbers == number])
        for number in np.unique(numbers)
    ]


def season_of(ns: Ints) -> Ints:
    """Return the number of the season, in :data:`SEASONS`, that each of some moments lies in."""
    new_york = utc_offset_minutes(ns) == -240
    london = utc_offset_minutes(ns, ZoneInfo("Europe/London")) == 60
    return 2 * new_york.astype(np.int64) + london


def clock(minute: int) -> str:
    """Return a minute of the day as hh:mm."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _judge(number: int, minutes: NDArray[np.int32], dates: NDArray[np.int32]) -> Season:
    days = len(np.unique(dates))

    def with_opening(beside: int) -> int:
        """Return the days with bars that begin that many minutes beside 09:30 or 18:00."""
        return len(np.unique(dates[np.isin(minutes - beside, OPENS)]))

    counts = np.bincount(minutes, minlength=1440)
    minute = int(np.argmax(counts))
    agreeing = int(counts[minute])
    verdict: Verdict = "unclear"
    if days >= FEWEST:
        shares = {"right": 0, "early": -1, "late": 1}
        support = {kind: with_opening(beside) / days for kind, beside in shares.items()}
        best = max(support, key=lambda kind: support[kind])
        if support[best] >= CLEAR:
            verdict = cast(Verdict, best)
            minute = next(at + shares[best] for at in OPENS if (minutes == at + shares[best]).any())
            agreeing = int(counts[minute])
        elif agreeing >= CLEAR * days and agreeing >= FEWEST:
            verdict = "wrong"
    return Season(number, days, minute, agreeing, verdict)


def _closed_seasons(ns: Ints, sessions: Sessions) -> list[tuple[str, int, int]]:
    """Return the seasons with too many bars in closed hours: name, such bars, and days with many."""
    days, bars = closed_bars_by_day(ns)
    if not len(days):
        return []
    noon = (days * 1440 + 17 * 60) * 60_000_000_000
    of_days, of_sessions = season_of(noon), season_of(sessions.opens)
    by_season = []
    for number, name in enumerate(SEASONS):
        total = int(sessions.bars[of_sessions == number].sum())
        closed = int(bars[of_days == number].sum())
        many = int((bars[of_days == number] >= MANY_CLOSED).sum())
        if total and closed > CLOSED_LIMIT * total and many:
            by_season.append((name, closed, many))
    return by_season


def _wall(ns: Ints, facts: FileFacts) -> pd.DatetimeIndex:
    """Return the times as the file has them, without their zone."""
    utc = pd.DatetimeIndex(ns.view("datetime64[ns]")).tz_localize("UTC")
    zone = facts.timezone if facts.stamps == "wall" and facts.timezone else "UTC"
    return utc.tz_convert(zone).tz_localize(None)


def _in_zone(ns: Ints, facts: FileFacts, zone: str) -> Ints:
    """Return UTC nanoseconds of the file's times as wall time in a zone; 0 where they can't be."""
    aware = _wall(ns, facts).tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    read = aware.as_unit("ns").asi8
    return np.where(aware.isna(), 0, read)


def _fits(zone: str, sessions: Sessions, facts: FileFacts) -> bool:
    """Return whether every season that can be judged begins at a right minute when read in a zone."""
    opens = _in_zone(sessions.opens, facts, zone)
    judged = judge_seasons(opens[opens > 0])
    clear = [season for season in judged if season.verdict != "unclear"]
    closes = _in_zone(sessions.closes, facts, zone)
    if clear and all(season.verdict == "late" for season in clear):
        closes = closes - MINUTE  # bars stamped by their close: the last is stamped 17:00
    while_shut = (closes > 0) & (new_york_minutes(closes) >= 1020) & (new_york_minutes(closes) < 1080)
    return (
        bool(clear)
        and all(season.verdict in ("right", "early", "late") for season in clear)
        and float(while_shut.mean()) < CLEAR
    )


def _has_minute(ns: Ints, minute: int) -> bool:
    return bool((new_york_minutes(ns) == minute).any())


def _opens_with_the_cash_market(ns: Ints, volume: NDArray[np.float64]) -> bool:
    """Return whether a file with hours of its own holds most of a day and its volume jumps at 09:30."""
    minute = new_york_minutes(ns)
    if float(((minute >= 570) & (minute < 960)).mean()) < CLEAR:
        return False
    quarters = np.bincount(minute, weights=np.nan_to_num(volume), minlength=1440)
    quarters = quarters.reshape(96, 15).sum(axis=1)
    before = np.roll(quarters, 1)
    jumps = np.where(before > 0, quarters / np.maximum(before, 1.0), 0.0)  # a first quarter is no jump
    at_open = 570 // 15
    return bool(jumps[at_open] >= 1.5 and jumps[at_open] == jumps.max())


def _wrong_zone(
    odd: list[Season],
    closed: list[tuple[str, int, int]],
    zones: list[str],
    sessions: Sessions,
    facts: FileFacts,
) -> ClockFault:
    bars = int(sessions.bars.sum())
    reasons = [
        f"in {season.name} bars begin on {season.agreeing} of {season.days} days at "
        f"{clock(season.minute)} New York time, not at 09:30 or 18:00"
        for season in odd[:1]
    ]
    reasons += [
        f"in {name} {count:,} bars lie in hours when the exchange is closed, on {many} days"
        for name, count, many in closed[:1]
    ]
    read = facts.timezone or "UTC"
    named = _named(zones, read)
    fit = f"; they fit {named}" if named else ""
    return ClockFault(
        "time_zone",
        sum(count for _, count, _ in closed) or bars,
        f"{', and '.join(reasons)}, so the time zone is wrong{fit}",
        _mend_zone(zones, facts, sessions),
    )


def _named(zones: list[str], read: str) -> str:
    others = [zone for zone in zones if zone != read]
    usual = [zone for zone in others if not zone.startswith("Etc/")] or others
    return " or ".join(_in_words(zone) for zone in usual[:3])


def _in_words(zone: str) -> str:
    """Return a zone's name; those named Etc count hours the other way round, so say what is meant."""
    if not zone.startswith("Etc/GMT"):
        return zone
    return f"{zone} (UTC{-int(zone.removeprefix('Etc/GMT')):+d} all year)"


def _mend_zone(zones: list[str], facts: FileFacts, sessions: Sessions) -> str:
    others = [zone for zone in zones if zone != (facts.timezone or "UTC")]
    zone = next((zone for zone in others if not zone.startswith("Etc/")), others[0] if others else "")
    if facts.stamps == "wall":
        return (
            f"pass the zone the timestamps are in, --tz {zone}"
            if zone
            else "pass the zone the timestamps are in, for example --tz America/Chicago"
        )
    form = "carry an offset" if facts.stamps == "offset" else "are numbers since 1970"
    if not zone:
        return f"these timestamps {form}, so --tz does not apply; shift the times in the file"
    moved = _in_zone(sessions.opens[:1], facts, zone) - sessions.opens[:1]
    hours = int(moved[0]) / 3_600_000_000_000
    return (
        f"these timestamps {form}, so --tz does not apply; they look like wall time of {zone} that was "
        f"labelled UTC: shift the times in the file by {hours:+g} hours (more or less by an hour where "
        "daylight saving differs), or write the wall time without an offset and pass --tz"
    )


def _days_elsewhere(sessions: Sessions) -> Iterator[ClockFault]:
    """Yield a fault where three or more sessions in a row begin whole hours beside 09:30 or 18:00."""
    minutes = new_york_minutes(sessions.opens).astype(np.int64)
    off = np.full(len(minutes), 0)
    for opening in OPENS:
        shift = minutes - opening
        whole = (shift % 60 == 0) & (shift != 0)
        off = np.where(np.isin(minutes, OPENS) | ~whole | (off != 0), off, shift)
    if not (off != 0).any():
        return
    same = np.concatenate([[True], (off[1:] != off[:-1]) | (minutes[1:] != minutes[:-1])])
    starts = np.flatnonzero(same)
    lengths = np.diff(np.concatenate([starts, [len(off)]]))
    long = np.flatnonzero((lengths >= IN_A_ROW) & (off[starts] != 0))
    if not len(long):
        return
    first = int(starts[long[0]])
    last = first + int(lengths[long[0]]) - 1
    days = new_york_dates(sessions.opens[[first, last]]).astype("datetime64[D]")
    yield ClockFault(
        "time_zone",
        int(sessions.bars[first : last + 1].sum()),
        f"from {days[0]} to {days[1]} {last - first + 1} sessions in a row begin at "
        f"{clock(int(minutes[first]))} New York time, others at 09:30 or 18:00, so a part of the file "
        f"is in "
        "another zone",
        "read the parts of the file apart, each with its own --tz",
    )

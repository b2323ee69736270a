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
from markets.quality.clock_fault import OPENS, ClockFault, clock, zone_in_words
from markets.quality.parts import parts_elsewhere
from markets.quality.sessions import Sessions, closed_bars_by_day, find_sessions
from markets.quality.shifted import (
    CASH_OPEN,
    LAST_MINUTES,
    Shift,
    begins_busy,
    find_shift,
    leap_and_peak,
    usual_shift,
    volume_is_right,
)
from markets.quality.trading_dates import trading_dates
from markets.spacing import MINUTE

Ints = NDArray[np.int64]

FEWEST = 2
"""Days from which a season can be judged."""
CLEAR = 0.5
"""Share of a season's days on which bars must begin at a minute for it to mean anything."""
LAST_MINUTE = 1019
"""16:59, the last minute of a session."""
LONGEST_DAY, UNTIL_THE_CASH_OPEN = 482, 930
"""Minutes from 09:30 to the latest close that there was, and from 18:00 to 09:30."""
BESIDE_THE_CLOSE = 5
"""Minutes beside a usual last minute at which the last bar of a thin file may lie."""
HALF_AN_HOUR = 30
"""Minutes of the largest shift that is looked for in another zone."""
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
    "the week between the two clock changes in spring, as until 2006",
    "the weeks between the two clock changes in spring and autumn",
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
    if (dated := trading_dates(ns)) is not None:
        yield dated
        return
    if odd or closed:
        yield from _elsewhere(ns, volume, odd, closed, sessions, facts)
        return
    if clear and all(season.verdict != "right" for season in clear):
        fault = _other_end(ns, volume, sessions, clear)
        if fault is not None:
            yield fault
            return
    if not clear and (shift := find_shift(sessions, ns, volume)):
        yield shift.fault(len(ns))
        return
    yield from parts_elsewhere(sessions, ns, volume)


def unjudged_opening(ns: Ints, facts: FileFacts, volume: NDArray[np.float64]) -> int | None:
    """Return the odd New York minute at which bars begin, where nothing shows whether it is right.

    None where some session begins at a usual minute, volume shows that the clock is right, or it is
    refused; arguments as for :func:`clock_faults`.
    """
    opens = find_sessions(ns).opens
    seasons = [season for season in judge_seasons(opens) if season.days >= FEWEST]
    if not seasons:
        minutes = new_york_minutes(opens)
        usual = np.isin(minutes, OPENS)
        return None if usual.any() or not len(usual) else int(minutes[0])  # no bar is usable
    odd = [season for season in seasons if season.verdict == "wrong"]
    if not odd or volume_is_right(*leap_and_peak(ns, volume)) or list(clock_faults(ns, facts, volume)):
        return None
    return odd[0].minute


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


def _fits(zone: str, sessions: Sessions, facts: FileFacts, any_length: bool) -> bool:
    """Return whether every season that can be judged begins at a right minute when read in a zone.

    Whoever keeps a part of the day cuts at any minute, an hour beside 09:30 too. So sessions that begin
    there must last as long as they do, unless they begin as busily or at another minute each season
    (``any_length``), which no cut does.
    """
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
        and float(_as_long_as_a_session(opens, closes, any_length).mean()) >= CLEAR
    )


def _as_long_as_a_session(opens: Ints, closes: Ints, any_length: bool) -> NDArray[np.bool_]:
    """Return which sessions hold the bars from 09:30 on: of a day alone, or with the night before."""
    begin, minutes = new_york_minutes(opens), (closes - opens) // MINUTE
    of_day, of_night = (np.abs(begin - opening) <= 1 for opening in OPENS)
    to_a_close = np.zeros(len(opens), bool)
    for last in LAST_MINUTES[CASH_OPEN]:
        to_a_close |= np.abs(new_york_minutes(closes) - last) <= BESIDE_THE_CLOSE
    of_day &= (minutes <= LONGEST_DAY) if any_length else to_a_close
    return of_day | (of_night & (minutes > UNTIL_THE_CASH_OPEN))


def _other_end(
    ns: Ints, volume: NDArray[np.float64], sessions: Sessions, clear: list[Season]
) -> ClockFault | None:
    """Return what is wrong with a file whose sessions all begin a minute early, or a minute late."""
    verdicts = {season.verdict for season in clear}
    leap, peak = leap_and_peak(ns, volume)
    first, bars = clear[0], len(ns)
    at = f"{clock(first.minute)} New York time"
    days = f"{first.agreeing} of {first.days} days"
    if len(verdicts) > 1 or leap == 0:  # volume leaps at 09:30: a thin file that begins when it trades
        return None
    if leap not in (None, -1, 1) and leap == peak and (shift := find_shift(sessions, ns, volume)):
        return shift.fault(bars)
    at_the_end = float((new_york_minutes(sessions.closes) == LAST_MINUTE).mean())
    if verdicts == {"early"} and at_the_end < CLEAR:
        return ClockFault(
            "stamped_early",
            bars,
            f"sessions begin at {at}, a minute early on {days}, and do not reach 16:59",
            "add one minute to every timestamp; or, where the format's times are read as closes, as "
            "NinjaTrader's are, pass --stamped open",
        )
    if verdicts == {"late"}:
        return ClockFault(
            "stamped_by_close",
            bars,
            f"sessions begin a minute late, at {at} on {days}, so bars carry the time of their close",
            "subtract one minute from every timestamp, or pass --stamped close",
        )
    return None


def _elsewhere(
    ns: Ints,
    volume: NDArray[np.float64],
    odd: list[Season],
    closed: list[tuple[str, int, int]],
    sessions: Sessions,
    facts: FileFacts,
) -> Iterator[ClockFault]:
    """Yield what is wrong where sessions begin elsewhere, or bars lie in closed hours."""
    own = find_shift(sessions, ns, volume)
    if own is not None and own.by_volume == 2:
        yield own.fault(len(ns))
        return
    within = np.isin(season_of(ns), [season.number for season in odd])
    if not own and not closed and volume_is_right(*leap_and_peak(ns[within], volume[within])):
        return  # hours of its own, in the right zone
    minutes = {season.minute for season in judge_seasons(sessions.opens) if season.verdict != "unclear"}
    any_length = len(minutes) > 1 or begins_busy(sessions, ns, volume)
    zones = [name for name in ZONES if _fits(name, sessions, facts, any_length)]
    shift, zone = (None, "") if zones else _find_shift_in_any_zone(own, ns, sessions, facts, volume)
    if shift is not None:
        yield shift.fault(len(ns), zone)
    elif zones or closed:
        yield _wrong_zone(odd, closed, zones, sessions, facts)
    else:
        yield from parts_elsewhere(sessions, ns, volume)


def _find_shift_in_any_zone(
    own: Shift | None, ns: Ints, sessions: Sessions, facts: FileFacts, volume: NDArray[np.float64]
) -> tuple[Shift | None, str]:
    """Return a shift of a few minutes, and the zone that it shows in, empty for the file's own."""
    if own is not None and abs(own.minutes) <= HALF_AN_HOUR:
        return own, ""
    shifts: list[tuple[Shift, str]] = []
    for zone in ZONES:
        opens, closes = (_in_zone(side, facts, zone) for side in (sessions.opens, sessions.closes))
        there = (opens > 0) & (closes > 0)
        moved = Sessions(opens[there], closes[there], sessions.bars[there])
        begin = usual_shift(moved)
        if begin is None or abs(begin[0]) > HALF_AN_HOUR:  # then a zone beside this one is nearer
            continue
        bars = _in_zone(ns, facts, zone)
        shift = find_shift(moved, bars[bars > 0], volume[bars > 0])
        if shift is not None and shift.by_volume:  # hours of one's own may begin and end anywhere
            shifts.append((shift, zone))
    return max(shifts, key=lambda one: len(one[0].signs)) if shifts else (own, "")


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
    return " or ".join(zone_in_words(zone) for zone in usual[:3])


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

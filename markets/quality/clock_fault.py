"""What contradicts a file's clock, and the minutes of New York time that say so."""

from __future__ import annotations

from dataclasses import dataclass

OPENS = (570, 1080)
"""09:30 and 18:00 New York time: minutes at which a session begins."""


@dataclass(frozen=True, slots=True)
class ClockFault:
    """What contradicts the zone (or the stamp) that a file was read with.

    Attributes:
        kind: "time_zone", "trading_dates", "shifted", "stamped_early" or "stamped_by_close".
        bars: bars concerned.
        message: what and where, without a full stop.
        mend: what to do.
    """

    kind: str
    bars: int
    message: str
    mend: str


def clock(minute: int) -> str:
    """Return a minute of the day as hh:mm."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def zone_in_words(zone: str) -> str:
    """Return a zone's name; those named Etc count hours the other way round, so say what is meant."""
    if not zone.startswith("Etc/GMT"):
        return zone
    return f"{zone} (UTC{-int(zone.removeprefix('Etc/GMT')):+d} all year)"

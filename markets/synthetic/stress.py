"""Stress bars: valid, and as hostile as a market can be, to make two implementations disagree.

They know nothing of stops or episodes; they only go where rounding, floors, clocks and gaps are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta

import numpy as np
import pandas as pd

from foundation.errors import InputError
from markets.bars import COLUMNS, Bars
from markets.clock import RTH_FIRST_MINUTE, new_york_to_utc_ns
from markets.config import Session
from markets.contracts import SYMBOLS, get_contract
from markets.synthetic.draws import Stream, check_seed
from markets.synthetic.model import DAY_MINUTES, NIGHT_MINUTES, PROFILES

LEAST_DAYS = 4
MOST_DAYS = 120
CHANGES = (date(2025, 3, 9), date(2025, 11, 2))
"""The Sundays on which New York's clocks change; half of the days lie around each."""
HALF_DAY, LATE_GAP_DAY, HOLES_DAY = 1, 2, 3
"""Which days, counted from 0, end at 13:00, lack 16:58 and 16:59, and have minutes missing."""
HUGE_VOLUME = 1_000_000_000
LIMIT_MOVE = 0.07
_NS_PER_MINUTE = 60_000_000_000


def stress_bars(symbol: str, *, seed: int, session: Session = "rth", days: int = 12) -> Bars:
    """Return a hostile but valid market of one contract, the same for the same arguments.

    Half of the days lie around the change of clocks of March 2025, half around November's. One is a
    half day (last bar 12:59), one lacks 16:58 and 16:59, one has minutes missing. Every full regular
    session holds, in an order that the seed shuffles: ordinary minutes; 35 flat bars of no volume;
    one-tick bars; quiet bars between single bars that reach far both ways; spikes of hundreds of
    ticks; wide bars; runs of one tick a minute, up and down; a limit move that locks; huge volumes.
    One day also falls to a price of a few ticks and comes back.

    Args:
        symbol: one of the eight built-in symbols.
        seed: whole number, at least 0.
        session: "all" adds the nights, and 05:00 to 08:59 UTC of both Sundays of change, when New
            York goes from 01:59 to 03:00 or through 01:00 to 01:59 twice. Its regular session is
            exactly what "rth" gives.
        days: trading days, 4 to 120; 12 give about 5,000 bars of the regular session.

    Raises:
        InputError: an argument is not as above.
    """
    contract = get_contract(symbol)
    full_size = contract.full_size or contract.symbol
    if contract.symbol not in SYMBOLS or full_size not in PROFILES:
        raise InputError(f"no stress market for {contract.symbol}; choose one of {', '.join(SYMBOLS)}")
    if session not in ("rth", "all"):
        raise InputError(f'session is {session!r}; choose "rth" or "all"')
    if isinstance(days, bool) or not isinstance(days, int) or not LEAST_DAYS <= days <= MOST_DAYS:
        raise InputError(
            f"days is {days!r}; stress bars take a whole number from {LEAST_DAYS} to {MOST_DAYS}"
        )
    profile = PROFILES[full_size]
    level = int(contract.to_ticks(profile.level))
    tape = _Tape(Stream(check_seed(seed), f"stress {contract.symbol}"), level, profile.minute_sd)
    stamps: list[int] = []
    for number, (day, is_new_week) in enumerate(_dates(days)):
        opening = new_york_to_utc_ns(day.isoformat(), RTH_FIRST_MINUTE)
        if is_new_week:
            sunday = new_york_to_utc_ns((day - timedelta(days=1)).isoformat(), 0)
            midnight = sunday - sunday % (1440 * _NS_PER_MINUTE)
            stamps += [midnight + minute * _NS_PER_MINUTE for minute in range(300, 540)]
            tape.fill(240)
        stamps += [opening + minute * _NS_PER_MINUTE for minute in range(-NIGHT_MINUTES, DAY_MINUTES)]
        tape.fill(NIGHT_MINUTES)
        tape.fill(DAY_MINUTES, everything=True, cheap=number == days // 2)
    table = np.array(tape.rows, np.float64)
    table[:, :4] = contract.to_points(table[:, :4])
    index = pd.DatetimeIndex(np.array(stamps, np.int64), tz="UTC", name="timestamp")
    frame = pd.DataFrame(table, columns=list(COLUMNS), index=index)
    frame = frame.loc[~_missing(index, [day for day, _ in _dates(days)])]
    bars = Bars.from_frame(frame, contract, source=f"stress {contract.symbol}, seed {seed}")
    return bars.session(session)


def _dates(days: int) -> Iterator[tuple[date, bool]]:
    """Yield trading dates around both changes, and whether a change was the day before."""
    for change, count in zip(CHANGES, (days - days // 2, days // 2), strict=True):
        before = count // 3 or 1
        first = np.busday_offset(np.datetime64(change), -before, roll="forward")
        for offset in range(count):
            day = date.fromisoformat(str(np.busday_offset(first, offset)))
            yield day, day == change + timedelta(days=1)


def _missing(index: pd.DatetimeIndex, dates: list[date]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which bars the half day, the late gap and the holes take away, shape (T,)."""
    gone = np.zeros(len(index), np.bool_)
    stamps = index.as_unit("ns").asi8
    for number, begin, end in (
        (HALF_DAY, 780, 1020),  # 13:00 to 16:59
        (LATE_GAP_DAY, 1018, 1020),
        (HOLES_DAY, 640, 645),
        (HOLES_DAY, 700, 717),
        (HOLES_DAY, 850, 910),
    ):
        day = dates[number].isoformat()
        gone |= (stamps >= new_york_to_utc_ns(day, begin)) & (stamps < new_york_to_utc_ns(day, end))
    return gone


class _Tape:
    """Bars written one after another, in ticks; every method begins where the last one ended."""

    def __init__(self, stream: Stream, level: int, minute_sd: float) -> None:
        self.rows: list[tuple[int, int, int, int, int]] = []
        self._draws = stream.uniforms
        self._pool: list[float] = []
        self._price = self._anchor = level
        self._usual = max(round(minute_sd * level), 3)
        self._limit = 1 if self._draw() < 0.5 else -1

    def fill(self, minutes: int, *, everything: bool = False, cheap: bool = False) -> None:
        """Write that many bars: scenes in random order, all of them if ``everything``."""
        scenes: list[Callable[[], None]] = [
            self._flat,
            self._ticks,
            self._ambush,
            self._spikes,
            self._wide,
            lambda: self._run(1),
            lambda: self._run(-1),
            self._locked,
            *[lambda: self._ordinary(20)] * 5,
        ]
        for i in range(len(scenes) - 1, 0, -1):
            j = int(self._draw() * (i + 1))
            scenes[i], scenes[j] = scenes[j], scenes[i]
        if cheap:
            scenes.insert(len(scenes) // 2, self._cheap)
        end = len(self.rows) + minutes
        for scene in scenes:
            scene()
            if len(self.rows) >= end:
                assert not everything, "a regular session must hold every scene"
                break
        while len(self.rows) < end:
            self._ordinary(10)
        del self.rows[end:]
        self._price = self.rows[-1][3]

    def _draw(self) -> float:
        if not self._pool:
            self._pool = self._draws(4096).tolist()
            self._pool.reverse()
        return self._pool.pop()

    def _between(self, least: int, most: int) -> int:
        return least + int(self._draw() * (most - least + 1))

    def _bar(self, opened: int, up: int, down: int, close: int, volume: int) -> None:
        """Write a bar that reaches ``up`` above and ``down`` below its body; prices stay above 0."""
        opened, close = max(opened, 1), max(close, 1)
        low = max(min(opened, close) - down, 1)
        self.rows.append((opened, max(opened, close) + up, low, close, volume))
        self._price = close

    def _ordinary(self, bars: int) -> None:
        u = self._usual
        for _ in range(bars):
            pull = (self._anchor - self._price) // 100  # so that limit moves do not add up
            pull = max(-u, min(u, pull))
            opened = self._price + self._between(-1, 1)
            close = opened + self._between(-u, u) + pull
            huge = self._draw() < 0.05
            volume = HUGE_VOLUME - self._between(0, 9) if huge else self._between(1, 5000)
            self._bar(opened, self._between(0, u // 2), self._between(0, u // 2), close, volume)

    def _flat(self) -> None:
        for _ in range(35):
            self._bar(self._price, 0, 0, self._price, 0)

    def _ticks(self) -> None:
        for _ in range(40):
            if self._draw() < 0.5:
                self._bar(self._price, 0, 0, self._price + self._between(-1, 1), self._between(0, 2))
            else:
                self._bar(self._price, self._between(0, 1), 0, self._price, 1)

    def _ambush(self) -> None:
        for _ in range(3):
            for _ in range(self._between(15, 18)):
                self._bar(self._price, 0, 0, self._price, self._between(0, 1))
            far = self._between(6, 40)
            self._bar(self._price, far, far, self._price + self._between(-1, 1), HUGE_VOLUME)

    def _spikes(self) -> None:
        for direction in (1, -1):
            self._ordinary(9)
            far = self._usual * self._between(30, 60)
            reach = (far, 0) if direction > 0 else (0, far)
            self._bar(self._price, *reach, self._price, self._between(1, HUGE_VOLUME))

    def _wide(self) -> None:
        u = self._usual
        for _ in range(20):
            opened = self._price + self._between(-3 * u, 3 * u)
            close = opened + self._between(-2 * u, 2 * u)
            self._bar(opened, self._between(4 * u, 12 * u), self._between(4 * u, 12 * u), close, 10**6)

    def _run(self, direction: int) -> None:
        for _ in range(30):
            self._bar(self._price, 0, 0, self._price + direction, self._between(1, 100))

    def _locked(self) -> None:
        """Move by the limit within three bars, stay locked there, and open again away from it."""
        reference = self._price
        target = reference + self._limit * int(reference * LIMIT_MOVE)
        for third in (1, 2, 3):
            opened = self._price
            close = reference + (target - reference) * third // 3
            self._bar(opened, 0, 0, close, HUGE_VOLUME)
        for _ in range(22):
            self._bar(target, 0, 0, target, self._between(0, 20))
        away = target - self._limit * 5 * self._usual
        self._bar(away, 1, 1, away + self._limit * self._usual, 10**5)
        self._limit = -self._limit

    def _cheap(self) -> None:
        """Fall to a few ticks, the least price there is among them, and come back."""
        before = self._price
        self._bar(8, 1, 1, 8, HUGE_VOLUME)
        for i in range(40):
            close = 1 if i == 20 else min(self._price + self._between(-2, 2), 15)
            up, down = self._between(0, 2), self._between(0, 2)
            self._bar(self._price, up, down, close, self._between(0, 50))
        self._bar(before, 1, 1, before, HUGE_VOLUME)

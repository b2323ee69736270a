"""What the quality report counts and measures in a file's rows.

Source: section 3 of ``docs/environment.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.bars import COLUMNS, PRICE_COLUMNS
from markets.clock import in_regular_session, new_york_dates, new_york_minutes
from markets.contracts import Contract
from markets.file_facts import FileFacts
from markets.quality import measurements as checks
from markets.quality.contents.arrays import Contents
from markets.quality.sessions import while_closed
from markets.spacing import MINUTE, SECOND, bar_steps, usual_step

FULL_DAY_BARS = 380
"""From this many regular-session bars on a day is full: 390 to 16:00, 450 to 17:00, a few missing."""
HALF_DAY_BARS = 180
"""From this many on it is a half day: an early close at 13:00 leaves 210."""
SHOWN = 5
"""Gaps that are listed, the longest first."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Consecutive minutes without a bar inside a trading day.

    Attributes:
        start: open of the first missing minute, New York time, ISO 8601.
        minutes: missing minutes.
        regular_minutes: how many of them lie in 09:30 to 16:59.
    """

    start: str
    minutes: int
    regular_minutes: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is counted and measured. Times are ISO 8601, dates New York dates, shares 0 to 1.

    Attributes:
        source, symbol: the file's name and the contract's symbol.
        rows: rows of the file; regular_rows: those in 09:30 to 16:59 New York time.
        first, last: opens of the earliest and the latest bar, New York time.
        step_seconds: the commonest step between bars, 60 as a rule; 0 for a single bar.
        gaps, missing_minutes: gaps inside trading days and the minutes in them;
            regular_gaps, regular_missing_minutes: the same within 09:30 to 16:59.
        longest_gap_minutes: of all gaps; largest_gaps: the five longest, regular minutes first.
        duplicates: rows whose time an earlier row has; out_of_order: rows earlier than one before.
        missing_values, non_positive, impossible: rows with an empty cell, a price at or below zero
            or negative volume, and a high or low that another price contradicts.
        off_grid, off_grid_share: prices off the tick grid, of all prices.
        zero_volume, zero_volume_share: bars without a trade.
        too_few_trades: bars with fewer contracts than different prices.
        wrong_scale: rows whose prices seem multiplied or divided by a power of ten.
        spikes, bad_prints: bars that reach far beyond their neighbours, and impossibly far.
        closed: bars in the daily halt or the weekend.
        median_volume: contracts on the median day, regular session.
        days: number of New York dates that are "full", "half" and "short" by regular bars.
        day_bars: regular bars of each date; day_volume: contracts of each date.
        absent_days: weekdays between first and last bar without a regular bar.
    """

    source: str
    symbol: str
    rows: int
    regular_rows: int
    first: str
    last: str
    step_seconds: float
    gaps: int
    missing_minutes: int
    regular_gaps: int
    regular_missing_minutes: int
    longest_gap_minutes: int
    largest_gaps: tuple[Gap, ...]
    duplicates: int
    out_of_order: int
    missing_values: int
    non_positive: int
    impossible: int
    off_grid: int
    off_grid_share: float
    zero_volume: int
    zero_volume_share: float
    too_few_trades: int
    wrong_scale: int
    spikes: int
    bad_prints: int
    closed: int
    median_volume: float
    days: dict[str, int]
    day_bars: dict[str, int]
    day_volume: dict[str, float]
    absent_days: tuple[str, ...]


class Rows:
    """Masks over the file's rows in their own order, and the good rows in order of time."""

    def __init__(self, frame: pd.DataFrame, contract: Contract, source: str) -> None:
        index = frame.index
        if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
            raise InputError(f"{source}: timestamps carry no time zone; say which they are in")
        if not len(frame):
            raise InputError(f"{source}: there are no bars to look at; give a file with at least one")
        self.contract = contract
        self.file: FileFacts = frame.attrs.get("file") or FileFacts("offset", name=source)
        self.ns = index.as_unit("ns").asi8
        self.prices = frame[list(PRICE_COLUMNS)].to_numpy(np.float64)
        self.volume = frame["volume"].to_numpy(np.float64)
        o, high, low, close = self.prices.T
        self.missing = ~np.isfinite(frame[list(COLUMNS)].to_numpy(np.float64)).all(axis=1)
        with np.errstate(invalid="ignore"):
            self.non_positive = ~self.missing & ((self.prices <= 0).any(axis=1) | (self.volume < 0))
            self.impossible = ~self.missing & (
                (high < low) | (high < np.maximum(o, close)) | (low > np.minimum(o, close))
            )
        self.duplicates = np.asarray(pd.Index(self.ns).duplicated())
        self.backwards = self.ns < np.maximum.accumulate(self.ns)
        usable = np.flatnonzero(~(self.missing | self.non_positive | self.duplicates))
        self.order = usable[np.argsort(self.ns[usable], kind="stable")]
        """Rows with positive prices, once a time, sorted by time."""
        self.scale = np.zeros(len(frame), np.int64)
        self.scale[self.order] = checks.wrong_scale(self.prices[self.order])
        self.calm = self.order[(self.scale[self.order] == 0) & ~self.impossible[self.order]]
        """Of those, the rows at the right scale that a market could have made."""
        finite = np.where(np.isfinite(self.prices), self.prices, 0.0)
        off = np.abs(finite - contract.snap(finite)) > 1e-6 * contract.tick_size
        self.off_grid = off & (self.scale == 0)[:, None]
        self.spikes = np.zeros(len(frame), bool)
        self.bad_prints = np.zeros(len(frame), bool)
        self.spikes[self.calm], self.bad_prints[self.calm] = checks.spikes(
            self.ns[self.calm], self.prices[self.calm], contract.tick_size
        )
        self.closed = while_closed(self.ns)
        self.few = checks.too_few_trades(self.prices, self.volume) & ~self.missing
        self.steps = bar_steps(self.ns)

    @cached_property
    def contents(self) -> Contents:
        """The rows that can be bars, in order of time."""
        o, high, low, close = self.prices[self.order].T
        volume = self.volume[self.order]
        return Contents(self.ns[self.order], o, high, low, close, volume, self.contract, self.file)

    def first(self, mask: NDArray[np.bool_]) -> str:
        """Return the New York time of the first row that a mask marks."""
        return new_york_time(int(self.ns[np.argmax(mask)]))


def new_york_time(ns: int) -> str:
    """Return UTC nanoseconds as New York time in ISO 8601 with its offset."""
    return pd.Timestamp(ns, tz="UTC").tz_convert("America/New_York").isoformat(sep=" ")


def measure(rows: Rows, source: str) -> Facts:
    """Return what is to be counted in the rows."""
    ns = checks.distinct(rows.ns // MINUTE) * MINUTE
    missing = checks.missing_minutes(checks.with_usual_edges(ns, FULL_DAY_BARS))
    rank = np.lexsort((missing.start_ns, -missing.minutes, -missing.regular))[:SHOWN]
    day_bars, day_volume, absent = _days(rows, ns)
    sizes = np.array(list(day_bars.values()), np.int64)
    return Facts(
        source=source,
        symbol=rows.contract.symbol,
        rows=len(rows.ns),
        regular_rows=int(in_regular_session(new_york_minutes(rows.ns)).sum()),
        first=new_york_time(int(rows.ns.min())),
        last=new_york_time(int(rows.ns.max())),
        step_seconds=usual_step(rows.steps) / SECOND,
        gaps=len(missing.minutes),
        missing_minutes=int(missing.minutes.sum()),
        regular_gaps=int((missing.regular > 0).sum()),
        regular_missing_minutes=int(missing.regular.sum()),
        longest_gap_minutes=int(missing.minutes.max(initial=0)),
        largest_gaps=tuple(
            Gap(
                new_york_time(int(missing.start_ns[i])),
                int(missing.minutes[i]),
                int(missing.regular[i]),
            )
            for i in rank
        ),
        duplicates=int(rows.duplicates.sum()),
        out_of_order=int(rows.backwards.sum()),
        missing_values=int(rows.missing.sum()),
        non_positive=int(rows.non_positive.sum()),
        impossible=int(rows.impossible.sum()),
        off_grid=int(rows.off_grid.sum()),
        off_grid_share=float(rows.off_grid.mean()),
        zero_volume=int((rows.volume == 0).sum()),
        zero_volume_share=float((rows.volume == 0).mean()),
        too_few_trades=int(rows.few.sum()),
        wrong_scale=int((rows.scale != 0).sum()),
        spikes=int(rows.spikes.sum()),
        bad_prints=int(rows.bad_prints.sum()),
        closed=int(rows.closed.sum()),
        median_volume=float(np.median(list(day_volume.values()))) if day_volume else 0.0,
        days={
            "full": int((sizes >= FULL_DAY_BARS).sum()),
            "half": int(((sizes >= HALF_DAY_BARS) & (sizes < FULL_DAY_BARS)).sum()),
            "short": int((sizes < HALF_DAY_BARS).sum()),
        },
        day_bars=day_bars,
        day_volume=day_volume,
        absent_days=absent,
    )


def _days(
    rows: Rows, ns: NDArray[np.int64]
) -> tuple[dict[str, int], dict[str, float], tuple[str, ...]]:
    """Return regular bars and volume by New York date, and the weekdays in between that have none."""
    dates, counts = np.unique(
        new_york_dates(ns)[in_regular_session(new_york_minutes(ns))], return_counts=True
    )
    names = [str(name) for name in dates.astype("datetime64[D]")]
    regular = rows.order[in_regular_session(new_york_minutes(rows.ns[rows.order]))]
    volume = np.bincount(
        np.searchsorted(dates, new_york_dates(rows.ns[regular])),
        weights=rows.volume[regular],
        minlength=len(dates),
    )
    absent: tuple[str, ...] = ()
    if len(dates):
        span = np.arange(int(dates[0]), int(dates[-1]) + 1).astype("datetime64[D]")
        weekdays = span[np.is_busday(span)]
        absent = tuple(str(day) for day in np.setdiff1d(weekdays, dates.astype("datetime64[D]")))
    bars = dict(zip(names, counts.tolist(), strict=True))
    return bars, dict(zip(names, volume.tolist(), strict=True)), absent

"""Held-out data: which starts a range of dates leaves, and whether it was kept from training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pandas.tseries.holiday import (
    AbstractHolidayCalendar,
    GoodFriday,
    Holiday,
    nearest_workday,
    sunday_to_monday,
)

from jax_port.data.data_loader import PreparedMarket
from markets import EnvConfig, InputError, get_contract
from markets.clock import new_york_dates

HELD_OUT = "held out"
BEFORE = "before the training data"
OTHER_MARKET = "another market than the training data"
OVERLAPS = "overlaps training data"
TOO_CLOSE = "less than a trading day after training data"
UNKNOWN = "unknown"

EMBARGO_DAYS = 1
"""Full trading days that must lie between training and evaluation."""


NO_BARS = AbstractHolidayCalendar(
    "no bars",
    [
        Holiday("New Year's Day", month=1, day=1, observance=sunday_to_monday),
        GoodFriday,
        Holiday("Christmas", month=12, day=25, observance=nearest_workday),
    ],
)
"""Weekdays on which the exchanges of index futures rest all day: no file has bars of them."""


@dataclass(frozen=True)
class Span:
    """New York dates, both inclusive."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


@dataclass(frozen=True)
class Relation:
    """How an evaluated range stands to the data a policy was trained on.

    Attributes:
        status: one of this module's words.
        traded: dates of the bars that the episodes can trade.
        training: dates of the training data of the same market, None where unknown or another's; of
            several that overlap, or that precede, those that end last.
        trading_days_between: full trading days after training and before ``traded``; None where
            ``traded`` does not follow.
        begin: where the policy may have seen ``traded``, the first date from which it has seen none of
            the rest of its episodes; None where there is none.
    """

    status: str
    traded: Span
    training: Span | None = None
    trading_days_between: int | None = None
    begin: date | None = None

    @property
    def leaks(self) -> bool:
        """Whether the policy may have seen what it is judged on."""
        return self.status in (OVERLAPS, TOO_CLOSE)


def starts_within(
    market: PreparedMarket, config: EnvConfig, first: date | None, last: date | None
) -> NDArray[np.int64]:
    """Return the starts whose whole episode is traded within a range of New York dates.

    Observations may look at bars before the range, as on any other day.

    Args:
        market: bars and their starts.
        config: gives ``max_episode_bars``, the bars of a whole episode.
        first, last: dates, inclusive; None for no bound.

    Returns:
        Bars, int64, rising.

    Raises:
        InputError: the dates are reversed, or no whole episode fits.
    """
    if first is not None and last is not None and first > last:
        raise InputError(f"--from {first} is later than --to {last}; swap them")
    days = new_york_dates(market.timestamps_ns)
    rows = market.starts.astype(np.int64)
    low = -np.inf if first is None else _number(first)
    high = np.inf if last is None else _number(last)
    inside = rows[(days[rows] >= low) & (days[rows + config.max_episode_bars - 1] <= high)]
    if not len(inside):
        raise InputError(
            f"{market.source}: no whole episode of {config.max_episode_bars} bars lies within "
            f"{first or 'the beginning'} to {last or 'the end'}; the file's bars run from "
            f"{_date(days[0])} to {_date(days[-1])} and episodes start from {_date(days[rows[0]])} to "
            f"{_date(days[rows[-1]])}, so choose a wider range"
        )
    return inside


def relate(
    market: PreparedMarket, config: EnvConfig, rows: NDArray[np.int64], about: Mapping[str, Any]
) -> Relation:
    """Say how the episodes from ``rows`` stand to the training data a policy names.

    A micro contract is the same market as the contract that it follows.

    Args:
        market, config: as for :func:`starts_within`.
        rows: bars to start at, rising.
        about: the policy's ``about``; its "data" has symbol, first and last, or is a list of such.
    """
    days = new_york_dates(market.timestamps_ns)
    traded = Span(_date(days[rows[0]]), _date(days[rows[-1] + config.max_episode_bars - 1]))
    trained = _training(about)
    if not trained:
        return Relation(UNKNOWN, traded)
    own = _market_of(market.contract.symbol)
    spans = [span for symbol, span in trained if _market_of(symbol) == own]
    if not spans:
        return Relation(OTHER_MARKET, traded)
    overlapping = [s for s in spans if s.first <= traded.last and traded.first <= s.last]
    if overlapping:
        newest = max(overlapping, key=lambda span: span.last)  # beyond it none is left
        return Relation(OVERLAPS, traded, newest, begin=_begin_after(newest.last, days, rows))
    earlier = [span for span in spans if span.last < traded.first]
    if not earlier:
        return Relation(BEFORE, traded, min(spans, key=lambda span: span.first))
    nearest = max(earlier, key=lambda span: span.last)
    between = _trading_days_between(days, nearest.last, traded.first)
    if between < EMBARGO_DAYS:
        return Relation(TOO_CLOSE, traded, nearest, between, _begin_after(nearest.last, days, rows))
    later = [span for span in spans if span.first > traded.last]
    if later:  # whoever trades tomorrow has not been trained on the day after
        return Relation(BEFORE, traded, min(later, key=lambda span: span.first))
    return Relation(HELD_OUT, traded, nearest, between)


def _begin_after(last: date, days: NDArray[np.int32], rows: NDArray[np.int64]) -> date | None:
    """Return the first date of an episode from ``rows`` that lies far enough after ``last``."""
    later = (day for number in np.unique(days[rows]) if (day := _date(number)) > last)
    far = (day for day in later if _trading_days_between(days, last, day) >= EMBARGO_DAYS)
    return next(far, None)


def require_held_out(relation: Relation, market: PreparedMarket) -> None:
    """Refuse a range that was trained on, or that follows too soon.

    Raises:
        InputError: naming both ranges and a date to begin at.
    """
    if not relation.leaks:
        return
    assert relation.training is not None
    what = "overlaps" if relation.status == OVERLAPS else "follows too soon on"
    mend = f"begin with --from {relation.begin}" if relation.begin else "give later bars"
    raise InputError(
        f"{market.source}: {relation.traded} {what} the policy's training data of "
        f"{_market_of(market.contract.symbol)}, {relation.training}; {mend}, a full trading day after "
        "it, or pass --allow-overlap"
    )


def _training(about: Mapping[str, Any]) -> list[tuple[str, Span]]:
    """Return symbol and dates of each training file; nothing where one of them is not known."""
    data = about.get("data")
    entries = [data] if isinstance(data, Mapping) else data
    if not isinstance(entries, list):
        return []
    try:
        return [
            (
                str(entry["symbol"]),
                Span(date.fromisoformat(entry["first"]), date.fromisoformat(entry["last"])),
            )
            for entry in entries
        ]
    except (KeyError, TypeError, ValueError):
        return []


def _market_of(symbol: str) -> str:
    try:
        contract = get_contract(symbol)
    except InputError:
        return symbol.upper()
    return contract.full_size or contract.symbol


def _trading_days_between(days: NDArray[np.int32], last: date, first: date) -> int:
    """Return the trading days after ``last`` and before ``first``.

    Where the file has bars, a weekday with bars is one; before its bars begin, every weekday but those
    of :data:`NO_BARS` is.
    """
    with_bars = {_date(number) for number in np.unique(days)}
    begins = min(with_bars)
    rests = {day.date() for day in NO_BARS.holidays(last, begins)} if last < begins else set()
    between = (last + timedelta(days=n) for n in range(1, (first - last).days))
    return sum(
        day.weekday() < 5 and (day in with_bars or (day < begins and day not in rests))
        for day in between
    )


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _date(number: Any) -> date:
    return date(1970, 1, 1) + timedelta(days=int(number))

"""Synthetic bars: seeded index futures with the habits of real ones, for tests and benchmarks.

What is modelled, and how near it comes to real bars: ``docs/synthetic.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.bars import Bars
from markets.clock import RTH_FIRST_MINUTE, new_york_to_utc_ns
from markets.config import Session
from markets.contracts import SYMBOLS, get_contract
from markets.synthetic import model
from markets.synthetic.draws import Stream, autoregression, check_seed, exponential

STEPS = 16
"""Steps of the price within a minute; open, high, low and close are read off them."""
OVERSHOOT = 1.4
"""Furthest that the price goes beyond its steps between them, in standard deviations of a step."""
USUAL_RANGE = 1.45
"""Range of a minute, in its standard deviations, at which its volume is the usual one."""
SAME_SIDE = 0.555
"""Share of opens at the side of the market, bid or ask, at which the bar before closed."""
MICRO_SLIP = 0.02
"""Share of a micro's opens and closes that differ from its full-size contract's, by one tick."""
CHUNK_DAYS = 40
"""Days made at once, so that memory stays small; the result does not depend on it."""
_NS_PER_MINUTE = 60_000_000_000
_LAST_DAY = "2059-12-01"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Minutes:
    """Whole ticks and contracts, float64, each of shape (days, minutes)."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


@dataclass(frozen=True, slots=True)
class _Path:
    """The price within minutes, as shares of where the part of the day began.

    Attributes:
        change: at the end of each step, less one; shape (days, minutes, STEPS).
        asks: 1.0 where a step's trade is at the ask, 0.0 at the bid; same shape.
        sd: standard deviation of each minute, shape (days, minutes).
    """

    change: Floats
    asks: Floats
    sd: Floats


def synthetic_bars(
    symbol: str, *, days: int, seed: int, start: str = "2025-01-06", session: Session = "rth"
) -> Bars:
    """Return seeded one-minute bars of one contract on business days; holidays are not kept.

    The same seed gives the same regular-session bars for either session, begins a longer series with
    the shorter one, and moves all symbols by one common factor. Nothing depends on the machine.

    Args:
        symbol: one of the eight built-in symbols; a micro follows its full-size contract.
        days: trading days, at least 1.
        seed: whole number, at least 0.
        start: first trading date in New York, "YYYY-MM-DD"; a weekend moves on to Monday.
        session: "rth" for 09:30 to 16:59 (450 bars a day), "all" for 18:00 of the evening before to
            16:59 (1,380 bars a day).

    Raises:
        InputError: an argument is not as above, or the days reach beyond 2059.
    """
    contract = get_contract(symbol)
    full_size = contract.full_size or contract.symbol
    if contract.symbol not in SYMBOLS or full_size not in model.PROFILES:
        raise InputError(
            f"no synthetic market for {contract.symbol}; choose one of {', '.join(SYMBOLS)}"
        )
    if session not in ("rth", "all"):
        raise InputError(f'session is {session!r}; choose "rth" or "all"')
    check_seed(seed)
    dates = business_days(start, days)
    profile = model.PROFILES[full_size]
    chunks = list(
        _full_size_chunks(full_size, seed, dates, session, profile.level / contract.tick_size)
    )
    minutes = _Minutes(
        *(
            np.concatenate([getattr(chunk, name) for chunk in chunks])
            for name in ("open", "high", "low", "close", "volume")
        )
    )
    if contract.full_size is not None:
        minutes = _micro(minutes, contract.symbol, seed)
    opens = [new_york_to_utc_ns(str(one), RTH_FIRST_MINUTE) for one in dates]
    first = -model.NIGHT_MINUTES if session == "all" else 0
    offsets = np.arange(first, model.DAY_MINUTES) * _NS_PER_MINUTE
    stamps = (np.array(opens, np.int64)[:, None] + offsets[None, :]).ravel()
    frame = pd.DataFrame(
        {
            "open": contract.to_points(minutes.open.ravel()),
            "high": contract.to_points(minutes.high.ravel()),
            "low": contract.to_points(minutes.low.ravel()),
            "close": contract.to_points(minutes.close.ravel()),
            "volume": minutes.volume.ravel(),
        },
        index=pd.DatetimeIndex(stamps, tz="UTC", name="timestamp"),
    )
    return Bars.from_frame(frame, contract, source=f"synthetic {contract.symbol}, seed {seed}")


def synthetic_markets(
    *,
    days: int,
    seed: int,
    symbols: Sequence[str] = SYMBOLS,
    start: str = "2025-01-06",
    session: Session = "rth",
) -> dict[str, Bars]:
    """Return :func:`synthetic_bars` of several symbols, correlated, on the same minutes.

    Each market is what :func:`synthetic_bars` gives alone, whichever others are asked for.
    """
    names = [get_contract(symbol).symbol for symbol in symbols]
    return {
        name: synthetic_bars(name, days=days, seed=seed, start=start, session=session) for name in names
    }


def business_days(start: str, days: int) -> NDArray[np.datetime64]:
    """Return so many business days from a date on ("YYYY-MM-DD"), within 1990 to 2059: shape (days,).

    Raises:
        InputError: they are no such days.
    """
    if isinstance(days, bool) or not isinstance(days, int) or days < 1:
        raise InputError(f"days is {days!r}; it must be a whole number, at least 1")
    try:
        # Not NumPy's, for which "now" is a day, and another one tomorrow.
        day = date.fromisoformat(start)
    except (TypeError, ValueError):
        raise InputError(f"start is {start!r}; give a date such as 2025-01-06") from None
    first = np.busday_offset(np.datetime64(day, "D"), 0, roll="forward")
    room = np.busday_count(first, np.datetime64(_LAST_DAY))
    if first < np.datetime64("1990-02-01") or days > room:
        raise InputError(
            f"{days} days from {first} do not lie between 1990-02-01 and {_LAST_DAY}; give fewer days, "
            "or another start"
        )
    return np.asarray(np.busday_offset(first, np.arange(days)))


def _full_size_chunks(
    symbol: str, seed: int, dates: NDArray[np.datetime64], session: Session, level: float
) -> Iterator[_Minutes]:
    """Yield a full-size contract's minutes, a few days at a time; ``level`` is in ticks."""
    profile = model.PROFILES[symbol]
    days = len(dates)
    volatility = model.day_volatility(seed, days)
    numbers = dates.astype(np.int64)
    weekend = np.diff(numbers, prepend=numbers[:1] - 3) > 1
    halt, night = model.overnight_moves(profile, symbol, seed, volatility, weekend)
    regular = _Part("regular", profile, symbol, seed, *model.day_shapes())
    evening = _Part("night", profile, symbol, seed, *model.night_shapes())
    for at in range(0, days, CHUNK_DAYS):
        here = slice(at, min(at + CHUNK_DAYS, days))
        path = regular.path(volatility[here])
        # Days are chained by multiplication: a percentage is a percentage at any price, and a price
        # never reaches zero. Each row is scaled by what the price was when its part began.
        overnight = (1.0 + halt[here]) * (1.0 + night[here])
        growth = np.cumprod(np.concatenate([[level], overnight * (1.0 + path.change[:, -1, -1])]))
        minutes = regular.minutes(path, growth[:-1] * overnight)
        if session == "all":
            bridge = evening.path(volatility[here], ends_at=night[here])
            before = evening.minutes(bridge, growth[:-1] * (1.0 + halt[here]))
            minutes = _side_by_side(before, minutes)
        level = float(growth[-1])
        yield minutes


class _Part:
    """One part of the trading day, night or regular session, of one full-size contract."""

    def __init__(
        self,
        name: str,
        profile: model.Profile,
        symbol: str,
        seed: int,
        volatility: Floats,
        volume: Floats,
    ) -> None:
        self._profile, self._volatility, self._volume = profile, volatility, volume
        self._persistent = Stream(seed, f"{name} volatility")
        self._news = Stream(seed, f"{name} news")
        self._common = Stream(seed, f"{name} common factor")
        self._own = Stream(seed, f"{name} of {symbol}")
        self._opens = Stream(seed, f"{name} opens of {symbol}")
        self._beyond = Stream(seed, f"{name} extremes of {symbol}")
        self._slow_volume = Stream(seed, f"{name} slow volume of {symbol}")
        self._fast_volume = Stream(seed, f"{name} fast volume of {symbol}")

    def path(self, day_volatility: Floats, ends_at: Floats | None = None) -> _Path:
        """Return the next days' path.

        Args:
            day_volatility: shape (days,).
            ends_at: what each day's change must end at, shape (days,); None lets it run free.
        """
        days, minutes = len(day_volatility), len(self._volatility)
        within = model.minute_volatility(
            self._persistent.normals(days, minutes), self._news.uniforms(days, minutes)
        )
        sd = self._profile.minute_sd * day_volatility[:, None] * self._volatility * within
        loading = self._profile.loading
        steps = loading * self._common.normals(days, minutes, STEPS)
        own, coins = self._own.normals_and_bits(days, minutes, STEPS)
        own *= np.sqrt(1.0 - loading**2)
        steps += own
        steps *= sd[:, :, None] / np.sqrt(STEPS)
        change = np.cumsum(steps.reshape(days, -1), axis=1)
        if ends_at is not None:  # a bridge: spread what is missing over the steps by their variance
            share = np.cumsum(np.repeat(sd**2, STEPS, axis=1), axis=1)
            change += share * ((ends_at - change[:, -1]) / share[:, -1])[:, None]
        asks = (coins & np.uint64(1)).astype(np.float64)
        return _Path(change.reshape(days, minutes, STEPS), asks, sd)

    def minutes(self, path: _Path, level: Floats) -> _Minutes:
        """Return bars of the path's own days, in ticks; ``level`` (days,) is where they begin."""
        days, minutes = path.sd.shape
        latent = (1.0 + path.change) * level[:, None, None]
        before = np.concatenate([level[:, None], latent[:, :, -1].reshape(days, -1)[:, :-1]], axis=1)
        # A trade is at the tick below the latent price or at the one above: at the bid or the ask.
        last = np.concatenate([np.zeros((days, 1)), path.asks[:, :-1, -1]], axis=1)
        same = self._opens.uniforms(days, minutes) < SAME_SIDE
        opened = np.floor(before) + np.where(same, last, 1.0 - last)
        traded = np.floor(latent) + path.asks
        close = traded[:, :, -1]
        beyond = self._beyond.uniforms(days, minutes, 2)
        beyond *= (OVERSHOOT / np.sqrt(STEPS)) * (path.sd * level[:, None])[:, :, None]
        high = np.maximum(traded.max(axis=2), np.floor(latent.max(axis=2) + beyond[:, :, 0]))
        low = np.minimum(traded.min(axis=2), np.ceil(latent.min(axis=2) - beyond[:, :, 1]))
        high, low = np.maximum(high, opened), np.minimum(low, opened)
        usual = USUAL_RANGE * self._profile.minute_sd * level[:, None] * self._volatility
        volume = self._volumes(high - low, usual)
        opened, high, low, close = (np.maximum(price, 1.0) for price in (opened, high, low, close))
        return _Minutes(opened, high, low, close, volume)

    def _volumes(self, ranges: Floats, usual: Floats) -> Floats:
        """Return contracts that grow with the range of a minute, at least 1."""
        shape = ranges.shape
        noise = 0.25 * autoregression(self._slow_volume.normals(*shape), 0.9)
        noise += 0.25 * self._fast_volume.normals(*shape)
        root = np.sqrt((ranges + 0.5) / usual)
        effort = root * np.sqrt(root)  # to the power of 3/4, without libm
        return np.maximum(
            np.floor(self._volume * self._profile.volume * effort * exponential(noise)), 1.0
        )


def _side_by_side(left: _Minutes, right: _Minutes) -> _Minutes:
    return _Minutes(
        *(
            np.concatenate([getattr(left, name), getattr(right, name)], axis=1)
            for name in ("open", "high", "low", "close", "volume")
        )
    )


def _micro(full: _Minutes, symbol: str, seed: int) -> _Minutes:
    """Return the micro's minutes: its full-size contract's, here and there a tick away."""
    opened = full.open + _slips(Stream(seed, f"opens of {symbol}"), full.open.shape)
    close = full.close + _slips(Stream(seed, f"closes of {symbol}"), full.close.shape)
    opened, close = np.maximum(opened, 1.0), np.maximum(close, 1.0)
    high = np.maximum(full.high, np.maximum(opened, close))
    low = np.minimum(full.low, np.minimum(opened, close))
    noise = exponential(0.1 * Stream(seed, f"volume of {symbol}").normals(*full.volume.shape))
    volume = np.maximum(np.floor(full.volume * model.MICRO_VOLUME[symbol] * noise), 1.0)
    return _Minutes(opened, high, low, close, volume)


def _slips(stream: Stream, shape: tuple[int, ...]) -> Floats:
    draws = stream.uniforms(*shape)
    return np.where(draws < MICRO_SLIP, np.where(draws < MICRO_SLIP / 2, -1.0, 1.0), 0.0)

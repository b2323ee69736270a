"""Bars: a validated frame of prices on the tick grid, with what it came from and a digest.

Source: section 3 of ``docs/environment.md``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.clock import END_NS, FIRST_NS, in_regular_session, new_york_minutes
from markets.config import Session
from markets.contracts import Contract
from markets.impossible_rows import column_order_mend, negative_volume_mend, not_positive_mend
from markets.time_order import order_mend

PRICE_COLUMNS = ("open", "high", "low", "close")
COLUMNS = (*PRICE_COLUMNS, "volume")
FEATURES = (
    "close",
    "volume",
    "sma_5",
    "sma_20",
    "rsi",
    "macd",
    "momentum",
    "atr",
    "hour_decimal",
    "min_from_open",
    "min_to_close",
)
"""Names of the eleven features, in the order of section 3."""

OFF_GRID_LIMIT = 0.001
"""Largest share of off-grid prices that is snapped without being asked."""


def source_of(name: str, accepted: tuple[str, ...]) -> str:
    """Return where bars came from, in words: a file's name, and problems that someone accepted.

    >>> source_of("ES.csv", ("coarse_prices", "time_zone"))
    'ES.csv, taken in spite of coarse_prices, time_zone'
    """
    return f"{name}, taken in spite of {', '.join(accepted)}" if accepted else name


@dataclass(frozen=True)
class Bars:
    """Bars of one contract, stamped by their open. Make one with :meth:`from_frame`.

    Attributes:
        frame: UTC ``DatetimeIndex`` named "timestamp" (nanoseconds, strictly increasing); columns
            open, high, low, close (float64 points, on the tick grid) and volume (float64 contracts).
        contract: the contract these bars are of.
        source: where they came from, in words: a file's name, or the generator and its seed.
        precomputed: the eleven features (float64, same index) of an already processed file, used
            as they are instead of computing them; None as a rule.
        bar_seconds: length of a bar in seconds, 60 as a rule.
        snapped: off-grid prices that were moved to the grid.
        accepted: kinds of problems, as docs/data.md names them, that someone chose to go on with;
            ``source``, which every artifact made of these bars shows, names them.
        warnings: what the door of every file told of them, a sentence each; None where it has not
            judged them.
    """

    frame: pd.DataFrame
    contract: Contract
    source: str
    precomputed: pd.DataFrame | None = None
    bar_seconds: int = 60
    snapped: int = field(default=0, compare=False)
    accepted: tuple[str, ...] = field(default=(), compare=False)
    warnings: tuple[str, ...] | None = field(default=None, compare=False)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        contract: Contract,
        *,
        source: str,
        snap: bool = False,
        precomputed: pd.DataFrame | None = None,
        bar_seconds: int = 60,
    ) -> Bars:
        """Validate a frame and put its prices on the tick grid.

        Args:
            frame: the columns of :data:`COLUMNS` on a timezone-aware ``DatetimeIndex``.
            contract: supplies the tick size.
            source: where the frame came from, for messages and provenance.
            snap: move any number of off-grid prices to the grid, instead of refusing more than
                :data:`OFF_GRID_LIMIT` of them.
            precomputed: features to use as they are, on the same index.
            bar_seconds: length of a bar.

        Raises:
            InputError: a column is missing, time runs backwards, a price is impossible or off the
                grid; the message names the first bar concerned.
        """
        missing = [name for name in COLUMNS if name not in frame.columns]
        if missing:
            raise InputError(
                f"{source}: no column {', '.join(missing)}; bars need timestamp, {', '.join(COLUMNS)}"
            )
        index = frame.index
        if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
            raise InputError(f"{source}: timestamps carry no time zone; say which they are in")
        twice = [name for name in COLUMNS if list(frame.columns).count(name) > 1]
        if twice:
            raise InputError(f"{source}: more than one column {', '.join(twice)}; keep one of each")
        clean = _as_numbers(frame, COLUMNS, source)
        try:
            clean.index = index.tz_convert("UTC").as_unit("ns").rename("timestamp")
        except pd.errors.OutOfBoundsDatetime:
            raise InputError(
                f"{source}: the time lies outside 1990 to 2059; mend the timestamps or their unit"
            ) from None
        _check_rows(clean, source)
        prices = clean[list(PRICE_COLUMNS)].to_numpy()
        snapped = contract.snap(prices)
        off_grid = np.abs(prices - snapped) > 1e-6 * contract.tick_size
        count = int(off_grid.sum())
        if count > OFF_GRID_LIMIT * prices.size and not snap:
            row, column = np.argwhere(off_grid)[0]
            raise InputError(
                f"{source}: {count} of {prices.size} prices are off the {contract.symbol} grid of "
                f"{contract.tick_size} points (first: {PRICE_COLUMNS[column]} "
                f"{prices[row, column]:.10g} at {clean.index[row]}); pass the right symbol, or ask for "
                "snapping with --snap"
            )
        if snapped.size and snapped.min() <= 0:
            raise InputError(
                f"{source}: a price is zero once it is on the {contract.symbol} grid of "
                f"{contract.tick_size} points; pass the right symbol"
            )
        clean[list(PRICE_COLUMNS)] = snapped
        if precomputed is not None:
            precomputed = _check_precomputed(precomputed, index, source)
            precomputed.index = clean.index
        return cls(clean, contract, source, precomputed, bar_seconds, count)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def timestamps_ns(self) -> NDArray[np.int64]:
        """Bar opens as int64 nanoseconds since 1970 in UTC, shape (T,)."""
        index = self.frame.index
        assert isinstance(index, pd.DatetimeIndex)
        return index.as_unit("ns").asi8

    def session(self, session: Session) -> Bars:
        """Return the bars that a session keeps: all, or 09:30 to 16:59 New York time ("rth").

        Raises:
            InputError: it keeps none of them.
        """
        if session == "all":
            return self
        regular = in_regular_session(new_york_minutes(self.timestamps_ns))
        if len(regular) and not regular.any():
            first, last = self.frame.index[0], self.frame.index[-1]
            raise InputError(
                f"{self.source}: none of its {len(regular):,} bars, {first} to {last}, lies between "
                "09:30 and 16:59 in New York; give bars of the regular session, or say with --tz in "
                "which zone the timestamps are"
            )
        return self.select(regular)

    def select(self, keep: NDArray[np.bool_] | slice) -> Bars:
        """Return the bars where ``keep`` (shape (T,), or a slice) says so."""
        features = None if self.precomputed is None else self.precomputed.iloc[keep]
        return replace(self, frame=self.frame.iloc[keep], precomputed=features)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of contract, timestamps, prices, volume and any precomputed features, in hex."""
        h = hashlib.sha256(repr((self.contract, self.bar_seconds)).encode())
        h.update(np.ascontiguousarray(self.timestamps_ns).tobytes())
        h.update(np.ascontiguousarray(self.frame[list(COLUMNS)].to_numpy()).tobytes())
        if self.precomputed is not None:
            h.update(np.ascontiguousarray(self.precomputed.to_numpy()).tobytes())
        return h.hexdigest()


def _check_rows(frame: pd.DataFrame, source: str) -> None:
    """Refuse the first row that cannot be a bar."""

    def refuse(bad: NDArray[np.bool_], what: str, mend: str) -> None:
        if bad.any():
            row = int(np.argmax(bad))
            values = ", ".join(f"{name} {frame[name].iloc[row]:.10g}" for name in COLUMNS)
            where = f"at {index[row]}" if index[row] is not pd.NaT else f"in row {row + 1:,}"
            raise InputError(
                f"{source}: {what} in {int(bad.sum()):,} of {len(frame):,} rows, first {where} "
                f"({values}); {mend}"
            )

    index = frame.index
    assert isinstance(index, pd.DatetimeIndex)
    # A missing timestamp is the least int64: its step would wrap around, so it is refused first.
    refuse(np.asarray(index.isna()), "a timestamp is missing", "remove the rows")
    refuse(
        (index.asi8 < FIRST_NS) | (index.asi8 >= END_NS),
        "the time lies outside 1990 to 2059",
        "mend the timestamps or their unit",
    )
    step = np.diff(index.asi8, prepend=0)
    values = frame.to_numpy()
    if (step <= 0).any():
        mend = order_mend(index.asi8, values[:, :4])
        refuse(step <= 0, "time stands still or runs backwards", mend)
    refuse(~np.isfinite(values).all(1), "a value is missing or infinite", "remove or repair the rows")
    o, h, low, c, v = values.T
    least = values[:, :4].min(1, initial=np.inf)
    refuse(least <= 0, "a price is not positive", not_positive_mend(least))
    refuse(
        (h < low) | (h < np.maximum(o, c)) | (low > np.minimum(o, c)),
        "high is below, or low above, another price",
        column_order_mend(values[:, :4]),
    )
    refuse(v < 0, "volume is negative", negative_volume_mend(v))


def _as_numbers(frame: pd.DataFrame, names: Sequence[str], source: str) -> pd.DataFrame:
    """Return columns as float64, refusing the first that holds anything else."""
    for name in names:
        try:
            frame[name].astype(np.float64)
        except (TypeError, ValueError):
            raise InputError(
                f"{source}: column {name} holds {frame[name].dtype} values that are not numbers; "
                "mend or remove them"
            ) from None
    return frame.loc[:, list(names)].astype(np.float64)


def _check_precomputed(features: pd.DataFrame, index: pd.Index, source: str) -> pd.DataFrame:
    """Refuse features that are not those of these bars, or are not numbers where they are defined."""
    missing = [name for name in FEATURES if name not in features.columns]
    if missing:
        raise InputError(
            f"{source}: no feature column {', '.join(missing)}; a processed file needs "
            f"{', '.join(FEATURES)}"
        )
    if len(features) != len(index):
        raise InputError(
            f"{source}: {len(features):,} feature rows for {len(index):,} bars; give "
            "the features of every bar"
        )
    if not features.index.equals(index):
        raise InputError(
            f"{source}: the feature rows carry other timestamps than the bars; give features on the "
            "bars' own index"
        )
    clean = _as_numbers(features, FEATURES, source)
    defined = np.isfinite(clean.to_numpy())
    # Features need a history, so NaN may stand at the start of a column, and nowhere else.
    hole = np.isinf(clean.to_numpy()) | (~defined & np.logical_or.accumulate(defined, axis=0))
    if hole.any():
        row, column = np.argwhere(hole)[0]
        raise InputError(
            f"{source}: feature {FEATURES[column]} is missing or infinite at {index[row]}, after its "
            "first value; mend the file, or let the features be computed from its bars"
        )
    return clean

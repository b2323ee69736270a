"""What bars look like: the statistics that the documentation compares real and synthetic bars by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from markets.bars import Bars
from markets.clock import new_york_dates, new_york_minutes

Floats = NDArray[np.float64]

SESSION_GAP_MINUTES = 30
"""A longer break between two bars begins a new session; moves across it are gaps, not returns."""
LAGS = (1, 5, 20, 60)
"""Bars apart, for the autocorrelation of absolute returns."""
HOURS = {
    "night": (1080, 570),
    "open": (570, 600),
    "midday": (720, 810),
    "last_half_hour": (930, 960),
    "after_close": (960, 1020),
}
"""Parts of the day in New York minutes: from, until; night runs over midnight."""
SAME = 1e-12
"""Share of the largest value up to which a spread is rounding alone."""
_NS_PER_MINUTE = 60_000_000_000


def describe(bars: Bars) -> dict[str, float]:
    """Return statistics of bars; lengths are in ticks, and what cannot be computed is NaN.

    A return is close less previous close within a session. ``*_within_day`` statistics divide each
    session's returns by its own standard deviation first. ``volume_*`` and ``move_*`` (mean absolute
    return) of a part of the day are relative to the mean of all bars given.

    Args:
        bars: any length of bar, at least one of them.

    Returns:
        One float per name, in a fixed order.
    """
    frame = bars.frame
    opened, high, low, close = (
        bars.contract.to_ticks(frame[name]).astype(np.float64)
        for name in ("open", "high", "low", "close")
    )
    volume = frame["volume"].to_numpy()
    stamps = bars.timestamps_ns
    begins = np.diff(stamps, prepend=stamps[0]) > SESSION_GAP_MINUTES * _NS_PER_MINUTE
    session = np.cumsum(begins, dtype=np.int64)
    moves = np.diff(close, prepend=np.nan)
    moves[begins] = np.nan
    inside = np.isfinite(moves)
    jumps = np.abs(opened[1:] - close[:-1])[inside[1:]]
    gaps = (opened[1:] - close[:-1])[begins[1:]]
    spans, bodies = high - low, np.abs(close - opened)
    day_sds = np.array([_sd(moves[(session == s) & inside]) for s in range(session[-1] + 1)])
    scaled = moves / np.where(day_sds > 0, day_sds, np.nan)[session]
    statistics = {
        "bars": float(len(bars)),
        "sessions": float(session[-1] + 1),
        "return_sd": _sd(moves[inside]),
        "return_kurtosis_excess": _kurtosis(moves[inside]),
        "return_kurtosis_excess_within_day": _kurtosis(scaled[np.isfinite(scaled)]),
        "session_sd_median": _median(day_sds[np.isfinite(day_sds)]),
        "session_sd_log_sd": _sd(np.log(day_sds[day_sds > 0])),
        "return_autocorrelation_1": _autocorrelation(moves, session, 1),
        **{
            f"abs_return_autocorrelation_{k}": _autocorrelation(np.abs(moves), session, k) for k in LAGS
        },
        **{
            f"abs_return_autocorrelation_{k}_within_day": _autocorrelation(np.abs(scaled), session, k)
            for k in LAGS
        },
        "range_mean": float(spans.mean()),
        "body_to_range": _ratio(bodies.mean(), spans.mean()),
        "zero_range_share": float(np.mean(spans == 0)),
        "one_tick_range_share": float(np.mean(spans == 1)),
        "zero_body_share": float(np.mean(bodies == 0)),
        "close_at_extreme_share": float(np.mean((close == high) | (close == low))),
        "open_at_previous_close_share": _share(jumps == 0),
        "open_one_tick_off_share": _share(jumps == 1),
        "session_gap_sd": _sd(gaps),
        "session_gap_abs_median": _median(np.abs(gaps)),
        "volume_mean": float(volume.mean()),
        "zero_volume_share": float(np.mean(volume == 0)),
        "log_volume_log_range_correlation": _correlation(np.log(volume + 0.5), np.log(spans + 0.5)),
    }
    minutes = new_york_minutes(stamps)
    for name, (begin, end) in HOURS.items():
        here = (minutes >= begin) & (minutes < end)
        if begin > end:
            here = (minutes >= begin) | (minutes < end)
        statistics[f"volume_{name}"] = _ratio(_mean(volume[here]), float(volume.mean()))
        statistics[f"move_{name}"] = _ratio(
            _mean(np.abs(moves[here & inside])), _mean(np.abs(moves[inside]))
        )
    return statistics


def front_month(bars: Bars) -> Bars:
    """Return the New York dates whose volume is at least a third of the median date's.

    A file of one contract begins before that contract is the one traded, with a few contracts a
    minute; those dates, and holidays, are not the market that anyone trades.
    """
    dates, of_bar = np.unique(new_york_dates(bars.timestamps_ns), return_inverse=True)
    totals = np.bincount(of_bar, bars.frame["volume"].to_numpy(), len(dates))
    return bars.select((totals >= np.median(totals) / 3)[of_bar])


def _mean(x: Floats) -> float:
    return float(x.mean()) if x.size else float("nan")


def _median(x: Floats) -> float:
    return float(np.median(x)) if x.size else float("nan")


def _sd(x: Floats) -> float:
    return float(x.std(ddof=1)) if x.size > 1 else float("nan")


def _ratio(top: float, bottom: float) -> float:
    return float(top / bottom) if bottom > 0 else float("nan")


def _share(x: NDArray[np.bool_]) -> float:
    return float(x.mean()) if x.size else float("nan")


def _varies(x: Floats) -> bool:
    """Return whether values differ by more than the rounding of their mean."""
    return bool(x.std() > SAME * np.abs(x).max())


def _kurtosis(x: Floats) -> float:
    """Return the fourth standardised moment less 3: 0 for a normal distribution."""
    if x.size < 4 or not _varies(x):
        return float("nan")
    return float(np.mean(((x - x.mean()) / x.std()) ** 4)) - 3.0


def _correlation(x: Floats, y: Floats) -> float:
    if x.size < 3 or not (_varies(x) and _varies(y)):
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def _autocorrelation(x: Floats, session: NDArray[np.int64], lag: int) -> float:
    """Return the correlation of pairs ``lag`` bars apart within one session; NaNs are left out."""
    early, late = x[:-lag], x[lag:]
    keep = (session[:-lag] == session[lag:]) & np.isfinite(early) & np.isfinite(late)
    return _correlation(early[keep], late[keep])

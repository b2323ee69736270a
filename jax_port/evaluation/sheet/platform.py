"""NinjaTrader's performance statistics of closed trades, under its own names and definitions.

The definitions are those of the platform's help page "Statistics Definitions", in currency, so that the
numbers can be laid beside its Strategy Analyzer. What that page leaves open is decided here and said in
``docs/evaluation.md``: a month is a calendar month, its spread the sample's, the risk-free rate zero.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jax_port.evaluation.sheet.calendar import by_month
from jax_port.evaluation.sheet.excursions import Excursions
from jax_port.evaluation.sheet.ratios import ulcer_index
from markets.clock import new_york_dates

Cents = NDArray[np.int64]


def statistics(
    trades: pd.DataFrame, reach: Excursions, commission_cents: int, days: int
) -> dict[str, Any]:
    """Return the platform's statistics; money in dollars, times in minutes, NaN where there is none.

    Args:
        trades: closed, of one account, in the order in which they were opened. Two may overlap, where
            an episode that began on a half day runs on into the next day.
        reach: MAE, MFE and ETD of each.
        commission_cents: of one trade, both sides.
        days: trading days that were evaluated.
    """
    entered, left = (pd.DatetimeIndex(trades[name]) for name in ("entry_time", "exit_time"))
    booked = np.argsort(left.as_unit("ns").asi8, kind="stable")  # the order in which profit is made
    pnl = np.rint(trades["pnl"].to_numpy(np.float64) * 100).astype(np.int64)[booked]
    won, lost = pnl[pnl > 0], pnl[pnl < 0]
    curve = np.cumsum(pnl)
    months = _months(left[booked], pnl)
    held = (left - entered).total_seconds().to_numpy() / 60
    return {
        "total_net_profit": int(pnl.sum()) / 100,
        "gross_profit": int(won.sum()) / 100,
        "gross_loss": int(lost.sum()) / 100,
        "commission": commission_cents * len(pnl) / 100,
        "profit_factor": _ratio(float(won.sum()), -float(lost.sum())),
        "max_drawdown": -_fall(curve) / 100,
        "sharpe_ratio": _ratio(_mean(months), float(months.std(ddof=1)) if len(months) > 1 else 0.0),
        "sortino_ratio": _ratio(_mean(months), _downside(months)),
        "ulcer_index": ulcer_index(curve) / 100,
        "r_squared": _r_squared(curve),
        "total_trades": len(pnl),
        "percent_profitable": _ratio(float(len(won)), float(len(pnl))),
        "winning_trades": len(won),
        "losing_trades": len(lost),
        "even_trades": len(pnl) - len(won) - len(lost),
        "average_trade": _mean(pnl) / 100,
        "average_winning_trade": _mean(won) / 100,
        "average_losing_trade": _mean(lost) / 100,
        "average_win_by_average_loss": _ratio(_mean(won), -_mean(lost)),
        "max_consecutive_winners": longest_run(pnl > 0),
        "max_consecutive_losers": longest_run(pnl < 0),
        "largest_winning_trade": float(won.max()) / 100 if len(won) else math.nan,
        "largest_losing_trade": float(lost.min()) / 100 if len(lost) else math.nan,
        "average_trades_per_day": _ratio(float(len(pnl)), float(days)),
        "average_time_in_market": _mean(held),
        "average_bars_in_trade": _mean((trades["exit_step"] - trades["entry_step"]).to_numpy()),
        "profit_per_month": _mean(months) / 100,
        "max_time_to_recover": _time_to_recover(curve, left[booked]),
        "longest_flat_period": _longest_flat(entered, left),
        "average_mae": _mean(reach.mae) / 100,
        "average_mfe": _mean(reach.mfe) / 100,
        "average_etd": (_mean(reach.mfe) - _mean(pnl)) / 100,
    }


def longest_run(flags: NDArray[np.bool_]) -> int:
    """Return how many True stand in a row at most."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def _months(left: pd.DatetimeIndex, pnl: Cents) -> NDArray[np.float64]:
    """Return the cents of each month, by the New York date of exit."""
    if not len(pnl):
        return np.empty(0)
    dates = new_york_dates(left.as_unit("ns").asi8)
    days = pd.Series(dates.astype("datetime64[D]").astype("datetime64[s]"))
    return by_month(days, pnl).to_numpy(np.float64)


def _downside(months: NDArray[np.float64]) -> float:
    return math.sqrt(float(np.square(np.minimum(months, 0)).mean())) if len(months) > 1 else 0.0


def _fall(curve: Cents) -> int:
    values = np.concatenate([[0], curve])
    return int((np.maximum.accumulate(values) - values).max())


def _r_squared(curve: Cents) -> float:
    """Return how near the cumulative profit lies to a straight line over the trades: 1 is on it."""
    if len(curve) < 3 or not np.ptp(curve):
        return math.nan
    return float(np.corrcoef(np.arange(len(curve)), curve.astype(np.float64))[0, 1] ** 2)


def _time_to_recover(curve: Cents, left: pd.DatetimeIndex) -> float:
    """Return the longest time from a highest cumulative profit to the next one as high, in minutes.

    A fall that is not made good counts until the last trade.
    """
    if not len(curve):
        return math.nan
    values = np.concatenate([[0], curve])
    stamps = left.as_unit("s").asi8
    stamps = np.concatenate([stamps[:1], stamps])
    at_peak = values >= np.maximum.accumulate(values)
    peaks = np.maximum.accumulate(np.where(at_peak, np.arange(len(values)), 0))
    before = np.concatenate([[0], peaks[:-1]])
    # Only where a fall lies between: from the peak before it to the trade that made it good.
    fell = ~at_peak | (np.concatenate([[True], at_peak[:-1]]) == 0)
    return float(((stamps - stamps[before]) * fell).max()) / 60


def _longest_flat(entered: pd.DatetimeIndex, left: pd.DatetimeIndex) -> float:
    """Return the longest time in no trade between the first and the last, in minutes, at least 0."""
    if len(entered) < 2:
        return math.nan
    out = np.maximum.accumulate(left.as_unit("s").asi8)  # the last of those so far that overlap
    flat = entered[1:].as_unit("s").asi8 - out[:-1]
    return max(0.0, float(flat.max()) / 60)


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else math.nan


def _ratio(over: float, under: float) -> float:
    return over / under if under else math.nan

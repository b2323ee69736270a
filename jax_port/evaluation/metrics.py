"""Metrics of an evaluation: the account's curve, the mean over all starts, and the trades.

Money is summed in whole cents and handed out in dollars. What cannot be computed, such as the win
rate of no trade, is NaN.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jax_port.evaluation.evaluate import Evaluation
from jax_port.evaluation.resampling import FEWEST_DAYS, RESAMPLES, percentiles
from markets.clock import new_york_minutes

EXITS = {1: "stop", 2: "target", 3: "late close", 4: "drawdown"}
ENDS = {1: "drawdown", 2: "late close", 3: "end of data", 4: "bar limit"}
DAYS_A_YEAR = 252

Cents = NDArray[np.int64]


def summarize(result: Evaluation) -> dict[str, dict[str, Any]]:
    """Return "account", "starts" and "trades"; see the functions of those names."""
    return {
        "account": account(result),
        "starts": starts(result.episodes),
        "trades": {"of": result.trades_of, **trades(result.trades)},
    }


def cents(dollars: Any) -> Cents:
    """Return dollars as whole cents."""
    return np.rint(np.asarray(dollars, np.float64) * 100).astype(np.int64)


def chain(equity: pd.DataFrame) -> Cents:
    """Return one account's equity in cents: each episode begins where the one before ended.

    Args:
        equity: as ``Evaluation.equity``.

    Returns:
        One number a row; the first is the initial balance.
    """
    own = cents(equity["equity"])
    change = np.diff(own, prepend=own[:1])
    change[equity["step"].to_numpy() == 0] = 0
    return own[:1] + np.cumsum(change)


def below_peak(curve: Cents) -> Cents:
    """Return how far a curve is below its highest value so far, in cents, at least 0."""
    return np.maximum.accumulate(curve) - curve


def daily(result: Evaluation) -> pd.DataFrame:
    """Return one row a day: day, pnl, closed, open (dollars), trades, steps, end.

    ``pnl`` is the sum of ``closed``, of closed trades, and ``open``, of a trade marked at the end;
    ``steps`` are the bars; ``end`` is why the episode ended, in words.
    """
    rows = result.episodes[result.episodes["daily"]]
    return pd.DataFrame(
        {
            "day": rows["day"].to_numpy(),
            "pnl": (cents(rows["pnl"]) + cents(rows["open_pnl"])) / 100,
            "closed": cents(rows["pnl"]) / 100,
            "open": cents(rows["open_pnl"]) / 100,
            "trades": rows["trades"].to_numpy(),
            "steps": rows["steps"].to_numpy(),
            "end": [ENDS[reason] for reason in rows["done_reason"]],
        }
    )


def account(result: Evaluation) -> dict[str, Any]:
    """Return what one account made with one episode a day.

    Keys: days; closed_pnl and open_pnl (dollars; open trades are marked at the last close of their
    episode), pnl (their sum); mean_day, sd_day (sample), best_day, worst_day (dollars);
    winning_days (share); sharpe_day (mean / sd) and sharpe_year (x sqrt(252)); max_drawdown
    (dollars, of the curve at every bar's close below its peak); exposure (share of bars that ended
    with an open position); run_on (episodes that run on into the next New York day).
    """
    rows = result.episodes[result.episodes["daily"]]
    pnl = cents(daily(result)["pnl"])
    closed, still_open = int(cents(rows["pnl"]).sum()), int(cents(rows["open_pnl"]).sum())
    sharpe = _ratio(_mean(pnl), _sd(pnl))
    return {
        "days": len(rows),
        "closed_pnl": closed / 100,
        "open_pnl": still_open / 100,
        "pnl": (closed + still_open) / 100,
        "mean_day": _mean(pnl) / 100,
        "sd_day": _sd(pnl) / 100,
        "best_day": int(pnl.max()) / 100,
        "worst_day": int(pnl.min()) / 100,
        "winning_days": float((pnl > 0).mean()),
        "sharpe_day": sharpe,
        "sharpe_year": sharpe * math.sqrt(DAYS_A_YEAR),
        "max_drawdown": int(below_peak(chain(result.equity)).max()) / 100,
        "exposure": _ratio(float(rows["open_bars"].sum()), float(rows["steps"].sum())),
        "run_on": _run_on(result),
    }


def _run_on(result: Evaluation) -> int:
    last = result.equity.groupby("episode")["time"].max()
    days = last.dt.tz_convert("America/New_York").dt.tz_localize(None).dt.normalize()
    began = result.episodes.set_index("episode").loc[last.index, "day"]
    return int((days.to_numpy() > began.to_numpy()).sum())


def starts(episodes: pd.DataFrame) -> dict[str, Any]:
    """Return how episodes go from any start, as training draws them.

    Keys: episodes, days; mean_pnl, median_pnl, sd_pnl (dollars of closed trades), with mean_low and
    mean_high, a 95% interval of the mean; winning (share with a PnL above zero); mean_reward,
    mean_steps, mean_trades; exposure; worst_drawdown (dollars); ends (episodes by done reason).
    """
    pnl = episodes["pnl"].to_numpy(np.float64)
    low, high = interval(pnl, episodes["day"].to_numpy())
    ends = episodes["done_reason"].value_counts()
    return {
        "episodes": len(episodes),
        "days": int(episodes["day"].nunique()),
        "mean_pnl": int(cents(pnl).sum()) / 100 / len(pnl),
        "mean_low": low,
        "mean_high": high,
        "median_pnl": float(np.median(pnl)),
        "sd_pnl": _sd(cents(pnl)) / 100,
        "winning": float((pnl > 0).mean()),
        "mean_reward": _mean(episodes["reward"].to_numpy()),
        "mean_steps": _mean(episodes["steps"].to_numpy()),
        "mean_trades": _mean(episodes["trades"].to_numpy()),
        "exposure": _ratio(float(episodes["open_bars"].sum()), float(episodes["steps"].sum())),
        "worst_drawdown": float(episodes["max_drawdown"].max()),
        "ends": {word: int(ends.get(code, 0)) for code, word in ENDS.items()},
    }


def interval(values: NDArray[np.float64], groups: NDArray[Any]) -> tuple[float, float]:
    """Return a 95% bootstrap interval of the mean, resampling whole groups; NaN with fewer than five.

    Episodes of one day share most of their bars, so single episodes would give an interval that is
    far too narrow. Its ends are those of :func:`jax_port.evaluation.resampling.percentiles`. The same
    values give the same interval.

    Args:
        values: float64, shape (N,).
        groups: what belongs together, shape (N,); days, for example.
    """
    _, group = np.unique(groups, return_inverse=True)
    counts = np.bincount(group)
    sums = np.bincount(group, weights=values)
    if len(counts) < FEWEST_DAYS:
        return math.nan, math.nan
    drawn = np.random.default_rng(0).integers(len(counts), size=(RESAMPLES, len(counts)))
    low, high = np.percentile(sums[drawn].sum(1) / counts[drawn].sum(1), percentiles(len(counts)))
    return float(low), float(high)


def trades(table: pd.DataFrame) -> dict[str, Any]:
    """Return what closed trades made: :func:`of_trades`, and the same by exit, side and hour.

    ``by_hour`` is by the New York hour of entry, from the first hour with a trade to the last.
    """
    stamps = pd.DatetimeIndex(table["entry_time"]).as_unit("ns").asi8
    hours = new_york_minutes(stamps) // 60
    present = range(int(hours.min()), int(hours.max()) + 1) if len(hours) else range(0)
    return {
        **of_trades(table),
        "by_exit": {word: of_trades(table[table["exit_code"] == code]) for code, word in EXITS.items()},
        "by_side": {side: of_trades(table[table["side"] == side]) for side in ("long", "short")},
        "by_hour": {f"{hour:02d}": of_trades(table[hours == hour]) for hour in present},
    }


def of_trades(table: pd.DataFrame) -> dict[str, Any]:
    """Return statistics of closed trades; a win is a PnL above zero, all else a loss.

    Keys: trades; pnl (dollars); win_rate; profit_factor (won / lost; NaN where nothing was lost);
    expectancy (mean PnL); mean_win, mean_loss (dollars); mean_bars (from entry to exit).
    """
    pnl = cents(table["pnl"])
    won, lost = pnl[pnl > 0], pnl[pnl <= 0]
    return {
        "trades": len(pnl),
        "pnl": int(pnl.sum()) / 100,
        "win_rate": _ratio(float(len(won)), float(len(pnl))),
        "profit_factor": _ratio(float(won.sum()), -float(lost.sum())),
        "expectancy": _mean(pnl) / 100,
        "mean_win": _mean(won) / 100,
        "mean_loss": _mean(lost) / 100,
        "mean_bars": _mean((table["exit_step"] - table["entry_step"]).to_numpy()),
    }


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else math.nan


def _sd(values: NDArray[Any]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


def _ratio(over: float, under: float) -> float:
    return over / under if under else math.nan

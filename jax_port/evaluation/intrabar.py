"""Evaluation by the minute and by the second, side by side.

Source: section 8 of ``docs/environment.md``. The policy sees the same bars and takes the same actions
either way, since no observation holds the floor. The floor of the seconds is never below that of the
minutes, so they can only end an episode sooner, or at another price, and always by drawdown. A fusion
under "veto" is the exception: it goes by the floor, so its actions may differ from there on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jax_port.data.data_loader import PreparedMarket
from jax_port.data.seconds_loader import PreparedSeconds
from jax_port.evaluation.advice.advised import Advised
from jax_port.evaluation.episodes import LANES
from jax_port.evaluation.evaluate import Evaluation, Starts, check_seconds, evaluate
from jax_port.evaluation.metrics import cents, summarize
from jax_port.ppo.policy import Policy
from markets import InputError

COMPARED = ("done_reason", "steps", "pnl", "open_pnl")
"""Columns of ``Evaluation.episodes`` in which an episode's two verdicts may differ."""
DRAWDOWN = 1
"""Done reason and key of an episode that the floor ended."""
MOST_LISTED = 500
"""Differing episodes that are listed among the numbers; the table has all."""


@dataclass(frozen=True)
class Verdicts:
    """The same policy on the same starts, looked at once a minute and in every second.

    Attributes:
        minute, second: both evaluations, row by row of the same starts.
        seconds: what the second was played on.
        minutes: bars that the episodes can trade.
        minutes_without: how many of these have no second, and are judged at their close alone.
    """

    minute: Evaluation
    second: Evaluation
    seconds: PreparedSeconds
    minutes: int
    minutes_without: int


def evaluate_both(
    policy: Policy,
    market: PreparedMarket,
    seconds: PreparedSeconds,
    *,
    rows: NDArray[np.integer[Any]] | Sequence[int] | None = None,
    trades_of: Starts = "daily",
    lanes: int = LANES,
    on_batch: Callable[[int], None] | None = None,
    advice: Advised | None = None,
) -> Verdicts:
    """Play every given start twice: by the minute, then by the second.

    Args:
        policy, market, rows, trades_of, lanes, on_batch, advice: as for
            :func:`jax_port.evaluation.evaluate.evaluate`.
        seconds: of the market's bars.

    Raises:
        InputError: as for ``evaluate``, or not one bar that the episodes can trade has a second.
    """
    check_seconds(seconds, market)
    given = np.asarray(market.starts if rows is None else rows, np.int64)
    traded = bars_within(given, policy.config.max_episode_bars, len(market))
    without = traded & ~(seconds.high >= seconds.low).any(axis=1)
    if traded.any() and (without == traded).all():
        raise InputError(
            f"{seconds.source}: no second lies within the bars of {market.source} that the episodes "
            "can trade; give seconds of these days, or choose others with --from and --to"
        )

    def play(of: PreparedSeconds | None) -> Evaluation:
        return evaluate(
            policy,
            market,
            rows=given,
            trades_of=trades_of,
            seconds=of,
            lanes=lanes,
            on_batch=on_batch,
            advice=advice,
        )

    return Verdicts(play(None), play(seconds), seconds, int(traded.sum()), int(without.sum()))


def bars_within(rows: NDArray[np.int64], length: int, count: int) -> NDArray[np.bool_]:
    """Return which of ``count`` bars lie within ``length`` bars of a row, shape (count,)."""
    rows = rows[(rows >= 0) & (rows < count)]
    edges = np.zeros(count + length + 1, np.int64)
    np.add.at(edges, rows, 1)
    np.add.at(edges, rows + length, -1)
    return np.cumsum(edges)[:count] > 0


def side_by_side(verdicts: Verdicts) -> pd.DataFrame:
    """Return one row a start: episode, start, start_time, day, daily, differs, and both verdicts.

    Each of :data:`COMPARED` is there twice, with ``_minute`` and ``_second`` after its name; money in
    dollars. ``pnl_difference`` is what the second's verdict makes more, open trades included.
    """
    minute, second = verdicts.minute.episodes, verdicts.second.episodes
    table = minute[["episode", "start", "start_time", "day", "daily"]].copy()
    unequal = [minute[name].to_numpy() != second[name].to_numpy() for name in COMPARED]
    table["differs"] = np.logical_or.reduce(unequal)
    for name in COMPARED:
        table[f"{name}_minute"] = minute[name]
        table[f"{name}_second"] = second[name]
    made = [cents(rows["pnl"]) + cents(rows["open_pnl"]) for rows in (minute, second)]
    table["pnl_difference"] = (made[1] - made[0]) / 100
    return table


def differing(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of :func:`side_by_side` that differ, the daily episodes first."""
    return table[table["differs"]].sort_values(
        "daily", ascending=False, kind="stable", ignore_index=True
    )


def compare(
    verdicts: Verdicts, table: pd.DataFrame, by_minute: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return both verdicts and what lies between them, as plain values.

    Args:
        verdicts: as played.
        table: from :func:`side_by_side`.
        by_minute: ``summarize`` of the minute's.

    Returns:
        source, sha256, minutes, minutes_without; "minute", "second" and "difference" (second less
        minute), each the numbers of :func:`headline`; "performance", all numbers of the second's;
        "differ", how many of the starts and of the daily episodes; "episodes", the first
        :data:`MOST_LISTED` of these.
    """
    by_second = summarize(verdicts.second)
    minute = headline(verdicts.minute, by_minute)
    second = headline(verdicts.second, by_second)
    rows = differing(table)
    return {
        "source": verdicts.seconds.source,
        "sha256": verdicts.seconds.digest,
        "minutes": verdicts.minutes,
        "minutes_without": verdicts.minutes_without,
        "minute": minute,
        "second": second,
        "difference": {name: _less(second[name], minute[name]) for name in minute},
        "performance": by_second,
        "differ": {"starts": len(rows), "daily": int(rows["daily"].sum())},
        "episodes": [_listed(row) for row in rows.head(MOST_LISTED).to_dict("records")],
    }


def headline(result: Evaluation, summary: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return what a verdict comes to.

    Keys: pnl, worst_day, max_drawdown (dollars, one episode a day); days_broken (daily episodes that
    drawdown ended); mean_pnl (dollars), episodes_broken (of every start); trades, liquidated (closed
    trades of the table, and those that drawdown closed).
    """
    account, starts, trades = (summary[name] for name in ("account", "starts", "trades"))
    daily = result.episodes[result.episodes["daily"]]
    return {
        "pnl": account["pnl"],
        "worst_day": account["worst_day"],
        "max_drawdown": account["max_drawdown"],
        "days_broken": int((daily["done_reason"] == DRAWDOWN).sum()),
        "mean_pnl": starts["mean_pnl"],
        "episodes_broken": int((result.episodes["done_reason"] == DRAWDOWN).sum()),
        "trades": trades["trades"],
        "liquidated": trades["by_exit"]["drawdown"]["trades"],
    }


def _less(more: float, less: float) -> float:
    """Return a difference: of dollars to the cent, of counts as a whole number."""
    return more - less if isinstance(more, int) else round(more - less, 2)


def _listed(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a differing episode as plain values."""
    stamps = {
        "start_time": row["start_time"].isoformat(),
        "day": row["day"].date().isoformat(),
    }
    return {str(name): value for name, value in {**row, **stamps}.items() if name != "differs"}

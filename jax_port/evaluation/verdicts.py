"""Both verdicts side by side, in words: for the page and for the console."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from jax_port.evaluation.format import count, show_money, show_number
from jax_port.evaluation.metrics import ENDS

MOST_SHOWN = 12
"""Differing episodes on the page."""

_ROWS = (
    ("pnl", "Total PnL, one episode a day"),
    ("worst_day", "worst day"),
    ("max_drawdown", "max drawdown, at every bar's close"),
    ("days_broken", "days ended by drawdown"),
    ("mean_pnl", "Mean PnL of an episode, every start"),
    ("episodes_broken", "episodes ended by drawdown"),
    ("trades", "Trades listed"),
    ("liquidated", "closed by drawdown"),
)
_COUNTS = ("days_broken", "episodes_broken", "trades", "liquidated")


def verdict_rows(seconds: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return label, minute, second and difference of every number that both verdicts have.

    Args:
        seconds: what :func:`jax_port.evaluation.intrabar.compare` returns.
    """
    rows = []
    for name, label in _ROWS:
        shown = show_number if name in _COUNTS else show_money
        difference = seconds["difference"][name]
        sign = "+" if difference > 0 else ""
        rows.append(
            {
                "label": label,
                "minute": shown(seconds["minute"][name]),
                "second": shown(seconds["second"][name]),
                "difference": f"{sign}{shown(difference)}" if difference else "same",
            }
        )
    return rows


def episode_rows(seconds: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the first :data:`MOST_SHOWN` differing episodes, for a table.

    Each has day, start (New York), kind ("daily" or ""), and for minute and second the end in words,
    the bars and the PnL with open trades marked; difference is the second's less the minute's.
    """
    rows = []
    for episode in seconds["episodes"][:MOST_SHOWN]:
        start = pd.Timestamp(episode["start_time"]).tz_convert("America/New_York")
        row: dict[str, Any] = {
            "day": episode["day"],
            "start": f"{start:%H:%M}",
            "daily": episode["daily"],
            "difference": episode["pnl_difference"],
        }
        for verdict in ("minute", "second"):
            row[verdict] = {
                "end": ENDS[episode[f"done_reason_{verdict}"]],
                "bars": episode[f"steps_{verdict}"],
                "pnl": episode[f"pnl_{verdict}"] + episode[f"open_pnl_{verdict}"],
            }
        rows.append(row)
    return rows


def verdict_pill(values: Mapping[str, Any]) -> tuple[str, str]:
    """Return (tone, words) on what every second changes."""
    seconds, performance = values["seconds"], values["performance"]
    differ, total = seconds["differ"], performance["starts"]["episodes"]
    if not differ["starts"]:
        return "good", "every second: the same verdict on every episode"
    days = f"{differ['daily']:,} of {count(performance['account']['days'], 'day')}"
    return "warn", f"every second: another verdict on {days}, {differ['starts']:,} of {total:,} starts"


def coverage(seconds: Mapping[str, Any]) -> str:
    """Return how many of the minutes that could be traded have seconds, in words."""
    minutes, without = seconds["minutes"], seconds["minutes_without"]
    if not without:
        return f"all {minutes:,} minutes that could be traded have seconds"
    return f"{without:,} of {minutes:,} minutes that could be traded have none"

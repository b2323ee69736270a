"""What a log's lines stand for, and how an account's fills differ from what the environment assumes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foundation.report.format import count
from parity.live_replay.decision_log import MODES, LiveLog
from parity.live_replay.fills import Matched

AccountFill = dict[str, Any]
"""A fill on an account, simulated or real, as :func:`account_fills` gives it."""


def modes_of(log: LiveLog) -> dict[str, dict[str, int]]:
    """Return bars, decisions, entries held back and fills of each mode that the log has."""
    bars = Counter(log.mode)
    decisions = Counter(mode for mode, action in zip(log.mode, log.action, strict=True) if action >= 0)
    withheld = Counter(mode for mode, why in zip(log.mode, log.withheld, strict=True) if why)
    fills = Counter(fill.mode for between in log.between for fill in between.fills)
    return {
        mode: {
            "bars": bars[mode],
            "decisions": decisions[mode],
            "withheld": withheld[mode],
            "fills": fills[mode],
        }
        for mode in MODES
        if bars[mode] or fills[mode]
    }


def account_fills(fills: Sequence[Matched], minute: NDArray[np.int64]) -> list[AccountFill]:
    """Return an account's fills as plain values: "fill", New York "hour", "worse_ticks", "latency_ms".

    Historical, virtual and backtest fills are left out: they say nothing of a market.

    Args:
        fills: those that the rules made too.
        minute: (T,) New York minute of each bar.
    """
    return [
        {
            "fill": fill.name,
            "hour": int(minute[fill.bar]) // 60,
            "worse_ticks": float(fill.worse_ticks),
            "latency_ms": fill.latency_ms,
        }
        for fill in fills
        if fill.mode == "live"
    ]


def fill_quality(fills: Sequence[AccountFill]) -> list[dict[str, Any]]:
    """Return how an account filled, by kind of fill and by New York hour.

    Args:
        fills: of :func:`account_fills`, of one log or of several.

    Returns:
        For each kind and hour: the number of fills, ticks worse than the rules' price (mean and worst;
        below zero is better), and milliseconds from order to fill (median and longest; None where all
        waited at the broker).
    """
    groups: dict[tuple[str, int], list[AccountFill]] = {}
    for fill in fills:
        groups.setdefault((fill["fill"], fill["hour"]), []).append(fill)
    return [
        {"fill": name, "hour": hour, **_measured(group)}
        for (name, hour), group in sorted(groups.items())
    ]


def fill_costs(
    fills: Sequence[AccountFill], tick_dollars: float, slippage_ticks: int
) -> dict[str, Any] | None:
    """Return what an account's fills cost beside the environment's assumption; None without any.

    The environment fills a market order at the close of the bar it is decided on, worse by the
    contract's slippage, and a stop or a target at its own price, all at once.

    Args:
        fills: of :func:`account_fills`, of one log or of several.
        tick_dollars: what a tick of one contract is worth.
        slippage_ticks: that the environment assumes.

    Returns:
        The number of fills and of those exactly at the rules' price; ticks worse (mean, worst) and
        dollars worse a contract, all fills together; latency as in :func:`fill_quality`; ``by_hour``,
        the same for each New York hour; and what is assumed.
    """
    if not fills:
        return None
    hours: dict[int, list[AccountFill]] = {}
    for fill in fills:
        hours.setdefault(fill["hour"], []).append(fill)
    return {
        **_measured(fills),
        "exact": sum(fill["worse_ticks"] == 0 for fill in fills),
        "worse_dollars": sum(fill["worse_ticks"] for fill in fills) * tick_dollars,
        "tick_dollars": tick_dollars,
        "assumed_slippage_ticks": slippage_ticks,
        "by_hour": [{"hour": hour, **_measured(group)} for hour, group in sorted(hours.items())],
    }


def assumed_words(costs: Mapping[str, Any]) -> str:
    """Return the slippage that the environment assumes, as of :func:`fill_costs`: "1 tick".

    Args:
        costs: also of several logs together, whose contracts may assume different ones.
    """
    assumed = costs["assumed_slippage_ticks"]
    if isinstance(assumed, int):
        return count(assumed, "tick")
    return " or ".join(f"{ticks:,}" for ticks in assumed) + " ticks"


def _measured(fills: Sequence[AccountFill]) -> dict[str, Any]:
    worse = [fill["worse_ticks"] for fill in fills]
    latency = [fill["latency_ms"] for fill in fills if fill["latency_ms"] is not None]
    return {
        "count": len(fills),
        "worse_ticks_mean": float(np.mean(worse)),
        "worse_ticks_most": max(worse),
        "latency_ms_median": float(np.median(latency)) if latency else None,
        "latency_ms_most": max(latency) if latency else None,
    }

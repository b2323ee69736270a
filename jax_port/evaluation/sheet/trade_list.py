"""The list of trades that the page sorts and filters, as compact JSON that stands in it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from jax_port.evaluation.metrics import EXITS, cents
from jax_port.evaluation.sheet.excursions import Excursions
from markets import Contract
from markets.contracts import decimals

MOST_LISTED = 5000
"""Trades in the page; the table beside it has all."""

COLUMNS = (
    "number",
    "day",
    "in",
    "out",
    "minutes",
    "side",
    "entry",
    "exit",
    "left by",
    "PnL",
    "MAE",
    "MFE",
    "ETD",
)


def trade_rows(trades: pd.DataFrame, reach: Excursions, contract: Contract) -> list[list[Any]]:
    """Return one row a trade in :data:`COLUMNS`, the first :data:`MOST_LISTED` of them.

    Days and times are New York's, prices points, money dollars.

    Args:
        trades: closed, of the daily episodes.
        reach: of the same trades.
        contract: for the decimals of its prices.
    """
    shown = trades[:MOST_LISTED]
    entered, left = (
        pd.DatetimeIndex(shown[name]).tz_convert("America/New_York")
        for name in ("entry_time", "exit_time")
    )
    minutes = minutes_of(shown).astype(int).tolist()
    codes, pnl = shown["exit_code"].tolist(), cents(shown["pnl"])
    places = decimals(contract.tick_size)
    return [
        [
            at + 1,
            f"{entered[at]:%Y-%m-%d}",
            f"{entered[at]:%H:%M}",
            f"{left[at]:%H:%M}",
            minutes[at],
            shown["side"].iat[at],
            f"{shown['entry_price'].iat[at]:.{places}f}",
            f"{shown['exit_price'].iat[at]:.{places}f}",
            EXITS[codes[at]],
            int(pnl[at]) / 100,
            int(reach.mae[at]) / 100,
            int(reach.mfe[at]) / 100,
            int(reach.etd[at]) / 100,
        ]
        for at in range(len(shown))
    ]


def minutes_of(trades: pd.DataFrame) -> NDArray[np.float64]:
    """Return minutes from entry to exit, nights and weekends among them: float64 (trades,)."""
    spans = pd.DatetimeIndex(trades["exit_time"]) - pd.DatetimeIndex(trades["entry_time"])
    return np.asarray(spans.total_seconds(), np.float64) / 60


def embedded(rows: list[list[Any]]) -> Markup:
    """Return rows as JSON that can stand in a script element: no "<" ends it early."""
    return Markup(json.dumps(rows, separators=(",", ":")).replace("<", "\\u003c"))

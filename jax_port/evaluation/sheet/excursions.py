"""How far a trade went against and in favour of its trader: MAE, MFE and ETD, from the bars' prices.

The prices are those of the bars after the entry's, up to the exit's, whose range counts whole: a bar
does not tell in which order its prices came. Two bounds are known, though. A trade that was stopped out
went no further than its stop, and one that reached its target no further than that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jax_port.data.data_loader import HIGH, LOW, PreparedMarket

STOP, TARGET = 1, 2
"""Exit codes (section 6 of the environment)."""

Cents = NDArray[np.int64]


@dataclass(frozen=True)
class Excursions:
    """Of every trade, in cents before commission, each of shape (trades,).

    Attributes:
        mae: maximum adverse excursion, furthest against the entry's price, at least 0.
        mfe: maximum favourable excursion, furthest in the trade's favour, at least 0.
        etd: end trade drawdown, what was given back of the MFE: MFE less the profit.
    """

    mae: Cents
    mfe: Cents
    etd: Cents


def excursions(trades: pd.DataFrame, market: PreparedMarket, contracts: int) -> Excursions:
    """Measure every trade against the bars that it was open in.

    Args:
        trades: as ``Evaluation.trades``; steps count the market's bars.
        market: the bars.
        contracts: traded at a time.
    """
    tick = market.contract.tick_value_cents * contracts
    entry = market.contract.to_ticks(trades["entry_price"])
    out = market.contract.to_ticks(trades["exit_price"])
    side = np.where(trades["side"] == "long", 1, -1)
    first = trades["entry_step"].to_numpy(np.int64) + 1
    last = trades["exit_step"].to_numpy(np.int64)
    code = trades["exit_code"].to_numpy(np.int64)
    profit = side * (out - entry)
    worst, best = np.minimum(profit, 0), np.maximum(profit, 0)
    high, low = (market.bars[:, column].astype(np.int64) for column in (HIGH, LOW))
    for at in range(len(trades)):
        bars = slice(first[at], last[at] + 1)
        if first[at] > last[at]:  # opened and liquidated at one close: the bar's range came before
            continue
        reached = side[at] * (np.stack([low[bars], high[bars]]) - entry[at])
        against, favour = reached.min(axis=0), reached.max(axis=0)
        # A level that was reached ended the trade: what its bar did beyond is no part of it.
        against = against[:-1] if code[at] == STOP else against
        favour = favour[:-1] if code[at] == TARGET else favour
        worst[at] = against.min(initial=worst[at])
        best[at] = favour.max(initial=best[at])
    mae, mfe = -worst * tick, best * tick
    return Excursions(mae, mfe, mfe - profit * tick)

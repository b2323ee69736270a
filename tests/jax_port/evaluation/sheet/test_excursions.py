"""MAE, MFE and ETD of trades on bars that are written out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jax_port.evaluation.sheet.excursions import excursions
from markets.contracts import get_contract

ES = get_contract("ES")
# ticks: high and low of bars 0 to 4; a trade is entered at the close of bar 0, at 100
HIGHS, LOWS = [101, 106, 108, 104, 103], [98, 99, 97, 95, 96]


def market() -> Any:
    bars = np.zeros((5, 8), np.int32)
    bars[:, 0], bars[:, 1] = HIGHS, LOWS
    return SimpleNamespace(bars=bars, contract=ES)


def trade(side: str, last: int, out: int, code: int, first: int = 0) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "side": [side],
            "entry_step": [first],
            "exit_step": [last],
            "entry_price": [100 * 0.25],
            "exit_price": [out * 0.25],
            "exit_code": [code],
        }
    )


@pytest.mark.parametrize(
    ("given", "mae", "mfe", "etd"),
    [
        # held to the close of bar 3: lows of bars 1 to 3, not of the entry's own
        (trade("long", 3, 102, 3), 5, 8, 6),
        (trade("short", 3, 102, 3), 8, 5, 7),
        # stopped at 97 in bar 2: no further than that, the bar's high counts
        (trade("long", 2, 97, 1), 3, 8, 11),
        # a target of 107 in bar 2, whose high is 108
        (trade("long", 2, 107, 2), 3, 7, 0),
        # a stop that was moved up to 102 after the low of 97 in bar 2
        (trade("long", 3, 102, 1), 3, 8, 6),
        # short, stopped at 106 in bar 1
        (trade("short", 1, 106, 1), 6, 1, 7),
        # liquidated at the close that it was entered at, with slippage
        (trade("long", 0, 98, 4), 2, 0, 2),
    ],
)
def test_by_hand(given: pd.DataFrame, mae: int, mfe: int, etd: int) -> None:
    found = excursions(given, market(), contracts=2)
    tick = 2 * ES.tick_value_cents
    assert (found.mae.tolist(), found.mfe.tolist(), found.etd.tolist()) == (
        [mae * tick],
        [mfe * tick],
        [etd * tick],
    )


def test_each_of_many_trades_goes_by_its_own_bars_side_and_exit() -> None:
    """700 trades, seven kinds in turn, each as it is measured alone."""
    kinds = [
        (trade("long", 3, 102, 3), 5, 8, 6),
        (trade("short", 3, 102, 3), 8, 5, 7),
        (trade("long", 2, 97, 1), 3, 8, 11),
        (trade("long", 2, 107, 2), 3, 7, 0),
        (trade("short", 1, 106, 1), 6, 1, 7),
        (trade("long", 0, 98, 4), 2, 0, 2),
        (trade("short", 4, 99, 3, first=2), 4, 5, 4),
    ]
    found = excursions(pd.concat([one for one, *_ in kinds] * 100, ignore_index=True), market(), 1)
    for at, name in enumerate(("mae", "mfe", "etd"), 1):
        expected = [kind[at] * ES.tick_value_cents for kind in kinds] * 100
        assert getattr(found, name).tolist() == expected, name


def test_no_trade() -> None:
    found = excursions(trade("long", 1, 100, 1)[:0], market(), 1)
    assert len(found.mae) == len(found.mfe) == len(found.etd) == 0

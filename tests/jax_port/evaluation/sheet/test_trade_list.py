"""The rows of the page's list of trades, and how they stand in it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from jax_port.evaluation.metrics import EXITS
from jax_port.evaluation.sheet.excursions import Excursions, excursions
from jax_port.evaluation.sheet.tear_sheet import of_daily
from jax_port.evaluation.sheet.trade_list import (
    COLUMNS,
    MOST_LISTED,
    embedded,
    minutes_of,
    trade_rows,
)
from markets.contracts import get_contract
from tests.jax_port.evaluation.conftest import Week


def test_rows_are_the_trades(week: Week) -> None:
    trades = of_daily(week.result)
    rows = trade_rows(trades, excursions(trades, week.market, 1), week.market.contract)
    assert len(rows) == len(trades)
    assert {len(row) for row in rows} == {len(COLUMNS)}
    by_name = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    assert by_name["PnL"] == tuple(trades["pnl"])
    assert by_name["number"] == tuple(range(1, len(trades) + 1))
    assert by_name["side"] == tuple(trades["side"])
    assert by_name["left by"] == tuple(EXITS[code] for code in trades["exit_code"])
    first = trades.iloc[0]
    assert by_name["entry"][0] == f"{first['entry_price']:.2f}"
    entered = first["entry_time"].tz_convert("America/New_York")
    assert (by_name["day"][0], by_name["in"][0]) == (f"{entered:%Y-%m-%d}", f"{entered:%H:%M}")
    assert np.allclose(
        np.array(by_name["MFE"]) - np.array(by_name["ETD"]), np.array(by_name["PnL"]) + 5
    )


@pytest.mark.parametrize(
    ("symbol", "entry", "left"),
    [("ES", "5000.25", "5000.50"), ("YM", "42001", "42007"), ("RTY", "2000.3", "2000.4")],
)
def test_a_row_has_the_prices_of_its_market_and_the_clock_of_new_york(
    symbol: str, entry: str, left: str
) -> None:
    trades = pd.DataFrame(
        {
            "entry_time": pd.DatetimeIndex(["2025-07-04 00:30"], tz="UTC"),
            "exit_time": pd.DatetimeIndex(["2025-07-04 03:31"], tz="UTC"),
            "side": ["short"],
            "entry_price": [float(entry)],
            "exit_price": [float(left)],
            "exit_code": [3],
            "pnl": [-17.5],
        }
    )
    own = replace(get_contract("ES"), symbol="6E", tick_size=0.00005)
    reach = Excursions(*(np.array([cents], np.int64) for cents in (2_550, 1_250, 2_500)))
    row = [1, "2025-07-03", "20:30", "23:31", 181, "short", entry, left, "late close"]
    assert trade_rows(trades, reach, get_contract(symbol)) == [[*row, -17.5, 25.5, 12.5, 25.0]]
    assert trade_rows(trades, reach, own)[0][6] == f"{float(entry):.5f}"


def test_the_page_lists_a_bounded_number(week: Week) -> None:
    trades = of_daily(week.result)
    many = trades.loc[np.arange(MOST_LISTED + 9) % len(trades)].reset_index(drop=True)
    rows = trade_rows(many, excursions(many, week.market, 1), week.market.contract)
    assert len(rows) == MOST_LISTED
    reach = excursions(trades, week.market, 1)
    every = [row[1:] for row in trade_rows(trades, reach, week.market.contract)]
    assert [row[1:] for row in rows] == [every[at % len(every)] for at in range(MOST_LISTED)]


def test_embedded_json_cannot_end_the_script() -> None:
    text = embedded([["</script><b>", 1.5]])
    assert "<" not in text
    assert json.loads(text) == [["</script><b>", 1.5]]


def test_minutes_are_those_of_the_clock_through_a_night_and_a_half_day() -> None:
    times = {
        "entry_time": ["2025-07-03 16:58", "2025-07-07 14:00"],
        "exit_time": ["2025-07-07 13:32", "2025-07-07 14:03"],
    }
    trades = pd.DataFrame({name: pd.to_datetime(texts, utc=True) for name, texts in times.items()})
    assert minutes_of(trades).tolist() == [5554.0, 3.0]
    assert minutes_of(trades[:0]).tolist() == []

"""Numbers of the sheet as text, those that are nothing among them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foundation.report.format import dollars, number, percent
from jax_port.evaluation.prop_firm.chances import Chances
from jax_port.evaluation.prop_firm.rules import Rules
from jax_port.evaluation.sheet import trade_list
from jax_port.evaluation.sheet.baselines import Baseline
from jax_port.evaluation.sheet.excursions import Excursions
from jax_port.evaluation.sheet.tear_sheet import TearSheet
from jax_port.evaluation.sheet.view import _shown, accounts_view, sheet_view
from markets.contracts import get_contract


@pytest.mark.parametrize(
    ("value", "how", "text"),
    [
        (None, "minutes", "–"),
        (0.0, "minutes", "0 min"),
        (0.4, "minutes", "0 min"),
        (59.6, "minutes", "1 h"),
        (1441.0, "minutes", "1 d 1 min"),
        (2 * 1440 + 61.0, "minutes", "2 d 1 h 1 min"),
        (None, dollars, "–"),
        (0.0, dollars, "$0.00"),
    ],
)
def test_a_dash_stands_for_what_is_not_known_alone(
    value: float | None, how: str | Callable[..., Any], text: str
) -> None:
    assert _shown(value, how) == text


PLATFORM = {
    "total_net_profit": ("Total net profit", dollars),
    "gross_profit": ("Gross profit", dollars),
    "gross_loss": ("Gross loss", dollars),
    "commission": ("Commission", dollars),
    "profit_factor": ("Profit factor", number),
    "max_drawdown": ("Max. drawdown", dollars),
    "sharpe_ratio": ("Sharpe ratio", number),
    "sortino_ratio": ("Sortino ratio", number),
    "ulcer_index": ("Ulcer index", dollars),
    "r_squared": ("R squared", number),
    "total_trades": ("Total # of trades", number),
    "percent_profitable": ("Percent profitable", percent),
    "winning_trades": ("# of winning trades", number),
    "losing_trades": ("# of losing trades", number),
    "even_trades": ("# of even trades", number),
    "average_trade": ("Avg. trade", dollars),
    "average_winning_trade": ("Avg. winning trade", dollars),
    "average_losing_trade": ("Avg. losing trade", dollars),
    "average_win_by_average_loss": ("Ratio avg. win / avg. loss", number),
    "max_consecutive_winners": ("Max. consec. winners", number),
    "max_consecutive_losers": ("Max. consec. losers", number),
    "largest_winning_trade": ("Largest winning trade", dollars),
    "largest_losing_trade": ("Largest losing trade", dollars),
    "average_trades_per_day": ("Avg. # of trades per day", number),
    "average_time_in_market": ("Avg. time in market", "{} min"),
    "average_bars_in_trade": ("Avg. bars in trade", number),
    "profit_per_month": ("Profit per month", dollars),
    "max_time_to_recover": ("Max. time to recover", "{} min"),
    "longest_flat_period": ("Longest flat period", "{} min"),
    "average_mae": ("Avg. MAE", dollars),
    "average_mfe": ("Avg. MFE", dollars),
    "average_etd": ("Avg. ETD", dollars),
}


def test_the_sheet_shows_each_number_at_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three trades of two days, and statistics that are 1, 2, 3, ... in their order."""
    entered = pd.to_datetime(["2025-03-10 13:30", "2025-03-10 14:00", "2025-03-11 15:00"], utc=True)
    trades = pd.DataFrame(
        {
            "side": ["long", "short", "long"], "entry_time": entered,
            "exit_time": entered + pd.to_timedelta([5, 45, 2], "min"),
            "entry_price": [10.0, 20.0, 30.0], "exit_price": [11.0, 21.0, 31.0],
            "exit_code": [2, 1, 3], "pnl": [45.0, -55.0, 20.5],
        }
    )  # fmt: skip
    reach = Excursions(
        *(np.array(cents) for cents in ([100, 5_500, 0], [9_000, 700, 2_500], [1, 2, 3]))
    )
    days = pd.DataFrame({"day": pd.to_datetime(["2025-03-10", "2025-03-11"]), "trades": [3, 1]})
    plain: dict[str, Any] = {
        "platform": {name: at for at, name in enumerate(PLATFORM, 1)},
        "years": [{"months": [None, -30.0, *[None] * 10]}, {"months": [10.5, *[None] * 11]}],
        "rolling": {"window": 21, "sharpe_year": [None, 1.5, 2.5]},
        "by_weekday": {"Monday": {"mean": -10.0}, "Tuesday": {"mean": 20.5}},
        "luck": {"days": 2}, "intervals": {"pnl": [None, None]},
    }  # fmt: skip
    own = {**plain, "rolling": {"window": 21, "sharpe_year": [np.nan, 1.5, 2.5]}}
    pnl = np.array([-1_000, 2_050])
    sheet = TearSheet(own, days, pnl, trades, reach, [Baseline("never", np.zeros(2, int), 0, 0)])
    shown = sheet_view(plain, sheet, get_contract("ES"))
    assert shown["platform"] == [
        (label, how.format(at) if isinstance(how, str) else how(at))
        for at, (label, how) in enumerate(PLATFORM.values(), 1)
    ]
    assert (shown["opened"], shown["total"], shown["heat"]) == (4, 3, 30.0)
    assert shown["evidence"].startswith("2 days are too few")
    assert [row[0] for row in shown["rows"]] == [1, 2, 3]
    assert json.loads(shown["embedded"]) == shown["rows"]
    assert shown["exit_names"] == ["stop", "target", "late close", "drawdown"]
    assert "from 1.50 to 2.50" in shown["rolling"]  # which the first, that is unknown, is no part of
    assert "Monday \u2212$10.00, Tuesday $20.50" in shown["weekdays"]
    assert "the policy ends at $10; never $0" in shown["curves"]
    labels = [title for title, _ in shown["trade_plots"]]
    assert labels == [
        "PnL of a trade", "Time in a trade", "Against the trader", "In the trader's favour",
        "Given back",
    ]  # fmt: skip
    drawn = dict(shown["trade_plots"])
    assert "of 3 trades, 2.00 to 45.00" in drawn["Time in a trade"]
    assert "the furthest $55" in drawn["Against the trader"]
    assert "the furthest $90" in drawn["In the trader's favour"]
    monkeypatch.setattr(trade_list, "MOST_LISTED", 2)
    some = sheet_view(plain, sheet, get_contract("ES"))
    assert (len(some["rows"]), some["total"]) == (2, 3)


def test_each_account_has_its_own_numbers_rules_and_paths() -> None:
    rules = Rules("a firm", "its page", date(2026, 1, 1), 50_000, 3_000, 2_000, "static")
    none = (0.0, 0.0)
    made = [
        Chances(
            one, 6, "", 1, share, 0.0, none, none, {}, (3, 3, 3), none,
            100.0 * np.arange(4 * count).reshape(count, 4), np.ones(count, np.int8),
        )
        for one, share, count in ((rules, 0.25, 2), (replace(rules, profit_target=1_250.0), 0.75, 3))
    ]  # fmt: skip
    shown = accounts_view([{"number": 1}, {"number": 2}], made)
    assert shown["horizon"] == 250
    first, second = shown["accounts"]
    for account, at in ((first, 0), (second, 1)):
        assert (account["numbers"], account["shown"]) == ({"number": at + 1}, 2 + at)
        assert account["sentences"] == made[at].rules.sentences()
        label = f"{2 + at} accounts day by day; of all {(25.0, 75.0)[at]}% passed"
        assert label in account["paths"]
        assert f"paths-{at}" in account["paths"]
    with pytest.raises(ValueError, match="longer"):
        accounts_view([{"number": 1}], made)

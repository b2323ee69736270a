"""The tear sheet of a real evaluation: its numbers agree, and its words say what they do."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from foundation.files import finite
from foundation.report.format import dollars
from jax_port.evaluation.evaluate import evaluate
from jax_port.evaluation.metrics import account
from jax_port.evaluation.sheet import ratios, trade_list
from jax_port.evaluation.sheet.baselines import Baseline
from jax_port.evaluation.sheet.tear_sheet import (
    TearSheet,
    daily_returns,
    evidence,
    of_daily,
    rolling_window,
    tear_sheet,
)
from jax_port.evaluation.sheet.view import sheet_view
from tests.jax_port.evaluation.conftest import Week


@pytest.fixture(scope="module")
def sheet(week: Week) -> TearSheet:
    return tear_sheet(week.result, week.policy, week.market, week.baselines, trials=4)


def test_numbers_agree_with_the_accounts(week: Week, sheet: TearSheet) -> None:
    values, own = sheet.values, account(week.result)
    assert values["ratios"]["sharpe_day"] == pytest.approx(own["sharpe_day"], rel=1e-12)
    assert sum(row["total"] for row in values["years"]) == pytest.approx(own["pnl"])
    assert sum(row["pnl"] for row in values["by_weekday"].values()) == pytest.approx(own["pnl"])
    assert sum(row["days"] for row in values["by_weekday"].values()) == own["days"] == 7
    assert len(values["years"][0]["months"]) == 12
    platform = values["platform"]
    assert platform["total_net_profit"] == own["closed_pnl"]
    assert platform["total_trades"] == len(sheet.trades) > 10
    assert platform["commission"] == 5.0 * len(sheet.trades)
    low, high = values["intervals"]["pnl"]
    assert low < own["pnl"] < high
    assert values["luck"]["trials"] == 4
    assert values["luck"]["deflated_sharpe"] < values["luck"]["probabilistic_sharpe"]
    assert values["baselines"]["never"]["pnl"] == 0.0


@pytest.mark.parametrize(("others", "known"), [([math.nan, math.nan], False), ([0.1, math.nan], True)])
def test_trials_are_known_by_their_ratios_that_are_numbers(
    week: Week, others: list[float], known: bool
) -> None:
    """Of one alone there is no spread, and luck's is taken: the page says so by this flag."""
    given = np.array([0.2, *others])
    luck, without = (
        tear_sheet(week.result, week.policy, week.market, week.baselines, 3, ratios).values["luck"]
        for ratios in (given, None)
    )
    assert luck["trials_known"] is known
    assert (luck["deflated_sharpe"] == without["deflated_sharpe"]) is not known


def test_excursions_hold_the_profit(week: Week, sheet: TearSheet) -> None:
    gross = np.rint(100 * sheet.trades["pnl"]).astype(int) + 500
    assert (sheet.reach.mfe >= gross).all()
    assert (sheet.reach.mae >= -gross).all()
    assert (sheet.reach.etd == sheet.reach.mfe - gross).all()
    stopped = sheet.trades["exit_code"] == 1
    assert stopped.any()
    assert (sheet.reach.mae[stopped] == -gross[stopped]).all()


def test_trades_of_every_start_are_not_counted_twice(week: Week, sheet: TearSheet) -> None:
    rows = week.result.episodes["start"].to_numpy()
    all_starts = evaluate(week.policy, week.market, rows=rows, trades_of="all")
    assert len(all_starts.trades) > len(sheet.trades)
    assert of_daily(all_starts)["pnl"].tolist() == sheet.trades["pnl"].tolist()
    # Whichever are listed, the account is that of the daily ones; each start has its own trades.
    for name in ("episodes", "equity"):
        assert getattr(all_starts, name).equals(getattr(week.result, name))
    own, episodes = all_starts.trades, all_starts.episodes
    assert own.equals(own.sort_values(["episode", "exit_step"], ignore_index=True))
    closed = (
        own.groupby("episode")["pnl"].agg(["size", "sum"]).reindex(episodes["episode"], fill_value=0)
    )
    assert closed["size"].tolist() == (episodes["trades"] - episodes["open_at_end"]).tolist()
    assert closed["sum"].to_numpy() == pytest.approx(episodes["pnl"].to_numpy(), abs=1e-9)
    luck = tear_sheet(all_starts, week.policy, week.market, week.baselines, trials=4)
    assert finite(luck.values) == finite(sheet.values)


def test_returns_by_hand() -> None:
    found = daily_returns(np.array([100, -550, -600]), 1000)
    assert found[:2].tolist() == [0.1, -0.5]
    assert found[2] == pytest.approx(-600 / 550)
    assert np.isnan(daily_returns(np.array([-1000, 5]), 1000)[1])  # nothing was left


def test_rolling_windows() -> None:
    assert [rolling_window(days) for days in (5, 42, 126, 252, 1000)] == [21, 21, 63, 126, 126]


def test_what_the_days_can_tell(sheet: TearSheet) -> None:
    def told(days: int, low: float, high: float) -> str:
        values = {**sheet.values, "luck": {"days": days}, "intervals": {"pnl": [low, high]}}
        return evidence(values, 1234.5)

    assert told(9, -500.0, 2000.0) == (
        "9 days say nothing about an edge. Days like these, drawn anew, make −$500 to $2,000 in 95 of "
        "100 cases: a loss and a gain are both within reach of luck, so $1,234.50 is no evidence of "
        "either."
    )
    assert told(200, 500.0, 2000.0).endswith("so chance alone hardly explains a gain.")
    assert "a loss. Still, 30 days are few" in told(30, -2000.0, -500.0)
    assert "a loss and a gain" in told(30, 0.0, 2000.0)
    assert "a loss and a gain" in told(30, -2000.0, 0.0)
    assert "Still, 59 days are few" in told(59, 500.0, 2000.0)
    assert "few" not in told(60, 500.0, 2000.0)
    assert told(1, math.nan, math.nan) == "One day says nothing about the next."
    assert told(4, math.nan, math.nan) == (
        "4 days are too few to tell an edge from luck: no interval is given with fewer than 5."
    )


def test_one_day(week: Week) -> None:
    one = evaluate(week.policy, week.market, rows=week.market.starts[:1])
    alone = [replace(other, pnl=other.pnl[:1]) for other in week.baselines]
    found = tear_sheet(one, week.policy, week.market, alone).values
    assert math.isnan(found["ratios"]["sharpe_day"])
    assert math.isnan(found["luck"]["deflated_sharpe"])
    assert found["rolling"]["sharpe_year"] == []


def test_money_is_drawn_in_dollars_and_time_is_not(week: Week, sheet: TearSheet) -> None:
    values = finite(sheet.values)
    drawn = dict(sheet_view(values, sheet, week.market.contract)["trade_plots"])
    assert "$" not in drawn["Time in a trade"]
    assert "minutes from entry to exit" in drawn["Time in a trade"]
    for name in ("PnL of a trade", "Given back", "Against the trader"):
        assert "$" in drawn[name], name


def test_how_far_trades_went_is_in_dollars(week: Week, sheet: TearSheet) -> None:
    drawn = dict(sheet_view(finite(sheet.values), sheet, week.market.contract)["trade_plots"])
    reach, count = sheet.reach, f"{len(sheet.trades):,} trades"
    for name, column, short in (
        ("Against the trader", reach.mae, "MAE"),
        ("In the trader's favour", reach.mfe, "MFE"),
    ):
        furthest = f"the furthest {dollars(column.max() / 100, 0)}"
        assert f"{short} ($) and PnL of {count}; {furthest}" in drawn[name]
    least, most = (dollars(value / 100) for value in (reach.etd.min(), reach.etd.max()))
    assert f"ETD ($) of {count}, {least} to {most}" in drawn["Given back"]


def test_a_day_that_begins_without_money_has_no_return() -> None:
    """Nothing, and less than nothing, have no share that could be won."""
    pnl = np.array([-100, 50, 50, 30, 40], np.int64)
    returns = daily_returns(pnl, 100)
    np.testing.assert_array_equal(returns, [-1.0, np.nan, 1.0, 0.3, 40 / 130])
    np.testing.assert_array_equal(daily_returns(np.array([-300, 100]), 100), [-3.0, np.nan])


def test_the_darkest_month_is_the_one_that_moved_most(week: Week, sheet: TearSheet) -> None:
    values = finite(sheet.values)
    (year,) = values["years"]
    year["months"] = [None, 40.0, -250.0, *[None] * 9]
    assert sheet_view(values, sheet, week.market.contract)["heat"] == 250.0
    year["months"] = [0.25, *[None] * 11]
    assert sheet_view(values, sheet, week.market.contract)["heat"] == 1.0  # pale, not as dark as all


def test_commissions_are_of_all_contracts(week: Week, sheet: TearSheet) -> None:
    """What NinjaTrader shows: both sides of each of three contracts."""
    three = replace(week.policy, config=week.policy.config.override(contracts=3))
    made = tear_sheet(week.result, three, week.market, week.baselines)
    assert made.values["platform"]["commission"] == 3 * 5.0 * len(sheet.trades)
    for name in ("mae", "mfe"):
        assert getattr(made.reach, name).tolist() == (3 * getattr(sheet.reach, name)).tolist()
        assert made.values["platform"][f"average_{name}"] == pytest.approx(
            3 * sheet.values["platform"][f"average_{name}"]
        )


def test_shares_are_of_the_money_that_the_account_began_with(week: Week, sheet: TearSheet) -> None:
    """Of half the money every day's share is larger; dollars and their ratios stay as they are."""
    half = replace(week.policy, config=week.policy.config.override(initial_balance_dollars=25_000.0))
    made = tear_sheet(week.result, half, week.market, week.baselines).values["ratios"]
    ends = 25_000.0 + np.concatenate([[0.0], np.cumsum(sheet.pnl / 100)])
    fall = float((1 - ends / np.maximum.accumulate(ends)).max())
    assert made["max_drawdown_share"] == pytest.approx(fall)
    assert fall > sheet.values["ratios"]["max_drawdown_share"]
    assert made["yearly_growth"] == pytest.approx((ends[-1] / ends[0]) ** (252 / 7) - 1)
    assert made["sharpe_day"] == sheet.values["ratios"]["sharpe_day"]


def test_its_ratios_are_of_all_days_those_without_a_trade_too(week: Week) -> None:
    """And as sure as so many trials leave them, of which more may be known than are counted."""
    rows, known = week.result.episodes.copy(), np.array([0.5, -0.2, 0.1, 0.3])
    quiet = np.flatnonzero(rows["daily"])[2]
    rows.loc[quiet, ["pnl", "open_pnl", "trades"]] = [0.0, 0.0, 0]
    result = replace(week.result, episodes=rows)
    made = tear_sheet(result, week.policy, week.market, week.baselines, 2, known)
    pnl = made.pnl
    assert len(pnl) == 7
    assert pnl[2] == 0
    returns, year = daily_returns(pnl, 5_000_000), math.sqrt(252)
    assert made.values["ratios"] == {
        "sharpe_day": ratios.sharpe(pnl),
        "sharpe_year": ratios.sharpe(pnl) * year,
        "sortino_day": ratios.sortino(pnl),
        "sortino_year": ratios.sortino(pnl) * year,
        "yearly_growth": ratios.yearly_growth(returns),
        "max_drawdown_share": -ratios.max_drawdown(returns),
        "calmar": ratios.calmar(returns),
    }
    assert made.values["luck"] == {
        "days": 7,
        "probabilistic_sharpe": ratios.probabilistic_sharpe(pnl),
        "trials": 2,
        "trials_known": True,
        "deflated_sharpe": ratios.deflated_sharpe(pnl, 2, known),
    }
    assert made.values["platform"]["average_trades_per_day"] == len(made.trades) / 7


def test_trades_stand_in_the_order_of_their_entries(week: Week, sheet: TearSheet) -> None:
    mixed = week.result.trades.sample(frac=1.0, random_state=3)
    assert of_daily(replace(week.result, trades=mixed)).equals(sheet.trades)
    assert not mixed.reset_index(drop=True).equals(sheet.trades)


def test_of_trades_that_overlap_the_one_that_was_entered_first_comes_first(week: Week) -> None:
    """A half day's episode runs on into the next day, whose trades may end sooner."""
    two = week.result.trades[:2].assign(entry_step=[20, 10], exit_step=[30, 50])
    assert of_daily(replace(week.result, trades=two))["exit_step"].tolist() == [50, 30]


def test_a_random_trader_is_beaten_by_the_account_s_own_days(week: Week, sheet: TearSheet) -> None:
    """An open trade counts, and no start that is not a day's first; who made as much is not beaten."""
    own = int(sheet.pnl.sum())
    others = [Baseline("random", np.array([own + cents]), 1, 1) for cents in (-1, 0, 1, 2)]
    made = tear_sheet(week.result, week.policy, week.market, others).values["baselines"]["random"]
    assert (made["beaten"], made["traders"]) == (1, 4)
    assert own != round(100 * week.result.episodes.query("daily")["pnl"].sum())


def test_the_page_counts_all_trades_where_it_lists_some(
    week: Week, sheet: TearSheet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trade_list, "MOST_LISTED", 3)
    shown = sheet_view(finite(sheet.values), sheet, week.market.contract)
    assert (len(shown["rows"]), shown["total"]) == (3, len(sheet.trades))

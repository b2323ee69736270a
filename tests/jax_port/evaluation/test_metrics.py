"""Statistics of an evaluation against numbers worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jax_port.evaluation.evaluate import TRADE_COLUMNS, Evaluation
from jax_port.evaluation.metrics import (
    account,
    below_peak,
    cents,
    chain,
    daily,
    interval,
    starts,
    summarize,
    trades,
)
from jax_port.evaluation.resampling import percentiles

OPENS = pd.Timestamp("2025-03-10 09:30", tz="America/New_York").tz_convert("UTC")


def trade_table(*rows: tuple[str, int, int, int, float, str]) -> pd.DataFrame:
    """Return trades from (side, entry step, exit step, exit code, pnl, New York time of entry)."""
    made = []
    for side, entry, left, code, pnl, clock in rows:
        at = pd.Timestamp(f"2025-03-10 {clock}", tz="America/New_York").tz_convert("UTC")
        later = at + pd.Timedelta(minutes=left - entry)
        made.append((0, side, entry, at, 5000.0, left, later, 5001.0, code, pnl))
    table = pd.DataFrame(made, columns=list(TRADE_COLUMNS))
    for name in ("entry_time", "exit_time"):
        table[name] = pd.DatetimeIndex(table[name], tz="UTC")
    return table


def episode_table(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {
        "daily": True,
        "steps": 4,
        "open_at_end": False,
        "open_pnl": 0.0,
        "reward": 0.5,
        "done_reason": 4,
        "trades": 1,
        "open_bars": 1,
        "max_drawdown": 0.0,
    }
    table = pd.DataFrame([{**usual, **row} for row in rows])
    table["day"] = pd.to_datetime(table["day"])
    table.insert(0, "episode", range(len(table)))
    return table


def equity_table(*curves: list[float]) -> pd.DataFrame:
    """Return curves of episodes 0, 1, ... that begin at 09:30 on one day after another."""
    parts = [
        pd.DataFrame(
            {
                "episode": number,
                "step": range(len(curve)),
                "time": OPENS + pd.Timedelta(days=number) + pd.to_timedelta(range(len(curve)), "min"),
                "equity": curve,
            }
        )
        for number, curve in enumerate(curves)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def three_days() -> Evaluation:
    """Days of +200, -100 and +50, of which 30 are still open, from 50,000."""
    return Evaluation(
        episodes=episode_table(
            {"day": "2025-03-10", "pnl": 200.0, "open_bars": 3, "done_reason": 4},
            {"day": "2025-03-11", "pnl": -100.0, "open_bars": 2, "done_reason": 2},
            {"day": "2025-03-12", "pnl": 20.0, "open_pnl": 30.0, "open_at_end": True},
        ),
        trades=trade_table(("long", 0, 3, 2, 200.0, "09:30")),
        equity=equity_table(
            [50000.0, 50300.0, 50100.0, 50200.0],
            [50000.0, 49700.0, 49900.0],
            [50000.0, 50010.0, 50050.0],
        ),
        trades_of="daily",
    )


def test_a_day_goes_on_with_the_money_of_the_day_before(three_days: Evaluation) -> None:
    curve = chain(three_days.equity)
    expected = [50000, 50300, 50100, 50200, 50200, 49900, 50100, 50100, 50110, 50150]
    assert (curve / 100).tolist() == expected
    assert (below_peak(curve) / 100).tolist() == [0, 0, 200, 100, 100, 400, 200, 200, 190, 150]


def test_the_account(three_days: Evaluation) -> None:
    found = account(three_days)
    # days 200, -100, 50: mean 50; deviations 150, -150, 0, so sd = sqrt(45000 / 2) = 150
    assert found == {
        "days": 3,
        "closed_pnl": 120.0,
        "open_pnl": 30.0,
        "pnl": 150.0,
        "mean_day": 50.0,
        "sd_day": 150.0,
        "best_day": 200.0,
        "worst_day": -100.0,
        "winning_days": 2 / 3,
        "sharpe_day": pytest.approx(1 / 3),
        "sharpe_year": pytest.approx(math.sqrt(252) / 3),
        "max_drawdown": 400.0,
        "exposure": 6 / 12,
        "run_on": 0,
    }
    days = daily(three_days)
    assert days["end"].tolist() == ["bar limit", "late close", "bar limit"]
    assert days["closed"].tolist() == [200.0, -100.0, 20.0]
    assert days["open"].tolist() == [0.0, 0.0, 30.0]
    assert days["pnl"].tolist() == [200.0, -100.0, 50.0]


def test_the_account_is_of_the_daily_episodes_alone() -> None:
    """Of days that all lost, and of one that made nothing, which is no win."""
    other = {"daily": False, "pnl": 5000.0, "steps": 40, "open_bars": 40, "trades": 9, "open_pnl": 7.0}
    episodes = episode_table(
        {"day": "2025-03-10", "pnl": -300.25, "steps": 2, "open_bars": 1},
        {"day": "2025-03-10", **other},
        {"day": "2025-03-12", "pnl": -100.0, "open_pnl": 79.5, "steps": 3, "open_bars": 0},
        {"day": "2025-03-12", **other},
    )
    equity = equity_table([50000.0, 49900.0, 49699.75], [], [50000.0, 49900.0, 49979.5, 49979.5], [])
    found = account(Evaluation(episodes, trade_table(), equity, "all"))
    # days -300.25 and -20.5: mean -160.375, deviations 139.875 either way
    sd = 139.875 * math.sqrt(2)
    assert found == {
        "days": 2,
        "closed_pnl": -400.25,
        "open_pnl": 79.5,
        "pnl": -320.75,
        "mean_day": -160.375,
        "sd_day": pytest.approx(sd),
        "best_day": -20.5,
        "worst_day": -300.25,
        "winning_days": 0.0,
        "sharpe_day": pytest.approx(-160.375 / sd),
        "sharpe_year": pytest.approx(-160.375 / sd * math.sqrt(252)),
        "max_drawdown": 400.25,
        "exposure": 1 / 5,
        "run_on": 0,
    }
    even = episodes.assign(pnl=[20.5, 0.0, -79.5, 0.0])
    days = daily(Evaluation(even, trade_table(), equity, "all"))
    assert days.drop(columns="day").to_numpy().tolist() == [
        [20.5, 20.5, 0.0, 1, 2, "bar limit"], [0.0, -79.5, 79.5, 1, 3, "bar limit"]
    ]  # fmt: skip
    assert days["day"].astype(str).tolist() == ["2025-03-10", "2025-03-12"]
    found = account(Evaluation(even, trade_table(), equity, "all"))
    assert (found["winning_days"], found["best_day"], found["worst_day"]) == (0.5, 20.5, 0.0)


def test_one_day_has_no_spread(three_days: Evaluation) -> None:
    one = Evaluation(
        three_days.episodes[:1], three_days.trades, equity_table([50000.0, 50200.0]), "daily"
    )
    found = account(one)
    assert found["pnl"] == 200.0
    assert all(math.isnan(found[name]) for name in ("sd_day", "sharpe_day", "sharpe_year"))


def test_equal_days_have_no_sharpe(three_days: Evaluation) -> None:
    same = three_days.episodes.assign(pnl=0.1, open_pnl=0.0)
    found = account(Evaluation(same, three_days.trades, three_days.equity, "daily"))
    assert found["sd_day"] == 0.0
    assert math.isnan(found["sharpe_day"])


def test_an_episode_that_runs_on_into_the_next_day_is_counted(three_days: Evaluation) -> None:
    late = three_days.equity.copy()
    late.loc[2:3, "time"] += pd.Timedelta(days=1)
    assert account(Evaluation(three_days.episodes, three_days.trades, late, "daily"))["run_on"] == 1


def test_an_evening_is_no_other_day_and_its_episode_is_known_by_its_number(
    three_days: Evaluation,
) -> None:
    """At half past eight in New York it is the next day in London."""
    table = three_days.episodes.assign(episode=[1, 4, 9])
    other = pd.DataFrame([{**table.iloc[0], "episode": 2, "daily": False, "day": "2025-03-20"}])
    other["day"] = pd.to_datetime(other["day"])
    episodes = pd.concat([table[:1], other, table[1:]], ignore_index=True)
    equity = three_days.equity.copy()
    equity["episode"] = equity["episode"].map({0: 1, 1: 4, 2: 9})
    equity["time"] += pd.Timedelta(hours=11)
    evening = Evaluation(episodes, three_days.trades, equity, "daily")
    assert account(evening)["run_on"] == 0
    for run_on, number in enumerate((9, 1, 4), 1):
        equity.loc[equity["episode"] == number, "time"] += pd.Timedelta(hours=4)
        assert account(evening)["run_on"] == run_on


def test_episodes_from_every_start() -> None:
    table = episode_table(
        {"day": "2025-03-10", "pnl": 100.0, "reward": 1.0, "max_drawdown": 70.0},
        {"day": "2025-03-10", "pnl": 300.0, "daily": False, "done_reason": 1, "trades": 2},
        {"day": "2025-03-11", "pnl": -50.0, "steps": 8, "open_bars": 7},
        {"day": "2025-03-11", "pnl": 0.0, "daily": False, "done_reason": 3},
    )
    found = starts(table)
    assert found["episodes"] == 4
    assert found["days"] == 2
    assert found["mean_pnl"] == 87.5
    assert found["median_pnl"] == 50.0
    assert found["winning"] == 0.5
    assert found["sd_pnl"] == pytest.approx(math.sqrt(71875 / 3))  # 12.5, 212.5, -137.5, -87.5
    assert found["mean_reward"] == 0.625
    assert found["mean_trades"] == 1.25
    assert found["mean_steps"] == 5.0
    assert found["exposure"] == 10 / 20
    assert found["worst_drawdown"] == 70.0
    assert found["ends"] == {"drawdown": 1, "late close": 0, "end of data": 1, "bar limit": 2}
    assert math.isnan(found["mean_low"])
    assert math.isnan(found["mean_high"])


def test_the_starts_count_what_was_closed_in_all_of_them() -> None:
    """An open trade makes no start a winner; the worst fall may be of one that is no day's first."""
    table = episode_table(
        {"day": "2025-03-10", "pnl": -40.25, "reward": 1.5, "steps": 3, "open_bars": 2, "trades": 2,
         "max_drawdown": 60.5, "done_reason": 1},
        {"day": "2025-03-10", "pnl": 0.0, "open_pnl": 75.0, "open_at_end": True, "daily": False,
         "reward": -2.0, "steps": 9, "open_bars": 8, "trades": 1, "max_drawdown": 130.25},
        {"day": "2025-03-11", "pnl": 100.0, "open_pnl": -300.0, "open_at_end": True, "reward": 0.25,
         "steps": 4, "open_bars": 4, "trades": 5, "max_drawdown": 0.0, "done_reason": 2},
    )  # fmt: skip
    nothing = pytest.approx(math.nan, nan_ok=True)
    deviations = np.array([-40.25, 0.0, 100.0]) - 59.75 / 3
    assert starts(table) == {
        "episodes": 3,
        "days": 2,
        "mean_pnl": pytest.approx(59.75 / 3),
        "mean_low": nothing,
        "mean_high": nothing,
        "median_pnl": 0.0,
        "sd_pnl": pytest.approx(math.sqrt((deviations**2).sum() / 2)),
        "winning": pytest.approx(1 / 3),
        "mean_reward": pytest.approx(-0.25 / 3),
        "mean_steps": pytest.approx(16 / 3),
        "mean_trades": pytest.approx(8 / 3),
        "exposure": 14 / 16,
        "worst_drawdown": 130.25,
        "ends": {"drawdown": 1, "late close": 1, "end of data": 0, "bar limit": 1},
    }


def test_days_of_many_bars_go_on_with_the_money_of_the_days_before() -> None:
    """A day falls by a dollar every bar from where it began, and the next one goes on from there."""
    days = [50_000.0 - np.arange(count) for count in (700, 500, 900)]
    curve = chain(equity_table(*(day.tolist() for day in days)))
    expected = [
        50_000.0 - before - np.arange(count) for before, count in ((0, 700), (699, 500), (1198, 900))
    ]
    assert (curve / 100).tolist() == np.concatenate(expected).tolist()


def test_the_interval_resamples_whole_days() -> None:
    values = np.repeat([10.0, -10.0] * 20, 50)  # 40 days of 50 equal episodes: the sd of a day is 10
    low, high = interval(values, np.repeat(np.arange(40), 50))
    assert high == pytest.approx(1.96 * 10 / math.sqrt(40), rel=0.08)
    assert low == pytest.approx(-high, rel=0.08)
    assert interval(values, np.repeat(np.arange(40), 50)) == (low, high)


@pytest.mark.parametrize("days", [1, 2, 4])
def test_few_days_have_no_interval(days: int) -> None:
    """However many episodes they have, and though each of them gained."""
    found = interval(np.arange(1.0, 1001.0), np.arange(1000) % days)
    assert all(math.isnan(end) for end in found)


def test_five_days_have_an_interval_that_is_wider_than_the_plain_percentiles() -> None:
    values, days = np.array([100.0, 120.0, -30.0, 90.0, 10.0]), np.arange(5)
    drawn = values[np.random.default_rng(0).integers(5, size=(2000, 5))].mean(axis=1)
    assert interval(values, days) == pytest.approx(np.percentile(drawn, percentiles(5)), rel=1e-12)
    plain = np.percentile(drawn, (2.5, 97.5))
    assert interval(values, days)[0] < plain[0]
    assert interval(values, days)[1] > plain[1]


def test_few_days_are_few_however_many_episodes_they_have() -> None:
    """A day of a hundred equal episodes tells no more than one of a single one."""
    values, days = np.array([100.0, 120.0, -30.0, 90.0, 10.0, 50.0]), np.arange(6)
    many = interval(np.repeat(values, 100), np.repeat(days, 100))
    assert many == pytest.approx(interval(values, days), rel=1e-12)


@pytest.mark.parametrize("days", [5, 7, 20])
def test_the_interval_widens_by_the_days_and_not_by_their_episodes(days: int) -> None:
    """Days of 1, 4, 7, ... episodes of one amount each; the same as episodes from every start."""
    made = np.random.default_rng(3).normal(20.0, 100.0, days).round(2)
    often = 1 + 3 * np.arange(days)
    drawn = np.random.default_rng(0).integers(days, size=(2000, days))
    means = (made * often)[drawn].sum(axis=1) / often[drawn].sum(axis=1)
    expected = np.percentile(means, percentiles(days))
    values, groups = np.repeat(made, often), np.repeat(np.arange(days), often)
    assert interval(values, groups) == pytest.approx(expected, rel=1e-9)
    plain = np.percentile(means, percentiles(len(values)))
    assert expected[0] < plain[0] < plain[1] < expected[1]
    dates = np.datetime_as_string(np.datetime64("2025-03-10") + groups)
    found = starts(
        episode_table(*({"day": day, "pnl": value} for day, value in zip(dates, values, strict=True)))
    )
    assert (found["mean_low"], found["mean_high"]) == pytest.approx(tuple(expected), rel=1e-9)


def test_a_day_counts_by_its_episodes() -> None:
    """Of 30 days with one episode of 100 and 30 with nine of 0 the mean is 10, of its days 50."""
    values = np.repeat([100.0, 0.0] * 30, [1, 9] * 30)
    low, high = interval(values, np.repeat(np.arange(60), [1, 9] * 30))
    assert 5.0 < low < 10.0 < high < 17.0


def test_trades() -> None:
    found = trades(
        trade_table(
            ("long", 0, 4, 2, 300.0, "09:59"),
            ("long", 5, 5, 4, -130.0, "10:00"),
            ("short", 7, 13, 1, -70.0, "12:15"),
            ("short", 20, 22, 1, 0.0, "12:59"),
        )
    )
    groups = {name: found.pop(name) for name in ("by_exit", "by_side", "by_hour")}
    assert found == {
        "trades": 4,
        "pnl": 100.0,
        "win_rate": 0.25,
        "profit_factor": 1.5,
        "expectancy": 25.0,
        "mean_win": 300.0,
        "mean_loss": pytest.approx(-200 / 3),
        "mean_bars": 3.0,
    }
    assert {name: row["trades"] for name, row in groups["by_exit"].items()} == {
        "stop": 2,
        "target": 1,
        "late close": 0,
        "drawdown": 1,
    }
    assert {name: row["pnl"] for name, row in groups["by_side"].items()} == {
        "long": 170.0,
        "short": -70.0,
    }
    assert {hour: (row["trades"], row["pnl"]) for hour, row in groups["by_hour"].items()} == {
        "09": (1, 300.0),
        "10": (1, -130.0),
        "11": (0, 0.0),
        "12": (2, -70.0),
    }
    assert math.isnan(groups["by_exit"]["target"]["profit_factor"])
    assert groups["by_exit"]["stop"]["profit_factor"] == 0.0


def test_dollars_are_whole_cents_though_their_floats_lie_a_little_below_or_above() -> None:
    assert int(0.29 * 100) == 28
    found = cents(pd.Series([0.29, -0.57, 1.15, 41_942.88, -0.004, 0.006, 3_000_000_000.01]))
    assert found.tolist() == [29, -57, 115, 4_194_288, 0, 1, 300_000_000_001]
    assert found.dtype == np.int64


def test_cents_add_up_where_floats_would_not() -> None:
    rows = [("long", 0, 1, 1, 0.1, "09:30")] * 3
    assert trades(trade_table(*rows))["pnl"] == 0.3  # 0.1 + 0.1 + 0.1 is not 0.3 in floats


def test_no_trade_at_all(three_days: Evaluation) -> None:
    none = Evaluation(
        three_days.episodes.assign(pnl=0.0, open_pnl=0.0, trades=0, open_bars=0),
        trade_table(),
        equity_table([50000.0] * 3, [50000.0] * 3, [50000.0] * 3),
        "daily",
    )
    found = summarize(none)
    own = found["trades"]
    assert (own["trades"], own["pnl"], own["by_hour"]) == (0, 0.0, {})
    names = ("win_rate", "profit_factor", "expectancy", "mean_win", "mean_loss", "mean_bars")
    assert all(math.isnan(own[name]) for name in names)
    assert found["account"]["max_drawdown"] == 0.0
    assert found["account"]["exposure"] == 0.0

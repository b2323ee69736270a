"""NinjaTrader's statistics against numbers worked out by hand from its definitions."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from jax_port.evaluation.sheet.excursions import Excursions
from jax_port.evaluation.sheet.platform import longest_run, statistics

ROWS = [
    # entry, exit (New York), bars, PnL
    ("2025-01-30 10:00", "2025-01-30 10:10", 10, 100.0),
    ("2025-01-30 10:30", "2025-01-30 10:50", 20, -40.0),
    ("2025-01-31 09:30", "2025-01-31 10:00", 30, -20.0),
    ("2025-02-03 12:00", "2025-02-03 12:04", 4, 0.0),
    ("2025-02-03 13:00", "2025-02-03 13:16", 16, 90.0),
    ("2025-02-04 11:00", "2025-02-04 11:40", 40, -30.0),
]


def table(rows: list[tuple[str, str, int, float]]) -> pd.DataFrame:
    entered, left = (
        pd.DatetimeIndex([row[at] for row in rows]).tz_localize("America/New_York").tz_convert("UTC")
        for at in (0, 1)
    )
    return pd.DataFrame(
        {
            "entry_time": entered,
            "exit_time": left,
            "entry_step": [0] * len(rows),
            "exit_step": [row[2] for row in rows],
            "pnl": [row[3] for row in rows],
        }
    )


def reach(count: int) -> Excursions:
    mfe = np.full(count, 15_000, np.int64)
    return Excursions(mae=np.full(count, 5_000, np.int64), mfe=mfe, etd=mfe)


def test_by_hand() -> None:
    found = statistics(table(ROWS), reach(6), commission_cents=500, days=4)
    # cumulative: 100, 60, 40, 40, 130, 100; highest before each: 100, 100, 100, 100, 130, 130
    months = np.array([40.0, 60.0])
    assert found == {
        "total_net_profit": 100.0,
        "gross_profit": 190.0,
        "gross_loss": -90.0,
        "commission": 30.0,
        "profit_factor": pytest.approx(190 / 90),
        "max_drawdown": -60.0,
        "sharpe_ratio": pytest.approx(50 / months.std(ddof=1)),
        "sortino_ratio": pytest.approx(math.nan, nan_ok=True),
        "ulcer_index": pytest.approx(math.sqrt((40**2 + 60**2 + 60**2 + 30**2) / 6)),
        "r_squared": pytest.approx(np.corrcoef(range(6), [100, 60, 40, 40, 130, 100])[0, 1] ** 2),
        "total_trades": 6,
        "percent_profitable": pytest.approx(2 / 6),
        "winning_trades": 2,
        "losing_trades": 3,
        "even_trades": 1,
        "average_trade": pytest.approx(100 / 6),
        "average_winning_trade": 95.0,
        "average_losing_trade": -30.0,
        "average_win_by_average_loss": pytest.approx(95 / 30),
        "max_consecutive_winners": 1,
        "max_consecutive_losers": 2,
        "largest_winning_trade": 100.0,
        "largest_losing_trade": -40.0,
        "average_trades_per_day": 1.5,
        "average_time_in_market": 20.0,
        "average_bars_in_trade": 20.0,
        "profit_per_month": 50.0,
        # from the exit of 30 January, 10:10, to the one of 3 February, 13:16
        "max_time_to_recover": 4 * 1440 + 186.0,
        "longest_flat_period": 3 * 1440 + 120.0,  # Friday 10:00 to Monday 12:00
        "average_mae": 50.0,
        "average_mfe": 150.0,
        "average_etd": pytest.approx(150 - 100 / 6),
    }


def test_every_statistic_is_one_number_and_each_trade_went_as_far_as_it_did() -> None:
    mae, mfe = np.array([100, 900, 500, 0, 2_000, 1_000]), np.array([9_000, 100, 0, 700, 8_000, 200])
    found = statistics(table(ROWS), Excursions(mae, mfe, mfe - 1), commission_cents=333, days=7)
    assert {type(value) for value in found.values()} == {int, float}
    assert found["average_mae"] == pytest.approx(4_500 / 600)
    assert found["average_mfe"] == pytest.approx(18_000 / 600)
    assert found["average_etd"] == pytest.approx(18_000 / 600 - 100 / 6)
    assert (found["commission"], found["average_trades_per_day"]) == (19.98, pytest.approx(6 / 7))
    none = statistics(table(ROWS)[:0], Excursions(mae[:0], mfe[:0], mfe[:0]), 333, 7)
    assert {type(value) for value in none.values()} == {int, float}


def test_sortino_counts_losing_months_alone() -> None:
    rows = [("2025-01-30 10:00", "2025-01-30 10:10", 1, -30.0), *ROWS[3:5]]
    found = statistics(table(rows), reach(3), 500, 3)
    assert found["sortino_ratio"] == pytest.approx(30 / math.sqrt(30**2 / 2))


def test_a_fall_that_is_never_made_good_counts_to_the_last_trade() -> None:
    found = statistics(table(ROWS[1:4]), reach(3), 500, 3)
    assert found["max_time_to_recover"] == 4 * 1440 + 74.0  # 30 January 10:50 to 3 February 12:04


def test_trades_that_overlap_are_booked_as_they_are_left() -> None:
    """A half day's episode runs on into the next day, whose trades come and go meanwhile."""
    rows = [
        ("2025-07-03 12:50", "2025-07-03 16:00", 190, 100.0),
        ("2025-07-03 13:00", "2025-07-03 13:10", 10, -300.0),
        ("2025-07-03 13:20", "2025-07-03 13:30", 10, 100.0),
        ("2025-07-03 14:00", "2025-07-03 14:10", 10, 100.0),
    ]
    found = statistics(table(rows), reach(4), 500, 2)
    assert found["longest_flat_period"] == 0.0
    assert found["max_time_to_recover"] == 170.0  # from the loss at 13:10 to 16:00
    assert (found["max_drawdown"], found["total_net_profit"]) == (-300.0, 0.0)
    assert found["max_consecutive_winners"] == 3
    in_order = [rows[1], rows[2], rows[3], rows[0]]
    for name in ("ulcer_index", "r_squared", "average_time_in_market", "average_bars_in_trade"):
        assert found[name] == statistics(table(in_order), reach(4), 500, 2)[name]


@pytest.mark.parametrize("seed", range(5))
def test_profit_is_made_at_the_second_of_the_exit(seed: int) -> None:
    """Whatever the order of the entries: the same as of trades that are given in the order of exits."""
    rng, begin = np.random.default_rng(seed), pd.Timestamp("2025-03-03 10:00")
    rows = []
    for at, (held, pnl) in enumerate(rng.integers((10, -90), (900, 100), (12, 2))):
        entered = begin + pd.Timedelta(minutes=at)
        rows.append((str(entered), str(entered + pd.Timedelta(seconds=int(held))), 1, float(pnl)))
    by_exit = sorted(rows, key=lambda row: row[1])
    assert by_exit != rows
    names = (
        "max_drawdown",
        "ulcer_index",
        "r_squared",
        "max_consecutive_losers",
        "max_time_to_recover",
    )
    found, expected = (statistics(table(given), reach(12), 500, 1) for given in (rows, by_exit))
    assert {name: found[name] for name in names} == {name: expected[name] for name in names}


def test_months_are_new_yorks() -> None:
    """An exit at half past eight in the evening of 31 January is one of January."""
    rows = [
        ("2025-01-31 10:00", "2025-01-31 10:10", 10, 100.0),
        ("2025-01-31 19:00", "2025-01-31 20:30", 90, 60.0),
    ]
    assert statistics(table(rows), reach(2), 500, 2)["profit_per_month"] == 160.0
    rows.append(("2025-02-01 00:00", "2025-02-01 00:00", 0, -40.0))
    assert statistics(table(rows), reach(3), 500, 2)["profit_per_month"] == 60.0


def test_no_trade() -> None:
    found = statistics(table(ROWS)[:0], reach(0), 500, 3)
    assert (found["total_trades"], found["total_net_profit"], found["max_drawdown"]) == (0, 0.0, 0.0)
    assert found["max_consecutive_losers"] == 0
    for name in ("profit_factor", "sharpe_ratio", "average_mae", "max_time_to_recover", "ulcer_index"):
        assert math.isnan(found[name]), name


def test_three_trades_of_one_month() -> None:
    """A month alone has no spread; who is as high as before has recovered, and may fall again."""
    rows = [
        ("2025-01-30 10:00", "2025-01-30 10:10", 10, 100.0),
        ("2025-01-30 10:30", "2025-01-30 10:50", 20, -60.0),
        ("2025-01-30 11:00", "2025-01-30 11:05", 5, 60.0),
    ]
    found = statistics(table(rows), reach(3), 500, 3)
    names = ("sharpe_ratio", "sortino_ratio")
    assert all(math.isnan(found[name]) for name in names)
    assert found["r_squared"] == pytest.approx(0.0)  # 100, 40, 100 lie on no line
    assert found["max_time_to_recover"] == 55.0
    again = [*rows, ("2025-01-30 11:30", "2025-01-30 11:50", 20, -10.0)]
    found = statistics(table(again), reach(4), 500, 3)
    assert found["max_time_to_recover"] == 55.0  # and not from 10:10 to 11:50
    assert (found["profit_per_month"], found["average_trades_per_day"]) == (90.0, 4 / 3)
    losing = statistics(table(rows[1:2]), reach(1), 500, 1)
    assert all(math.isnan(losing[name]) for name in (*names, "longest_flat_period", "r_squared"))


def test_a_trade_is_of_the_month_in_which_it_ended() -> None:
    rows = [
        ("2025-01-30 10:00", "2025-01-30 10:10", 10, 100.0),
        ("2025-01-31 16:50", "2025-02-03 09:40", 19, -40.0),
    ]
    found = statistics(table(rows), reach(2), 500, 2)
    months = np.array([100.0, -40.0])
    assert found["profit_per_month"] == 30.0
    assert found["sharpe_ratio"] == pytest.approx(30 / months.std(ddof=1))
    assert found["sortino_ratio"] == pytest.approx(30 / math.sqrt(40**2 / 2))


def test_two_trades_lie_on_every_line_and_have_no_fit() -> None:
    """A loss before any profit is a fall from nothing, and an account that never gained has no win."""
    rows = [
        ("2025-01-30 10:00", "2025-01-30 10:10", 10, -70.0),
        ("2025-01-30 10:30", "2025-01-30 10:31", 1, -20.0),
    ]
    found = statistics(table(rows), reach(2), 500, 2)
    assert (found["max_drawdown"], found["largest_losing_trade"]) == (-90.0, -70.0)
    for name in ("r_squared", "largest_winning_trade", "average_winning_trade", "sharpe_ratio"):
        assert math.isnan(found[name]), name
    assert (found["profit_factor"], found["percent_profitable"]) == (0.0, 0.0)
    won = statistics(table([ROWS[0], ROWS[4]]), reach(2), 500, 2)
    assert math.isnan(won["profit_factor"])
    assert math.isnan(won["largest_losing_trade"])
    assert won["largest_winning_trade"] == 100.0


def test_longest_run() -> None:
    assert longest_run(np.array([False, True, True, False, True])) == 2
    assert longest_run(np.array([True, True, True])) == 3
    assert longest_run(np.zeros(4, bool)) == 0
    assert longest_run(np.zeros(0, bool)) == 0

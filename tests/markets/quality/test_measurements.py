"""The measurements of the quality report, on arrays of a few numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from markets.quality import measurements as checks
from markets.quality.sessions import while_closed


def test_scale_by_close_and_within_the_row():
    good = [100.0, 101.0, 99.0, 100.0]
    rows = np.array([good, good, [1.0, 1.01, 0.99, 1.0], good, [100.0, 10100.0, 99.0, 100.0]])
    assert checks.wrong_scale(rows).tolist() == [0, 0, -2, 0, 2]
    assert checks.wrong_scale(rows[:0]).tolist() == []


def test_a_crash_of_half_the_price_is_no_power_of_ten():
    rows = np.array([[100.0] * 4, [50.0] * 4, [25.0] * 4])
    assert checks.wrong_scale(rows).tolist() == [0, 0, 0]


def test_an_excursion_is_what_neighbours_do_not_share():
    #                 open  high  low  close
    rows = np.array([[10.0, 11.0, 9.0, 10.0], [10.0, 15.0, 9.5, 12.0], [13.0, 13.5, 6.0, 7.0]])
    # Between the close of 10 and the open of 13 the second bar's 15 is 2 beyond; the first's 11 and
    # 9 are 1 beyond; the third's 13.5 is 1.5 beyond the close of 12, and no open follows it.
    assert checks.excursions(rows).tolist() == [1.0, 2.0, 1.5]


def test_closed_hours_of_a_week():
    local = pd.DatetimeIndex(
        [
            "2025-01-06 16:59",  # Monday
            "2025-01-06 17:00",
            "2025-01-06 17:59",
            "2025-01-06 18:00",
            "2025-01-10 16:59",  # Friday
            "2025-01-10 18:00",
            "2025-01-11 12:00",
            "2025-01-12 17:59",  # Sunday
            "2025-01-12 18:00",
        ],
        tz="America/New_York",
    )
    closed = while_closed(local.as_unit("ns").asi8).tolist()
    assert closed == [False, True, True, False, False, True, True, True, False]


def test_a_trading_day_begins_at_six_in_the_evening():
    local = pd.DatetimeIndex(["2025-01-06 17:59", "2025-01-06 18:00"], tz="America/New_York")
    days = checks.trading_days(local.as_unit("ns").asi8)
    assert (days[1] - days[0]) == 1


def test_two_prices_need_two_contracts():
    prices = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 1.0, 2.0], [2.0, 3.0, 1.0, 2.0]])
    assert checks.too_few_trades(prices, np.array([1.0, 1.0, 3.0])).tolist() == [False, True, False]
    assert checks.too_few_trades(prices, np.zeros(3)).tolist() == [False, False, False]


def test_missing_minutes_are_whole_numbers():
    minute = 60 * 10**9
    monday = pd.Timestamp("2025-01-06 15:00", tz="UTC").value  # 10:00 in New York
    found = checks.missing_minutes(monday + minute * np.array([0, 1, 4, 5, 7]))
    assert found.start_ns.tolist() == [monday + 2 * minute, monday + 6 * minute]
    assert found.minutes.tolist() == found.regular.tolist() == [2, 1]
    assert {part.dtype for part in (found.start_ns, found.minutes, found.regular)} == {
        np.dtype(np.int64)
    }

"""PnL by month and weekday."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from jax_port.evaluation.sheet.calendar import by_month, by_weekday, years_table

DAYS = pd.Series(pd.to_datetime(["2024-11-29", "2024-12-02", "2024-12-03", "2025-02-03"]))
PNL = np.array([10_000, -2_550, 50, 700], np.int64)


def test_months_without_a_day_are_there() -> None:
    months = by_month(DAYS, PNL)
    assert [str(month) for month in months.index] == ["2024-11", "2024-12", "2025-01", "2025-02"]
    assert months.tolist() == [10_000, -2_500, 0, 700]


def test_the_table_of_years() -> None:
    first, second = years_table(by_month(DAYS, PNL))
    assert first == {"year": 2024, "months": [None] * 10 + [100.0, -25.0], "total": 75.0}
    assert second == {"year": 2025, "months": [0.0, 7.0] + [None] * 10, "total": 7.0}


def test_weekdays() -> None:
    found = by_weekday(DAYS, PNL)
    assert list(found) == ["Monday", "Tuesday", "Friday"]
    assert found["Monday"] == {"days": 2, "pnl": -18.5, "mean": -9.25, "winning": 0.5}
    assert found["Friday"]["pnl"] == 100.0


def test_a_years_total_is_of_whole_cents() -> None:
    """A hundred times $0.29 is a little less than 29 in floats."""
    (year,) = years_table(by_month(DAYS[:2], np.array([29, 57], np.int64)))
    assert (year["months"][10:], year["total"]) == ([0.29, 0.57], 0.86)


def test_every_year_has_its_row_and_every_weekday_all_of_its_numbers() -> None:
    """A day of nothing is no winning day, and a month of nothing is there."""
    days = pd.Series(
        pd.to_datetime(["2023-12-29", "2024-01-05", "2024-01-08", "2025-12-31", "2026-01-02"])
    )
    pnl = np.array([-50, 0, 25, 1_000, 300], np.int64)
    rows = years_table(by_month(days, pnl))
    assert [(row["year"], row["total"]) for row in rows] == [
        (2023, -0.5), (2024, 0.25), (2025, 10.0), (2026, 3.0)
    ]  # fmt: skip
    assert [row["months"] for row in rows] == [
        [None] * 11 + [-0.5], [0.25] + [0.0] * 11, [0.0] * 11 + [10.0], [3.0] + [None] * 11
    ]  # fmt: skip
    assert by_weekday(days, pnl) == {
        "Monday": {"days": 1, "pnl": 0.25, "mean": 0.25, "winning": 1.0},
        "Wednesday": {"days": 1, "pnl": 10.0, "mean": 10.0, "winning": 1.0},
        "Friday": {"days": 3, "pnl": 2.5, "mean": pytest.approx(2.5 / 3), "winning": 1 / 3},
    }

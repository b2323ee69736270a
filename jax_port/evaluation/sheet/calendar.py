"""PnL by month, year and weekday of the account's days, in cents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Cents = NDArray[np.int64]


def by_month(days: pd.Series, pnl: Cents) -> pd.Series:
    """Return the cents of every calendar month from the first day's to the last's, 0 for one without.

    Args:
        days: dates, rising.
        pnl: cents of each day.

    Returns:
        int64, indexed by ``pandas.Period``.
    """
    months = pd.PeriodIndex(pd.DatetimeIndex(days), freq="M")
    sums = pd.Series(pnl).groupby(months).sum()
    return sums.reindex(pd.period_range(months[0], months[-1], freq="M"), fill_value=0).astype(np.int64)


def years_table(months: pd.Series) -> list[dict[str, Any]]:
    """Return one row a year: year, months (12 dollars, None outside the range) and total (dollars)."""
    rows = []
    periods = pd.PeriodIndex(months.index)
    for year in sorted(set(periods.year)):
        cells: list[float | None] = [None] * 12
        for period, cents in zip(periods, months, strict=True):
            if period.year == year:
                cells[period.month - 1] = int(cents) / 100
        total = sum(round(100 * cell) for cell in cells if cell is not None)
        rows.append({"year": int(year), "months": cells, "total": total / 100})
    return rows


def by_weekday(days: pd.Series, pnl: Cents) -> dict[str, dict[str, Any]]:
    """Return by weekday, Monday first and none without a day: days, pnl and mean (dollars), winning."""
    numbers = pd.DatetimeIndex(days).day_of_week.to_numpy()
    made = {}
    for number, name in enumerate(WEEKDAYS):
        own = pnl[numbers == number]
        if len(own):
            made[name] = {
                "days": len(own),
                "pnl": int(own.sum()) / 100,
                "mean": float(own.mean()) / 100,
                "winning": float((own > 0).mean()),
            }
    return made

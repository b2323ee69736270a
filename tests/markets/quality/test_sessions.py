"""Sessions and closed hours of days, against a plain walk over every minute."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from markets.quality.sessions import closed_bars_by_day, find_sessions, while_closed

MINUTE = 60 * 10**9


def is_closed(at: pd.Timestamp) -> bool:
    """Return whether the exchange is closed at a moment of New York time."""
    day, hour = at.day_name(), at.hour
    if day == "Saturday" or (day == "Sunday" and hour < 18) or (day == "Friday" and hour >= 17):
        return True
    return hour == 17


@pytest.mark.parametrize("start", ["2025-01-01", "2025-03-06", "2025-06-30", "2025-10-30"])
def test_closed_hours_of_days_are_those_of_their_minutes(start: str) -> None:
    """Weeks of winter and of summer, and those in which New York's clocks change."""
    index = pd.date_range(start, periods=12 * 24 * 20, freq="3min", tz="UTC").as_unit("ns")
    ns = index.asi8
    local = index.tz_convert("America/New_York")
    wanted = np.array([is_closed(at) for at in local])
    assert while_closed(ns).tolist() == wanted.tolist()
    dates = np.array([at.date() for at in local])
    by_day = {day: int((wanted & (dates == day)).sum()) for day in dict.fromkeys(dates.tolist())}
    by_day = {day: bars for day, bars in by_day.items() if bars}
    days, bars = closed_bars_by_day(ns)
    found = dict(zip(days.astype("datetime64[D]").tolist(), bars.tolist(), strict=True))
    assert found == by_day
    assert (days.dtype, bars.dtype) == (np.int64, np.int64)


def test_no_bars_have_no_sessions_and_no_closed_hours() -> None:
    none = np.zeros(0, np.int64)
    assert len(find_sessions(none)) == 0
    assert [part.tolist() for part in closed_bars_by_day(none)] == [[], []]
    for at in range(0, 60 * 24 * 7, 37):
        moment = np.array([pd.Timestamp("2025-06-02", tz="UTC").value + at * MINUTE])
        days, bars = closed_bars_by_day(moment)
        assert bars.tolist() == [1] * bool(while_closed(moment)[0])
        assert len(days) == len(bars)


@pytest.mark.parametrize(
    ("gaps", "bars"),
    [
        ([], [1]),
        ([1, 1], [3]),
        ([45, 1], [3]),  # a pause of three quarters of an hour is none
        ([46, 1], [1, 2]),
        ([1, 46], [2, 1]),
        ([1, 60, 1, 1, 2000, 45], [2, 3, 2]),
    ],
    ids=str,
)
def test_a_session_ends_before_a_break(gaps: list[int], bars: list[int]) -> None:
    ns = np.cumsum([1_736_173_800 * 10**9, *(gap * MINUTE for gap in gaps)])
    found = find_sessions(ns)
    assert found.bars.tolist() == bars
    begins = np.cumsum([0, *bars])[:-1]
    assert found.opens.tolist() == ns[begins].tolist()
    assert found.closes.tolist() == ns[begins + np.array(bars) - 1].tolist()

"""Both verdicts in a page's rows: which number stands where, and how a difference is written."""

from __future__ import annotations

from typing import Any

import pytest

from jax_port.evaluation.verdicts import (
    MOST_SHOWN,
    coverage,
    episode_rows,
    verdict_pill,
    verdict_rows,
)

NAMES = (
    "pnl",
    "worst_day",
    "max_drawdown",
    "days_broken",
    "mean_pnl",
    "episodes_broken",
    "trades",
    "liquidated",
)


def listed(number: int) -> dict[str, Any]:
    """Return one differing episode of which no number is another's."""
    return {
        "episode": number, "start": 7 * number, "start_time": f"2025-07-03T{number:02}:05:00+00:00",
        "day": f"2025-07-{1 + number:02}", "daily": number % 2 == 0,
        "done_reason_minute": 1 + number % 4, "done_reason_second": 1,
        "steps_minute": 60 + number, "steps_second": 20 + number,
        "pnl_minute": 100.0 + number, "pnl_second": -300.0 - number, "open_pnl_minute": 0.5 * number,
        "open_pnl_second": -0.25 * number, "pnl_difference": -400.0 - 2.75 * number,
    }  # fmt: skip


def test_an_episode_has_both_its_ends() -> None:
    ends = ("drawdown", "late close", "end of data", "bar limit")
    rows = episode_rows({"episodes": [listed(number) for number in range(MOST_SHOWN + 3)]})
    assert len(rows) == MOST_SHOWN
    for number, row in enumerate(rows):
        assert row == {
            "day": f"2025-07-{1 + number:02}",
            "start": f"{(number - 4) % 24:02}:05",  # New York's, in summer
            "daily": number % 2 == 0,
            "difference": -400.0 - 2.75 * number,
            "minute": {"end": ends[number % 4], "bars": 60 + number, "pnl": 100.0 + 1.5 * number},
            "second": {"end": "drawdown", "bars": 20 + number, "pnl": -300.0 - 1.25 * number},
        }


@pytest.mark.parametrize("better", [1, -1])
def test_each_number_has_its_row_its_unit_and_its_sign(better: int) -> None:
    minute = {name: 1_000 + at for at, name in enumerate(NAMES)}
    difference = {name: better * at for at, name in enumerate(NAMES)}
    second = {name: minute[name] + difference[name] for name in NAMES}
    rows = verdict_rows({"minute": minute, "second": second, "difference": difference})
    assert len({row.pop("label") for row in rows}) == len(NAMES)
    sign = "+" if better > 0 else "\u2212"
    for at, (name, row) in enumerate(zip(NAMES, rows, strict=True)):
        counts = name in ("days_broken", "episodes_broken", "trades", "liquidated")
        before, after = ("", "") if counts else ("$", ".00")
        apart = f"{sign}{before}{at}{after}" if at else "same"
        assert row == {
            "minute": f"{before}{minute[name]:,}{after}",
            "second": f"{before}{second[name]:,}{after}",
            "difference": apart,
        }


def test_a_cent_of_difference_is_none_that_is_the_same() -> None:
    names = dict.fromkeys(NAMES, 0)
    for cents, told in ((-0.01, "\u2212$0.01"), (0.01, "+$0.01"), (0.0, "same")):
        rows = verdict_rows({"minute": names, "second": names, "difference": {**names, "pnl": cents}})
        assert [row["difference"] for row in rows] == [told, *["same"] * 7]


@pytest.mark.parametrize(
    ("starts", "daily", "days", "told"),
    [
        (0, 0, 3, ("good", "every second: the same verdict on every episode")),
        (1, 0, 3, ("warn", "every second: another verdict on 0 of 3 days, 1 of 9,000 starts")),
        (1_200, 1, 1, ("warn", "every second: another verdict on 1 of 1 day, 1,200 of 9,000 starts")),
    ],
)
def test_the_pill_counts_days_and_starts(starts: int, daily: int, days: int, told: Any) -> None:
    performance = {"starts": {"episodes": 9_000}, "account": {"days": days}}
    seconds = {"differ": {"starts": starts, "daily": daily}}
    assert verdict_pill({"seconds": seconds, "performance": performance}) == told


def test_minutes_without_seconds_are_told() -> None:
    traded = "minutes that could be traded"
    assert coverage({"minutes": 1_234, "minutes_without": 0}) == f"all 1,234 {traded} have seconds"
    assert coverage({"minutes": 1_234, "minutes_without": 1}) == f"1 of 1,234 {traded} have none"
    assert coverage({"minutes": 1_234, "minutes_without": 5}) == f"5 of 1,234 {traded} have none"

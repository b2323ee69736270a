"""Both verdicts in a page's rows: which number stands where, and how a difference is written."""

from __future__ import annotations

from typing import Any

import pytest

from jax_port.evaluation.verdicts import MOST_SHOWN, episode_rows, verdict_rows

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

"""Where a finding begins: coarse grids, thin days, and several powers of ten in one file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from markets import get_contract
from markets.quality.facts import Rows, measure
from markets.quality.findings import problems, scale_problems, warnings

ES = get_contract("ES")


def found(frame: pd.DataFrame, *, bad: bool) -> dict[str, tuple[int, str]]:
    rows = Rows(frame, ES, "made.csv")
    some = problems(rows) if bad else warnings(rows, measure(rows, "made.csv"))
    return {one.kind: (one.count, f"{one.message}; {one.mend}") for one in some}


@pytest.mark.parametrize(
    ("step", "prices", "rows", "coarse"),
    [
        (1, 50, 100, False),
        (2, 50, 100, False),
        (3, 50, 100, False),
        (4, 50, 100, True),
        (7, 50, 100, True),
        (10, 20, 100, True),
        (10, 19, 100, False),  # too few prices to tell
        (10, 50, 400_000, True),
    ],
)
def test_prices_that_all_lie_four_ticks_apart_or_more_are_coarse(
    step: int, prices: int, rows: int, coarse: bool
) -> None:
    ticks = 24_000 // step * step + step * (np.arange(rows) % prices)
    one = list(scale_problems(ticks * 0.25, ES))
    assert [finding.kind for finding in one] == ["coarse_prices"] * coarse
    if coarse:
        assert one[0].count == rows
        words = f"every close is a whole multiple of {step} ticks of ES ({step * 0.25:.10g} points)"
        assert one[0].message.startswith(words)
    for at in (0, rows // 2, rows - 1):  # one close elsewhere clears the file, wherever it stands
        other = ticks.copy()
        other[at] += 1
        assert not list(scale_problems(other * 0.25, ES)) or not coarse


@pytest.mark.parametrize(("share", "thin"), [(0.1, False), (0.099, True), (0.0, True), (1.0, False)])
@pytest.mark.parametrize("day", [0, 1, 2])
def test_a_thin_day_has_less_than_a_tenth_of_the_median_days_volume(
    make_frame, share: float, thin: bool, day: int
) -> None:
    frame = make_frame(days=3)
    # Ten thousand contracts a bar, whole ones in a tenth and in less.
    frame["volume"] = np.where(np.arange(1350) // 450 == day, 10_000 * share, 10_000.0)
    told = found(frame, bad=False)
    assert ("thin_days" in told) == thin
    if thin:
        date = f"2025-01-0{6 + day}"
        assert told["thin_days"][0] == 1
        assert f"1 day with under 10% of the median day's volume ({date})" in told["thin_days"][1]


def test_no_day_of_a_file_without_volume_is_thin(make_frame) -> None:
    assert "thin_days" not in found(make_frame(days=3).assign(volume=0.0), bad=False)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({-2: 5, -1: 3}, "prices look divided by 100 in 8 of 1,350 rows"),
        ({-2: 3, -1: 5}, "prices look divided by 10 in 8 of 1,350 rows"),
        ({1: 3, 2: 5}, "prices look multiplied by 100 in 8 of 1,350 rows"),
        ({1: 5, 2: 3}, "prices look multiplied by 10 in 8 of 1,350 rows"),
        ({-1: 3, 1: 5}, "prices look multiplied by 10 in 8 of 1,350 rows"),
        ({-1: 5, 1: 3}, "prices look divided by 10 in 8 of 1,350 rows"),
    ],
    ids=str,
)
def test_the_commonest_power_of_ten_is_named(make_frame, rows: dict[int, int], words: str) -> None:
    frame = make_frame(days=3)
    at = 100
    for power, count in rows.items():
        frame.iloc[at : at + count, :4] *= 10.0**power
        at += 200
    told = found(frame, bad=True)
    assert words in told["wrong_scale"][1]
    factor = 10 ** abs(max(rows, key=lambda power: rows[power]))
    do = "multiply" if "divided" in words else "divide"
    assert f"{do} the prices of these rows by {factor}, or remove the rows" in told["wrong_scale"][1]


@pytest.mark.parametrize(("off", "bad"), [(0, False), (1, False), (5, False), (6, True)])
def test_off_the_grid_is_a_problem_beyond_a_thousandth_of_the_prices(
    make_frame, off: int, bad: bool
) -> None:
    """Of 5,400 prices 5.4 are a thousandth; prices count, not rows."""
    frame = make_frame(days=3)
    for number in range(off):
        frame.iloc[7 + number // 2, 1 + number % 2] += 0.1 - 0.2 * (number % 2)
    report = found(frame, bad=True), found(frame, bad=False)
    assert ["off_grid" in part for part in report] == [bad, bool(off) and not bad]
    if off:
        assert report[not bad]["off_grid"][0] == off

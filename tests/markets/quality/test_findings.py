"""Where a finding begins: coarse grids, thin days, and several powers of ten in one file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from markets import get_contract
from markets.file_facts import FileFacts
from markets.quality.facts import Rows, measure
from markets.quality.findings import _some, problems, scale_problems, warnings
from markets.quality.inspection import inspect

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
    busy = make_frame(days=3)
    busy.iloc[900:, 4] *= 20.0  # the others are the usual ones
    assert "thin_days" not in found(busy, bad=False)
    busy.iloc[[3, 8], 4] = 0.0
    busy.iloc[[4, 5, 6], 4] = 1.0  # are few, and not none
    assert found(busy, bad=False)["zero_volume"][0] == 2


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


@pytest.mark.parametrize(("off", "bad"), [(5, False), (6, True)])
def test_a_thousandth_itself_is_snapped(make_frame, off: int, bad: bool) -> None:
    frame = make_frame(days=3)[:1250]
    frame.iloc[100 : 100 + off, 1] += 0.1
    assert ("off_grid" in found(frame, bad=True)) == bad
    assert ("off_grid" in found(frame, bad=False)) == (not bad)


def test_seconds_are_no_bars_of_another_length(make_frame) -> None:
    index = pd.date_range("2025-01-06 14:30", periods=450, freq="s", tz="UTC")
    seconds = make_frame(days=1).set_axis(index)
    assert found(seconds, bad=True) == {}
    assert found(seconds, bad=False)["second_bars"][0] == 450
    assert "too_short" not in found(seconds, bad=False)
    told = found(seconds[::7], bad=True)["bar_length"]
    assert told[0] == 63  # of 65, all but those of 09:30:00 and 09:37:00
    assert "63 of 65 bars do not begin on a whole minute (first 2025-01-06 09:30:07-05:00)" in told[1]


@pytest.mark.parametrize(("rows", "short"), [(510, True), (511, False)])
def test_one_episode_needs_its_warm_up_its_window_and_a_bar_more(
    make_frame, rows: int, short: bool
) -> None:
    told = found(make_frame(days=3)[:rows], bad=False)
    assert ("too_short" in told) == short
    if short:
        assert told["too_short"][0] == 510
        assert "510 bars in the regular session; one episode needs 511" in told["too_short"][1]


def test_a_price_of_zero_is_no_volume_of_quotes(make_frame) -> None:
    frame = make_frame(days=1)
    frame.iloc[9, :4] = 0.0
    assert found(frame, bad=True)["non_positive"][1].endswith("; remove the rows")
    frame = make_frame(days=1).assign(volume=-1.0)
    assert "Interactive Brokers" in found(frame, bad=True)["non_positive"][1]


def test_days_that_are_all_short_speak_of_the_zone_and_one_of_itself(make_frame) -> None:
    frame = make_frame(days=3)
    every = frame[np.arange(1350) % 450 < 100]
    words = "check the time zone and what was exported: no day has a whole regular session"
    assert found(every, bad=False)["short_days"][1].endswith(words)
    one = frame[(np.arange(1350) < 900) | (np.arange(1350) % 450 < 100)]
    count, told = found(one, bad=False)["short_days"]
    assert count == 1
    assert told.endswith("(2025-01-08); drop these days, or fill them from another source")


def test_up_to_three_days_are_listed() -> None:
    assert [_some("abcd"[:count]) for count in (1, 2, 3)] == ["a", "a, b", "a, b, c"]
    assert _some("abcd") == "the first a, the last d"


def test_a_row_that_is_missing_says_nothing_of_what_numbers_below_zero_are(make_frame) -> None:
    frame = make_frame(days=1).assign(volume=-1.0)
    frame.iloc[[0, 7], 2] = np.nan
    frame.iloc[449, 4] = np.nan
    told = found(frame, bad=True)
    assert told["missing_values"][0] == 3
    assert told["non_positive"][0] == 447
    assert "Interactive Brokers" in told["non_positive"][1]


def test_rows_in_any_order_are_busy_when_they_are(make_frame) -> None:
    """Newest first, and with a row before them that says nothing."""
    frame = make_frame(days=3)
    assert "busiest_hour" not in found(frame[::-1], bad=False)
    late = frame.assign(volume=frame["volume"].mask(np.arange(1350) % 450 >= 420, 4000.0))
    late.iloc[5, 0] = np.nan
    assert "the busiest half hour begins at 16:30" in found(late[::-1], bad=False)["busiest_hour"][1]


def test_prices_that_are_snapped_are_told_last_and_all_else_stays(make_frame) -> None:
    frame = make_frame(days=3).assign(high=lambda rows: rows["high"] + 0.1)
    frame.iloc[5, 4] = 2.0
    plain, snapped = (inspect(frame, ES, "made.csv", snap=snap) for snap in (False, True))
    (problem,) = plain.problems
    assert (problem.kind, problem.count, plain.ok) == ("off_grid", 1350, False)
    assert (snapped.problems, snapped.ok, snapped.to_dict()["ok"]) == ((), True, True)
    assert [one.kind for one in plain.warnings] == ["too_few_trades"]
    assert snapped.warnings == (*plain.warnings, replace(problem, mend="do nothing: they are snapped"))
    frame.iloc[9, 1] = np.nan
    both = inspect(frame, ES, "made.csv", snap=True)
    assert ([one.kind for one in both.problems], both.to_dict()["ok"]) == (["missing_values"], False)


@pytest.mark.parametrize(("step", "judged"), [(1, False), (7, True), (60, True)])
def test_the_clock_of_seconds_alone_is_not_judged(make_frame, step: int, judged: bool) -> None:
    """They lie in the daily halt of New York, on three days."""
    days = [
        pd.date_range(f"2025-01-0{day} 22:01", periods=50, freq=f"{step}s", tz="UTC")
        for day in (6, 7, 8)
    ]
    frame = make_frame(days=1)[:150].set_axis(days[0].append(days[1:]))
    told = found(frame, bad=True)
    assert list(told) == ["bar_length"] * (step == 7) + ["time_zone"] * judged


def test_an_episode_needs_bars_of_the_regular_session(make_frame) -> None:
    told = found(make_frame(days=2, first=330, last=824), bad=False)
    assert told["too_short"][0] == 2 * 255


def test_rows_that_come_again_are_told_as_a_reader_tells_them(make_frame) -> None:
    frame = make_frame(days=2)
    twice = pd.concat([frame, frame.iloc[[3, 7]]])
    assert found(twice, bad=True)["duplicates"][1].endswith(
        "(first 2025-01-06 09:33:00-05:00); the same row occurs again; keep one row a minute: drop the "
        "others"
    )
    other = frame.assign(**{name: frame[name] + 60.0 for name in ("open", "high", "low", "close")})
    two = pd.concat([frame, other]).sort_index(kind="stable")
    count, words = found(two, bad=True)["duplicates"]
    assert count == 900
    assert "rows of the same time are about 60 points apart" in words


def test_the_longest_gap_is_told(make_frame) -> None:
    frame = make_frame(days=3)
    minute = np.arange(1350)
    gone = np.isin(minute, [*range(20, 24), *range(600, 612), *range(1000, 1003)])
    count, words = found(frame[~gone], bad=False)["gaps"]
    assert count == 19
    assert (
        "09:30 to 16:59 lacks 19 minutes in 3 gaps (longest 12, from 2025-01-07 12:00:00-05:00)"
        in words
    )


@pytest.mark.parametrize(("bars", "short"), [(179, True), (180, False)])
def test_half_a_day_is_no_short_day(make_frame, bars: int, short: bool) -> None:
    frame = make_frame(days=3)
    told = found(frame[(np.arange(1350) < 900) | (np.arange(1350) >= 1350 - bars)], bad=False)
    assert ("short_days" in told) == short


def test_rows_in_any_order_open_where_they_do(make_frame) -> None:
    """From nine o'clock on, where volume leaps at half past nine, as it should."""
    frame = make_frame(days=3, first=540)
    frame["volume"] = np.where(frame["volume"] > 1000, 9000.0, 1000.0)
    assert "opening" not in found(frame, bad=False)
    assert "opening" not in found(frame[::-1], bad=False)
    flat = found(frame.assign(volume=1000.0)[::-1], bad=False)["opening"]
    assert flat[0] == len(frame)
    assert "bars begin at 09:00 New York time" in flat[1]


def test_a_row_without_a_volume_says_nothing_of_the_busiest_hour(make_frame) -> None:
    frame = make_frame(days=3)
    frame.iloc[440, 4] = np.nan
    assert "busiest_hour" not in found(frame, bad=False)


def test_a_row_that_lacks_a_number_is_missing_and_nothing_else(make_frame) -> None:
    frame = make_frame(days=3)
    frame.iloc[5, [0, 3]] = [-1.0, np.nan]
    frame.iloc[6, [1, 4]] = [5000.0, np.inf]
    frame.iloc[7, [1, 4]] = [1.0, np.nan]
    told = found(frame, bad=True)
    assert {name: count for name, (count, _) in told.items()} == {"missing_values": 3}
    frame.iloc[5, 3] = 6000.0
    assert found(frame, bad=True)["non_positive"][0] == 1


def test_what_a_file_says_of_itself_is_judged_too(make_frame) -> None:
    frame = make_frame(days=3)
    frame.attrs["file"] = FileFacts("wall", contracts=("NQH5",), name="ES_bid.csv")
    told = found(frame, bad=True)
    assert list(told) == ["other_contract", "quotes"]
    assert Rows(make_frame(days=1), ES, "a.csv").file == FileFacts("offset", name="a.csv")

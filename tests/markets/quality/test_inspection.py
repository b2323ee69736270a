"""Each finding of the quality report from a file that has it, counted by hand; none from a good one."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from markets import Bars, InputError, get_contract
from markets.quality.inspection import QualityReport, inspect
from markets.readers import read_frame
from tests.sentences import refuses

ES = get_contract("ES")
MINUTE = pd.Timedelta(minutes=1)


def report_on(frame: pd.DataFrame) -> QualityReport:
    return inspect(frame, ES, "made.csv")


def kinds(report: QualityReport) -> tuple[list[str], list[str]]:
    return [f.kind for f in report.problems], [f.kind for f in report.warnings]


@pytest.fixture
def frame(make_frame) -> pd.DataFrame:
    """Three regular sessions: 2025-01-06 to 08, 450 bars each."""
    return make_frame(days=3)


@pytest.fixture
def week(make_frame) -> pd.DataFrame:
    """Five whole trading days: Sunday 2025-01-05 18:00 to Friday 16:59."""
    return make_frame(days=5, first=-360)


def test_a_good_file_has_nothing_to_mend(frame):
    report = report_on(frame)
    assert kinds(report) == ([], [])
    assert report.ok
    assert (report.source, report.symbol) == ("made.csv", "ES")
    assert (report.rows, report.regular_rows, report.step_seconds) == (1350, 1350, 60.0)
    assert report.first == "2025-01-06 09:30:00-05:00"
    assert report.last == "2025-01-08 16:59:00-05:00"
    assert report.days == {"full": 3, "half": 0, "short": 0}
    assert report.day_bars == {"2025-01-06": 450, "2025-01-07": 450, "2025-01-08": 450}
    assert report.day_volume["2025-01-07"] == report.median_volume == 30 * 3000 + 420 * 1000
    assert report.largest_gaps == ()


def test_whole_trading_days_are_good_too(week, make_frame):
    report = report_on(week)
    assert kinds(report) == ([], [])
    assert (report.rows, report.regular_rows) == (5 * 1380, 5 * 450)
    # The clocks go forward in the night before the second of these days, and back in the other year's.
    for start in ("2025-03-06", "2025-10-30"):
        assert kinds(report_on(make_frame(days=4, first=-360, start=start))) == ([], [])


def scale(frame: pd.DataFrame, rows: slice, factor: float) -> pd.DataFrame:
    frame.iloc[rows, :4] *= factor
    return frame


def lift(frame: pd.DataFrame, rows: slice, points: float) -> pd.DataFrame:
    frame.iloc[rows, :4] += points
    return frame


def put(frame: pd.DataFrame, row: int, **values: float) -> pd.DataFrame:
    for column, value in values.items():
        frame.loc[frame.index[row], column] = value
    return frame


def move(frame: pd.DataFrame, row: int, **moves: float) -> pd.DataFrame:
    return put(frame, row, **{name: frame[name].iloc[row] + by for name, by in moves.items()})


@pytest.mark.parametrize(
    ("spoil", "kind", "count", "words"),
    [
        pytest.param(
            lambda f: scale(f, slice(100, 110), 0.01),
            "wrong_scale",
            10,
            r"prices look divided by 100 in 10 of 1,350 rows \(first 2025-01-06 11:10:00-05:00\)",
            id="divided by 100",
        ),
        pytest.param(
            lambda f: scale(f, slice(1000, 1350), 0.01),
            "wrong_scale",
            350,
            "divided by 100 in 350 of",
            id="divided from a day on",
        ),
        pytest.param(
            lambda f: scale(f, slice(0, 1), 100),
            "wrong_scale",
            1,
            "multiplied by 100 in 1 of",
            id="x 100",
        ),
        pytest.param(
            lambda f: scale(f, slice(7, 9), 0.001), "wrong_scale", 2, "divided by 1000 in 2", id="1000"
        ),
        pytest.param(
            lambda f: put(f, 50, low=60.0), "wrong_scale", 1, "divided by 100 in 1 of", id="one column"
        ),
        pytest.param(
            lambda f: put(f, 3, close=np.nan), "missing_values", 1, "missing or infinite in 1", id="NaN"
        ),
        pytest.param(
            lambda f: put(f, 3, volume=np.inf),
            "missing_values",
            1,
            "missing or infinite",
            id="infinite",
        ),
        pytest.param(
            lambda f: put(put(f, 3, low=0.0), 4, volume=-1),
            "non_positive",
            2,
            "not above zero",
            id="zero",
        ),
        pytest.param(
            lambda f: put(f, 3, high=5990.0, low=5995.0),
            "impossible",
            1,
            "high is below",
            id="high < low",
        ),
        pytest.param(
            lambda f: put(f, 3, low=5000.0),
            "bad_prints",
            1,
            "neighbours by more than 10% in 1",
            id="print",
        ),
        pytest.param(
            lambda f: lift(f, slice(700, 1350), 1500.0),
            "bad_prints",
            1,
            "first 2025-01-07 13:40",
            id="jump",
        ),
        pytest.param(
            lambda f: f.iloc[[0, 1, 1, 1, *range(2, 1350)]],
            "duplicates",
            2,
            "a time occurs again",
            id="dup",
        ),
        pytest.param(
            lambda f: f.iloc[[0, 2, 1, *range(3, 1350)]],
            "out_of_order",
            1,
            r"time runs backwards in 1 of 1,350 rows \(first 2025-01-06 09:31",
            id="order",
        ),
        pytest.param(
            lambda f: f.assign(high=f["high"] + 0.1),
            "off_grid",
            1350,
            "1,350 of 5,400 prices",
            id="grid",
        ),
        pytest.param(
            lambda f: f.iloc[::5], "bar_length", 270, "bars are 5 minutes long", id="5 minutes"
        ),
        pytest.param(
            lambda f: f.set_axis(f.index + pd.Timedelta(seconds=59)),
            "bar_length",
            1350,
            "do not begin on a whole minute",
            id="59th second",
        ),
        pytest.param(
            lambda f: f.set_axis(f.index + MINUTE),
            "stamped_by_close",
            1350,
            "sessions begin a minute late",
            id="closes",
        ),
    ],
)
def test_a_problem_is_found_counted_and_can_be_mended(frame, spoil, kind, count, words):
    report = report_on(spoil(frame.copy()))
    assert not report.ok
    assert [finding.kind for finding in report.problems] == [kind]
    found = report.problems[0]
    assert found.count == count
    assert pd.Series([found.message]).str.contains(words).all(), found.message
    assert found.mend[0].islower()
    assert not found.mend.endswith(".")


@pytest.mark.parametrize(
    ("hours", "words"),
    [(-4, "fit Etc/GMT+4 (UTC-4"), (5, "fit Etc/GMT-5 (UTC+5"), (-1, "fit Etc/GMT+1 (UTC-1")],
)
def test_a_wrong_time_zone_is_seen_by_bars_in_closed_hours(week, hours, words):
    report = report_on(week.set_axis(week.index + pd.Timedelta(hours=hours)))
    assert kinds(report)[0] == ["time_zone"]
    assert words in report.problems[0].message
    assert "--tz" in report.problems[0].mend


def test_whole_days_stamped_by_their_close_are_seen(week):
    assert kinds(report_on(week.set_axis(week.index + MINUTE)))[0] == ["stamped_by_close"]


@pytest.mark.parametrize(
    ("spoil", "kind", "count"),
    [
        pytest.param(lambda f: move(f, 3, high=0.1), "off_grid", 1, id="one price off the grid"),
        pytest.param(lambda f: f.drop(f.index[[100, 101, 105]]), "gaps", 3, id="missing minutes"),
        pytest.param(lambda f: f.drop(f.index[899]), "gaps", 1, id="the last minute of a day"),
        pytest.param(lambda f: f.drop(f.index[450:453]), "gaps", 3, id="the first minutes of a day"),
        pytest.param(lambda f: f.drop(f.index[550:900]), "short_days", 1, id="a short day"),
        pytest.param(lambda f: f.drop(f.index[450:900]), "absent_days", 1, id="no Tuesday"),
        pytest.param(
            lambda f: f.assign(volume=f["volume"].where(np.arange(1350) < 900, 9)),
            "thin_days",
            1,
            id="thin",
        ),
        pytest.param(lambda f: put(put(f, 5, volume=0), 6, volume=0), "zero_volume", 2, id="no volume"),
        pytest.param(lambda f: put(f, 5, volume=2), "too_few_trades", 1, id="2 contracts at 3 prices"),
        pytest.param(lambda f: move(f, 5, high=15.0), "spikes", 1, id="a spike up"),
        pytest.param(lambda f: move(f, 5, low=-15.0), "spikes", 1, id="a spike down"),
        pytest.param(lambda f: f.iloc[:450], "too_short", 450, id="one day"),
        pytest.param(
            lambda f: f.assign(volume=f["volume"].mask(np.arange(1350) % 450 >= 420, 4000.0)),
            "busiest_hour",
            1350,
            id="busiest at 16:30",
        ),
    ],
)
def test_a_warning_is_found_and_counted(frame, spoil, kind, count):
    report = report_on(spoil(frame.copy()))
    assert report.ok
    assert kinds(report)[1] == [kind]
    assert report.warnings[0].count == count


def test_a_bar_in_the_daily_halt_is_worth_a_look(week):
    extra = week.iloc[[-1]].set_axis(week.index[-1:] + 30 * MINUTE)
    report = report_on(pd.concat([week, extra]))
    assert kinds(report) == ([], ["closed_hours"])
    assert report.closed == 1
    assert "2025-01-10 17:29" in report.warnings[0].message


def test_one_second_bars_are_for_evaluation(frame):
    seconds = pd.date_range(frame.index[0], periods=1350, freq="s")
    report = report_on(frame.set_axis(seconds.as_unit("ns")))
    assert report.ok
    assert report.step_seconds == 1.0
    assert "second_bars" in kinds(report)[1]


def test_an_early_close_is_half_a_day_and_no_gap(frame):
    report = report_on(frame.drop(frame.index[450 + 210 : 900]))
    assert report.days == {"full": 2, "half": 1, "short": 0}
    assert kinds(report) == ([], [])


def test_days_to_sixteen_hundred_are_full(make_frame):
    report = report_on(make_frame(days=3, last=959))
    assert report.days == {"full": 3, "half": 0, "short": 0}
    assert kinds(report) == ([], [])


def test_gaps_are_counted_by_session_and_listed_by_length(week):
    # Of the first trading day: 20:00 to 20:59 at night, and 09:20 to 09:34 across the opening.
    start = week.index[0]
    night = start + 120 * MINUTE + np.arange(60) * MINUTE
    opening = start + 920 * MINUTE + np.arange(15) * MINUTE
    report = report_on(week.drop(night).drop(opening))
    assert (report.gaps, report.missing_minutes, report.longest_gap_minutes) == (2, 75, 60)
    assert (report.regular_gaps, report.regular_missing_minutes) == (1, 5)
    assert [(gap.start, gap.minutes, gap.regular_minutes) for gap in report.largest_gaps] == [
        ("2025-01-06 09:20:00-05:00", 15, 5),
        ("2025-01-05 20:00:00-05:00", 60, 0),
    ]
    assert report.warnings[0].message == (
        "09:30 to 16:59 lacks 5 minutes in 1 gap (longest 5, from 2025-01-06 09:20:00-05:00)"
    )


def test_causes_come_before_their_consequences(frame):
    spoilt = scale(put(frame, 3, close=np.nan), slice(100, 400), 0.01).iloc[::-1]
    report = report_on(spoilt)
    assert kinds(report)[0] == ["wrong_scale", "missing_values", "out_of_order"]
    assert report.out_of_order == 1349


def test_the_same_rows_give_the_same_report_and_json(frame):
    spoilt = move(scale(frame, slice(100, 110), 0.01).drop(frame.index[400:420]), 5, high=0.1)
    one, other = report_on(spoilt), report_on(spoilt.copy())
    assert one == other
    values = json.loads(json.dumps(one.to_dict(), allow_nan=False))
    assert values["ok"] is False
    assert values["problems"][0]["kind"] == "wrong_scale"
    assert values["largest_gaps"][0]["minutes"] == 20


def test_what_is_no_frame_of_bars_is_refused(frame):
    with refuses():
        report_on(frame.iloc[:0])
    with refuses():
        report_on(frame.tz_localize(None))


def test_one_bar_is_enough_for_a_report(frame):
    report = report_on(frame.iloc[:1])
    assert kinds(report) == ([], ["too_short", "short_days"])
    assert report.step_seconds == 0.0


CELLS = st.one_of(
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1.0, 0.1, 60.0, 600000.0, 6000.1, 1e300]),
    st.floats(1.0, 1e7),
)


@example(cells=[(0, 0, np.inf), (0, 1, np.inf)], rows=[], shift=0)
@settings(max_examples=150, deadline=None)
@given(
    cells=st.lists(st.tuples(st.integers(0, 29), st.integers(0, 4), CELLS), max_size=3),
    rows=st.lists(st.integers(0, 29), max_size=4),
    shift=st.sampled_from([0, 0, 0, 1, 59_000, 86_400_000 * 2]),
)
def test_a_file_without_problems_always_makes_bars(make_frame, cells, rows, shift):
    frame = make_frame(days=1).iloc[:30].copy()
    for row, column, value in cells:
        frame.iloc[row, column] = value
    order = [*range(30), *rows]
    spoilt = frame.iloc[order].set_axis(frame.index[order] + pd.Timedelta(milliseconds=shift))
    report = report_on(spoilt)
    try:
        made = len(Bars.from_frame(spoilt, ES, source="made.csv")) > 0
    except InputError:
        made = False
    assert made or not report.ok


def test_the_real_file(real_file):
    """What was measured in it once: filled bars before the roll, and three hours in the daily halt."""
    report = inspect(read_frame(real_file), ES, real_file.name)
    assert report.ok
    assert (report.rows, report.regular_rows, report.step_seconds) == (48_419, 15_749, 60.0)
    assert report.days == {"full": 35, "half": 0, "short": 0}
    assert (report.missing_minutes, report.regular_missing_minutes) == (1, 1)
    assert report.largest_gaps[0].start == "2025-09-09 16:59:00-04:00"
    assert (report.closed, report.too_few_trades, report.spikes) == (180, 5471, 2)
    assert (report.off_grid, report.zero_volume, report.duplicates) == (0, 0, 0)
    assert kinds(report)[1] == ["closed_hours", "gaps", "thin_days", "too_few_trades", "spikes"]


@pytest.mark.parametrize("count", [1, 3])
def test_a_file_without_one_usable_bar_is_told_what_is_wrong_with_them(
    frame: pd.DataFrame, count: int
) -> None:
    report = report_on(frame.iloc[:count].assign(low=0.0))
    assert kinds(report)[0] == ["non_positive"]
    assert "too_short" in kinds(report)[1]

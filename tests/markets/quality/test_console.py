"""The report in a terminal: each number stands beside its own check, and each finding shows there."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from markets.contracts import Contract
from markets.quality.console import show
from markets.quality.facts import Gap
from markets.quality.finding import Finding
from markets.quality.inspection import QualityReport

CRUDE = Contract("CL", "Crude Oil", 0.01, 1005, 1, 250)
REPORT = QualityReport(
    source="bars.csv",
    symbol="CL",
    rows=12_345,
    regular_rows=6_789,
    first="2025-01-06 09:30:00-05:00",
    last="2025-01-08 16:58:00-05:00",
    step_seconds=60.0,
    gaps=71,
    missing_minutes=1_072,
    regular_gaps=73,
    regular_missing_minutes=1_074,
    longest_gap_minutes=75,
    largest_gaps=(Gap("2025-01-07 10:00:00-05:00", 1_200, 1_100), Gap("2025-01-08 09:00", 40, 10)),
    duplicates=81,
    out_of_order=82,
    missing_values=83,
    non_positive=84,
    impossible=85,
    off_grid=86,
    off_grid_share=0.0123,
    zero_volume=87,
    zero_volume_share=0.0456,
    too_few_trades=88,
    wrong_scale=89,
    spikes=90,
    bad_prints=91,
    closed=92,
    median_volume=123_456.7,
    days={"full": 31, "half": 1, "short": 10},
    day_bars={},
    day_volume={},
    absent_days=(),
    problems=(),
    warnings=(),
)
CHECKS = {
    "wrong_scale": ("prices off by a power of ten", "89", "none"),
    "missing_values": ("missing values", "83", "none"),
    "non_positive": ("price or volume below zero", "84", "none"),
    "impossible": ("impossible bars (high below low, ...)", "85", "none"),
    "bad_prints": ("bad prints (over 10% away)", "91", "none"),
    "duplicates": ("duplicate times", "81", "none"),
    "out_of_order": ("rows out of order", "82", "none"),
    "off_grid": ("prices off the tick grid", "86 (1.23%)", "0.1%"),
    "closed_hours": ("bars while the exchange is closed", "92", "3% a season"),
    "gaps": ("minutes missing, 09:30 to 16:59", "1,074", ""),
    "all hours": ("minutes missing, all hours", "1,072", ""),
    "zero_volume": ("bars without volume", "87 (4.56%)", ""),
    "too_few_trades": ("bars not made of trades", "88", ""),
    "spikes": ("spikes", "90", ""),
}
"""Kind of a finding to the line of its check: name, number and limit."""


class Terminal(io.TextIOWrapper):
    """A stream of an encoding."""


def page(report: QualityReport, encoding: str = "utf-8") -> list[str]:
    """Return the lines of a report, without its frame and the spaces between."""
    stream = Terminal(io.BytesIO(), encoding)
    show(report, CRUDE, "parquet", Console(file=stream, width=110))
    stream.seek(0)
    lines = (line.strip("│|\n ") for line in stream.read().splitlines())
    return [" ".join(line.split()) for line in lines]


def line_of(kind: str, state: str) -> str:
    name, number, limit = CHECKS[kind]
    return f"{name} {number} {state} {limit}".strip()


def finding(kind: str) -> Finding:
    return Finding(kind, 5, f"what {kind} is", f"mend {kind}")


def test_each_number_stands_beside_its_own_words() -> None:
    lines = page(REPORT)
    assert [line_of(kind, "ok") for kind in CHECKS] == lines[9:23]
    assert "CL bars.csv" in lines[0]
    assert lines[2:7] == [
        "contract Crude Oil, tick 0.01 = $10.05",
        "format parquet",
        "span 2025-01-06 09:30:00-05:00 to 2025-01-08 16:58:00-05:00 New York",
        "bars 12,345, of which 6,789 from 09:30 to 16:59; one a minute",
        "volume 123,457 contracts on the median day",
    ]
    assert lines[24:28] == [
        "days bars from 09:30 to 16:59",
        f"full 31 {'█' * 30} 380 or more",
        "half 1 █ 180 to 379",
        f"short 10 {'█' * 10} fewer than 180",
    ]
    assert lines[29:32] == [
        "longest gaps, from (New York) minutes of 09:30 to 16:59",
        "2025-01-07 10:00:00-05:00 1,200 1,100",
        "2025-01-08 09:00 40 10",
    ]
    assert lines[-3] == "Fit to train on."


@pytest.mark.parametrize("kind", [*(kind for kind in CHECKS if kind != "all hours"), "time_zone"])
def test_a_finding_shows_beside_its_own_check_and_a_problem_counts_for_more(kind: str) -> None:
    shown = "closed_hours" if kind == "time_zone" else kind
    one = finding(kind)
    for problems, warnings, state, verdict in (
        ((one,), (), "MEND", "Not fit to train on: 1 problem."),
        ((), (one,), "look", "Fit to train on, with 1 warning."),
    ):
        lines = page(replace(REPORT, problems=problems, warnings=warnings))
        states = [line_of(each, state if each == shown else "ok") for each in CHECKS]
        assert lines[9:23] == states
        assert lines[-3] == verdict
        assert ("Problems: mend these before training" in lines) == bool(problems)
        assert ("Worth a look" in lines) == bool(warnings)
        at = lines.index(f"- what {kind} is")
        assert lines[at + 1] == f"Mend {kind}."


def test_two_findings_of_one_check_show_the_worse() -> None:
    zone, closed, other = finding("time_zone"), finding("closed_hours"), finding("x")
    for problems, warnings in (((zone, other), (closed,)), ((closed, other), (zone, closed))):
        lines = page(replace(REPORT, problems=problems, warnings=warnings))
        assert line_of("closed_hours", "MEND") in lines
        assert lines[-3] == "Not fit to train on: 2 problems."
    lines = page(replace(REPORT, warnings=(closed, other, zone)))
    assert line_of("closed_hours", "look") in lines
    assert lines[-3] == "Fit to train on, with 3 warnings."


def test_seconds_and_days_that_there_are_not() -> None:
    report = replace(REPORT, step_seconds=1.0, days={"full": 0, "half": 0, "short": 0}, largest_gaps=())
    lines = page(report, "ascii")
    assert "bars 12,345, of which 6,789 from 09:30 to 16:59; 1 seconds apart" in lines
    assert "full 0 380 or more" in lines
    assert not [line for line in lines if line.startswith("longest gaps")]
    assert f"full 31 {'#' * 30} 380 or more" in page(REPORT, "ascii")


def test_one_second_bars_are_not_fit_to_train_on() -> None:
    for problems, others, verdict in (
        ((), (), "Fit to evaluate on, not to train on, with 1 warning."),
        ((), (finding("gaps"),), "Fit to evaluate on, not to train on, with 2 warnings."),
        ((finding("gaps"),), (), "Not fit to train on: 1 problem."),
    ):
        found = replace(REPORT, problems=problems, warnings=(finding("second_bars"), *others))
        assert page(found)[-3] == verdict


def test_one_gap_is_listed_and_longer_bars_are_told_by_their_seconds() -> None:
    lines = page(replace(REPORT, step_seconds=300.0, largest_gaps=REPORT.largest_gaps[:1]))
    assert "bars 12,345, of which 6,789 from 09:30 to 16:59; 300 seconds apart" in lines
    at = lines.index("longest gaps, from (New York) minutes of 09:30 to 16:59")
    assert lines[at + 1 : at + 3] == ["2025-01-07 10:00:00-05:00 1,200 1,100", ""]


@pytest.mark.parametrize(("problems", "warnings"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_frame_is_green_where_there_is_no_problem(problems: int, warnings: int) -> None:
    stream = io.StringIO()
    report = replace(
        REPORT, problems=(finding("gaps"),) * problems, warnings=(finding("spikes"),) * warnings
    )
    show(
        report,
        CRUDE,
        "csv",
        Console(file=stream, width=110, force_terminal=True, color_system="standard"),
    )
    assert stream.getvalue().startswith("\x1b[31m" if problems else "\x1b[32m")
    assert ("\x1b[1;31mMEND" in stream.getvalue()) == bool(problems)
    assert ("\x1b[33mlook" in stream.getvalue()) == bool(warnings)

"""The model beside what was measured: fitted where it says so, checked elsewhere; faults show."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.gpu_model.__main__ import APART, PROGRAMS, REPORT
from benchmarks.gpu_model.parameters import parameters
from benchmarks.gpu_model.points import BOUND, FITTED, Point, points_of
from benchmarks.gpu_program.cards import H100, Card
from tests.sentences import refuses

MEASURED = json.loads(REPORT.read_text())
HELD = json.loads(PROGRAMS.read_text())["programs"]
BESIDE = json.loads(APART.read_text())["rows"]


def points(card: Card = H100, measured: dict[str, Any] = MEASURED) -> list[Point]:
    return points_of(measured, HELD, card, BESIDE)


def test_every_measured_program_is_a_point_and_every_check_is_within_the_bound() -> None:
    found = points()
    checked = [point for point in found if point.role == "checked"]
    rows = sum(
        "steps_per_second" in row for part in MEASURED["parts"].values() for row in part.get("rows", [])
    )
    assert sum(point.steps is not None and not point.derived for point in found) == rows + len(BESIDE)
    assert [point for point in checked if not point.within] == []
    assert len(checked) == len(found) - len(FITTED)


def test_fitted_parameters_meet_the_points_that_they_were_fitted_on() -> None:
    fitted = [point for point in points() if point.role == "fitted"]
    assert len(fitted) == len(FITTED)
    assert all(point.ratio == pytest.approx(1.0, abs=0.01) for point in fitted)
    assert {one.name for one in parameters() if one.how == "fitted"} == set(FITTED)


@pytest.mark.parametrize("name", [one.name for one in parameters() if one.row])
def test_parameters_measured_alone_are_the_reports(name: str) -> None:
    (one,) = (one for one in parameters() if one.name == name)
    row, key = one.row
    (measured,) = (found for found in MEASURED["parts"]["card"]["rows"] if found["name"] == row)
    assert one.value == pytest.approx(measured[key], rel=0.01)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(H100, copy_rate=H100.copy_rate / 2),
        replace(H100, gather_rate=H100.gather_rate / 2),
        replace(H100, rates={name: rate / 3 for name, rate in H100.rates.items()}),
    ],
    ids=["copies", "gathers", "products"],
)
def test_a_rate_that_is_wrong_shows(wrong: Card) -> None:
    assert any(not point.within for point in points(wrong))


def test_a_measurement_that_is_wrong_shows() -> None:
    measured = deepcopy(MEASURED)
    measured["parts"]["environment"]["rows"][8]["steps_per_second"]["median"] /= 2
    (beyond,) = (point for point in points(measured=measured) if not point.within)
    assert beyond.sizes == "1,048,576 environments"
    assert beyond.ratio > BOUND


def test_a_minibatch_is_a_third_of_what_three_more_epochs_take() -> None:
    by_name = {(p.subject, p.sizes): p for p in points()}
    sizes = "131,072 environments x 32, minibatches of 262,144"
    four = by_name["training, tf32, 4 epochs", sizes]
    one = by_name["training, tf32, 1 epoch", sizes]
    minibatch = by_name["a minibatch, tf32, with its share of an epoch's shuffling", sizes]
    assert minibatch.measured_seconds == pytest.approx(
        (four.measured_seconds - one.measured_seconds) / 3 / 16
    )
    assert minibatch.predicted_seconds == pytest.approx(
        (four.predicted_seconds - one.predicted_seconds) / 3 / 16
    )


def test_a_program_that_is_missing_is_named() -> None:
    with refuses():
        points_of(MEASURED, HELD[1:], H100)


def test_a_report_with_its_own_programs_needs_no_others() -> None:
    measured = deepcopy(MEASURED)
    row = measured["parts"]["environment"]["rows"][0]
    row["program"] = HELD[0]["program"]
    measured["parts"] = {"environment": {"rows": [row]}}
    (point,) = points_of(measured, [], H100)
    assert point.predicted_seconds == points()[0].predicted_seconds

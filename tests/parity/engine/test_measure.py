"""Relative errors of tensors against hand-computed ones, and what they look like in a report."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity.engine.compare import Comparison
from parity.engine.measure import measure_table, of_error, relative_error, share_of
from parity.engine.page import render, tiles
from parity.engine.report import DIFFERENT, SAME, Report
from parity.engine.verify import CheckResult
from tests.sentences import refuses


def test_the_error_is_a_ratio_of_lengths() -> None:
    assert relative_error(np.array([3.0, 4.0]), np.array([3.0, 4.5])) == pytest.approx(0.1)
    assert relative_error(np.array([3.0, 4.0]), np.array([3.0, 4.5]), floor=50.0) == pytest.approx(0.01)
    assert relative_error(np.zeros(2), np.zeros(2)) == 0.0
    assert relative_error(np.zeros(2), np.array([0.0, 1e-9])) == math.inf
    assert math.isnan(relative_error(np.array([1.0]), np.array([math.inf])))
    assert math.isnan(relative_error(np.array([math.nan]), np.array([math.nan])))
    with refuses(kind=ValueError):
        relative_error(np.zeros(2), np.zeros(3))


def test_numbers_whose_length_is_beyond_float64_have_no_small_error() -> None:
    assert relative_error(np.array([1e200, 0.0]), np.array([1e200, 5.0])) == math.inf
    assert relative_error(np.array([1e200, 0.0]), np.array([1e200, 0.0])) == 0


def test_a_table_has_the_error_of_its_worst_tensor() -> None:
    reference = {"big": np.array([30.0, 40.0]), "small": np.array([0.1])}
    port = {"big": np.array([30.0, 40.05]), "small": np.array([0.11])}
    plain = measure_table(reference, port, 0.05, where="update 2, ")
    assert plain.error == pytest.approx(0.1)
    assert (plain.where, plain.compared, plain.passed) == ("update 2, small", 3, False)
    shared = measure_table(reference, port, 0.05, share=0.01)  # small counts as 1% of 50
    assert shared.error == pytest.approx(0.01 / 0.5, rel=1e-3)
    assert shared.passed
    with refuses(kind=ValueError):
        measure_table(reference, {"big": port["big"]}, 0.05)


@pytest.mark.parametrize("shape", [(6,), (3, 2), (1, 2, 3), (2, 1), ()])
def test_tensors_of_other_shapes_are_not_spread_over_each_other(shape: tuple[int, ...]) -> None:
    for pair in ((np.ones((2, 3)), np.ones(shape)), (np.ones(shape), np.ones((2, 3)))):
        with refuses(kind=ValueError):
            relative_error(*pair)
        with refuses(kind=ValueError):
            measure_table({"a": pair[0]}, {"a": pair[1]}, 1.0)


def test_a_tensor_that_one_side_alone_has_is_named() -> None:
    one, more = {"a": np.ones(2)}, {"a": np.ones(2), "b": np.ones(2)}
    for reference, port in ((one, more), (more, one), ({}, one), (one, {"b": one["a"]})):
        with refuses(kind=ValueError):
            measure_table(reference, port, 1.0)


eighths = st.integers(-800, 800).map(lambda number: number / 8)
two_tensors = st.lists(st.lists(eighths, min_size=3, max_size=3), min_size=2, max_size=2)


@given(two_tensors, two_tensors, st.sampled_from((0.0, 0.01, 0.5, 1.0)))
def test_a_table_s_error_is_the_plain_definition_s(
    a: list[list[float]], b: list[list[float]], share: float
) -> None:
    def length(*numbers: float) -> float:
        return math.sqrt(sum(number * number for number in numbers))

    floor = share * length(*a[0], *a[1])
    errors = []
    for x, y in zip(a, b, strict=True):
        apart = length(*(q - p for p, q in zip(x, y, strict=True)))
        size = max(length(*x), floor)
        errors.append(0.0 if apart == 0 else apart / size if size else math.inf)
    table = measure_table(*({"p": np.array(t[0]), "q": np.array(t[1])} for t in (a, b)), 1.0, share)
    assert table.error == pytest.approx(max(errors), rel=1e-9)
    assert table.compared == 6
    assert table.passed == (table.error <= 1.0)


def test_an_error_at_its_limit_is_allowed() -> None:
    assert of_error(0.5, 0.5, 1).passed
    assert not of_error(math.nextafter(0.5, 1), 0.5, 1).passed
    assert of_error(0.0, 0.0, 1).passed


def test_the_larger_error_stands_and_what_is_no_number_stands_for_good() -> None:
    low, high = of_error(0.1, 0.5, 2, "low"), of_error(0.2, 0.5, 3, "high")
    none = of_error(math.nan, 0.5, 1, "none")
    assert replace(low).merge(high) == of_error(0.2, 0.5, 5, "high") == replace(high).merge(low)
    for merged in (replace(low).merge(none), replace(none).merge(low)):
        assert math.isnan(merged.error)
        assert (merged.where, merged.passed, merged.compared) == ("none", False, 3)
    assert not of_error(math.inf, 0.5, 1).passed


def reported(error: float) -> Report:
    measures = {
        "gradients": of_error(error, 1e-4, 1000, "update 1, value_net.bias"),
        "weights": of_error(2e-6, 4e-5, 500, "update 3"),
    }
    check = CheckResult("learner", "clipping", 552, measures=measures)
    return Report("learners", 0, "jitted", [], [check], frozenset())


def test_a_report_shows_errors_within_their_limits() -> None:
    report = reported(2.5e-5)
    assert report.verdict == SAME
    assert report.summary()["numbers_compared"] == 1500
    assert report.summary()["relative_errors"]["gradients"] == {"largest": 2.5e-5, "limit": 1e-4}
    values = json.loads(json.dumps(report.to_dict()))
    tile = next(tile for tile in tiles(values) if tile.label == "Nearest to its limit")
    assert (tile.value, tile.bad) == ("2.5e−5", False)
    assert tile.below == "relative error, 1.0e−4 allowed: gradients, clipping"
    page = render(values)
    assert "Relative errors" in page
    assert "2.0e−6" in page
    assert 'failures="0"' in report.to_junit()


@pytest.mark.parametrize("error", [2.5e-3, math.nan])
def test_a_report_says_which_error_is_too_large(error: float) -> None:
    report = reported(error)
    assert report.verdict == DIFFERENT
    assert report.summary()["mismatches"] == 1
    assert "gradients: error" in report.to_junit()
    assert "update 1, value_net.bias" in report.to_junit()
    values = report.to_dict()
    assert any(tile.bad for tile in tiles(values) if tile.label == "Nearest to its limit")
    page = render(values)
    assert "gradients: relative error" in page
    assert 'class="num bad"' in page


@pytest.mark.parametrize(
    ("error", "shown", "bad"),
    [(0.0, "gradients", False), (1e-9, "weights", True), (math.nan, "weights", True)],
)
def test_a_limit_of_nothing_is_kept_by_no_error_alone(error: float, shown: str, bad: bool) -> None:
    measures = {"gradients": of_error(1e-5, 1e-4, 9, "a"), "weights": of_error(error, 0.0, 9, "b")}
    check = CheckResult("learner", "clipping", 1, measures=measures)
    values = Report("learners", 0, "jitted", [], [check], frozenset()).to_dict()
    tile = next(tile for tile in tiles(values) if tile.label == "Nearest to its limit")
    assert (tile.below.split("allowed: ")[1], tile.bad) == (f"{shown}, clipping", bad)
    assert "Relative errors" in render(values)


def test_errors_are_told_whole() -> None:
    beyond = of_error(0.75, 0.5, 7, "a bias")
    assert beyond == Comparison("relative error up to 0.5", 7, 1, error=0.75, limit=0.5, where="a bias")
    assert of_error(1e-5, 2e-5, 9) == Comparison(
        "relative error up to 2e-05", 9, 0, error=1e-5, limit=2e-5
    )
    reference = {"a": np.array([3.0, 4.0]), "b": np.array([[0.0], [0.0], [12.0]]), "c": np.array(0.0)}
    port = {"c": np.array(0.0), "a": np.array([3.0, 4.5]), "b": np.array([[0.0], [0.0], [9.0]])}
    assert measure_table(reference, port, 0.2, where="update 2, ") == Comparison(
        "relative error up to 0.2", 6, 1, error=0.25, limit=0.2, where="update 2, b"
    )
    # The whole is 13 long, so that "a" counts as at least 6.5.
    shared = {**port, "b": reference["b"]}
    assert measure_table(reference, shared, 0.2, 0.5) == Comparison(
        "relative error up to 0.2", 6, 0, error=0.5 / 6.5, limit=0.2, where="a"
    )
    assert measure_table(reference, reference, 0.0, 0.5) == of_error(0.0, 0.0, 6)
    assert measure_table({}, {}, 0.2) == of_error(0.0, 0.2, 0)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_on_either_side_makes_its_tensor_the_worst(odd: float) -> None:
    fine = {name: np.array([1.0, 2.0]) for name in ("a", "b", "c")}
    for place in ("a", "b", "c"):
        wrong = {
            **fine,
            place: np.array([1.0, odd]),
            "a" if place == "c" else "c": np.array([9.0, 9.0]),
        }
        for reference, port in ((fine, wrong), (wrong, fine)):
            table = measure_table(reference, port, 1e9, 0.1)
            assert (math.isnan(table.error), table.where, table.passed) == (True, place, False)
            assert math.isnan(relative_error(reference[place], port[place], 5.0))


def test_an_error_is_computed_in_double_precision_whatever_the_tensors_are() -> None:
    whole = np.array([2**24, 2**24 + 1], np.int64)
    assert relative_error(whole, whole + np.array([0, 1])) == pytest.approx(1 / (2**24.5), rel=1e-7)
    narrow = np.full(5, 1e30, np.float32)  # whose squares float32 does not hold
    double = (2 * narrow).astype(np.float32)
    assert relative_error(narrow, double) == pytest.approx(1.0, rel=1e-6)
    assert relative_error(np.array(2.0), np.array(3.0)) == 0.5
    assert relative_error(np.zeros((0, 2)), np.zeros((0, 2))) == 0.0


def test_the_share_of_a_limit() -> None:
    assert [share_of(error, limit) for error, limit in ((1.0, 4.0), (6.0, 4.0), (0.0, 4.0))] == [
        0.25,
        1.5,
        0,
    ]
    assert (share_of(0.0, 0.0), share_of(1e-300, 0.0), share_of(math.inf, 2.0)) == (
        0,
        math.inf,
        math.inf,
    )
    assert math.isnan(share_of(math.nan, 0.0))
    assert math.isnan(share_of(math.nan, 1.0))

"""Verdicts of fields and states in words: what passes, and which numbers a sentence tells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.harness.findings import FieldVerdict, SmallestCase, state_words


def verdict(word: str, **values: Any) -> FieldVerdict:
    return FieldVerdict("x", "equal but for rounding", ("float64", "float32"), word, **values)


NUMBERS: dict[str, Any] = {"compared": 90, "rounding": 7, "accepted": 5, "why": "a reason"}

SENTENCES: list[tuple[str, dict[str, Any], bool, str]] = [
    ("equal", {}, True, "x is equal in all 90 cases"),
    ("rounding", {}, True, "x differs by rounding alone in 7 of 90 cases"),
    ("accepted", {}, True, "x differs in 5 cases, which is accepted: a reason"),
    ("drawn", {}, True, "x is drawn within the step: see the question about draws"),
    ("not compared", {}, False, "x is not compared: a reason"),
    ("logic", {"logic": 3}, False, "x differs by logic in 3 of 90 cases"),
    ("contract", {"logic": 3}, False, "x differs by logic in 3 of 90 cases where an episode ends"),
    ("logic", {"logic": 3, "beyond": 4}, False, "x differs by logic in 3 of 90 cases"),
    (
        "contract",
        {"logic": 3, "beyond": 4},
        False,
        "x differs by logic in 3 of 90 cases where an episode ends",
    ),
    *(
        (
            word,
            {"beyond": 4, "largest_ulps": 12.4},
            False,
            "x differs by rounding beyond the bound (equal but for rounding) in 4 of 90 cases, "
            "by up to 12 ulps",
        )
        for word in ("rounding", "equal", "accepted")
    ),
]


@pytest.mark.parametrize(("word", "values", "passed", "sentence"), SENTENCES)
def test_a_field_passes_where_nothing_is_wrong_and_says_what_was_seen(
    word: str, values: dict[str, Any], passed: bool, sentence: str
) -> None:
    one = verdict(word, **{**NUMBERS, **values})
    assert one.passed is passed
    assert one.to_dict()["passed"] is passed
    assert one.sentence() == sentence


@pytest.mark.parametrize(
    ("name", "passed"),
    [("obs", True), ("obs.x", True), ("observed", False), ("reward", False), ("terminated", False)],
)
def test_only_an_observation_may_go_without_a_comparison_since_a_question_fails_it(
    name: str, passed: bool
) -> None:
    assert FieldVerdict(name, "", ("", ""), "not compared", why="a reason").passed is passed


def smallest(a: Any, b: Any) -> str:
    case = SmallestCase({}, 0, {"x": a}, {"x": b}, 3, "visited")
    words = verdict("logic", compared=9, logic=3, smallest=case).sentence()
    return words.removeprefix("x differs by logic in 3 of 9 cases; smallest: ")


def test_of_a_large_array_the_first_place_that_differs_is_told_and_how_many_do() -> None:
    a = np.arange(20.0).reshape(4, 5)
    b = a.copy()
    b[2, 1], b[2, 4], b[3, 0] = -1, -2, -3
    assert smallest(a.tolist(), b.tolist()) == (
        "at [2, 1] 11.0 on the reference and -1.0 on the port (3 of 20 numbers differ)"
    )
    assert smallest([1, 2], [1, 3]) == "[1, 2] on the reference and [1, 3] on the port"
    assert smallest(1, 2.5) == "1 on the reference and 2.5 on the port"


def test_arrays_of_other_shapes_and_those_that_do_not_differ_are_told_as_they_are() -> None:
    words = smallest([1] * 9, [1] * 10)
    assert words == f"{[1] * 9} on the reference and {[1] * 10} on the port"
    grid = np.arange(12.0).reshape(3, 4).tolist()
    assert smallest(grid, grid) == "an array of 12 numbers"
    other = np.arange(12.0).reshape(3, 4)
    other[0, 3], other[2, 0] = 7.5, np.nan
    assert smallest(grid, other.tolist()) == (
        "at [0, 3] 3.0 on the reference and 7.5 on the port (2 of 12 numbers differ)"
    )


def test_a_field_tells_its_own_values_of_the_smallest_case_wherever_it_is_wrong() -> None:
    case = SmallestCase({"y": 7}, 1, {"w": 1, "x": 2.5}, {"w": 3, "x": 4.5}, 5, "drawn", "again")
    values = "; smallest: 2.5 on the reference and 4.5 on the port"
    for word, where in (("logic", ""), ("contract", " where an episode ends")):
        one = verdict(word, compared=9, logic=3, smallest=case, growth=1.5, largest_at={"y": 1})
        assert one.sentence() == f"x differs by logic in 3 of 9 cases{where}{values}"
        assert one.to_dict() == {
            "name": "x",
            "rule": "equal but for rounding",
            "dtypes": ("float64", "float32"),
            "verdict": word,
            "compared": 9,
            "rounding": 0,
            "logic": 3,
            "accepted": 0,
            "beyond": 0,
            "natively": 0,
            "largest": 0.0,
            "largest_ulps": 0.0,
            "largest_at": {"y": 1},
            "growth": 1.5,
            "smallest": {
                "state": {"y": 7},
                "action": 1,
                "reference": {"w": 1, "x": 2.5},
                "port": {"w": 3, "x": 4.5},
                "cases": 5,
                "source": "drawn",
                "command": "again",
                "described": {},
            },
            "why": "",
            "passed": False,
        }


def test_what_is_no_number_on_both_sides_is_no_place_that_differs() -> None:
    a = np.full(12, np.nan)
    b = a.copy()
    a[7], b[7], b[9] = 1.0, 2.0, 3.0
    assert smallest(a.tolist(), b.tolist()) == (
        "at [7] 1.0 on the reference and 2.0 on the port (2 of 12 numbers differ)"
    )


@pytest.mark.parametrize("count", [1, 7, 8, 9, 10, 30])
def test_of_many_fields_the_first_are_told_and_how_many_more_there_are(count: int) -> None:
    words = state_words({f"n{number}": number for number in range(count)})
    first = ", ".join(f"n{number} {number}" for number in range(min(count, 8)))
    assert words == first + (f" and {count - 8} more" if count > 8 else "")


def test_large_arrays_are_told_by_their_shape_and_numbers_in_six_figures() -> None:
    grid = np.arange(9.0).reshape(3, 3)
    state = {"grid": grid, "row": np.arange(8), "x": np.float64(1 / 3), "flag": np.bool_(True)}
    row = ", ".join(map(str, range(8)))
    assert state_words({"n": np.int32(1_234_567), "wide": np.arange(9)}) == (
        "n 1234567, wide of shape (9,)"
    )
    assert state_words(state) == f"grid of shape (3, 3), row [{row}], x 0.333333, flag True"

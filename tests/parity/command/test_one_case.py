"""One case shown field by field: what is wrong is told, and what is accepted is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity import Accepted, close
from parity.command.one_case import _fields, show_case
from tests.parity.harness.sides import tiny
from tests.sentences import refuses

STATE: dict[str, Any] = {"levels": [1e9, 2.0], "count": 3, "open": False}
FIELDS = ["levels", "count", "open", "obs.near", "obs.count", "reward", "terminated", "truncated"]


def shown(step: Any = None, count: int = 3, **changes: Any) -> tuple[dict[str, list[str]], bool]:
    lines, wrong = show_case(tiny.pair(tiny.side(step), **changes), {**STATE, "count": count}, 1)
    assert "(double precision)" in lines[0]
    rows = [line.split(maxsplit=2) for line in lines[1:]]
    return {name: [label, values] for name, label, values in rows}, wrong


def off(field: str) -> Any:
    """Return a step that is wrong in one field, where four steps are done."""

    def step(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, over, cut, info = one.step(action)
        if one.count == 4:
            one.levels[1] += field == "levels"
            one.count += field == "count"
            one.open ^= field == "open"
            obs["near"][0] += 1e3 * (field == "obs.near")
            obs["count"] += field == "obs.count"
            reward += 1e-6 * (field == "reward")
            over, cut = over ^ (field == "terminated"), cut ^ (field == "truncated")
        return obs, reward, over, cut, info

    return step


def test_two_sides_that_are_the_same_are_equal_in_every_field() -> None:
    fields, wrong = shown()
    assert list(fields) == FIELDS
    assert {label for label, _ in fields.values()} == {"equal"}
    assert not wrong
    assert fields["levels"][1] == "[1250000000.0, 2.5], [1250000000.0, 2.5]"


@pytest.mark.parametrize("field", FIELDS)
def test_one_field_that_is_wrong_is_named_in_the_case_in_which_it_is(field: str) -> None:
    fields, wrong = shown(off(field))
    assert wrong
    assert [name for name, (label, _) in fields.items() if label == "logic"] == [field]
    assert not shown(off(field), count=4)[1]
    at_three = Accepted(field, "known", lambda before, action, after: before["count"] == 3)
    fields, wrong = shown(off(field), accepted=(at_three,))
    assert (fields[field][0], wrong) == ("accepted", False)
    elsewhere = Accepted(field, "known", lambda before, action, after: before["count"] == 5)
    fields, wrong = shown(off(field), accepted=(elsewhere,))
    assert (fields[field][0], wrong) == ("logic", True)
    others = Accepted(tuple(one for one in FIELDS if one != field), "known")
    assert shown(off(field), accepted=(others,))[1]


FORM = {"u": np.uint8, "b": np.bool_, "i": np.int32, "f": np.float64}
GIVEN: dict[str, Any] = {"u": 3, "b": True, "i": -3, "f": 1.5}


def test_a_value_that_fits_its_field_is_kept() -> None:
    form = {name: np.zeros(1, dtype) for name, dtype in FORM.items()}
    for changes in ({}, {"u": 255, "b": False, "i": 4.0, "f": 2}, {"b": 1, "u": True}):
        given = {**GIVEN, **changes}
        made = _fields("--state", given, form)
        assert {name: value[0] for name, value in made.items()} == given
        assert all(made[name].dtype == dtype for name, dtype in FORM.items())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("u", value) for value in (1.7, -1, 300, None, "3")),
        *(("b", value) for value in (2, 0.5, None, "no", float("nan"))),
        *(("i", value) for value in (1.7, 2**31, None, "3")),
        *(("f", value) for value in (None, "much")),
    ],
)
def test_a_value_that_would_be_changed_is_refused(name: str, value: Any) -> None:
    form = {one: np.zeros(1, dtype) for one, dtype in FORM.items()}
    with refuses():
        _fields("--state", {**GIVEN, name: value}, form)


def test_a_place_of_an_array_that_is_empty_is_refused() -> None:
    with refuses():
        _fields("--state", {"near": [1.0, None]}, {"near": np.zeros((1, 2))})


@pytest.mark.parametrize("field", ["reward", "terminated", "truncated"])
def test_an_outcome_that_cannot_be_compared_is_told_and_wrong(field: str) -> None:
    lines, wrong = show_case(tiny.pair(tiny.returning(**{field: tiny.two})), STATE, 1)
    assert wrong
    assert lines[-1].split(":")[0].split() == [field, "not", "compared"]
    assert " of shape (2,) on the port; return one " in lines[-1]


@pytest.mark.parametrize(("by", "wrong"), [(1e-9, True), (2.0**-52, False)])
def test_rounding_is_not_wrong_unless_a_bound_says_so(by: float, wrong: bool) -> None:
    def step(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, *others = one.step(action)
        return obs, reward * (1 + by), *others

    fields, found = shown(step)
    assert (fields["reward"][0], found) == ("logic" if wrong else "rounding", wrong)
    assert shown(step, rules={"reward": close(ulps=0)})[1]
    assert np.isclose(float(fields["reward"][1].split(", ")[1]), 2.5)


def test_an_array_of_another_length_and_a_name_that_is_none_are_refused() -> None:
    form = {"near": np.zeros((1, 2)), "count": np.zeros(1, np.int32)}
    for given in (
        {"near": [1.0], "count": 1},
        {"near": [1.0, 2.0, 3.0], "count": 1},
        {"near": [1.0, 2.0], "count": 1, "more": 2},
        {"near": [1.0, 2.0]},
        [1.0, 2.0],
    ):
        with refuses():
            _fields("--state", given, form)


def test_what_cannot_be_compared_hides_no_difference() -> None:
    """A part of the observation that one side alone has is no difference, and comes last."""

    def step(one: tiny.Tiny, action: Any) -> Any:
        obs, *others = one.step(action)
        if one.count == 4:
            one.levels[1] += 1
        return {**obs, "more": np.float64(1)}, *others

    for count, wrong in ((3, True), (5, False)):
        lines, found = show_case(tiny.pair(tiny.side(step)), {**STATE, "count": count}, 1)
        assert found is wrong
        assert lines[-1].split(":")[0].split() == ["obs.more", "not", "compared"]

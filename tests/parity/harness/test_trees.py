"""States of any form are flattened by name and built again, and no cast is silent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest

from foundation.errors import InputError
from parity.harness.findings import state_words
from parity.harness.trees import (
    cast,
    digits,
    equal,
    flags,
    flatten,
    join,
    numbers_in,
    rebuild,
    stack,
    take,
)
from tests.sentences import refuses


class Car(NamedTuple):
    speed: Any
    wheels: Any


@dataclass
class World:
    cars: Any
    grid: Any


TREE = World({"red": Car(1.5, (1, 2)), "blue": Car(2.5, [3, 4])}, np.zeros((2, 2)))
NAMES = ["cars.red.speed", "cars.red.wheels.0", "cars.red.wheels.1"]


def test_leaves_are_named_by_their_path() -> None:
    fields = flatten(TREE)
    assert list(fields)[:3] == NAMES
    assert list(fields)[-1] == "grid"
    assert list(flatten(3.0, "obs")) == ["obs"]
    assert list(flatten({"a": 1}, "obs")) == ["obs.a"]


def test_a_tree_is_built_again_in_its_form() -> None:
    new = rebuild(TREE, lambda name, old: 7 if name == "cars.blue.speed" else old)
    assert isinstance(new, World)
    assert new.cars["blue"] == Car(7, [3, 4])
    assert new.cars["red"] == Car(1.5, (1, 2))


def test_names_that_are_no_words_are_built_again_as_they_are() -> None:
    tree = {1: (2, [3]), "a": Car(4, World), "b": {2.5: 6}}
    assert flatten(tree) == {"1.0": 2, "1.1.0": 3, "a.speed": 4, "a.wheels": World, "b.2.5": 6}
    new = rebuild(tree, lambda name, old: name)
    assert new == {
        1: ("1.0", ["1.1.0"]),
        "a": Car("a.speed", "a.wheels"),
        "b": {2.5: "b.2.5"},
    }
    assert type(new["a"]) is Car
    assert (type(new[1]), type(new[1][1])) == (tuple, list)
    assert rebuild(7, lambda name, old: (name, old), "obs") == ("obs", 7)


def test_rows_keep_the_dtype_that_holds_them_all() -> None:
    rows = stack([{"reward": 0}, {"reward": 0.5}], "outcome")["reward"]
    assert rows.tolist() == [0.0, 0.5]
    with refuses():
        stack([{"x": np.zeros(2)}, {"x": np.zeros(3)}], "state")
    with refuses():
        stack([{"x": 1}, {"y": 1}], "state")
    with refuses():
        stack([{"x": "left"}], "state")
    with refuses():
        stack([{"x": 1}, {"x": 2}, {"x": 3, "y": 4}], "state")
    with refuses():
        stack([{"x": 1, "y": np.zeros(1)}, {"x": 2, "y": np.zeros(1)}, {"x": 3, "y": 1.0}], "outcome")
    with refuses():
        stack([{"x": 1j}], "state")
    whole = stack([{"x": [1, 2], "y": True}, {"y": False, "x": [3, 4]}], "state")
    assert {name: value.tolist() for name, value in whole.items()} == {
        "x": [[1, 2], [3, 4]],
        "y": [True, False],
    }


def test_fractions_are_rounded_and_nothing_else_changes_in_silence() -> None:
    assert cast("x", np.array([0.1]), np.float32).dtype == np.float32
    assert cast("n", np.array([3]), np.int32).dtype == np.int32
    assert cast("n", np.array([3.0]), np.int32).tolist() == [3]
    for values, dtype in (([2**40], np.int32), ([0.7], np.int32), ([True], np.int32), ([1], bool)):
        with refuses():
            cast("n", np.array(values), dtype)


def test_a_number_is_told_with_every_digit_that_it_has() -> None:
    values = [
        np.float32(0.1),
        0.1,
        2.4000001,
        1_000_001,
        np.int64(3),
        3.0,
        np.bool_(True),
        1e300,
        0.1 + 0.2,
    ]
    told = ["0.1", "0.1", "2.4000001", "1000001", "3", "3", "True", "1e+300", "0.30000000000000004"]
    assert [digits(value) for value in values] == told
    assert state_words({"x": np.array([2.5, -1.0]), "n": 1_234_567}) == "x [2.5, -1], n 1234567"


@pytest.mark.parametrize("place", range(6))
def test_every_number_must_be_held_by_another_dtype(place: int) -> None:
    for good, bad, dtype in ((3.0, 3.5, np.int32), (7, 2**40, np.int16), (9.0, np.nan, np.int64)):
        values = np.full((2, 3), good)
        assert cast("n", values, dtype).tolist() == values.tolist()
        values.reshape(-1)[place] = bad
        with pytest.raises(InputError):
            cast("n", values, dtype)


def test_every_number_flag_and_array_is_told_and_nothing_else() -> None:
    tree = {
        "flag": True,
        "whole": 3,
        "share": 0.5,
        "nested": {"array": np.arange(4), "flags": [np.bool_(True), False], "grid": np.ones((2, 2))},
        "word": "left",
        "nothing": None,
        "words": np.array(["a"]),
        "byte": np.uint8(7),
        "complex": np.complex64(1),
    }
    told = numbers_in(tree)
    counted = numbers_in(
        {"n": 2, "f": Fraction(1, 4)}, lambda value: np.array([float(value)] * 2), (Fraction,)
    )
    assert {name: value.tolist() for name, value in counted.items()} == {"n": [2, 2], "f": [0.25, 0.25]}
    assert {name: value.tolist() for name, value in told.items()} == {
        "flag": True,
        "whole": 3,
        "share": 0.5,
        "nested.array": [0, 1, 2, 3],
        "nested.flags.0": True,
        "nested.flags.1": False,
        "nested.grid": [[1, 1], [1, 1]],
        "byte": 7,
    }


@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_rows_of_every_part_are_joined_in_order(parts: int) -> None:
    many = [{"x": np.full((n + 1, 2), n), "y": np.full(n + 1, -n)} for n in range(parts)]
    whole = join(many)
    assert whole["x"][:, 1].tolist() == [n for n in range(parts) for _ in range(n + 1)]
    assert (whole["x"][:, 0] == -whole["y"]).all()
    assert take(whole, slice(0, 1))["x"].tolist() == [[0, 0]]


def test_what_would_be_lost_is_the_example() -> None:
    for values, dtype, example in (
        (np.array([1.0, 2.0, 2.5]), np.int32, "2.5"),
        (np.array([7, 2**40]), np.int32, str(2**40)),
        (np.array([0.0, np.nan]), np.int32, "nan"),
    ):
        with pytest.raises(InputError, match=rf"\(for example {example}\)"):
            cast("n", values, dtype)


def test_arrays_are_equal_in_shape_and_value_and_in_where_there_is_no_number() -> None:
    a = np.array([1.0, np.nan, 3.0])
    assert equal(a, a.copy())
    for place, value in ((0, 2.0), (0, np.nan), (1, 0.0), (2, 3.0000001)):
        other = a.copy()
        other[place] = value
        assert not equal(a, other)
    assert not equal(a, a[None])
    assert equal(np.array([True, False]), np.array([True, False]))
    assert equal(np.array([1, 2]), np.array([1.0, 2.0]))
    assert not equal(np.array([1, 2]), np.array([1, 3]))


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize(
    ("value", "held", "dtype"),
    [
        (-1, np.int32, np.uint32),
        (-1, np.int64, np.uint64),
        (2**31, np.uint32, np.int32),
        (2**63, np.uint64, np.int64),
        (200, np.uint8, np.int8),
        (-1, np.int8, np.uint64),
        (2.0**63, np.float64, np.int64),
        (2.0**64, np.float64, np.uint64),
        (-1.0, np.float32, np.uint8),
        (256.0, np.float32, np.uint8),
        (2**53 + 1, np.int64, np.float64),
        (2**24 + 1, np.int32, np.float32),
        (2**63 - 1, np.int64, np.float64),
        (2**64 - 1, np.uint64, np.float32),
        (np.inf, np.float64, np.int64),
    ],
)
def test_no_whole_number_becomes_another(place: int, value: Any, held: Any, dtype: Any) -> None:
    values = np.full((2, 2), 5, held)
    assert cast("n", values, dtype).tolist() == [[5, 5], [5, 5]]
    values.reshape(-1)[place] = value
    sides = f"n is {np.dtype(held)} on one side and {np.dtype(dtype)} on the other"
    shown = re.escape(f"{sides}, which cannot hold it (for example {values.reshape(-1)[place]});")
    with pytest.raises(InputError, match=shown):
        cast("n", values, dtype)


@pytest.mark.parametrize(
    ("value", "held", "dtype"),
    [
        (-(2**31), np.int64, np.int32),
        (2**31 - 1, np.uint32, np.int32),
        (2**32 - 1, np.int64, np.uint32),
        (0, np.int32, np.uint8),
        (-(2.0**63), np.float64, np.int64),
        (2**53, np.int64, np.float64),
        (2**24, np.uint32, np.float32),
    ],
)
def test_an_end_of_a_dtype_is_held(value: Any, held: Any, dtype: Any) -> None:
    new = cast("n", np.array([0, value], held), dtype)
    assert (new.dtype, [int(one) for one in new]) == (np.dtype(dtype), [0, int(value)])


@pytest.mark.parametrize(
    "tree",
    [
        {"a.b": 1, "a": {"b": 2}},
        {1: 1, "1": 2},
        {"car": {"left.speed": 1, "left": {"speed": 2}}},
        {"a": [1, 2], "a.1": 3},
    ],
    ids=str,
)
def test_two_values_of_one_name_are_refused(tree: Any) -> None:
    with refuses():
        flatten(tree)


def test_one_flag_of_each_row_is_taken_and_nothing_else() -> None:
    for said in ([True, False, True], np.array([1, 0, 7], np.int8), np.array([2, 0, 1], np.uint64)):
        taken = flags("it", said, 3)
        assert (taken.tolist(), taken.dtype) == ([True, False, True], bool)
    assert flags("it", np.zeros(0, bool), 0).tolist() == []
    for wrong in (True, [True] * 2, [True] * 4, [[True]] * 3, np.ones(3), ["yes"] * 3, [1.0, 0.0, 1.0]):
        with refuses():
            flags("it", wrong, 3)

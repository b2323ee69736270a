"""States of any form are flattened by name and built again, and no cast is silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from parity.harness.findings import state_words
from parity.harness.trees import cast, digits, flatten, rebuild, stack
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


def test_rows_keep_the_dtype_that_holds_them_all() -> None:
    rows = stack([{"reward": 0}, {"reward": 0.5}], "outcome")["reward"]
    assert rows.tolist() == [0.0, 0.5]
    with refuses():
        stack([{"x": np.zeros(2)}, {"x": np.zeros(3)}], "state")
    with refuses():
        stack([{"x": 1}, {"y": 1}], "state")
    with refuses():
        stack([{"x": "left"}], "state")


def test_fractions_are_rounded_and_nothing_else_changes_in_silence() -> None:
    assert cast("x", np.array([0.1]), np.float32).dtype == np.float32
    assert cast("n", np.array([3]), np.int32).dtype == np.int32
    assert cast("n", np.array([3.0]), np.int32).tolist() == [3]
    for values, dtype in (([2**40], np.int32), ([0.7], np.int32), ([True], np.int32), ([1], bool)):
        with refuses():
            cast("n", np.array(values), dtype)


def test_a_number_is_told_with_every_digit_that_it_has() -> None:
    values = [np.float32(0.1), 0.1, 2.4000001, 1_000_001, np.int64(3), 3.0, np.bool_(True), 1e300]
    told = ["0.1", "0.1", "2.4000001", "1000001", "3", "3", "True", "1e+300"]
    assert [digits(value) for value in values] == told
    assert state_words({"x": np.array([2.5, -1.0]), "n": 1_234_567}) == "x [2.5, -1], n 1234567"

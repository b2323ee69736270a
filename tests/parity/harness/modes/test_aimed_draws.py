"""Draws beside a limit: each of the numbers that decide is moved to both sides of where it does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.harness.modes.aimed_draws import LAST, OFFSETS, aimed
from parity.harness.trees import Array, Fields

LIMITS = np.array([0.3, 0.62, 0.85])


def drive(decide: Any) -> tuple[Any, dict[str, Array]]:
    rng = np.random.default_rng(0)
    numbers = {kind: rng.random((40, 3)) for kind in ("uniform", "normal")}

    def run(rows: Array, given: dict[str, Array]) -> Fields:
        others = np.delete(np.arange(40), rows)
        assert len(others) < 40
        return {"x": given["uniform"][:, 0], **decide(given["uniform"])}

    return run, numbers


WAYS: dict[str, Any] = {
    "flags": lambda drawn: {"flags": drawn < LIMITS},
    "numbers": lambda drawn: {"count": (drawn >= LIMITS).sum(1), "odd": drawn[:, 0] < 0.3},
}


@pytest.mark.parametrize("way", WAYS)
def test_draws_lie_on_both_sides_of_every_limit(way: str) -> None:
    run, numbers = drive(WAYS[way])
    found = aimed(run, numbers, np.random.default_rng(1))
    assert found is not None
    drawn, before = found.numbers["uniform"], numbers["uniform"][found.rows]
    assert np.array_equal(found.numbers["normal"], numbers["normal"][found.rows])
    moved = drawn != before
    assert (moved.sum(1) == 1).all()
    blocks = drawn.reshape(len(OFFSETS), -1, 3)
    place = moved.argmax(1).reshape(len(OFFSETS), -1)
    assert set(place.reshape(-1).tolist()) == {0, 1, 2}
    for offset, block, places in zip(OFFSETS, blocks, place, strict=True):
        far = block[np.arange(len(block)), places] - LIMITS[places]
        assert np.allclose(far, offset, rtol=1e-3, atol=1e-13)


def test_where_no_draw_decides_there_are_none() -> None:
    run, numbers = drive(lambda drawn: {"flag": drawn[:, 0] < 2})
    assert aimed(run, numbers, np.random.default_rng(1)) is None
    empty = {kind: values[:, :0] for kind, values in numbers.items()}
    assert aimed(run, empty, np.random.default_rng(1)) is None


def test_each_row_s_own_limit_is_found_in_the_row_in_which_it_stands() -> None:
    """Of two hundred rows with limits of their own, as states have; a flag beside a count."""
    rng = np.random.default_rng(3)
    limits, numbers = rng.random((200, 2)), rng.random((200, 2))
    given = {"uniform": numbers, "whole": rng.integers(0, 9, (200, 1)) * 1.0}

    def run(rows: Array, handed: dict[str, Array]) -> Fields:
        below = handed["uniform"] < limits[rows]
        assert np.array_equal(handed["whole"], given["whole"][rows])
        return {"x": handed["uniform"][:, 0], "a": below[:, 0], "b": 3 + below[:, 1] * 2}

    found = aimed(run, given, np.random.default_rng(1))
    assert found is not None
    assert len(set(found.rows.tolist())) > 12
    assert found.rows.max() > 150
    assert set(found.numbers) == {"uniform", "whole"}
    assert np.array_equal(found.numbers["whole"], given["whole"][found.rows])
    count = len(found.rows) // len(OFFSETS)
    assert found.rows.tolist() == [*found.rows[:count].tolist()] * len(OFFSETS)
    moved = found.numbers["uniform"] != numbers[found.rows]
    places = moved[:count].argmax(axis=1)
    assert set(places.tolist()) == {0, 1}
    drawn = found.numbers["uniform"].reshape(len(OFFSETS), count, 2)[:, np.arange(count), places]
    far = drawn - limits[found.rows[:count], places]
    assert np.allclose(far, np.array(OFFSETS)[:, None], rtol=1e-3, atol=1e-13)


@pytest.mark.parametrize("limit", [0.0, LAST])
def test_a_limit_at_an_end_of_what_is_drawn_is_found_and_no_draw_lies_beyond(limit: float) -> None:
    def run(rows: Array, handed: dict[str, Array]) -> Fields:
        return {"at": handed["uniform"][:, 0] == limit}

    found = aimed(run, {"uniform": np.full((9, 1), 0.5)}, np.random.default_rng(0))
    assert found is not None
    drawn = found.numbers["uniform"][:, 0]
    assert (drawn == limit).any()
    assert (drawn >= 0).all()
    assert (drawn <= LAST).all()
    assert np.abs(drawn - limit).max() <= 1e-4
    assert len(np.unique(drawn)) == 7  # at the end, and at each distance on the one side


def test_what_a_draw_changes_in_one_of_several_numbers_is_a_change() -> None:
    def run(rows: Array, handed: dict[str, Array]) -> Fields:
        draw = handed["uniform"][:, 0]
        return {"still": rows * 0, "grid": np.stack([rows * 0, draw > 0.25], axis=1) * 7, "x": draw}

    found = aimed(run, {"uniform": np.full((3, 1), 0.75)}, np.random.default_rng(0))
    assert found is not None
    count = len(found.rows) // len(OFFSETS)
    far = found.numbers["uniform"][:, 0].reshape(len(OFFSETS), count) - 0.25
    assert np.allclose(far, np.array(OFFSETS)[:, None], rtol=1e-3, atol=1e-12)
    assert set(found.rows.tolist()) == {0, 1, 2}

"""Draws beside a limit: each of the numbers that decide is moved to both sides of where it does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.harness.modes.aimed_draws import OFFSETS, aimed
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

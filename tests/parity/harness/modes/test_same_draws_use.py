"""Whether the same draws, put to the same use, come to the same: every number of every row counts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parity.harness.compare import default_rule
from parity.harness.findings import Answer
from parity.harness.modes.same_draws import COARSE_ULPS, _coarse, _compare, _use
from parity.harness.trees import Array, Fields

MANY = 64
"""Rows as recorded; as many again with other draws."""


def numbers(columns: int = 3, seed: int = 0) -> Array:
    return np.random.default_rng(seed).random((2 * MANY, columns))


def compared(mine: Fields, theirs: Fields, state: Any = ()) -> Answer:
    pair = SimpleNamespace(reference=SimpleNamespace(native=lambda: dict.fromkeys(state)), state={})
    judge: Any = SimpleNamespace(pair=pair, skipped={}, rule=lambda name, a, b: default_rule(a, b))
    return _compare(judge, "step", mine, theirs, MANY, {"uniform": 2, "whole": 0, "normal": 1})


def test_equal_numbers_are_the_same() -> None:
    answer = compared({"x": numbers()}, {"x": numbers()})
    assert answer.status == "same"
    assert "in 128 cases, from 2 uniform and 1 normal handed over" in answer.text


@pytest.mark.parametrize("column", range(3))
@pytest.mark.parametrize("row", [0, 17, 2 * MANY - 1])
def test_one_number_of_one_row_that_differs_is_found(row: int, column: int) -> None:
    a, b = numbers(), numbers()
    b[row, column] += 1e-6
    answer = compared({"y": a, "x": a}, {"y": a, "x": b})
    assert answer.status == "different", answer.text
    assert answer.text == (
        f"from the same 2 uniform and 1 normal, x: {a[row].tolist()} on the reference and "
        f"{b[row].tolist()} on the port"
    )


def test_the_row_with_the_largest_difference_is_shown() -> None:
    a, b = numbers(1), numbers(1)
    b[5] += 1e-6
    b[70] += 1e-3
    assert f"{a[70].tolist()} on the reference" in compared({"x": a}, {"x": b}).text


def test_a_number_that_no_draw_changes_is_no_excuse_for_one_that_they_change() -> None:
    """Alone it says nothing; beside a field that is wrong it is wrong too."""
    drawn, wrong = numbers(1), numbers(1) + 1e-6
    still, other = np.ones(2 * MANY), np.full(2 * MANY, 2.0)
    assert compared({"still": still}, {"still": other}).status == "note"
    answer = compared({"x": drawn, "still": still}, {"x": wrong, "still": other})
    assert answer.status == "different"
    assert "still: 1.0 on the reference and 2.0 on the port" in answer.text


def test_draws_put_to_another_use_are_a_note() -> None:
    a = numbers(2)
    assert compared({"x": a}, {"x": a[:, ::-1]}).status == "note"
    assert compared({"x": a}, {"x": 1 - a}).status == "note"


def test_a_use_is_the_same_only_if_it_is_in_every_number_that_differs() -> None:
    a = numbers(3)
    b = a * (1 + 1e-3)
    assert _use(a, b, a != b, MANY) == "same"
    for column in range(3):
        other = b.copy()
        other[:, column] = numbers(1, 5)[:, 0]
        assert _use(a, other, a != other, MANY) == "other"
        right = b.copy()
        right[:, column] = a[:, column]  # equal there, and a little off in the others
        assert _use(a, right, a != right, MANY) == "same"
    still = np.ones((2 * MANY, 3))
    assert _use(still, still + 1, np.ones_like(still, bool), MANY) == "unknown"


def test_a_state_rounded_to_single_precision_excuses_what_is_made_of_it_and_no_more() -> None:
    state = numbers(1)[:, 0].astype(np.float32)
    made = 3.0 * numbers(1)[:, 0]
    fields = {"place": state, "obs": made}
    unit = float(np.spacing(np.float32(made.max())))
    assert _coarse(fields, {"place": None}) == COARSE_ULPS * unit
    assert _coarse({"place": made, "obs": made.astype(np.float32)}, {"place": None}) == 0
    for share, status in ((0.9, "same"), (1.5, "different")):
        other = made + share * COARSE_ULPS * unit
        assert compared(fields, {**fields, "obs": other}, ["place"]).status == status
        off = (state + share * COARSE_ULPS * unit).astype(np.float32)
        assert compared(fields, {**fields, "place": off}, ["place"]).status == "different"
    small = {"place": state, "obs": 1e-3 * made, "large": 1e6 * made}
    allowed = _coarse(small, {"place": None})
    off = {**small, "large": small["large"] + 2 * allowed}
    assert compared(small, off, ["place"]).status == "different"


def test_rows_without_a_number_on_both_sides_do_not_hide_the_use_of_the_others() -> None:
    a = numbers()
    a[::7, 1] = np.nan
    assert compared({"x": a}, {"x": a.copy()}).status == "same"
    for factor in (1 + 1e-9, 1.01):
        answer = compared({"x": a}, {"x": a * [1.0, factor, 1.0]})
        assert answer.status == "different", answer.text
    assert compared({"x": a}, {"x": a[:, ::-1]}).status == "note"
    none = np.full((2 * MANY, 1), np.nan)
    assert compared({"x": none}, {"x": none + 1}).status == "same"
    assert compared({"x": none}, {"x": np.ones((2 * MANY, 1))}).status == "note"

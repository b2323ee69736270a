"""Passes in pieces see every pair of rows, wherever the pieces meet."""

from __future__ import annotations

import numpy as np
import pytest

from markets.quality.pieces import ROWS, far_steps, steps


@pytest.mark.parametrize("rows", [0, 1, 2, 3, ROWS, ROWS + 1, ROWS + 2, 3 * ROWS + 7])
def test_every_row_is_paired_with_the_next_once(rows: int) -> None:
    numbers = np.arange(rows)
    pairs = [(numbers[one], numbers[other]) for one, other in steps(rows)]
    before = np.concatenate([np.zeros(0, int), *(one for one, _ in pairs)])
    after = np.concatenate([np.zeros(0, int), *(other for _, other in pairs)])
    np.testing.assert_array_equal(before, numbers[:-1])
    np.testing.assert_array_equal(after, numbers[1:])


@pytest.mark.parametrize("at", [0, ROWS - 2, ROWS - 1, ROWS, 2 * ROWS, 2 * ROWS + 5])
def test_a_step_is_found_where_it_is(at: int) -> None:
    values = np.zeros(2 * ROWS + 7)
    values[at + 1 :] = 3.0
    assert far_steps(values, values, 2.0).tolist() == [at]
    assert far_steps(values, values, 3.0).tolist() == []
    assert far_steps(-values.astype(np.int64), -values.astype(np.int64), 2).tolist() == [at]

"""What double precision may leave is a share of the case's own numbers, not of another case's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.compare import LARGE, LOGIC, OF_FIELD, USUAL, differ_in_double, own_numbers
from parity.harness.fields import close
from parity.harness.judge import Judge
from tests.parity.harness.sides import tiny
from tests.parity.harness.test_judge import found

MARKS = [2.0**40, 2.0**100, -(2.0**100)]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("off", [0.1, 1e-4])
def test_a_mark_for_none_in_some_cases_hides_nothing_in_the_others(mark: float, off: float) -> None:
    """A level is a mark in every other case; where it is none, the port's is off."""

    def side(by: float) -> Any:
        def step(one: tiny.Tiny, action: Any) -> Any:
            marked = one.levels[1] == mark
            out = one.step(action)
            one.levels[1] = mark if marked else one.levels[1] + by
            return one.seen(), 0.0, *out[2:]

        return tiny.side(step)

    one = tiny.pair(side(off), reference=side(0.0))
    base = make.visited(one, 64, 0)
    judge = Judge(one, base)
    base.state["levels"][::2, 1] = mark
    base.state["levels"][:, 0] = 100.0
    for _ in range(2):
        evidence = judge.step(base)
        assert found(evidence) == {"levels": 32, "obs.near": 32}
        assert (evidence.labels["levels"].labels == LOGIC).tolist() == [False, True] * 32


def test_where_the_cases_own_larger_numbers_cancel_a_share_of_them_is_allowed() -> None:
    own = np.array([1e8, USUAL, 1e8, USUAL])
    a = np.array([0.5, 0.5, 0.5, 2.0**40])
    for share, wrong in ((0.9, [False, True, False, False]), (1.1, [True, True, True, False])):
        b = a + share * (2.0**-36 * 0.5 + OF_FIELD * 1e8)
        assert differ_in_double(close(), a, b, own=own)[0].tolist() == wrong
    few = np.array([0.5, 0.25])  # no field's number is large, whatever the case's others are
    assert differ_in_double(close(), few, few + 1e-9, own=own[:2])[0].all()


def test_the_numbers_of_a_case_are_all_of_its_fields_but_marks() -> None:
    state = {"x": np.array([[1.0, -2e6], [np.inf, 3.0], [LARGE, 1.0], [2 * LARGE, np.nan]])}
    action = {"action": np.array([0, 70_000, 0, 1])}
    assert own_numbers(4, state, action).tolist() == [2e6, 7e4, LARGE, USUAL]
    assert own_numbers(0, {"x": np.zeros((0, 2))}).tolist() == []

"""Intervals of chances that were counted, by their definitions."""

from __future__ import annotations

import pytest

from parity.mutation.score import at_most


def test_the_bound_is_what_the_definition_says() -> None:
    """With no alarm in n runs, the chance p of which (1 - p)^n is a twentieth."""
    assert at_most(0, 50) == pytest.approx(1 - 0.05 ** (1 / 50))
    assert at_most(0, 0) == at_most(3, 3) == 1.0
    p = at_most(1, 50)
    assert (1 - p) ** 50 + 50 * p * (1 - p) ** 49 == pytest.approx(0.05)

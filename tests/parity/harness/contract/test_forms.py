"""How far two forms of one function are apart, where numbers are as large as they can be."""

from __future__ import annotations

import math

import numpy as np

from parity.harness.contract.forms import form_distance


def test_the_largest_number_hides_no_difference() -> None:
    """Gymnasium's spaces have the largest float32 as an end, and some environments hand it out."""
    largest = np.finfo(np.float32).max
    one = np.array([[largest, 1.0], [2.0, 3.0]], np.float32)
    assert form_distance(one, one) == 0
    other = one.copy()
    other[1, 0] = 4.0
    assert form_distance(one, other) > 1e6
    other[1, 0] = np.nan
    assert form_distance(one, other) == math.inf

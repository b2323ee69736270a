"""Labels of fields whose numbers are not finite, or the largest that there are."""

from __future__ import annotations

import numpy as np

from parity.harness.compare import EQUAL, LOGIC, ROUNDING, differ_in_double, label, spacing
from parity.harness.fields import close


def test_the_largest_number_has_the_spacing_of_those_below_it() -> None:
    largest = np.array([np.finfo(np.float32).max, np.inf, np.nan])
    assert spacing(largest, np.dtype(np.float32)).tolist() == [2.0**104, 0, 0]


def test_a_nudged_value_that_is_no_number_explains_no_other_difference() -> None:
    nan = np.nan
    reference = np.array([1e9, nan, nan, 5.0, 5.0], np.float32)
    port = np.array([5.0, 5.0, nan, 5.0, np.nextafter(np.float32(5), np.float32(6))], np.float32)
    nudged = [np.array([nan, nan, nan, nan, 5.0], np.float32)]
    found = label(close(), (reference, port), None, np.ones(5, bool), nudged)
    assert found.labels.tolist() == [LOGIC, ROUNDING, EQUAL, EQUAL, ROUNDING]


def test_a_large_number_allows_nothing_of_the_places_beside_it() -> None:
    """Such as a volume of a billion beside a price, in one observation."""
    reference = np.array([[1e9, 1.0], [2e9, 2.0]])
    port = reference + np.array([[1e-5, 0.0], [0.0, 1e-4]])
    differs, _ = differ_in_double(close(), reference, port)
    assert differs.tolist() == [[False, False], [False, True]]

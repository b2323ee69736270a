"""Why rows of the same time differ is told by how far apart their prices are."""

from __future__ import annotations

import numpy as np
import pytest

from markets.time_order import same_time_mend

ROWS = 100.0 + np.arange(20)[:, None] + np.array([0.0, 6.0, -4.0, 1.0])
"""Open, high, low, close: bars of ten points."""

TWO_CONTRACTS = "two contracts (expiries)"


@pytest.mark.parametrize(
    ("other", "two", "words"),
    [
        (ROWS, False, "the same row occurs again"),
        (ROWS + 60.0, True, "about 60 points apart"),
        (ROWS - 60.0, True, "about 60 points apart"),
        (ROWS + 1.0, False, "of one contract"),  # less than a bar's range: of no two expiries
        (ROWS + 60.0 * np.arange(20)[:, None], False, "of one contract"),  # never as far
        (np.full_like(ROWS, np.nan), False, "keep one row a minute"),
    ],
)
def test_what_to_do(other: np.ndarray, two: bool, words: str) -> None:
    told = same_time_mend(ROWS, other)
    assert words in told
    assert (TWO_CONTRACTS in told) == two

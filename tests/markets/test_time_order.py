"""Why rows of the same time differ is told by how far apart their prices are."""

from __future__ import annotations

import numpy as np
import pytest

from markets.time_order import order_mend, same_time_mend

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


@pytest.mark.parametrize("lacks", [[0], [0, 1, 2, 3, 4], [5, 19]], ids=str)
def test_rows_with_a_price_missing_say_nothing_of_the_others(lacks: list[int]) -> None:
    """Neither of how far two contracts are apart, nor of whether there are two."""
    for other, two in ((ROWS + 60.0, True), (ROWS + 1.0, False)):
        one, second = ROWS.copy(), other.copy()
        one[lacks[0]] = np.nan
        second[lacks] = np.nan
        told = same_time_mend(one, second)
        assert (TWO_CONTRACTS in told) == two
        assert ("about 60 points apart" in told) == two
    same = ROWS.copy()
    same[lacks] = np.nan
    assert same_time_mend(ROWS, same) == "rows of the same time differ; keep one row a minute"


HOUR = 3600 * 10**9


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ([3, 2, 1], "the newest row stands first"),
        ([1, 3, 2, 4], "sort the rows by timestamp"),
        ([4, 2, 3, 1], "sort the rows by timestamp"),  # newest first, but for one
        # Evenings that carry the next day's date: at midnight times go back by 23 hours, twice here.
        ([42, 47, 24, 40, 66, 71, 48, 64], "dates are those of trading days"),
        ([42, 47, 24, 40, 66], "sort the rows by timestamp"),  # once is no habit
        ([36, 18, 37, 19, 50], "dates are those of trading days"),
        ([35, 18, 37, 19, 50], "sort the rows by timestamp"),  # by less than a night can be
        ([36, 18, 37, 30, 50], "sort the rows by timestamp"),  # the second time
        ([66, 42, 67, 44, 80], "sort the rows by timestamp"),  # by a whole day
        ([1, 2, 2, 3], "the same row occurs again"),
    ],
)
def test_why_times_do_not_increase(hours: list[float], words: str) -> None:
    ns = (np.array(hours) * HOUR).astype(np.int64)
    prices = np.tile([100.0, 101.0, 99.0, 100.0], (len(hours), 1))
    told = order_mend(ns, prices)
    assert words in told
    assert (told == words) == (words == "sort the rows by timestamp")


def test_rows_of_the_same_time_are_found_wherever_they_stand() -> None:
    """The pairs are one row apart in the order of time, and not in the file's."""
    ns = np.array([5, 3, 9, 3, 7, 9, 5]) * HOUR
    low = np.array([100.0, 106.0, 96.0, 101.0])
    prices = np.stack([low, low + 2, low + 4, low + 62, low + 7, low + 64, low + 60])
    assert "about 60 points apart, as those of two contracts" in order_mend(ns, prices)
    assert order_mend(ns, prices[[0, 1, 2, 1, 4, 2, 0]]).startswith("the same row occurs again")


@pytest.mark.parametrize(
    ("apart", "two"), [(30.0, False), (50.0, False), (50.25, True), (-50.25, True)]
)
def test_two_contracts_are_further_apart_than_five_bars_are_high(apart: float, two: bool) -> None:
    told = same_time_mend(ROWS, ROWS + apart)
    assert (TWO_CONTRACTS in told) == two
    some = np.arange(20) % 3 == 1  # the others are the same row twice, and say nothing
    assert (TWO_CONTRACTS in same_time_mend(ROWS, ROWS + apart * some[:, None])) == two
    spread = ROWS + apart + 0.24 * apart * np.where(np.arange(20) % 2, 1, -1)[:, None]
    assert (TWO_CONTRACTS in same_time_mend(ROWS, spread)) == two


@pytest.mark.parametrize("column", range(4))
@pytest.mark.parametrize("row", [0, 19])
def test_rows_that_differ_in_one_price_are_not_the_same(column: int, row: int) -> None:
    other = ROWS.copy()
    other[row, column] += 0.25
    assert same_time_mend(ROWS, other) == (
        "rows of the same time differ; keep one row a minute, of one contract"
    )

"""Rows that cannot be bars: the cause is named where nearly every row shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from markets import Bars, get_contract
from markets.impossible_rows import column_order_mend, negative_volume_mend, not_positive_mend
from markets.quality.inspection import inspect
from markets.readers import read_bars, read_frame
from markets.synthetic.bars import synthetic_bars
from tests.sentences import refuses

PRICES = ["open", "high", "low", "close"]


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic_bars("ES", days=2, seed=16, start="2025-05-19")


def refused(frame: pd.DataFrame, path: Path) -> None:
    """Require that a file is refused with a mend that its inspection gives too."""
    frame.to_csv(path)
    with refuses() as caught:
        read_bars(path, "ES")
    problems = inspect(read_frame(path), get_contract("ES"), "bars.csv").problems
    assert any(problem.mend in str(caught.value) for problem in problems)


@pytest.mark.parametrize("order", ["ohcl", "ochl", "hloc", "olhc", "clho"])
def test_columns_in_another_order(bars: Bars, tmp_path: Path, order: str) -> None:
    names = {name[0]: name for name in PRICES}
    moved = bars.frame.assign(
        **{name: bars.frame[names[letter]] for name, letter in zip(PRICES, order, strict=True)}
    )
    refused(moved, tmp_path / "bars.csv")


def test_one_bad_row_is_no_order(bars: Bars, tmp_path: Path) -> None:
    frame = bars.frame.copy()
    frame.iloc[7, 1] = frame.iloc[7, 2] - 1.0
    refused(frame, tmp_path / "bars.csv")


def test_prices_below_zero_are_adjusted_or_a_spread(bars: Bars, tmp_path: Path) -> None:
    level = float(bars.frame["close"].median())
    refused(
        bars.frame.assign(**{name: bars.frame[name] - level for name in PRICES}),
        tmp_path / "bars.csv",
    )
    some = bars.frame.copy()
    some.iloc[9, :4] = 0.0
    refused(some, tmp_path / "bars.csv")


def test_a_volume_of_minus_one_is_that_of_quotes(bars: Bars, tmp_path: Path) -> None:
    refused(bars.frame.assign(volume=-1.0), tmp_path / "bars.csv")


PLAIN = "remove or repair the rows"


def test_columns_are_in_another_order_where_both_ends_stand_elsewhere_on_nearly_every_row() -> None:
    """Open, high, low, close of a hundred bars, of which the first is in order."""
    moved = np.tile([104.0, 101.0, 103.0, 99.0], (100, 1))
    moved[0] = [101.0, 104.0, 99.0, 103.0]
    told = column_order_mend(moved)
    assert "column open holds the highest price of nearly every row and close the lowest" in told
    missing = np.vstack([moved, np.full((50, 4), np.nan)])  # which say nothing of the others
    assert column_order_mend(missing) == told
    twice = moved.copy()
    twice[1] = moved[0]  # two of a hundred are more than nearly none
    assert column_order_mend(twice) == PLAIN
    lowest = moved.copy()
    lowest[:50, 3] = 102.0  # the highest is elsewhere on every row, and the lowest now here, now there
    assert column_order_mend(lowest) == PLAIN
    assert column_order_mend(np.full((3, 4), np.nan)) == PLAIN
    assert column_order_mend(np.tile([101.0, 104.0, 99.0, 103.0], (9, 1))) == PLAIN


def test_what_numbers_below_zero_are_is_told_by_all_of_them() -> None:
    assert "Interactive Brokers" in negative_volume_mend(np.full(3, -1.0))
    assert negative_volume_mend(np.array([-1.0, 5.0, -1.0])) == PLAIN
    assert not_positive_mend(np.array([0.0, 3.0])) == "remove the rows"
    assert "adjusted back over its rolls" in not_positive_mend(np.array([0.0, -0.25, 3.0]))


def test_a_row_that_lacks_one_price_says_nothing_of_the_columns_order() -> None:
    moved = np.tile([104.0, 101.0, 103.0, 99.0], (100, 1))
    told = column_order_mend(moved)
    for column in range(4):
        missing = moved.copy()
        missing[90:, column] = np.nan
        assert column_order_mend(missing) == told


@pytest.mark.parametrize(
    ("row", "high", "low"),
    [
        ([104.0, 101.0, 99.0, 103.0], "open", "low"),
        ([101.0, 103.0, 99.0, 104.0], "close", "low"),
        ([99.0, 104.0, 101.0, 103.0], "high", "open"),
        ([101.0, 104.0, 103.0, 99.0], "high", "close"),
        ([103.0, 99.0, 104.0, 101.0], "low", "high"),
    ],
)
def test_one_of_both_ends_in_another_column_is_another_order(
    row: list[float], high: str, low: str
) -> None:
    told = column_order_mend(np.tile(row, (7, 1)))
    assert f"column {high} holds the highest price of nearly every row and {low} the lowest" in told

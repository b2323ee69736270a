"""Rows that a market could not have made are marked for what they are, and for nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from markets.quality.facts import Rows
from markets.synthetic.bars import synthetic_bars

MARKS = ("missing", "non_positive", "impossible", "duplicates", "backwards", "spikes", "bad_prints")


@pytest.fixture
def frame() -> pd.DataFrame:
    return synthetic_bars("ES", days=1, seed=3).frame.copy()


def marks(frame: pd.DataFrame) -> dict[str, list[int]]:
    rows = Rows(frame, synthetic_bars("ES", days=1, seed=3).contract, "bars.csv")
    found = {name: np.flatnonzero(getattr(rows, name)).tolist() for name in MARKS}
    return {name: places for name, places in found.items() if places}


def put(frame: pd.DataFrame, row: int, column: str, value: float) -> None:
    frame.iloc[row, frame.columns.get_loc(column)] = value  # type: ignore[call-overload]


def test_sound_rows_have_no_mark(frame: pd.DataFrame) -> None:
    assert marks(frame) == {}


def test_each_fault_marks_its_row_alone(frame: pd.DataFrame) -> None:
    put(frame, 10, "close", np.nan)
    put(frame, 20, "low", 0.0)
    put(frame, 30, "volume", -1.0)
    put(frame, 40, "high", frame["low"].iloc[40] - 1)
    twice = frame.index.to_list()
    twice[50] = twice[49]
    twice[60], twice[61] = twice[61], twice[60]
    found = marks(frame.set_axis(pd.DatetimeIndex(twice), axis=0))
    assert found == {
        "missing": [10],
        "non_positive": [20, 30],
        "impossible": [40],
        "duplicates": [50],
        "backwards": [61],
    }


def test_a_print_far_from_its_neighbours_is_marked(frame: pd.DataFrame) -> None:
    for name in ("open", "high", "low", "close"):
        put(frame, 100, name, frame[name].iloc[100] * 1.2)
    found = marks(frame)
    assert found == {"bad_prints": [100, 101]}  # there, and back

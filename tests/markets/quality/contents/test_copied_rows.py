"""Days under two dates are refused; days that merely look alike are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from markets import Bars
from markets.readers import read_bars
from markets.synthetic.bars import synthetic_bars
from tests.sentences import refuses


@pytest.fixture(scope="module", params=["rth", "all"])
def bars(request: pytest.FixtureRequest) -> Bars:
    return synthetic_bars("NQ", days=8, seed=17, start="2025-07-07", session=request.param)


def with_copy(bars: Bars, of: str, to: str, hours: int) -> pd.DataFrame:
    """Return bars in which some hours stand under a second date, in the place of its own."""
    frame = bars.frame
    source, target = pd.Timestamp(of, tz="UTC"), pd.Timestamp(to, tz="UTC")
    span = pd.Timedelta(hours=hours)
    copy = frame[(frame.index >= source) & (frame.index < source + span)]
    rest = frame[(frame.index < target) | (frame.index >= target + span)]
    return pd.concat([rest, copy.set_axis(copy.index + (target - source))]).sort_index()


@pytest.mark.parametrize(
    ("of", "to", "hours"),
    [
        ("2025-07-08", "2025-07-10", 24),
        ("2025-07-08 13:30", "2025-07-09 13:30", 5),
        ("2025-07-07 13:30", "2025-07-14 13:30", 24),
    ],
)
def test_hours_under_two_dates_are_refused(
    bars: Bars, tmp_path: Path, of: str, to: str, hours: int
) -> None:
    path = tmp_path / "bars.csv"
    with_copy(bars, of, to, hours).rename_axis("timestamp").to_csv(path)
    with refuses():
        read_bars(path, "NQ")
    bars.frame.to_csv(path)
    assert read_bars(path, "NQ").digest == bars.digest


def test_quiet_stretches_that_look_alike_are_no_copies(bars: Bars, tmp_path: Path) -> None:
    frame = bars.frame.copy()
    flat = np.arange(len(frame)) % 900 < 120
    frame.loc[flat, ["open", "high", "low", "close"]] = frame["close"].iloc[0]
    frame.loc[flat, "volume"] = 21.0
    path = tmp_path / "NQ.csv"
    frame.to_csv(path)
    assert np.array_equal(read_bars(path, "NQ").frame["close"], frame["close"])

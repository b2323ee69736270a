"""Which end of a bar its time is of: a close is moved back by the bar's own length."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from markets.readers import read_bars
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars


@pytest.mark.parametrize("bar", ["1min", "1s"])
def test_bars_stamped_by_their_close_are_moved_by_their_own_length(tmp_path: Path, bar: str) -> None:
    minutes = synthetic_bars("ES", days=1, seed=3)
    bars = minutes if bar == "1min" else second_bars(minutes, seed=3)
    frame = bars.frame.copy()
    if bar == "1s":
        frame = frame[frame.index < frame.index[0] + pd.Timedelta(minutes=30)]
    opened, closed = tmp_path / "open.csv", tmp_path / "close.csv"
    frame.to_csv(opened, index_label="timestamp")
    frame.set_axis(frame.index + pd.Timedelta(bar)).to_csv(closed, index_label="timestamp")
    wanted = read_bars(opened, "ES").frame
    found = read_bars(closed, "ES", stamped="close").frame
    pd.testing.assert_frame_equal(found, wanted)
    assert found.index[0] == minutes.frame.index[0]

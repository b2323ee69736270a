"""The statistics of bars, against values worked out by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from markets.bars import COLUMNS, Bars
from markets.contracts import get_contract
from markets.synthetic.statistics import describe, front_month

# Two sessions of ES; prices in ticks of 0.25 above 100: open, high, low, close, volume.
ROWS = {
    "2025-01-06 14:30": (0, 4, -4, 2, 100),
    "2025-01-06 14:31": (2, 2, 2, 2, 0),
    "2025-01-06 14:32": (3, 4, 3, 4, 20),
    "2025-01-07 14:30": (14, 20, 10, 12, 60),
    "2025-01-07 14:31": (12, 13, 12, 13, 20),
}


@pytest.fixture
def bars() -> Bars:
    table = [[100 + 0.25 * p for p in row[:4]] + [row[4]] for row in ROWS.values()]
    frame = pd.DataFrame(
        table, columns=list(COLUMNS), index=pd.DatetimeIndex(list(ROWS), tz="UTC")
    ).astype(float)
    return Bars.from_frame(frame, get_contract("ES"), source="by hand")


def test_by_hand(bars: Bars) -> None:
    facts = describe(bars)
    assert facts["bars"] == 5
    assert facts["sessions"] == 2
    # Returns within sessions: 0 and +2, then +1; the move over the night, 4 to 14, is a gap of 10.
    assert facts["return_sd"] == pytest.approx(1.0)
    assert facts["session_gap_abs_median"] == 10
    assert math.isnan(facts["session_gap_sd"])  # one gap has no standard deviation
    assert facts["session_sd_median"] == pytest.approx(math.sqrt(2))  # the second has one return
    assert facts["range_mean"] == pytest.approx((8 + 0 + 1 + 10 + 1) / 5)
    assert facts["body_to_range"] == pytest.approx((2 + 0 + 1 + 2 + 1) / (8 + 0 + 1 + 10 + 1))
    assert facts["zero_range_share"] == pytest.approx(0.2)
    assert facts["one_tick_range_share"] == pytest.approx(0.4)
    assert facts["zero_body_share"] == pytest.approx(0.2)
    assert facts["zero_volume_share"] == pytest.approx(0.2)
    assert facts["close_at_extreme_share"] == pytest.approx(0.6)
    assert facts["open_at_previous_close_share"] == pytest.approx(2 / 3)
    assert facts["open_one_tick_off_share"] == pytest.approx(1 / 3)
    assert facts["volume_mean"] == 40
    assert facts["volume_open"] == pytest.approx(1)
    assert math.isnan(facts["volume_midday"])


def test_autocorrelation_stays_within_sessions(bars: Bars) -> None:
    closes = [0, 1, 0, 2, 1, 2, 0, 0]
    index = pd.date_range("2025-01-06 14:30", periods=8, freq="min", tz="UTC")
    frame = pd.DataFrame(
        {name: [100 + 0.25 * c for c in closes] for name in COLUMNS[:4]} | {"volume": 1.0}, index=index
    )
    one = Bars.from_frame(frame, bars.contract, source="one session")
    later = frame.set_index(index + pd.Timedelta(days=1))
    two = Bars.from_frame(pd.concat([frame, later + 5.0]), bars.contract, source="two sessions")
    # Returns +1 -1 +2 -1 +1 -2 0: pairs (1,-1) (-1,2) (2,-1) (-1,1) (1,-2) (-2,0). Sums of x, y: 0, -1;
    # of squares: 12, 11; of products: -1-2-2-1-2+0 = -8. So -8 / sqrt(12 x (11 - 1/6)).
    want = -8 / math.sqrt(12 * (11 - 1 / 6))
    assert describe(one)["return_autocorrelation_1"] == pytest.approx(want)
    assert describe(two)["return_autocorrelation_1"] == pytest.approx(want)


def test_front_month_leaves_out_thin_dates(bars: Bars) -> None:
    quiet = bars.frame.iloc[:2].set_index(bars.frame.index[:2] + pd.Timedelta(days=2)) * 1.0
    quiet["volume"] = [10.0, 10.0]
    both = Bars.from_frame(pd.concat([bars.frame, quiet]), bars.contract, source="three dates")
    # Volumes 120, 80 and 20: the median is 80, and a third of it is more than 20.
    assert front_month(both).frame.index.equals(bars.frame.index)

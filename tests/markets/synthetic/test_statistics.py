"""The statistics of bars, against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from markets.bars import COLUMNS, Bars
from markets.contracts import get_contract
from markets.synthetic.bars import synthetic_bars
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
    quiet["volume"] = [13.0, 12.0]
    bars.frame.iloc[3:, 4] = [45.0, 30.0]  # now 75, a third of which is 25
    both = Bars.from_frame(pd.concat([bars.frame, quiet]), bars.contract, source="three dates")
    assert len(front_month(both)) == 7


def test_half_an_hour_without_a_bar_is_no_new_session_and_a_minute_more_is(bars: Bars) -> None:
    for gap, sessions in ((30, 2), (31, 3)):
        index = bars.frame.index.to_series()
        index.iloc[2:3] += pd.Timedelta(gap - 1, "min")
        moved = bars.frame.set_axis(pd.DatetimeIndex(index))
        made = Bars.from_frame(moved, bars.contract, source="moved")
        assert describe(made)["sessions"] == sessions


def test_gaps_go_up_and_down(bars: Bars) -> None:
    """Of ten ticks up and twelve down: the spread is of their signs too."""
    last = bars.frame.iloc[3:].set_axis(bars.frame.index[3:] + pd.Timedelta(days=1))
    last[["open", "high", "low", "close"]] -= 0.25 * 13
    made = Bars.from_frame(pd.concat([bars.frame, last]), bars.contract, source="three sessions")
    assert describe(made)["session_gap_sd"] == pytest.approx(np.std([10, -12], ddof=1))
    assert describe(made)["session_gap_abs_median"] == 11


def plain(bars: Bars) -> dict[str, float]:
    """Return what the names of the statistics say, from a walk over the bars."""
    rows = [[round(value / 0.25) for value in row[:4]] for row in bars.frame.to_numpy().tolist()]
    volume = bars.frame["volume"].tolist()
    times = list(bars.frame.index.tz_convert("America/New_York"))
    sessions: list[list[int]] = [[0]]
    for at in range(1, len(rows)):
        if times[at] - times[at - 1] > pd.Timedelta(minutes=30):
            sessions.append([])
        sessions[-1].append(at)
    moves = {at: rows[at][3] - rows[at - 1][3] for part in sessions for at in part[1:]}
    sds = [np.std([moves[at] for at in part[1:]], ddof=1) for part in sessions]
    scaled = {
        at: moves[at] / sd for part, sd in zip(sessions, sds, strict=True) if sd > 0 for at in part[1:]
    }

    def together(values: dict[int, float], lag: int) -> float:
        pairs = [
            (values[at], values[at + lag])
            for part in sessions
            for at in part[1:]
            if at + lag in part and at in values
        ]
        return float(np.corrcoef(*zip(*pairs, strict=True))[0, 1])

    def kurtosis(values: list[float]) -> float:
        away = np.array(values) - np.mean(values)
        return float(np.mean(away**4) / np.mean(away**2) ** 2 - 3)

    size = {at: abs(move) for at, move in moves.items()}
    sizes = {at: abs(move) for at, move in scaled.items()}
    gaps = [rows[part[0]][0] - rows[part[0] - 1][3] for part in sessions[1:]]
    found = {
        "bars": len(rows),
        "sessions": len(sessions),
        "return_sd": np.std(list(moves.values()), ddof=1),
        "return_kurtosis_excess": kurtosis(list(moves.values())),
        "return_kurtosis_excess_within_day": kurtosis(list(scaled.values())),
        "session_sd_median": np.median(sds),
        "session_sd_log_sd": np.std(np.log(sds), ddof=1),
        "return_autocorrelation_1": together(moves, 1),
        "session_gap_sd": np.std(gaps, ddof=1),
        "session_gap_abs_median": np.median(np.abs(gaps)),
        "open_at_previous_close_share": np.mean([rows[at][0] == rows[at - 1][3] for at in moves]),
        "open_one_tick_off_share": np.mean([abs(rows[at][0] - rows[at - 1][3]) == 1 for at in moves]),
        "log_volume_log_range_correlation": np.corrcoef(
            np.log(np.array(volume) + 0.5), np.log([row[1] - row[2] + 0.5 for row in rows])
        )[0, 1],
    }
    for lag in (1, 5, 20, 60):
        found[f"abs_return_autocorrelation_{lag}"] = together(size, lag)
        found[f"abs_return_autocorrelation_{lag}_within_day"] = together(sizes, lag)
    parts = {
        "night": lambda at: at >= "18:00" or at < "09:30",
        "open": lambda at: "09:30" <= at < "10:00",
        "midday": lambda at: "12:00" <= at < "13:30",
        "last_half_hour": lambda at: "15:30" <= at < "16:00",
        "after_close": lambda at: "16:00" <= at < "17:00",
    }
    for name, within in parts.items():
        here = [at for at, when in enumerate(times) if within(when.strftime("%H:%M"))]
        found[f"volume_{name}"] = np.mean([volume[at] for at in here]) / np.mean(volume)
        moved = [size[at] for at in here if at in size]
        found[f"move_{name}"] = np.mean(moved) / np.mean(list(size.values()))
    return found


def test_real_days_are_described_as_the_names_say() -> None:
    bars = synthetic_bars("ES", days=4, seed=5, start="2025-03-06", session="all")
    keep = np.random.default_rng(0).random(len(bars)) < 0.99
    some = bars.select(keep)
    facts, wanted = describe(some), plain(some)
    assert {name: facts[name] for name in wanted} == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("volume", [1.0, 7.0])
def test_what_never_varies_hangs_together_with_nothing(volume: float) -> None:
    """Equal logarithms, and moves of one size, differ from their own mean by rounding."""
    steps = np.tile([1, -1, -1, 1, 1, -1, 1], 9)
    closes = 5000 + 0.25 * np.concatenate([np.cumsum(steps), np.cumsum(steps) + 40])
    opened = np.concatenate([[closes[0] - 0.5], closes[:-1]])
    index = pd.date_range("2025-01-06 14:30", periods=63, freq="min", tz="UTC")
    frame = pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, closes) + 0.25 * (np.arange(126) % 5),
            "low": np.minimum(opened, closes),
            "close": closes,
            "volume": volume,
        },
        index=index.append(index + pd.Timedelta(days=1)),
    )
    facts = describe(Bars.from_frame(frame, get_contract("ES"), source="by hand"))
    never = {name for name, value in facts.items() if math.isnan(value)}
    assert {name for name in never if "correlation" in name} == {
        "log_volume_log_range_correlation",
        *(
            f"abs_return_autocorrelation_{lag}{day}"
            for lag in (1, 5, 20, 60)
            for day in ("", "_within_day")
        ),
    }


def test_a_thin_date_is_told_by_the_median_and_not_by_one_busy_day(bars: Bars) -> None:
    """Volumes of 1,000, 90 and 31: a third of the median is 30, and one of the mean 125."""
    frame = bars.frame.copy()
    quiet = frame.iloc[:2].set_axis(frame.index[:2] + pd.Timedelta(days=2))
    quiet["volume"] = [20.0, 11.0]
    frame["volume"] = [900.0, 80.0, 20.0, 50.0, 40.0]
    both = Bars.from_frame(pd.concat([frame, quiet]), bars.contract, source="three dates")
    assert front_month(both).frame.index.equals(both.frame.index)
    both.frame.iloc[5:, 4] = [20.0, 9.0]
    assert front_month(both).frame.index.equals(frame.index)


def test_falls_are_described_as_rises_are(bars: Bars) -> None:
    """Of prices that are mirrored, highs are lows: all else, and each number, is the same."""
    mirrored = bars.frame.copy()
    for name, other in {"open": "open", "high": "low", "low": "high", "close": "close"}.items():
        mirrored[name] = 200.0 - bars.frame[other]
    down = describe(Bars.from_frame(mirrored, bars.contract, source="mirrored"))
    up = describe(bars)
    assert list(down) == list(up)
    np.testing.assert_allclose(list(down.values()), list(up.values()), rtol=1e-12)

"""Section 3: features and per-bar integers, against plain loops and literal values."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from legacy_torch.env_phase1 import TradingEnvPhase1
from legacy_torch.features import add_features, compute_features, half_up, new_york_minute, window_mean
from markets import Bars, EnvConfig, InputError, get_contract
from markets.bars import FEATURES
from markets.synthetic.bars import synthetic_bars
from tests.sentences import refuses

CONFIG = EnvConfig.phase1()


def _mean(values, last, length):
    total = 0.0
    for value in values[last - length + 1 : last + 1]:
        total += value
    return total / length


def _by_the_book(frame):
    """Section 3, sentence by sentence, in plain Python."""
    close, high, low = (frame[name].tolist() for name in ("close", "high", "low"))
    ranges, gains, losses, fast, slow = [], [math.nan], [math.nan], [], []
    for t, price in enumerate(close):
        if t == 0:
            ranges.append(high[0] - low[0])
            fast.append(price)
            slow.append(price)
            continue
        before = close[t - 1]
        ranges.append(max(high[t] - low[t], abs(high[t] - before), abs(low[t] - before)))
        gains.append(max(price - before, 0.0))
        losses.append(max(before - price, 0.0))
        fast.append(2 / 13 * price + (1 - 2 / 13) * fast[-1])
        slow.append(2 / 27 * price + (1 - 2 / 27) * slow[-1])
    rows = []
    for t, stamp in enumerate(frame.index):
        local = stamp.tz_convert("America/New_York")
        m = local.hour * 60 + local.minute
        rsi = math.nan
        if t >= 14:
            rsi = 100 - 100 / (1 + _mean(gains, t, 14) / (_mean(losses, t, 14) + 1e-8))
        rows.append(
            [
                close[t],
                frame["volume"].iloc[t],
                _mean(close, t, 5) if t >= 4 else math.nan,
                _mean(close, t, 20) if t >= 19 else math.nan,
                rsi,
                fast[t] - slow[t],
                close[t] / close[t - 10] if t >= 10 else math.nan,
                _mean(ranges, t, 14) if t >= 13 else math.nan,
                m / 60,
                (m - 570) / 449,
                (1019 - m) / 449,
            ]
        )
    return np.array(rows)


@pytest.mark.parametrize(("tick", "price"), [(0.25, 5000.0), (0.1, 2100.0), (1.0, 42000.0)])
def test_features_equal_the_definitions_to_the_last_bit(random_frame, tick, price):
    frame = random_frame(1, seed=3, tick=tick, price=price)
    features = compute_features(frame)
    assert list(features.columns) == list(FEATURES)
    assert (features.dtypes == np.float64).all()
    np.testing.assert_array_equal(features.to_numpy(), _by_the_book(frame))


@pytest.mark.parametrize("step", [7, -7])
def test_a_true_range_reaches_over_gaps_of_either_direction(random_frame, step):
    """Of bars that lie apart, forwards and in the mirror of time: above and below the close before."""
    frame = random_frame(2, seed=5, move=3)
    index = frame.index[:: abs(step)]
    frame = frame.iloc[::step].set_axis(index)
    previous = frame["close"].shift(1)
    assert (previous > frame["high"]).sum() > 20
    assert (previous < frame["low"]).sum() > 20
    np.testing.assert_array_equal(compute_features(frame).to_numpy(), _by_the_book(frame))
    atr = add_features(frame, 0.25, CONFIG)
    in_ticks = (4 * atr["atr"].iloc[13:] * 14).round() / 14
    np.testing.assert_array_equal(atr["atr_ticks"].iloc[13:], in_ticks.clip(lower=1.0))


def test_first_defined_bars(random_frame):
    first = compute_features(random_frame(1)).notna().idxmax()
    index = random_frame(1).index
    at = {name: index.get_loc(first[name]) for name in FEATURES}
    assert at == {
        "close": 0,
        "volume": 0,
        "sma_5": 4,
        "sma_20": 19,
        "rsi": 14,
        "macd": 0,
        "momentum": 10,
        "atr": 13,
        "hour_decimal": 0,
        "min_from_open": 0,
        "min_to_close": 0,
    }


def test_literal_rising_market():
    closes = 100.0 + np.arange(30.0)
    index = pd.date_range("2025-03-10 13:30", periods=30, freq="min", tz="UTC")
    frame = pd.DataFrame({"open": closes, "high": closes, "low": closes, "close": closes}, index=index)
    frame["volume"] = 7.0
    row = compute_features(frame).iloc[20]
    assert row["sma_5"] == 118.0
    assert row["sma_20"] == 110.5
    assert row["rsi"] == 100 - 100 / (1 + 1 / 1e-8)
    assert row["momentum"] == 120 / 110
    assert row["atr"] == 1.0  # the previous close is one point away, the bar itself has no range
    assert row["hour_decimal"] == pytest.approx(9 + 50 / 60)
    assert row["min_from_open"] == 20 / 449
    assert row["min_to_close"] == 429 / 449


def test_macd_is_seeded_with_the_first_close():
    index = pd.date_range("2025-03-10 13:30", periods=2, freq="min", tz="UTC")
    closes = [100.0, 113.0]
    frame = pd.DataFrame({"open": closes, "high": closes, "low": closes, "close": closes}, index=index)
    frame["volume"] = 1.0
    # EMA12 = 100 + 13 * 2/13 = 102; EMA26 = 100 + 13 * 2/27
    assert compute_features(frame)["macd"].tolist() == pytest.approx([0.0, 2 - 26 / 27], abs=1e-12)


def test_flat_window_has_rsi_zero(random_frame):
    frame = random_frame(1)
    for name in ("open", "high", "low", "close"):
        frame[name] = 5000.0
    features = compute_features(frame)
    assert (features["rsi"].iloc[14:] == 0.0).all()
    assert (features["atr"].iloc[13:] == 0.0).all()
    assert (features["macd"] == 0.0).all()


def test_a_bad_print_poisons_no_later_window(random_frame):
    values = random_frame(1)["close"]
    poisoned = values.copy()
    poisoned.iloc[50] = 1e15
    assert window_mean(poisoned, 20).iloc[70:].equals(window_mean(values, 20).iloc[70:])


def test_no_feature_looks_ahead(random_frame):
    frame, other = random_frame(1), random_frame(1)
    columns = ["open", "high", "low", "close", "volume"]
    other.loc[other.index[201:], columns] = 1.0
    before = add_features(frame, 0.25, CONFIG).iloc[:201]
    assert before.equals(add_features(other, 0.25, CONFIG).iloc[:201])


@pytest.mark.parametrize(
    ("utc", "minute"),
    [
        ("2025-03-07 14:30", 570),  # winter
        ("2025-03-10 13:30", 570),  # summer, the Monday after the change
        ("2025-10-31 20:59", 1019),
        ("2025-11-03 21:59", 1019),
        ("2025-03-09 06:59", 119),  # the minute before the clock jumps
        ("2025-03-09 07:00", 180),
        ("2025-01-01 05:00", 0),
    ],
)
def test_new_york_minutes(utc, minute):
    assert new_york_minute(pd.DatetimeIndex([pd.Timestamp(utc, tz="UTC")])).tolist() == [minute]


def test_half_up():
    values = pd.Series([0.4, 0.5, 1.5, 2.5, 2.4999, 3.0])
    assert half_up(values).tolist() == [0.0, 1.0, 2.0, 3.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("atr", "overrides", "expected"),
    [
        # atr in points; atr_ticks, stop, target, trail
        (2.0, {}, (8.0, 12, 36, 8)),
        (0.75, {}, (3.0, 5, 15, 3)),  # 4.5 goes up
        (0.0, {}, (1.0, 2, 6, 1)),  # at least one tick of ATR
        (0.1, {}, (1.0, 2, 6, 1)),
        (2.0, {"sl_atr_mult": 0.01, "tp_sl_ratio": 0.1, "trail_atr_mult": 0.01}, (8.0, 1, 1, 1)),
        (2.0, {"tp_sl_ratio": 1.125, "trail_atr_mult": 1.3125}, (8.0, 12, 14, 11)),  # 13.5 and 10.5
    ],
)
def test_per_bar_integers(random_frame, atr, overrides, expected):
    frame = random_frame(1)
    features = compute_features(frame).assign(atr=atr)
    table = add_features(frame, 0.25, EnvConfig.phase1(**overrides), features)
    row = table[["atr_ticks", "stop_ticks", "target_ticks", "trail_ticks"]].iloc[200]
    assert tuple(row) == expected


def test_integers_are_zero_where_the_atr_is_undefined(random_frame):
    table = add_features(random_frame(1), 0.25, CONFIG)
    assert (table[["stop_ticks", "target_ticks", "trail_ticks"]].iloc[:13] == 0).all(axis=None)
    assert (table[["stop_ticks", "target_ticks", "trail_ticks"]].iloc[13:] >= 1).all(axis=None)


def _processed(random_frame, **changes):
    frame = random_frame(2)
    features = compute_features(frame).assign(**changes)
    return frame, Bars.from_frame(
        frame, get_contract("ES"), source="processed.csv", precomputed=features
    )


def test_a_processed_file_is_used_as_it_is(random_frame):
    frame, bars = _processed(random_frame, atr=4.0, sma_5=1234.5, close=17.0)
    env = TradingEnvPhase1(bars)
    start = int(env.valid_starts[0])
    obs, _ = env.reset(options={"start_index": start})
    window = obs[:220].reshape(20, 11)
    assert (window[:, 2] == 1234.5).all()
    assert (window[:, 0] == 17.0).all()
    env.step(1)
    assert env.entry_price == frame["close"].iloc[start] + 0.25  # fills come from the bars
    assert env.entry_price - env.sl_price == 24 * 0.25  # atr of 16 ticks, from the file


@pytest.mark.parametrize(
    ("defined_from", "first_start"), [(14, 120), (100, 120), (101, 121), (300, 320)]
)
def test_episodes_start_where_a_processed_file_is_defined(random_frame, defined_from, first_start):
    rsi = compute_features(random_frame(2))["rsi"]
    rsi.iloc[:defined_from] = np.nan
    env = TradingEnvPhase1(_processed(random_frame, rsi=rsi)[1])
    assert env.valid_starts[0] == first_start
    obs, _ = env.reset(options={"start_index": first_start})
    assert np.isfinite(obs).all()


def test_a_processed_file_that_is_never_defined_has_no_start(random_frame):
    with refuses():
        TradingEnvPhase1(_processed(random_frame, rsi=np.nan)[1])


def test_a_volume_beyond_float32_is_refused_by_name(random_frame):
    frame = random_frame(2)
    frame.loc[frame.index[200], "volume"] = 1e39
    with refuses():
        TradingEnvPhase1(Bars.from_frame(frame, get_contract("ES"), source="x"))


def test_distances_on_ticks_of_a_tenth_are_those_of_whole_numbers():
    """Sums of true ranges in points fall short of exact halves there; sums in ticks can't."""
    bars = synthetic_bars("RTY", days=45, seed=1).session("rth")
    table = add_features(bars.frame, 0.1, EnvConfig.phase1())
    ticks = (bars.frame[["high", "low", "close"]] / 0.1).round().astype(int)
    high, low, close = (ticks[name].tolist() for name in ("high", "low", "close"))
    previous = [None, *close]
    ranges = [
        h - lo if before is None else max(h, before) - min(lo, before)
        for h, lo, before in zip(high, low, previous, strict=False)
    ]
    in_points = half_up(1.5 * table["atr"] / 0.1)
    differ = 0
    for now in range(13, len(high)):
        total = sum(ranges[now - 13 : now + 1])
        expected = max(1, (2 * 3 * max(total, 14) + 28) // 56)  # floor(1.5 S/14 + 1/2)
        assert table["stop_ticks"].iloc[now] == expected
        differ += int(in_points.iloc[now] != expected)
    assert differ > 100


def test_what_a_processed_file_says_of_the_time_is_seen_and_not_traded(random_frame):
    """The minute that opens, closes and bars trades is the bar's own."""
    _, bars = _processed(random_frame, hour_decimal=3.0, min_from_open=0.25, min_to_close=0.5)
    env = TradingEnvPhase1(bars)
    assert env.valid_starts.tolist() == [*range(120, 390), *range(450, 510)]
    assert env.df["minute"].tolist() == [*range(570, 1020)] * 2
    window = env.reset(options={"start_index": 150})[0][:220].reshape(20, 11)
    assert (window[:, 8:] == [3.0, 0.25, 0.5]).all()


@pytest.mark.parametrize("row", [121, 899])
@pytest.mark.parametrize("name", ["rsi", "macd"])
def test_a_feature_that_float32_cannot_hold_is_refused_wherever_it_stands(random_frame, row, name):
    column = compute_features(random_frame(2))[name]
    column.iloc[row] = 1e39
    _, bars = _processed(random_frame, **{name: column})
    with pytest.raises(InputError, match=rf"feature {name} is not a finite 32-bit number at") as told:
        TradingEnvPhase1(bars)
    assert str(bars.frame.index[row]) in str(told.value)

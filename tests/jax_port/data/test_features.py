"""The features against a plain loop over bars, written here from section 3."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction

import numpy as np
import pytest

from jax_port.data.features import (
    atr_in_ticks,
    compute_features,
    compute_ticks,
    ema,
    first_defined,
    half_up,
    valid_starts,
    window_mean,
)
from markets import Bars, EnvConfig
from markets.bars import FEATURES
from markets.synthetic.bars import synthetic_bars

COLUMN = {name: number for number, name in enumerate(FEATURES)}


def mean(values: list[float]) -> float:
    total = 0.0
    for value in values:
        total += value
    return total / len(values)


def by_hand(bars: Bars) -> list[list[float]]:
    """Return the features of section 3, one bar and one formula after another."""
    high, low, close, volume = (
        bars.frame[name].tolist() for name in ("high", "low", "close", "volume")
    )
    local = bars.frame.index.tz_convert("America/New_York")
    minutes = [stamp.hour * 60 + stamp.minute for stamp in local]
    ranges, gains, losses = [], [math.nan], [math.nan]
    fast = slow = close[0]
    rows = []
    for t in range(len(close)):
        if t == 0:
            ranges.append(high[0] - low[0])
        else:
            ranges.append(
                max(high[t] - low[t], abs(high[t] - close[t - 1]), abs(low[t] - close[t - 1]))
            )
            gains.append(max(close[t] - close[t - 1], 0.0))
            losses.append(max(close[t - 1] - close[t], 0.0))
            fast = 2 / 13 * close[t] + (1 - 2 / 13) * fast
            slow = 2 / 27 * close[t] + (1 - 2 / 27) * slow
        rsi = math.nan
        if t >= 14:
            gain, loss = mean(gains[t - 13 : t + 1]), mean(losses[t - 13 : t + 1])
            rsi = 100 - 100 / (1 + gain / (loss + 1e-8))
        rows.append(
            [
                close[t],
                volume[t],
                mean(close[t - 4 : t + 1]) if t >= 4 else math.nan,
                mean(close[t - 19 : t + 1]) if t >= 19 else math.nan,
                rsi,
                fast - slow,
                close[t] / close[t - 10] if t >= 10 else math.nan,
                mean(ranges[t - 13 : t + 1]) if t >= 13 else math.nan,
                minutes[t] / 60,
                (minutes[t] - 570) / 449,
                (1019 - minutes[t]) / 449,
            ]
        )
    return rows


@pytest.mark.parametrize("symbol", ["ES", "RTY"])
@pytest.mark.parametrize("start", ["2025-03-06", "2025-10-30"], ids=["spring", "autumn"])
def test_every_feature_is_the_loops(symbol: str, start: str) -> None:
    bars = synthetic_bars(symbol, days=3, seed=1, start=start)
    expected = np.array(by_hand(bars))
    features = compute_features(bars)
    assert features.dtype == np.float64
    assert features.shape == (len(bars), 11)
    # macd is the small difference of two large numbers, so its own size says nothing of its error.
    np.testing.assert_allclose(features, expected, rtol=1e-12, atol=1e-9)
    exact = [COLUMN[name] for name in FEATURES if name not in ("macd", "rsi")]
    np.testing.assert_array_equal(features[:, exact], expected[:, exact])


def test_each_feature_starts_where_its_window_is_full(make_bars: Callable[..., Bars]) -> None:
    features = compute_features(make_bars([(4004, 3996, 4000)] * 30))
    first = {name: int(np.argmax(np.isfinite(features[:, at]))) for name, at in COLUMN.items()}
    assert first == {
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
    for name, at in COLUMN.items():
        assert np.isnan(features[: first[name], at]).all()
        assert np.isfinite(features[first[name] :, at]).all()


def test_a_flat_market_has_rsi_zero_and_no_range(make_bars: Callable[..., Bars]) -> None:
    last = compute_features(make_bars([(4000, 4000, 4000)] * 30))[-1]
    expected = {"rsi": 0.0, "atr": 0.0, "macd": 0.0, "momentum": 1.0, "sma_5": 1000.0, "sma_20": 1000.0}
    assert {name: last[COLUMN[name]] for name in expected} == expected


def test_a_steady_rise_by_hand(make_bars: Callable[..., Bars]) -> None:
    # ES closes rise by one tick (0.25) a bar: gains 0.25, no losses, true range 8 ticks.
    bars = make_bars([(4004 + t, 3996 + t, 4000 + t) for t in range(30)])
    row = compute_features(bars)[29]
    assert row[COLUMN["close"]] == 4029 * 0.25
    assert row[COLUMN["sma_5"]] == 4027 * 0.25
    assert row[COLUMN["sma_20"]] == 4019.5 * 0.25
    assert row[COLUMN["rsi"]] == 100 - 100 / (1 + 0.25 / 1e-8)
    assert row[COLUMN["momentum"]] == 4029 / 4019
    assert row[COLUMN["atr"]] == 2.0
    assert row[COLUMN["hour_decimal"]] == (548 + 29) / 60
    assert row[COLUMN["min_from_open"]] == 7 / 449
    assert row[COLUMN["min_to_close"]] == 442 / 449


def test_a_gap_counts_in_the_true_range(make_bars: Callable[..., Bars]) -> None:
    up = [(4004, 3996, 4000)] * 20 + [(4104, 4096, 4100)]
    down = [(4004, 3996, 4000)] * 20 + [(3904, 3896, 3900)]
    for rows in (up, down):
        # 13 ranges of 2 points and one of 104 ticks, 26 points.
        assert compute_features(make_bars(rows))[-1, COLUMN["atr"]] == (13 * 2.0 + 26.0) / 14


def test_a_bad_print_leaves_no_trace_once_it_is_out_of_the_windows(
    make_bars: Callable[..., Bars],
) -> None:
    calm = [(4004 + t % 3, 3996 + t % 3, 4000 + t % 3) for t in range(80)]
    spiked = list(calm)
    spiked[25] = (16_000_000, 4, 4000 + 25 % 3)
    names = [name for name in FEATURES if name != "macd"]
    columns = [COLUMN[name] for name in names]
    clean, dirty = (compute_features(make_bars(rows))[:, columns] for rows in (calm, spiked))
    assert dirty[25, names.index("atr")] > 1000 * clean[25, names.index("atr")]
    np.testing.assert_array_equal(dirty[39:], clean[39:])


def test_a_spike_of_the_close_leaves_all_windows_too(make_bars: Callable[..., Bars]) -> None:
    calm = [(4004 + t % 3, 3996 + t % 3, 4000 + t % 3) for t in range(80)]
    spiked = list(calm)
    spiked[25] = (16_000_000, 3996, 16_000_000)
    columns = [COLUMN[name] for name in ("close", "sma_5", "sma_20", "rsi", "momentum", "atr")]
    clean, dirty = (compute_features(make_bars(rows))[:, columns] for rows in (calm, spiked))
    np.testing.assert_array_equal(dirty[45:], clean[45:])


def test_window_mean_needs_a_full_window() -> None:
    x = np.array([1.0, 2.0, 6.0])
    np.testing.assert_array_equal(window_mean(x, 2), [np.nan, 1.5, 4.0])
    np.testing.assert_array_equal(window_mean(x, 3), [np.nan, np.nan, 3.0])
    assert np.isnan(window_mean(x, 4)).all()


def test_ema_is_seeded_with_the_first_value() -> None:
    # span 3: alpha 1/2
    np.testing.assert_array_equal(ema(np.array([8.0, 4.0, 2.0]), 3), [8.0, 6.0, 4.0])


def test_half_goes_up() -> None:
    np.testing.assert_array_equal(half_up(np.array([0.5, 1.5, 2.5, 2.4999, 2.0])), [1, 2, 3, 2, 2])


def test_distances_by_hand(make_bars: Callable[..., Bars]) -> None:
    bars = make_bars([(4004, 3996, 4000)] * 30)
    config = EnvConfig.phase1(trail_atr_mult=0.3)
    ticks = compute_ticks(bars, compute_features(bars), config)
    assert ticks.high.tolist() == [4004] * 30
    assert ticks.low.tolist() == [3996] * 30
    assert ticks.close.tolist() == [4000] * 30
    assert ticks.minute.tolist() == list(range(548, 578))
    # ATR 8 ticks: stop 12, target 36, trail half_up(2.4) = 2; undefined before bar 13.
    assert ticks.stop.tolist() == [0] * 13 + [12] * 17
    assert ticks.target.tolist() == [0] * 13 + [36] * 17
    assert ticks.trail.tolist() == [0] * 13 + [2] * 17
    assert ticks.atr[13:].tolist() == [8.0] * 17
    assert {array.dtype for array in ticks[:-1]} == {np.dtype(np.int32)}
    assert ticks.atr.dtype == np.float32


def test_distances_are_at_least_one_tick_and_the_atr_at_least_one(
    make_bars: Callable[..., Bars],
) -> None:
    bars = make_bars([(4000, 4000, 4000)] * 20)
    config = EnvConfig.phase1(sl_atr_mult=0.1, tp_sl_ratio=0.1, trail_atr_mult=0.1)
    ticks = compute_ticks(bars, compute_features(bars), config)
    assert (ticks.stop[-1], ticks.target[-1], ticks.trail[-1], ticks.atr[-1]) == (1, 1, 1, 1.0)


def test_an_atr_in_float32_moves_a_ratio_by_a_unit_in_the_last_place_at_most() -> None:
    """As section 5 says of the two distances, which the reference divides by the ATR in float64."""
    bars = synthetic_bars("NQ", days=2, seed=3)
    features = compute_features(bars)
    kept = compute_ticks(bars, features, EnvConfig.phase1()).atr[13:]
    whole = np.maximum(atr_in_ticks(bars, features)[13:], 1.0)
    assert (kept == whole.astype(np.float32)).all()
    ticks = np.arange(400)[:, None]
    ours, theirs = (
        (ticks / atr).astype(np.float32).view(np.int32) for atr in (kept.astype(np.float64), whole)
    )
    assert np.abs(ours - theirs).max() == 1


def test_distances_round_half_up_once(make_bars: Callable[..., Bars]) -> None:
    # True range 3 ticks: the stop is 1.5 x 3 = 4.5, up to 5; the target 0.5 x 5 = 2.5, up to 3.
    bars = make_bars([(4003, 4000, 4000)] * 20)
    ticks = compute_ticks(bars, compute_features(bars), EnvConfig.phase1(tp_sl_ratio=0.5))
    assert (ticks.stop[-1], ticks.target[-1]) == (5, 3)


def test_distances_on_real_ranges_match_decimal_arithmetic() -> None:
    bars = synthetic_bars("NQ", days=2, seed=3)
    features = compute_features(bars)
    ticks = compute_ticks(bars, features, EnvConfig.phase1())
    for t in range(20, len(bars), 7):
        atr = max(Decimal(features[t, COLUMN["atr"]]) / Decimal("0.25"), Decimal(1))
        stop = max(1, int((Decimal("1.5") * atr + Decimal("0.5")).to_integral_value(ROUND_FLOOR)))
        assert ticks.stop[t] == stop
        assert ticks.target[t] == 3 * stop


def test_starts_by_hand(make_bars: Callable[..., Bars]) -> None:
    # 40 bars from 09:08; warm-up 20 and window 2 give 22 (09:30) as the first, and an episode of
    # 5 bars ends at bar 39 at the latest, so 34 is the last; the window closes before 09:41, bar 33.
    bars = make_bars([(4004, 3996, 4000)] * 40)
    shape = {"warmup_bars": 20, "window_size": 2, "max_episode_bars": 5}
    config = EnvConfig.phase1(**shape, entry_close_minute=581)
    features, minute = (
        compute_features(bars),
        compute_ticks(bars, compute_features(bars), config).minute,
    )
    assert valid_starts(features, minute, config).tolist() == list(range(22, 33))
    late = EnvConfig.phase1(**shape)
    assert valid_starts(features, minute, late).tolist() == list(range(22, 35))
    early = EnvConfig.phase1(**shape, entry_open_minute=575)
    assert valid_starts(features, minute, early).tolist() == list(range(27, 35))


def test_a_start_needs_every_feature_of_its_window_and_its_own_bar(
    make_bars: Callable[..., Bars],
) -> None:
    bars = make_bars([(4004, 3996, 4000)] * 40)
    config = EnvConfig.phase1(warmup_bars=20, window_size=2, max_episode_bars=5)
    features = compute_features(bars)
    minute = compute_ticks(bars, features, config).minute
    features[28, COLUMN["rsi"]] = np.nan
    # Bar 28 is the own bar of a start at 28, and in the window of 29 and 30.
    expected = [t for t in range(22, 35) if t not in (28, 29, 30)]
    assert valid_starts(features, minute, config).tolist() == expected


def test_the_first_bar_of_all_features_comes_after_the_warm_up() -> None:
    config = EnvConfig.phase1(warmup_bars=20)
    for begins, first in ((0, 20), (20, 20), (21, 21), (29, 29), (30, 30), (40, 30)):
        features = np.zeros((30, 15))  # with advice they are more
        features[:begins, 14] = np.nan
        features[: begins // 2, 0] = np.inf
        assert first_defined(features, config) == first


def test_a_start_needs_a_whole_window_and_a_whole_episode() -> None:
    """Each bound from both sides; bars before the warm-up may be undefined, those in a window not."""
    config = EnvConfig.phase1(
        warmup_bars=20, window_size=3, max_episode_bars=4, entry_open_minute=100, entry_close_minute=108
    )
    features, minute = np.zeros((35, 11), np.float32), np.arange(76, 111, dtype=np.int32)
    assert valid_starts(features, minute, config).tolist() == list(range(24, 31))
    early = np.roll(minute, -5)  # minute 100 is bar 19 then
    assert valid_starts(features, early, config).tolist() == list(range(23, 27))
    features[:20, 3] = np.nan
    assert valid_starts(features, early, config).tolist() == list(range(23, 27))
    features[20, 3] = np.inf
    assert valid_starts(features, early, config).tolist() == [24, 25, 26]
    features[30, 10] = np.nan
    assert valid_starts(features, minute, config).tolist() == list(range(24, 30))
    assert valid_starts(features[:27], early[:27], config).tolist() == []
    assert valid_starts(features[:29], minute[:29], config).dtype == np.int32


def test_precomputed_features_are_used_as_they_are(make_bars: Callable[..., Bars]) -> None:
    bars = make_bars([(4004, 3996, 4000)] * 30)
    columns = dict(zip(FEATURES, np.arange(11 * 30, dtype=np.float64).reshape(11, 30), strict=True))
    own = bars.frame.assign(**columns)[list(reversed(FEATURES))]
    processed = Bars.from_frame(bars.frame, bars.contract, source="processed", precomputed=own)
    np.testing.assert_array_equal(
        compute_features(processed), np.arange(11 * 30, dtype=np.float64).reshape(11, 30).T
    )


def test_distances_on_ticks_of_a_tenth_are_those_of_whole_numbers() -> None:
    """Sums of true ranges in points fall short of exact halves there; sums in ticks can't."""
    bars = synthetic_bars("RTY", days=45, seed=0).session("rth")
    wide = compute_features(bars)
    found = compute_ticks(bars, wide, EnvConfig.phase1())
    high, low, close = ([round(x / 0.1) for x in bars.frame[name]] for name in ("high", "low", "close"))
    ranges = [high[0] - low[0]]
    for now in range(1, len(high)):
        before = close[now - 1]
        ranges.append(max(high[now] - low[now], abs(high[now] - before), abs(low[now] - before)))
    points, differ = half_up(1.5 * wide[:, FEATURES.index("atr")] / 0.1), 0
    for now in range(13, len(high)):
        atr = max(Fraction(sum(ranges[now - 13 : now + 1]), 14), Fraction(1))
        assert found.stop[now] == max(1, math.floor(Fraction(3, 2) * atr + Fraction(1, 2)))
        assert found.atr[now] == np.float32(float(atr))
        differ += int(points[now]) != found.stop[now]
    assert differ > 100
    assert not found.stop[:13].any()

"""What makes a frame bars, and what does not."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from markets import Bars, InputError, get_contract
from markets.bars import COLUMNS, FEATURES
from markets.clock import new_york_minutes
from markets.synthetic.stress import stress_bars
from tests.sentences import refuses

ES = get_contract("ES")
RTY = get_contract("RTY")


def bars(frame: pd.DataFrame, **options) -> Bars:
    return Bars.from_frame(frame, ES, source="made.csv", **options)


@pytest.fixture
def frame(make_frame) -> pd.DataFrame:
    return make_frame(days=1)


def features_of(frame: pd.DataFrame) -> pd.DataFrame:
    table = pd.DataFrame({name: np.ones(len(frame)) for name in FEATURES}, index=frame.index)
    table.loc[table.index[:19], "sma_20"] = np.nan
    return table


def test_good_rows_come_through_as_they_are(frame):
    made = bars(frame)
    assert len(made) == 450
    assert list(made.frame.columns) == list(COLUMNS)
    assert made.frame.index.name == "timestamp"
    assert str(made.frame.index.dtype) == "datetime64[ns, UTC]"
    assert made.frame.to_numpy().dtype == np.float64
    assert (made.snapped, made.bar_seconds, made.precomputed) == (0, 60, None)
    pd.testing.assert_frame_equal(made.frame, frame, check_freq=False)


def test_any_zone_becomes_utc(frame):
    abroad = frame.set_axis(frame.index.tz_convert("Asia/Tokyo"))
    assert bars(abroad).digest == bars(frame).digest


def test_timestamps_are_nanoseconds_since_1970(frame):
    # 2025-01-06 09:30 in New York is 14:30 in UTC.
    assert bars(frame).timestamps_ns[0] == 1_736_173_800_000_000_000
    assert bars(frame.set_axis(frame.index.as_unit("s"))).timestamps_ns[0] == 1_736_173_800_000_000_000


@pytest.mark.parametrize(
    ("first", "fits"),
    [
        ("1990-01-01 00:00:00", True),
        ("1989-12-31 23:59:59.999999999", False),
        ("2059-12-31 23:57:00", True),
        ("2059-12-31 23:58:00", False),
    ],
)
def test_bars_lie_within_the_years_of_the_clock_to_their_ends(frame, first, fits):
    """Of three rows, the last two minutes later; the end itself lies outside."""
    index = pd.DatetimeIndex([first], tz="UTC") + pd.to_timedelta([0], unit="min")
    moved = frame[:3].set_axis(index.append([index + pd.Timedelta(n, "min") for n in (1, 2)]))
    if fits:
        assert len(bars(moved)) == 3
    else:
        with refuses():
            bars(moved)


def test_a_few_prices_off_the_grid_are_snapped(frame):
    frame.loc[frame.index[7], "high"] += 0.1
    made = bars(frame)
    assert made.snapped == 1
    assert made.frame["high"].iloc[7] == frame["high"].iloc[7] - 0.1


def test_many_prices_off_the_grid_are_refused_unless_asked_for(frame):
    frame.loc[frame.index[10:12], "high"] += 0.0625  # 2 of 1800 prices; 1.8 would be the limit
    with refuses():
        bars(frame)
    assert bars(frame, snap=True).snapped == 2
    frame.loc[frame.index[10], "high"] = 24100.002  # a price with all its digits
    with refuses():
        bars(frame)


def test_prices_of_a_tenth_are_on_the_grid_however_they_are_written(frame):
    for column in ("open", "high", "low", "close"):
        frame[column] = 2000 + np.rint((frame[column] - 6000) * 4) / 10
    made = Bars.from_frame(frame, RTY, source="made.csv")
    assert made.snapped == 0
    assert np.array_equal(made.frame["close"], RTY.snap(frame["close"]))


@pytest.mark.parametrize("tick", [0.0000005, 0.00005, 0.01, 0.25, 1.0, 5.0])
def test_a_price_between_two_ticks_is_off_the_grid_of_any_contract(frame, tick):
    contract = replace(ES, tick_size=tick)
    for column in ("open", "high", "low", "close"):
        frame[column] = contract.to_points(np.rint(frame[column] * 4))
    assert Bars.from_frame(frame, contract, source="made.csv").snapped == 0
    frame.loc[frame.index[7], "high"] += 0.4 * tick
    assert Bars.from_frame(frame, contract, source="made.csv").snapped == 1
    frame.loc[frame.index[8:12], "high"] += 0.4 * tick
    with refuses():
        Bars.from_frame(frame, contract, source="made.csv")


def spoil(frame: pd.DataFrame, row: int, column: str, value: float) -> pd.DataFrame:
    frame = frame.copy()
    frame.loc[frame.index[row], column] = value
    return frame


def test_high_and_low_hold_every_price_of_their_bar(frame):
    """Of all bars of three prices, those are taken whose high is highest and whose low is lowest."""
    few = frame.iloc[:2]
    for values in itertools.product((6000.0, 6000.25, 6000.5), repeat=4):
        table = few.copy()
        table.iloc[1, :4] = values
        _, high, low, _ = values
        if high == max(values) and low == min(values):
            assert bars(table).frame.iloc[1, :4].tolist() == list(values)
        else:
            with pytest.raises(
                InputError, match="high is below, or low above, another price in 1 of 2"
            ):
                bars(table)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("close", np.nan),
        ("volume", np.inf),
        ("low", 0.0),
        ("low", -6000.0),
        ("high", 5000.0),
        ("low", 7000.0),
        ("close", 7000.0),
        ("volume", -1.0),
    ],
)
@pytest.mark.parametrize("row", [0, 200, 449])
def test_a_row_that_cannot_be_a_bar_is_refused(frame, row, column, value):
    with refuses():
        bars(spoil(frame, row, column, value))


def test_time_must_move_forward(frame):
    for other in (frame.iloc[[0, 2, 1, 3]], frame.iloc[[0, 1, 1, 2]]):
        with refuses():
            bars(other)


@pytest.mark.parametrize("row", [0, 2, 4])
def test_a_missing_timestamp_is_refused_wherever_it_stands(frame, row):
    some = frame.iloc[:5]
    stamps = some.index.to_series()
    stamps.iloc[row] = pd.NaT
    with refuses():
        bars(some.set_axis(pd.DatetimeIndex(stamps)))


def test_years_that_the_clock_does_not_know_are_refused(frame):
    with refuses():
        bars(frame.set_axis(frame.index - pd.Timedelta(days=40 * 365)))
    with refuses():
        bars(frame.set_axis(frame.index.as_unit("s") + pd.Timedelta(days=3000 * 365).as_unit("s")))


def test_what_is_no_frame_of_bars_is_refused(frame):
    with refuses():
        bars(frame.drop(columns=["high", "volume"]))
    with refuses():
        bars(frame.tz_localize(None))
    with refuses():
        bars(frame.reset_index(drop=True))
    with refuses():
        bars(frame.astype({"close": str}).assign(close="6,000.25"))
    with refuses():
        bars(pd.concat([frame, frame[["close"]]], axis=1))


def test_a_price_that_snaps_to_zero_is_refused(frame):
    with refuses():
        bars(frame.assign(open=0.1, high=0.1, low=0.1, close=0.1), snap=True)


def test_no_rows_are_bars_too(frame):
    assert len(bars(frame.iloc[:0])) == 0


def test_the_regular_session_keeps_its_450_minutes(make_frame):
    made = bars(make_frame(days=2, first=540, last=1019))
    assert len(made) == 2 * 480
    regular = made.session("rth")
    assert len(regular) == 2 * 450
    assert regular.frame.index[0] == pd.Timestamp("2025-01-06 14:30", tz="UTC")
    assert made.session("all") is made


@pytest.mark.parametrize("keep", [slice(3, 6), np.isin(np.arange(450), [3, 4, 5])])
def test_a_selection_takes_its_features_along(frame, keep):
    chosen = bars(frame, precomputed=features_of(frame)).select(keep)
    assert chosen.frame.index.equals(frame.index[3:6])
    assert chosen.precomputed is not None
    assert chosen.precomputed.index.equals(frame.index[3:6])


def test_the_digest_changes_with_whatever_matters(frame):
    features = features_of(frame)
    other = features.copy()
    other.iloc[40, 3] = 2.0
    digests = [
        bars(frame).digest,
        bars(spoil(frame, 5, "volume", 7.0)).digest,
        bars(spoil(frame, 5, "high", 6100.0)).digest,
        bars(frame.set_axis(frame.index + pd.Timedelta(minutes=1))).digest,
        bars(frame, bar_seconds=1).digest,
        bars(frame, precomputed=features).digest,
        bars(frame, precomputed=other).digest,
        Bars.from_frame(frame, ES.with_costs(slippage_ticks=2), source="made.csv").digest,
    ]
    assert len(set(digests)) == len(digests)
    assert Bars.from_frame(frame, ES, source="elsewhere").digest == digests[0]


@pytest.mark.parametrize("bar_seconds", [60, 1])
def test_the_digest_is_that_of_section_three(frame, bar_seconds):
    """Of all the bits: prices and volumes that float32 can't tell apart have digests of their own."""
    features = features_of(frame) / 3
    frame.loc[frame.index[7], "volume"] = 2**24 + 1
    made = bars(frame, precomputed=features, bar_seconds=bar_seconds)
    parts = [repr((ES, bar_seconds)).encode(), frame.index.asi8.tobytes()]
    parts += [frame.to_numpy(np.float64).tobytes(), features.to_numpy(np.float64).tobytes()]
    assert made.digest == hashlib.sha256(b"".join(parts)).hexdigest()
    plain = bars(frame, bar_seconds=bar_seconds)
    assert plain.digest == hashlib.sha256(b"".join(parts[:3])).hexdigest()


@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize(("row", "value", "fits"), [
    (0, np.nan, True), (0, np.inf, False), (0, -np.inf, False), (1, np.nan, False),
    (1, np.inf, False), (1, -np.inf, False), (-1, np.nan, False), (-1, -np.inf, False),
])  # fmt: skip
def test_a_feature_may_lack_a_history_and_nothing_else(frame, name, row, value, fits):
    table = pd.DataFrame({name: np.ones(len(frame)) for name in FEATURES}, index=frame.index)
    table.loc[frame.index[row], name] = value
    if fits:
        assert np.isnan(bars(frame, precomputed=table).precomputed[name].iloc[0])
    else:
        with pytest.raises(InputError, match=f"feature {name} is missing or infinite"):
            bars(frame, precomputed=table)


def test_features_that_are_not_of_these_bars_are_refused(frame):
    good = features_of(frame)
    assert bars(frame, precomputed=good).precomputed is not None
    with refuses():
        bars(frame, precomputed=good.drop(columns="atr"))
    with refuses():
        bars(frame, precomputed=good.iloc[1:])
    with refuses():
        bars(frame, precomputed=good.set_axis(good.index + pd.Timedelta(minutes=1)))
    for value in (np.nan, np.inf):
        hole = good.copy()
        hole.loc[hole.index[200], "rsi"] = value
        with refuses():
            bars(frame, precomputed=hole)


def test_a_session_that_keeps_nothing_is_refused() -> None:
    whole = stress_bars("ES", seed=1, days=4, session="all")
    night = whole.select(new_york_minutes(whole.timestamps_ns) < 560)
    assert len(night) > 100
    with refuses():
        night.session("rth")
    assert night.session("all") is night


def test_one_price_in_a_thousand_may_be_off_the_grid(frame):
    """To the price: of 250 rows one, of 249 none."""
    frame.loc[frame.index[3], "low"] -= 0.1
    assert bars(frame.iloc[:250]).snapped == 1
    with pytest.raises(InputError, match="1 of 996 prices are off the ES grid"):
        bars(frame.iloc[:249])


@pytest.mark.parametrize("row", [0, 1, 449])
def test_a_price_that_snaps_to_zero_is_refused_wherever_it_stands(frame, row):
    frame.loc[frame.index[row], "low"] = 0.1
    with pytest.raises(InputError, match="a price is zero once it is on the ES grid"):
        bars(frame, snap=True)


def test_the_first_and_the_number_of_several_bad_rows_are_told(frame):
    for row, column in ((300, "open"), (7, "high"), (449, "low")):
        frame.loc[frame.index[row], column] = np.nan
    with pytest.raises(
        InputError, match=r"a value is missing or infinite in 3 of 450 rows, first at 2025-01-06 14:37"
    ):
        bars(frame)


def test_features_carry_their_bars_times_in_utc(frame):
    """Times in another zone and of another unit are the bars' own; further columns are left out."""
    abroad = frame.index.tz_convert("Asia/Tokyo").as_unit("s").rename("opened")
    features = features_of(frame).set_axis(abroad).assign(note="text")
    features = features[["note", *reversed(FEATURES)]]
    made = bars(frame.set_axis(abroad), precomputed=features)
    assert made.precomputed is not None
    pd.testing.assert_index_equal(made.precomputed.index, made.frame.index)
    assert str(made.precomputed.index.dtype) == "datetime64[ns, UTC]"
    assert list(made.precomputed.columns) == list(FEATURES)


@pytest.mark.parametrize("row", [1, 449])
def test_features_of_which_one_row_has_another_time_are_refused(frame, row):
    stamps = frame.index.to_series()
    stamps.iloc[row] += pd.Timedelta(seconds=1)
    with pytest.raises(InputError, match="carry other timestamps than the bars"):
        bars(frame, precomputed=features_of(frame).set_axis(pd.DatetimeIndex(stamps)))


def test_a_selection_is_all_else_that_the_bars_are(frame):
    """Also what does not count in comparisons: prices that were snapped, and what the door told."""
    frame.loc[frame.index[7], "high"] += 0.1
    told = {"accepted": ("coarse_prices",), "warnings": ("a roll", "no volume"), "snapped": 3}
    whole = replace(bars(frame, bar_seconds=1, precomputed=features_of(frame)), **told)
    part = whole.select(slice(100, 107))
    assert {name: getattr(part, name) for name in told} == told
    assert (part.contract, part.source, part.bar_seconds) == (ES, "made.csv", 1)
    pd.testing.assert_frame_equal(part.frame, whole.frame.iloc[100:107])
    pd.testing.assert_frame_equal(part.precomputed, whole.precomputed.iloc[100:107])
    regular = whole.session("rth")
    assert {name: getattr(regular, name) for name in told} == told


def test_no_bars_have_a_session_of_none(frame):
    assert len(bars(frame.iloc[:0]).session("rth")) == 0


@pytest.mark.parametrize("columns", [["high", "low"], ["open", "high", "low", "close"]], ids=len)
def test_prices_off_the_grid_are_counted_and_not_their_rows(frame, columns):
    """Of 1,800 prices one row's two are more than a thousandth."""
    frame.loc[frame.index[20], columns] += 0.0625
    with pytest.raises(InputError, match=f"{len(columns)} of 1800 prices are off the ES grid"):
        bars(frame)
    assert bars(frame, snap=True).snapped == len(columns)


@pytest.mark.parametrize("name", COLUMNS)
def test_each_column_must_be_there_once(frame, name):
    with pytest.raises(InputError, match=rf"made\.csv: no column {name}; bars need timestamp, open,"):
        bars(frame.drop(columns=name))
    with pytest.raises(InputError, match=rf"more than one column {name}; keep one of each"):
        bars(pd.concat([frame, frame[[name]]], axis=1))


@pytest.mark.parametrize("name", ["open", "high", "low", "close"])
@pytest.mark.parametrize(
    ("price", "mend"), [(0.0, "remove the rows"), (-0.25, "prices below zero are those of a spread")]
)
def test_each_price_must_be_positive(frame, name, price, mend):
    """Whichever it is, that is told before that it contradicts the others."""
    bad = spoil(frame, 5, name, price)
    with pytest.raises(InputError, match=rf"a price is not positive in 1 of 450 rows, .*\); {mend}"):
        bars(bad)


def test_rows_of_two_contracts_are_told_by_their_closes(frame):
    other = frame.assign(close=frame["close"] + 60.0, high=frame["high"] + 60.0)
    both = pd.concat([frame, other]).sort_index(kind="stable")
    with pytest.raises(InputError, match="about 60 points apart, as those of two contracts"):
        bars(both)

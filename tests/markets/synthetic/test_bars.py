"""Synthetic bars: valid, reproducible to the bit, and with the habits that they promise."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.bars import COLUMNS, PRICE_COLUMNS, Bars
from markets.clock import new_york_minutes
from markets.config import Session
from markets.contracts import SYMBOLS, get_contract
from markets.synthetic import bars as made
from markets.synthetic import seconds
from markets.synthetic.bars import business_days, synthetic_bars, synthetic_markets
from markets.synthetic.model import MICRO_VOLUME, PROFILES
from markets.synthetic.seconds import second_bars
from markets.synthetic.statistics import describe
from tests.sentences import refuses


@pytest.fixture(scope="module")
def es() -> Bars:
    return synthetic_bars("ES", days=120, seed=3)


@pytest.fixture(scope="module")
def markets() -> dict[str, Bars]:
    return synthetic_markets(days=12, seed=5)


def fingerprint(bars: Bars) -> str:
    """Return a digest of whole numbers only: stamps, ticks and contracts."""
    h = hashlib.sha256(bars.timestamps_ns.tobytes())
    h.update(bars.contract.to_ticks(bars.frame[list(PRICE_COLUMNS)].to_numpy()).tobytes())
    h.update(bars.frame["volume"].to_numpy().astype(np.int64).tobytes())
    return h.hexdigest()[:16]


def day_moves(bars: Bars) -> NDArray[np.float64]:
    """Return changes of the close in ticks, shape (days, 449), of full regular sessions."""
    ticks = bars.contract.to_ticks(bars.frame["close"]).reshape(-1, 450)
    return np.diff(ticks, axis=1).astype(np.float64)


def test_the_first_rows_and_whole_series_are_the_same_on_every_machine() -> None:
    es = synthetic_bars("ES", days=3, seed=7)
    assert es.frame.iloc[:3].to_numpy().tolist() == FIRST_ROWS
    assert fingerprint(es) == ES_RTH
    assert fingerprint(synthetic_bars("ES", days=3, seed=7, session="all")) == ES_ALL
    assert fingerprint(synthetic_bars("M2K", days=3, seed=7)) == M2K_RTH
    assert fingerprint(second_bars(es, seed=5)) == ES_SECONDS


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_bars_are_valid_and_on_the_grid(markets: dict[str, Bars], symbol: str) -> None:
    bars = markets[symbol]
    o, h, low, c, v = bars.frame[list(COLUMNS)].to_numpy().T
    assert bars.contract == get_contract(symbol)
    assert bars.snapped == 0
    assert (h >= np.maximum(o, c)).all()
    assert (low <= np.minimum(o, c)).all()
    assert low.min() > 0
    assert v.min() >= 1
    assert (v == np.floor(v)).all()
    level = PROFILES[bars.contract.full_size or symbol].level
    assert abs(o[0] / level - 1) < 0.05


def test_seed_matters_and_length_session_and_company_do_not(markets: dict[str, Bars]) -> None:
    nq = synthetic_bars("NQ", days=12, seed=5)
    assert nq.digest == markets["NQ"].digest
    assert synthetic_markets(days=12, seed=5, symbols=["mnq"])["MNQ"].digest == markets["MNQ"].digest
    assert nq.digest != synthetic_bars("NQ", days=12, seed=6).digest
    assert synthetic_bars("NQ", days=12, seed=5, session="all").session("rth").digest == nq.digest
    # 90 days are made in three chunks, 12 in one.
    longer = synthetic_bars("NQ", days=90, seed=5)
    assert longer.select(slice(0, 12 * 450)).digest == nq.digest


def test_regular_session_stamps_hold_over_daylight_saving() -> None:
    # Friday 2025-03-07 is winter time (09:30 is 14:30 UTC), Monday the 10th is summer time.
    bars = synthetic_bars("ES", days=2, seed=0, start="2025-03-07")
    assert len(bars) == 900
    assert [str(bars.frame.index[i]) for i in (0, 449, 450, 899)] == [
        "2025-03-07 14:30:00+00:00",
        "2025-03-07 21:59:00+00:00",
        "2025-03-10 13:30:00+00:00",
        "2025-03-10 20:59:00+00:00",
    ]
    assert new_york_minutes(bars.timestamps_ns).tolist() == list(range(570, 1020)) * 2


def test_a_whole_day_begins_the_evening_before_and_halts_for_an_hour() -> None:
    # A Saturday moves on to Monday 2025-11-03, the day after clocks went back.
    bars = synthetic_bars("ES", days=2, seed=0, start="2025-11-01", session="all")
    assert len(bars) == 2 * 1380
    assert [str(bars.frame.index[i]) for i in (0, 1379, 1380)] == [
        "2025-11-02 23:00:00+00:00",
        "2025-11-03 21:59:00+00:00",
        "2025-11-03 23:00:00+00:00",
    ]
    minutes = new_york_minutes(bars.timestamps_ns)
    assert not ((minutes >= 1020) & (minutes < 1080)).any()


def test_nights_are_thin_and_calm_and_lead_to_the_open() -> None:
    bars = synthetic_bars("ES", days=40, seed=2, session="all")
    spans = (bars.frame["high"] - bars.frame["low"]).to_numpy().reshape(40, 1380)
    volume = bars.frame["volume"].to_numpy().reshape(40, 1380)
    assert 0.25 < spans[:, :930].mean() / spans[:, 930:].mean() < 0.6
    assert 0.03 < volume[:, :930].mean() / volume[:, 930:].mean() < 0.12
    # The bridge over the night meets the morning: no jump but the side of the market.
    close, opened = (bars.frame[name].to_numpy().reshape(40, 1380) for name in ("close", "open"))
    assert (np.abs(opened[:, 930] - close[:, 929]) <= 0.25).all()


def test_full_size_markets_move_together(markets: dict[str, Bars]) -> None:
    moves = {symbol: day_moves(bars).ravel() for symbol, bars in markets.items()}
    full = list(PROFILES)
    pairs = np.corrcoef([moves[symbol] for symbol in full])[np.triu_indices(4, 1)]
    assert pairs.min() > 0.83
    assert pairs.max() < 0.96


@pytest.mark.parametrize("micro", MICRO_VOLUME)
def test_micros_are_tied_to_their_full_size_contract(markets: dict[str, Bars], micro: str) -> None:
    small = markets[micro]
    big = markets[small.contract.full_size or ""]
    away = np.abs(
        small.contract.to_ticks(small.frame[list(PRICE_COLUMNS)].to_numpy())
        - big.contract.to_ticks(big.frame[list(PRICE_COLUMNS)].to_numpy())
    )
    assert away.max() == 1
    assert 0.01 < (away[:, 0] == 1).mean() < 0.03
    assert 0.01 < (away[:, 3] == 1).mean() < 0.03
    ratio = small.frame["volume"].mean() / big.frame["volume"].mean()
    assert ratio == pytest.approx(MICRO_VOLUME[micro], rel=0.03)
    assert ratio > 1


def test_volatility_and_volume_smile(es: Bars) -> None:
    size = np.abs(day_moves(es)).mean(axis=0)
    volume = es.frame["volume"].to_numpy().reshape(-1, 450).mean(axis=0)
    for curve in (size, volume):
        midday = curve[150:240].mean()  # 12:00 to 13:29
        assert curve[:30].mean() > 1.3 * midday
        assert curve[375:390].mean() > 1.2 * midday  # 15:45 to 15:59
        assert curve[400:449].mean() < 0.7 * midday  # after 16:10
    assert volume.argmax() == 389  # the minute before 16:00


def test_volatility_clusters_returns_do_not_and_tails_are_heavy(es: Bars) -> None:
    facts = describe(es)
    assert abs(facts["return_autocorrelation_1"]) < 0.03
    assert facts["abs_return_autocorrelation_1"] > 0.2
    assert facts["abs_return_autocorrelation_60"] > 0.1
    assert facts["abs_return_autocorrelation_1_within_day"] > 0.12
    assert facts["abs_return_autocorrelation_20_within_day"] > 0.06
    assert facts["return_kurtosis_excess"] > 3
    assert facts["return_kurtosis_excess_within_day"] > 1.5
    day_sd = np.log(day_moves(es).std(axis=1))
    assert np.corrcoef(day_sd[:-1], day_sd[1:])[0, 1] > 0.4
    gaps = es.frame["open"].to_numpy()[450::450] - es.frame["close"].to_numpy()[449:-1:450]
    assert (gaps != 0).mean() > 0.9


def test_volatility_is_that_of_the_real_market() -> None:
    # 25 sessions of the real front month have 7.98 ticks a minute (docs/synthetic.md).
    squares = [np.square(day_moves(synthetic_bars("ES", days=60, seed=s))).mean() for s in range(8)]
    assert np.sqrt(np.mean(squares)) == pytest.approx(7.98, rel=0.15)


@settings(max_examples=15, deadline=None)
@given(market=st.integers(0, 2**32), seed=st.integers(0, 2**63), symbol=st.sampled_from(SYMBOLS))
def test_seconds_together_are_their_minutes(market: int, seed: int, symbol: str) -> None:
    minutes = synthetic_bars(symbol, days=1, seed=market)
    check_seconds(minutes, second_bars(minutes, seed=seed))


def check_seconds(minutes: Bars, seconds: Bars) -> None:
    assert seconds.bar_seconds == 1
    stamps = seconds.timestamps_ns.reshape(-1, 60)
    assert (stamps[:, 0] == minutes.timestamps_ns).all()
    assert (np.diff(stamps, axis=1) == 10**9).all()
    o, h, low, c, v = (seconds.frame[name].to_numpy().reshape(-1, 60) for name in COLUMNS)
    want = minutes.frame
    assert (o[:, 0] == want["open"]).all()
    assert (c[:, -1] == want["close"]).all()
    assert (h.max(axis=1) == want["high"]).all()
    assert (low.min(axis=1) == want["low"]).all()
    assert (v.sum(axis=1) == want["volume"]).all()
    assert (v >= 0).all()
    assert (o[:, 1:] == c[:, :-1]).all()


def alike(*values: float) -> Bars:
    """Return 300 minutes with the same open, high, low, close and volume."""
    index = pd.date_range("2025-01-06 14:30", periods=300, freq="min", tz="UTC")
    frame = pd.DataFrame([values] * 300, columns=list(COLUMNS), index=index)
    return Bars.from_frame(frame, get_contract("ES"), source="minutes alike")


@pytest.mark.parametrize(
    "values",
    [
        (100.0, 100.0, 100.0, 100.0, 0.0),  # flat, nothing traded
        (100.0, 100.25, 100.0, 100.0, 1.0),  # one tick up and back
        (100.0, 110.0, 100.0, 110.0, 7.0),  # low to high
        (110.0, 110.0, 100.0, 100.0, 7.0),  # high to low
        (0.5, 5000.0, 0.25, 0.5, 1e9),  # a spike from the least price
    ],
)
def test_seconds_of_hard_minutes(values: tuple[float, float, float, float, float]) -> None:
    minutes = alike(*values)
    check_seconds(minutes, second_bars(minutes, seed=1))


def test_extremes_come_in_both_orders_and_rising_minutes_have_the_low_first() -> None:
    def low_first(minutes: Bars) -> float:
        frame = second_bars(minutes, seed=1).frame
        low, high = (frame[name].to_numpy().reshape(-1, 60) for name in ("low", "high"))
        return float(np.mean(low.argmin(axis=1) < high.argmax(axis=1)))

    # (high - open + close - low) / (2 x range) = (10 + 18) / 40 and (2 + 10) / 40
    assert low_first(alike(100, 110, 90, 108, 60)) == pytest.approx(0.70, abs=0.08)
    assert low_first(alike(108, 110, 90, 100, 60)) == pytest.approx(0.30, abs=0.08)


def test_a_minute_s_seconds_do_not_depend_on_its_neighbours() -> None:
    minutes = synthetic_bars("ES", days=1, seed=1)
    whole = second_bars(minutes, seed=9).frame
    part = second_bars(minutes.select(slice(100, 130)), seed=9).frame
    pd.testing.assert_frame_equal(part, whole.iloc[6000:7800], check_freq=False)
    assert not second_bars(minutes, seed=8).frame.equals(whole)


def test_what_cannot_be_made_is_refused_in_one_sentence() -> None:
    with refuses():
        synthetic_bars("ES", days=0, seed=1)
    with refuses():
        synthetic_bars("XX", days=1, seed=1)
    with refuses():
        synthetic_bars("ES", days=1, seed=-1)
    with refuses():
        synthetic_bars("ES", days=1, seed=1, start="soon")
    with refuses():
        synthetic_bars("ES", days=100_000, seed=1)
    with refuses():
        synthetic_bars("ES", days=1, seed=1, session="night")
    seconds = second_bars(synthetic_bars("ES", days=1, seed=1), seed=1)
    with refuses():
        second_bars(seconds, seed=1)


FIRST_ROWS = [
    [6525.0, 6526.5, 6524.25, 6525.0, 4831.0],
    [6525.0, 6527.5, 6524.75, 6526.5, 3544.0],
    [6526.75, 6528.25, 6525.25, 6527.5, 2425.0],
]
ES_RTH = "4f594d4932fb26be"
ES_ALL = "b5244324fd9764b1"
M2K_RTH = "23d75325e6d23fee"
ES_SECONDS = "35e2c6f192d8af57"


def test_days_that_are_made_apart_are_not_alike(es: Bars) -> None:
    """Forty days are made at a time; no day's minutes are like those of the day 40 days before."""
    moves = day_moves(es)
    alike = [np.corrcoef(moves[day], moves[day + 40])[0, 1] for day in range(80)]
    assert np.abs(alike).max() < 0.25  # five deviations of 448 independent pairs
    volume = es.frame["volume"].to_numpy().reshape(-1, 450)
    assert (volume[:80] != volume[40:]).mean() > 0.9


@pytest.mark.parametrize("chunk", [1, 7, 449, 450, 451])
def test_seconds_are_the_same_however_many_minutes_are_made_at_once(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    minutes = synthetic_bars("RTY", days=1, seed=8)
    whole = second_bars(minutes, seed=3)
    monkeypatch.setattr(seconds, "_CHUNK", chunk)
    assert second_bars(minutes, seed=3).digest == whole.digest
    draws = whole.frame["volume"].to_numpy().reshape(-1, 60)
    assert len(np.unique(draws / draws.sum(axis=1, keepdims=True), axis=0)) > 440


@pytest.mark.parametrize(("symbol", "session"), [("NQ", "all"), ("MES", "rth"), ("MES", "all")])
def test_bars_are_the_same_however_many_days_are_made_at_once(
    symbol: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regular sessions and nights, every column; the last days are fewer than are made at once."""
    assert made.CHUNK_DAYS > 11
    whole = synthetic_bars(symbol, days=11, seed=8, session=session)
    for chunk in (1, 3, 4, 7):
        monkeypatch.setattr(made, "CHUNK_DAYS", chunk)
        again = synthetic_bars(symbol, days=11, seed=8, session=session)
        assert again.digest == whole.digest
        pd.testing.assert_frame_equal(again.frame, whole.frame)


def test_markets_are_each_what_they_are_alone() -> None:
    """On the days and the minutes that were asked for, whichever those are."""
    made_alone = {
        symbol: synthetic_bars(symbol, days=2, seed=4, start="2025-03-07", session="all")
        for symbol in ("YM", "MNQ")
    }
    together = synthetic_markets(
        days=2, seed=4, start="2025-03-07", session="all", symbols=["ym", "MNQH5"]
    )
    assert list(together) == ["YM", "MNQ"]
    for symbol, bars in together.items():
        assert bars.digest == made_alone[symbol].digest
        assert bars.source == f"synthetic {symbol}, seed 4"
        assert len(bars) == 2 * 1380
        assert str(bars.frame.index[0]) == "2025-03-06 23:00:00+00:00"


def test_seconds_say_what_they_are_made_of() -> None:
    minutes = synthetic_bars("RTY", days=1, seed=4).select(slice(0, 2))
    assert second_bars(minutes, seed=9).source == "synthetic RTY, seed 4, seconds with seed 9"


@pytest.mark.parametrize("start", ["", "NaT", "now", "2025", "2025-01", "2025-02-30", 20250106])
def test_days_begin_with_a_date_that_is_the_same_tomorrow(start: str) -> None:
    with pytest.raises(InputError, match=rf"^start is {start!r}; give a date such as 2025-01-06$"):
        business_days(start, 1)


@pytest.mark.parametrize(
    ("start", "days", "fits"),
    [
        ("1990-02-01", 1, True),
        ("1990-01-31", 1, False),
        ("2059-11-28", 1, True),  # a Friday, before a weekend and the first of December
        ("2059-11-27", 2, True),
        ("2059-11-27", 3, False),
        ("2059-11-29", 1, False),
        ("2059-11-24", 5, True),
        ("2059-11-24", 6, False),
    ],
)
def test_days_lie_within_the_years_of_the_clock(start: str, days: int, fits: bool) -> None:
    if fits:
        dates = business_days(start, days)
        assert (
            dates.astype(str).tolist()
            == pd.bdate_range(start, periods=days).strftime("%Y-%m-%d").tolist()
        )
    else:
        with pytest.raises(InputError, match=f"{days} days from .* do not lie between 1990-02-01 and"):
            business_days(start, days)


@pytest.mark.parametrize("days", [True, 1.0, "1", 0, -1])
def test_a_number_of_days_is_whole_and_at_least_one(days: object) -> None:
    with pytest.raises(InputError, match=f"days is {days!r}; it must be a whole number, at least 1"):
        business_days("2025-01-06", days)  # type: ignore[arg-type]


SERIES = {
    "ES": "1b59a9b3fc2e33ea",
    "NQ": "86911fa8170fd434",
    "YM": "743ea64dc269b9ce",
    "RTY": "ad44fb3b01398950",
    "MES": "ba0bce52a9b22226",
    "MNQ": "eb5ce15f429fa001",
    "MYM": "bee7ce15cd8e308e",
    "M2K": "d53d5a860f759dd9",
}
"""Fingerprints of two days of each contract, whose numbers are its own."""


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_two_days_of_each_contract_are_the_same_on_every_machine(symbol: str) -> None:
    assert fingerprint(synthetic_bars(symbol, days=2, seed=21, session="all")) == SERIES[symbol]

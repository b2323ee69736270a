"""The stress market: valid, the same everywhere, and every hardship that it promises is there."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from foundation.errors import InputError
from markets.bars import COLUMNS, PRICE_COLUMNS, Bars
from markets.clock import new_york_dates, new_york_minutes, new_york_to_utc_ns
from markets.config import EnvConfig
from markets.contracts import SYMBOLS
from markets.limits import check_int32
from markets.synthetic.stress import HUGE_VOLUME, stress_bars
from tests.sentences import refuses

ES_ALL, M2K_RTH = "6ff4ccefdf96e78e", "bb276edaf6646c64"


def ticks(bars: Bars) -> tuple[np.ndarray, ...]:
    """Return open, high, low, close in ticks, each of shape (T,)."""
    return tuple(bars.contract.to_ticks(bars.frame[list(PRICE_COLUMNS)].to_numpy()).T)


def fingerprint(bars: Bars) -> str:
    """Return a digest of whole numbers only: stamps, ticks and contracts."""
    h = hashlib.sha256(bars.timestamps_ns.tobytes())
    h.update(bars.contract.to_ticks(bars.frame[list(PRICE_COLUMNS)].to_numpy()).tobytes())
    h.update(bars.frame["volume"].to_numpy().astype(np.int64).tobytes())
    return h.hexdigest()[:16]


def test_the_same_on_every_machine() -> None:
    assert fingerprint(stress_bars("ES", seed=7, session="all")) == ES_ALL
    assert fingerprint(stress_bars("M2K", seed=7)) == M2K_RTH
    assert fingerprint(stress_bars("M2K", seed=8)) != M2K_RTH


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**40), symbol=st.sampled_from(SYMBOLS), days=st.integers(4, 16))
@example(seed=0, symbol="ES", days=4)
@example(seed=0, symbol="NQ", days=12)
def test_every_hardship_is_there(seed: int, symbol: str, days: int) -> None:
    bars = stress_bars(symbol, seed=seed, days=days)
    check_hardships(bars)
    for config in (EnvConfig.phase1(), EnvConfig.phase2()):
        check_int32(bars, config)


def check_hardships(bars: Bars) -> None:
    assert bars.snapped == 0
    o, h, low, c = ticks(bars)
    volume = bars.frame["volume"].to_numpy()
    spans = h - low
    assert low.min() == 1  # the least price there is
    assert volume.max() == HUGE_VOLUME
    assert volume.min() == 0
    # Flat and untraded for more than 20 bars, so that all of rsi's and atr's 14 are flat.
    assert longest((spans == 0) & (volume == 0)) > 20
    assert longest(np.diff(c) == 1) >= 29
    assert longest(np.diff(c) == -1) >= 29
    assert (spans == 1).mean() > 0.02
    # One bar reaches far both ways after fourteen of at most one tick: stop and target lie inside it.
    calm = pd.Series(spans).rolling(14).max().shift(1).to_numpy() <= 1
    assert ((h - o >= 6) & (o - low >= 6) & calm).any()
    usual = np.median(spans[spans > 1])
    spikes = np.maximum(h - np.maximum(o, c), np.minimum(o, c) - low) > 15 * usual
    assert spikes.sum() >= 2
    assert (spikes & (np.abs(c - o) <= 1)).any()  # and back within the bar
    # A limit move: seven percent in three bars, then locked.
    far = np.abs(c[3:] / c[:-3] - 1)
    assert ((far > 0.069) & (far < 0.071)).any()


def longest(flags: np.ndarray) -> int:
    """Return the length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def test_rsi_and_atr_meet_their_floors() -> None:
    bars = stress_bars("ES", seed=1)
    _, h, low, c = ticks(bars)
    previous = np.concatenate([c[:1], c[:-1]])
    true_range = np.maximum(h, previous) - np.minimum(low, previous)
    atr = pd.Series(true_range).rolling(14).mean()
    gains = pd.Series(np.maximum(np.diff(c, prepend=c[0]), 0)).rolling(14).sum()
    assert (atr == 0).sum() >= 20 * 10
    assert ((gains == 0) & (atr == 0)).any()
    assert (atr.dropna() < 1).mean() > 0.05
    assert atr.max() > 100 * atr.median()


def test_the_calendar_of_the_regular_session() -> None:
    bars = stress_bars("ES", seed=3)
    ny = bars.frame.index.tz_convert("America/New_York")
    days = pd.DataFrame({"date": ny.date.astype(str), "minute": new_york_minutes(bars.timestamps_ns)})
    got = days.groupby("date")["minute"].agg(["size", "min", "max"]).reset_index().to_numpy().tolist()
    assert got == [
        ["2025-03-06", 450, 570, 1019],
        ["2025-03-07", 210, 570, 779],  # half day
        ["2025-03-10", 448, 570, 1017],  # first day of summer time, without 16:58 and 16:59
        ["2025-03-11", 368, 570, 1019],  # 5, 17 and 60 minutes missing
        ["2025-03-12", 450, 570, 1019],
        ["2025-03-13", 450, 570, 1019],
        ["2025-10-30", 450, 570, 1019],
        ["2025-10-31", 450, 570, 1019],
        ["2025-11-03", 450, 570, 1019],  # first day of winter time
        ["2025-11-04", 450, 570, 1019],
        ["2025-11-05", 450, 570, 1019],
        ["2025-11-06", 450, 570, 1019],
    ]
    holes = bars.timestamps_ns[new_york_dates(bars.timestamps_ns) == 20158]  # 2025-03-11
    assert sorted(set(np.diff(holes) // 60_000_000_000)) == [1, 6, 18, 61]


def test_episodes_of_390_bars_start_on_many_bars() -> None:
    bars = stress_bars("ES", seed=3)
    minutes = new_york_minutes(bars.timestamps_ns)
    index = np.arange(len(bars))
    starts = (minutes < 960) & (index >= 134) & (index + 390 <= len(bars) - 1)
    assert starts.sum() > 3000


def test_the_nights_of_the_change_are_in_the_whole_session() -> None:
    bars = stress_bars("ES", seed=3, session="all")
    assert bars.session("rth").digest == stress_bars("ES", seed=3).digest
    minutes = pd.Series(new_york_minutes(bars.timestamps_ns), index=bars.frame.index)
    spring = minutes["2025-03-09 06:58":"2025-03-09 07:01"].tolist()
    assert spring == [118, 119, 180, 181]  # 01:59 is followed by 03:00
    autumn = minutes["2025-11-02 05:58":"2025-11-02 06:01"].tolist()
    assert autumn == [118, 119, 60, 61]  # 01:59 is followed by 01:00, again
    assert minutes["2025-11-02 06:59":"2025-11-02 07:00"].tolist() == [119, 120]
    evening = bars.timestamps_ns == new_york_to_utc_ns("2025-03-09", 1080)
    assert evening.sum() == 1


def test_bars_are_valid() -> None:
    for symbol in SYMBOLS:
        o, h, low, c, v = stress_bars(symbol, seed=0).frame[list(COLUMNS)].to_numpy().T
        assert (h >= np.maximum(o, c)).all()
        assert (low <= np.minimum(o, c)).all()
        assert low.min() > 0
        assert (v == np.floor(v)).all()


def test_what_cannot_be_made_is_refused_in_one_sentence() -> None:
    with refuses():
        stress_bars("ES", seed=1, days=3)
    with refuses():
        stress_bars("ZZ", seed=1)
    with refuses():
        stress_bars("ES", seed=0.5)
    with refuses():
        stress_bars("ES", seed=1, session="eth")


@pytest.mark.parametrize(
    ("days", "dates"),
    [
        (4, "2025-03-07 2025-03-10 2025-10-31 2025-11-03"),
        (5, "2025-03-07 2025-03-10 2025-03-11 2025-10-31 2025-11-03"),
        (7, "2025-03-07 2025-03-10 2025-03-11 2025-03-12 2025-10-31 2025-11-03 2025-11-04"),
    ],
)
def test_few_days_lie_around_both_changes_and_one_more_around_the_first(days: int, dates: str) -> None:
    bars = stress_bars("NQ", seed=5, days=days)
    ny = bars.frame.index.tz_convert("America/New_York")
    counts = pd.Series(ny.date.astype(str)).value_counts(sort=False)
    assert " ".join(counts.index) == dates
    assert counts.tolist() == [450, 210, 448, 368, *[450] * (days - 4)]
    assert bars.source == "stress NQ, seed 5"
    # The price of a few ticks is reached on the day after half of them.
    low = bars.contract.to_ticks(bars.frame["low"])
    assert str(ny.date[int(low.argmin())]) == dates.split()[days // 2]


@pytest.mark.parametrize("days", [True, 3, 121, 4.0])
def test_days_of_stress_have_their_bounds(days: object) -> None:
    with pytest.raises(InputError, match=f"days is {days!r}; stress bars take a whole number from 4"):
        stress_bars("ES", seed=1, days=days)  # type: ignore[arg-type]
    assert len(stress_bars("ES", seed=1, days=4)) == 450 + 210 + 448 + 368

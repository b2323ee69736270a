"""Pattern bars: signals where promised, a drift after them or none, an oracle without foresight."""

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
from markets.contracts import SYMBOLS, get_contract
from markets.synthetic.pattern import hidden_signals, oracle_signals, pattern_bars
from tests.sentences import refuses

DAYS = 60


@pytest.fixture(scope="module")
def planted() -> Bars:
    return pattern_bars("ES", days=DAYS, seed=3)


@pytest.fixture(scope="module")
def empty() -> Bars:
    return pattern_bars("ES", days=DAYS, seed=3, strength=0.0)


def fingerprint(bars: Bars) -> str:
    """Return a digest of whole numbers only: stamps, ticks and contracts."""
    h = hashlib.sha256(bars.timestamps_ns.tobytes())
    h.update(ticks(bars, *PRICE_COLUMNS).tobytes())
    h.update(bars.frame["volume"].to_numpy().astype(np.int64).tobytes())
    return h.hexdigest()[:16]


def ticks(bars: Bars, *names: str) -> NDArray[np.int64]:
    return bars.contract.to_ticks(bars.frame[list(names)].to_numpy()).astype(np.int64)


def spikes(bars: Bars) -> NDArray[np.intp]:
    """Return the signals' bars by what only they have: 4,500 contracts and more."""
    return np.flatnonzero(bars.frame["volume"] >= 4500)


def moves_after(bars: Bars, first: int, last: int) -> NDArray[np.float64]:
    """Return each signal's move, its way up, from the close ``first`` bars after it to ``last``."""
    close, opened = ticks(bars, "close")[:, 0], ticks(bars, "open")[:, 0]
    at = spikes(bars)
    return ((close[at + last] - close[at + first]) * np.sign(close[at] - opened[at])).astype(float)


def test_the_first_rows_and_the_whole_are_the_same_on_every_machine() -> None:
    es = pattern_bars("ES", days=3, seed=7)
    assert es.frame.iloc[:3].to_numpy().tolist() == FIRST_ROWS
    assert fingerprint(es) == ES
    assert fingerprint(pattern_bars("M2K", days=3, seed=7, strength=0.5)) == M2K_HALF


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_bars_are_valid_and_alike_in_ticks(symbol: str) -> None:
    bars = pattern_bars(symbol, days=2, seed=5)
    o, h, low, c, v = bars.frame[list(COLUMNS)].to_numpy().T
    assert bars.contract == get_contract(symbol)
    assert bars.snapped == 0
    assert (h >= np.maximum(o, c)).all()
    assert (low <= np.minimum(o, c)).all()
    assert ((v == np.floor(v)) & (v >= 750)).all()
    es = pattern_bars("ES", days=2, seed=5)
    moved = ticks(bars, *PRICE_COLUMNS) - ticks(es, *PRICE_COLUMNS)
    assert (moved == moved[0, 0]).all()
    assert (oracle_signals(bars) == oracle_signals(es)).all()


def test_days_hold_over_daylight_saving_and_a_longer_series_begins_with_the_shorter() -> None:
    # Friday 2025-03-07 is winter time (09:30 is 14:30 UTC), Monday the 10th is summer time.
    bars = pattern_bars(days=2, seed=0, start="2025-03-07")
    assert [str(bars.frame.index[i]) for i in (0, 449, 450, 899)] == [
        "2025-03-07 14:30:00+00:00",
        "2025-03-07 21:59:00+00:00",
        "2025-03-10 13:30:00+00:00",
        "2025-03-10 20:59:00+00:00",
    ]
    assert new_york_minutes(bars.timestamps_ns).tolist() == list(range(570, 1020)) * 2
    longer = pattern_bars(days=5, seed=0, start="2025-03-07")
    assert longer.select(slice(0, 900)).digest == bars.digest
    assert pattern_bars(days=2, seed=1, start="2025-03-07").digest != bars.digest


def test_within_a_day_bars_open_where_the_last_closed(planted: Bars) -> None:
    opened, close = (ticks(planted, name).reshape(DAYS, 450) for name in ("open", "close"))
    assert (opened[:, 1:] == close[:, :-1]).all()


def test_overnight_a_quarter_of_the_way_back_to_the_level_of_6500() -> None:
    bars = pattern_bars(days=400, seed=1)
    opened, close = (ticks(bars, name).reshape(400, 450) for name in ("open", "close"))
    away, next_away = close[:-1, -1] - 26_000, opened[1:, 0] - 26_000
    assert next_away.tolist() == [a - int(a / 4) for a in away.tolist()]
    thirds = np.abs(ticks(bars, "close") - 26_000).reshape(3, -1).mean(axis=1)
    assert thirds.max() < 1.5 * thirds.min()  # a free walk would have grown
    assert thirds.max() < 200


def test_eight_signals_a_day_31_to_69_bars_apart_as_many_up_as_down(planted: Bars) -> None:
    at = spikes(planted)
    assert len(at) == 8 * DAYS
    day, bar = np.divmod(at, 450)
    assert (np.bincount(day) == 8).all()
    assert bar.min() >= 16
    assert bar.max() <= 385  # 15:55
    gaps = np.diff(at)[np.diff(day) == 0]
    assert gaps.min() >= 31
    assert gaps.max() <= 69
    assert len(np.unique(bar % 50)) == 20
    o, h, low, c = ticks(planted, *PRICE_COLUMNS)[at].T
    up = c > o
    assert ((h == np.maximum(o, c)) & (low == np.minimum(o, c)) & (c != o)).all()  # one way only
    assert abs(up.mean() - 0.5) < 3 * 0.5 / np.sqrt(len(at))
    assert abs(np.corrcoef(up[:-1], up[1:])[0, 1]) < 3 / np.sqrt(len(at))


def test_the_drift_is_twenty_ticks_at_strength_one_and_none_at_zero(planted: Bars, empty: Bars) -> None:
    error = 2.31 * np.sqrt(10) / np.sqrt(8 * DAYS)  # of the mean of ten bars, at most
    assert moves_after(planted, 1, 11).mean() == pytest.approx(20, abs=3 * error)
    assert moves_after(empty, 1, 11).mean() == pytest.approx(0, abs=3 * error)
    for bars in (planted, empty):  # neither in the bar in which it is first seen, nor afterwards
        assert moves_after(bars, 0, 1).mean() == pytest.approx(0, abs=error)
        assert moves_after(bars, 11, 21).mean() == pytest.approx(0, abs=3 * error)
    half = pattern_bars("ES", days=DAYS, seed=3, strength=0.5)
    assert moves_after(half, 1, 11).mean() == pytest.approx(10, abs=3 * error)


def test_strength_changes_the_drift_alone(planted: Bars, empty: Bars) -> None:
    assert (planted.frame["volume"] == empty.frame["volume"]).all()
    assert (oracle_signals(planted) == oracle_signals(empty)).all()
    drifting = (spikes(planted)[:, None] + np.arange(2, 12)).ravel()
    elsewhere = np.ones(len(planted), np.bool_)
    elsewhere[drifting] = False
    body, other = (ticks(bars, "close") - ticks(bars, "open") for bars in (planted, empty))
    assert (body == other)[elsewhere].all()
    assert (body != other)[drifting].mean() > 0.5


def test_between_signals_the_walk_is_fair(planted: Bars) -> None:
    body = (ticks(planted, "close") - ticks(planted, "open"))[:, 0].astype(float)
    quiet = np.ones(len(planted), np.bool_)
    quiet[(spikes(planted)[:, None] + np.arange(12)).ravel()] = False
    assert abs(body[quiet].mean()) < 3 * body[quiet].std() / np.sqrt(quiet.sum())
    assert body[quiet].std() == pytest.approx(np.sqrt(8 * 2 / 3), rel=0.02)
    both = quiet[:-1] & quiet[1:]
    assert abs(np.corrcoef(body[:-1][both], body[1:][both])[0, 1]) < 3 / np.sqrt(both.sum())


def test_the_oracle_acts_on_the_bar_after_each_signal_and_on_no_other(planted: Bars) -> None:
    actions = oracle_signals(planted)
    assert actions.dtype == np.int8
    assert actions.shape == (len(planted),)
    at = spikes(planted)
    assert np.flatnonzero(actions).tolist() == (at + 1).tolist()
    up = (ticks(planted, "close") > ticks(planted, "open"))[at, 0]
    assert actions[at + 1].tolist() == np.where(up, 1, 2).tolist()


@settings(max_examples=30, deadline=None)
@given(first=st.integers(0, 2000), length=st.integers(0, 900))
def test_the_oracle_says_the_same_on_any_run_of_bars(planted: Bars, first: int, length: int) -> None:
    part = oracle_signals(planted.select(slice(first, first + length)))
    assert part.shape == (length,)
    assert not part[:20].any()
    assert (part[20:] == oracle_signals(planted)[first : first + length][20:]).all()


@settings(max_examples=30, deadline=None)
@given(t=st.integers(0, 26_999), seed=st.integers(0, 99))
def test_the_oracle_does_not_know_the_present_bar(planted: Bars, t: int, seed: int) -> None:
    frame = planted.frame.copy()
    rng = np.random.default_rng(seed)
    count = len(frame) - t
    price = 6500 + 0.25 * rng.integers(-40, 41, count)
    for name in PRICE_COLUMNS:
        frame.iloc[t:, frame.columns.get_loc(name)] = price
    frame.iloc[t:, frame.columns.get_loc("volume")] = rng.integers(0, 20_000, count)
    changed = Bars.from_frame(frame, planted.contract, source="changed from t on")
    assert (oracle_signals(changed)[: t + 1] == oracle_signals(planted)[: t + 1]).all()


def test_the_oracle_holds_on_bars_without_volume(planted: Bars) -> None:
    frame = planted.frame.iloc[:100].assign(volume=0.0)
    assert not oracle_signals(Bars.from_frame(frame, planted.contract, source="nothing traded")).any()


def test_what_cannot_be_made_is_refused_in_one_sentence() -> None:
    with refuses():
        pattern_bars(days=0, seed=1)
    with refuses():
        pattern_bars("XX", days=1, seed=1)
    with refuses():
        pattern_bars(days=1, seed=-1)
    with refuses():
        pattern_bars(days=1, seed=1, start="soon")
    for strength in (-0.1, 2.1, float("nan")):
        with refuses():
            pattern_bars(days=1, seed=1, strength=strength)


FIRST_ROWS = [
    [6500.0, 6500.25, 6499.75, 6500.25, 1089.0],
    [6500.25, 6500.25, 6499.5, 6500.0, 892.0],
    [6500.0, 6500.25, 6499.75, 6500.25, 1179.0],
]
ES = "c4c402589da1ee8c"
M2K_HALF = "7ba77954533dd724"


def test_a_hidden_signal_leaves_its_drift_and_no_trace(planted: Bars) -> None:
    hidden = pattern_bars("ES", days=DAYS, seed=3, hidden=True)
    signals = hidden_signals(DAYS, 3)
    (places,) = np.nonzero(signals)
    shown = oracle_signals(planted)
    assert len(places) == DAYS * 4
    # The oracle acts on the bar after a signal: on every one of the open market's, on none of these.
    assert (shown[places + 1] != 0).all()
    assert (oracle_signals(hidden)[places + 1] == 0).mean() > 0.98
    close = ticks(hidden, "close")[:, 0]
    moves = (close[places + 11] - close[places + 1]) * signals[places]
    assert moves.mean() > 15
    assert abs(((close[places] - close[places - 1]) * signals[places]).mean()) < 0.5


def test_every_second_slot_is_the_hidden_one() -> None:
    """Of a day's eight the second, the fourth, the sixth and the eighth."""
    signals = hidden_signals(5, 11).reshape(5, 450)
    assert [np.unique(np.flatnonzero(day) // 50).tolist() for day in signals] == [[1, 3, 5, 7]] * 5
    shown = pattern_bars("ES", days=5, seed=11, hidden=True)
    assert np.unique(spikes(shown) % 450 // 50).tolist() == [0, 2, 4, 6]
    whole = pattern_bars("ES", days=5, seed=11)
    at = np.flatnonzero(signals.ravel())
    assert np.isin(at, spikes(whole)).all()
    moves = ticks(whole, "close")[at, 0] - ticks(whole, "open")[at, 0]
    assert np.sign(moves).tolist() == signals.ravel()[at].tolist()
    assert set(signals.ravel().tolist()) == {-1, 0, 1}


@pytest.mark.parametrize(
    ("spike", "closes", "action"),
    [
        (300.0, (0, 1), 1),
        (300.0, (0, -1), 2),
        (300.0, (1, 1), 0),  # where the close does not move, there is nothing to follow
        (299.0, (0, 1), 0),
        (345.0, (0, 1), 1),  # less than three means of all twenty
        (300.0, (5, 4), 2),  # by the close just before, not by one of those further back
    ],
)
def test_the_oracle_holds_the_last_volume_against_the_nineteen_before(
    spike: float, closes: tuple[int, int], action: int
) -> None:
    volume = np.array([9e6, *([50.0, 150.0] * 9), 100.0, spike, 7e6])
    close = 6500.0 + 0.25 * np.array([8, 3, *([0] * 17), *closes, 9])
    index = pd.date_range("2025-01-06 14:30", periods=22, freq="min", tz="UTC")
    frame = pd.DataFrame(dict.fromkeys(PRICE_COLUMNS, close), index=index).assign(volume=volume)
    bars = Bars.from_frame(frame, get_contract("ES"), source="by hand")
    assert oracle_signals(bars).tolist() == [0] * 21 + [action]
    assert oracle_signals(bars.select(slice(1, None))).tolist() == [0] * 20 + [action]
    for rows in (0, 1, 19, 20, 21):
        assert oracle_signals(bars.select(slice(0, rows))).tolist() == [0] * rows


@pytest.mark.parametrize("symbol", ["NQ", "MYM"])
@pytest.mark.parametrize(("strength", "words"), [(0, "0"), (0.25, "0.25"), (1, "1"), (2.0, "2")])
def test_bars_say_of_which_pattern_they_are(symbol: str, strength: float, words: str) -> None:
    """From no strength to the most that there is."""
    for hidden, end in ((False, ""), (True, ", half of it hidden")):
        bars = pattern_bars(symbol, days=1, seed=12, strength=strength, hidden=hidden)
        assert bars.source == f"pattern {symbol} of strength {words}, seed 12{end}"
        assert bars.contract.symbol == symbol
    no_number = bool(strength)
    with pytest.raises(InputError, match=f"strength is {no_number}; it must be a number from 0 to 2"):
        pattern_bars(symbol, days=1, seed=12, strength=no_number)

"""Longer bars within a file of minutes are refused by their length; minutes without trades are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from markets import Bars
from markets.file_facts import FileFacts
from markets.quality.contents.arrays import BLOCK, BLOCKS
from markets.quality.contents.resolution import LOOKED_AT, _copied, _overlapping, resolution_problems
from markets.quality.door import _contents
from markets.quality.inspection import inspect
from markets.readers import read_bars, read_frame
from markets.synthetic.bars import synthetic_bars
from tests.markets.quality.contents.made_contents import made
from tests.sentences import refuses

PRICES = ["open", "high", "low", "close"]
Spoil = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module", params=["rth", "all"])
def bars(request: pytest.FixtureRequest) -> Bars:
    return synthetic_bars("ES", days=6, seed=13, start="2025-06-09", session=request.param)


def longer(frame: pd.DataFrame, minutes: int) -> pd.DataFrame:
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    made: pd.DataFrame = frame.resample(f"{minutes}min").agg(how).dropna()
    return made


def after_an_hour(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame.iloc[:60], longer(frame.iloc[60:], 3)])


def one_day_in_the_middle(frame: pd.DataFrame) -> pd.DataFrame:
    days = pd.DatetimeIndex(frame.index).normalize()
    day = days == days.unique()[2]
    return pd.concat([frame[~day], longer(frame[day], 2)]).sort_index()


def repeated(frame: pd.DataFrame) -> pd.DataFrame:
    return longer(frame, 4).reindex(frame.index).ffill().dropna()


def filled_flat(frame: pd.DataFrame) -> pd.DataFrame:
    made = longer(frame, 10).reindex(frame.index)
    close = made["close"].ffill()
    return made.assign(**{name: made[name].fillna(close) for name in PRICES}).fillna({"volume": 0.0})


def overlapping(minutes: int) -> Spoil:
    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        rolled = frame.rolling(minutes)
        return pd.DataFrame(
            {
                "open": frame["open"].shift(minutes - 1),
                "high": rolled["high"].max(),
                "low": rolled["low"].min(),
                "close": frame["close"],
                "volume": rolled["volume"].sum(),
            }
        ).dropna()

    return spoil


def averaged(frame: pd.DataFrame) -> pd.DataFrame:
    """Return Heikin-Ashi bars on the tick grid."""
    close = (frame[PRICES].mean(axis=1) * 4).round() / 4
    middle = close.shift(1).ewm(alpha=0.5).mean().fillna(frame["open"])
    opened = (middle * 4).round() / 4
    high = frame["high"].combine(opened, max).combine(close, max)
    low = frame["low"].combine(opened, min).combine(close, min)
    return frame.assign(open=opened, high=high, low=low, close=close)


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (after_an_hour, "bar_length"),
        (one_day_in_the_middle, "bar_length"),
        (filled_flat, "bar_length"),
        (repeated, "bars_repeated"),
        (overlapping(2), "bars_overlap"),
        (overlapping(30), "bars_overlap"),
        (averaged, "averaged_bars"),
    ],
)
def test_longer_bars_are_refused(bars: Bars, tmp_path: Path, spoil: Spoil, kind: str) -> None:
    path = tmp_path / "bars.parquet"
    spoil(bars.frame).to_parquet(path)
    with refuses():
        read_bars(path, "ES")
    report = inspect(read_frame(path), bars.contract, "bars.parquet")
    assert kind in [found.kind for found in report.problems]


@pytest.mark.parametrize("share", [0.9, 0.3, 0.05])
def test_minutes_without_trades_are_no_longer_bars(bars: Bars, tmp_path: Path, share: float) -> None:
    some = bars.select(np.random.default_rng(2).random(len(bars)) < share)
    path = tmp_path / "bars.parquet"
    some.frame.to_parquet(path)
    assert read_bars(path, "ES").digest == some.digest


def test_a_price_that_stands_still_without_trades_is_no_longer_bar(bars: Bars) -> None:
    still = bars.frame.assign(open=6_500.0, high=6_501.0, low=6_499.0, close=6_500.5)
    for volume, kinds in ((5.0, ["bars_repeated"]), (0.0, [])):
        one = _contents(Bars(still.assign(volume=volume), bars.contract, "bars.csv"), FileFacts("wall"))
        assert [each.kind for each in _copied([one], len(still))] == kinds


@pytest.mark.parametrize("minutes", [2, 5])
def test_longer_bars_for_days_before_those_of_a_minute_are_refused(
    minutes: int, tmp_path: Path
) -> None:
    frame = synthetic_bars("ES", days=12, seed=13, start="2025-06-09", session="all").frame
    rows = 1_100 * minutes
    path = tmp_path / "bars.csv"
    pd.concat([longer(frame.iloc[:rows], minutes), frame.iloc[rows:]]).to_csv(path)
    with refuses():
        read_bars(path, "ES")
    longer(frame, minutes).to_csv(path)
    with refuses():
        read_bars(path, "ES")


@pytest.mark.parametrize(("length", "rows"), [(2, 64), (3, 32), (5, 96), (60, 320)])
@pytest.mark.parametrize("at", [0, 64, 640])
def test_the_bars_that_are_longer_are_counted_and_the_first_is_named(
    length: int, rows: int, at: int
) -> None:
    """In pieces of 32 bars, of which those that hold minutes too do not count."""
    steps = np.ones(1200)
    steps[at : at + rows] = length
    bars = made(100.0 + np.arange(1201) % 5, minutes=np.concatenate([[0], np.cumsum(steps)]))
    (found,) = resolution_problems(bars)
    assert (found.kind, found.count) == ("bar_length", rows)
    first = pd.Timestamp(bars.ns[at], tz="UTC").strftime("%Y-%m-%d %H:%M UTC")
    words = f"about {rows} of 1,201 bars, from {first} on, are {length} minutes long"
    assert found.message.startswith(words)


def test_bars_in_twos_for_less_than_a_piece_are_no_longer_bars() -> None:
    """They lie any number of minutes apart, or in twos for less than a piece."""
    steps = 1 + np.random.default_rng(0).integers(0, 3, 1200)
    bars = made(100.0 + np.arange(1201) % 5, minutes=np.concatenate([[0], np.cumsum(steps)]))
    assert not list(resolution_problems(bars))
    steps = np.where(np.arange(1200) % 32 == 31, 3, 2)
    bars = made(100.0 + np.arange(1201) % 5, minutes=np.concatenate([[0], np.cumsum(steps)]))
    assert list(resolution_problems(bars)) == []


def test_the_commonest_length_is_told_and_the_first_bar_of_any() -> None:
    """A piece whose bars lie any number of minutes apart is no longer bar, although it is long."""
    steps = np.ones(1600)
    steps[:32] = 1 + np.arange(32) % 3 * 2  # of one, three and five minutes
    steps[320:352] = 5
    steps[640:704] = 3
    steps[960:992] = 2
    bars = made(100.0 + np.arange(1601) % 5, minutes=np.concatenate([[0], np.cumsum(steps)]))
    (found,) = resolution_problems(bars)
    first = pd.Timestamp(bars.ns[320], tz="UTC").strftime("%Y-%m-%d %H:%M UTC")
    assert (found.kind, found.count) == ("bar_length", 128)
    assert f"about 128 of 1,601 bars, from {first} on, are 3 minutes long" in found.message


@pytest.mark.parametrize("again", range(5))
def test_a_bar_is_the_one_before_again_in_all_its_columns(again: int) -> None:
    rows = np.arange(400)
    columns = [np.full(400, value) for value in (6001.0, 6002.0, 6000.0, 6001.0, 50.0)]
    bars = made(columns[4], close=columns[3])
    same = replace(bars, open=columns[0], high=columns[1], low=columns[2])
    assert [one.kind for one in _copied([same], 400)] == ["bars_repeated"]
    step = 0.25 * (rows % 2) if again != 4 else rows % 2
    name = ("open", "high", "low", "close", "volume")[again]
    assert not list(_copied([replace(same, **{name: columns[again] + step})], 400))


def test_bars_that_were_filled_in_later_are_told_by_the_whole_file() -> None:
    """Whether bars lack volume is asked all over the file, which begins with those that have it."""
    rows = np.arange(30_000)
    early = rows < LOOKED_AT + 2_000
    volume = np.where(early | (rows % 5 == 0), 100.0 + rows % 7, 0.0)
    close = 6000.0 + rows // 5 % 11
    for lack, told in ((volume, True), (np.where(volume == 0, 3.0, volume), False)):
        found = [one.kind for one in resolution_problems(made(lack, close=close))]
        assert ("bar_length" in found) is told


def test_bars_that_come_again_and_overlap_are_counted_in_all_runs() -> None:
    """A run alone decides nothing, wherever it stands: two of five must be such."""
    plain = made(np.full(400, 50.0))
    again = replace(plain, open=plain.open * 0 + 6001, high=plain.high * 0 + 6002,
                    low=plain.low * 0 + 6000, close=plain.close * 0 + 6001)  # fmt: skip
    for runs, told in (([plain, again], True), ([again, plain], True), ([plain, again, plain], False),
                       ([again, plain, plain], False), ([plain, again, again], True)):  # fmt: skip
        kinds = [(one.kind, one.count) for one in _copied(runs, 7_777)]
        assert kinds == [("bars_repeated", 7_777)] * told
        share = sum(run is again for run in runs) / len(runs)
        assert all(f"{share:.0%} of the bars have" in one.message for one in _copied(runs, 7_777))
    walk = 6000.0 + np.cumsum(np.random.default_rng(4).integers(-4, 5, 800))
    single = made(np.full(800, 50.0), close=walk)
    triple = replace(single, open=np.concatenate([walk[:3], walk[:-3]]))
    for runs, told in (
        ([single, triple, triple, triple], True),
        ([triple, triple, triple, single], True),
        ([triple, single, single], False),
        ([single, single, triple], False),
    ):
        found = list(_overlapping(runs, 7_777))
        assert [(one.kind, one.count) for one in found] == [("bars_overlap", 7_777)] * told
        assert all("from the close 3 bars before" in one.message for one in found)


@pytest.mark.parametrize("share", [0.25, 0.75])
@pytest.mark.parametrize("first", [True, False])
def test_a_long_file_is_judged_by_bars_all_over_it(share: float, first: bool) -> None:
    """Three quarters of it that come again are told, wherever they stand, and one quarter is not."""
    rows = np.arange(2 * BLOCKS * BLOCK + 1)
    part = rows < share * len(rows) if first else rows >= (1.0 - share) * len(rows)
    plain = made(50.0 + rows % 3)
    still = {"open": 6001.0, "high": 6002.0, "low": 6000.0, "close": 6001.0, "volume": 50.0}
    again = replace(
        plain, **{name: np.where(part, price, getattr(plain, name)) for name, price in still.items()}
    )
    kinds = [one.kind for one in resolution_problems(again)]
    assert kinds == ["bars_repeated"] * (share > 0.5)

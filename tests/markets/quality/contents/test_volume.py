"""Volumes that are no traded contracts are refused or told of by the cause; traded ones are read."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from markets import Bars, Contract
from markets.file_facts import FileFacts
from markets.quality.contents.volume import FEWEST, volume_problems, volume_warnings
from markets.quality.door import _contents
from markets.readers import read_bars
from markets.synthetic.bars import synthetic_bars
from tests.markets.quality.contents.made_contents import made
from tests.sentences import refuses

Column = Callable[[pd.Series], object]


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic_bars("ES", days=4, seed=21, start="2025-05-05", session="all")


def dotted(volume: pd.Series) -> list[str]:
    """Return volumes as a German spreadsheet shows them: 1.234 for 1234."""
    return [f"{value:,.0f}".replace(",", ".") for value in volume]


def save(bars: Bars, path: Path, volume: object) -> Path:
    bars.frame.assign(volume=volume).to_csv(path)
    return path


def test_a_contract_long_before_its_month_is_read(bars: Bars, tmp_path: Path) -> None:
    thin = np.maximum(bars.frame["volume"] // 2000, 1)  # one contract on most minutes, dozens on some
    assert thin.median() == 1
    assert thin.max() >= 10
    path = save(bars, tmp_path / "bars.csv", thin)
    assert np.array_equal(read_bars(path, "ES").frame["volume"], thin)


@pytest.mark.parametrize(
    "column",
    [
        lambda v: v / 1000,
        lambda v: v / 7,
        dotted,
        lambda v: v * 6_500 * 50,
    ],
    ids=["thousands", "sevenths", "dotted", "dollars"],
)
def test_volume_that_nobody_traded_is_refused(bars: Bars, tmp_path: Path, column: Column) -> None:
    path = save(bars, tmp_path / "bars.csv", column(bars.frame["volume"]))
    with refuses():
        read_bars(path, "ES")
    assert read_bars(save(bars, path, bars.frame["volume"]), "ES").digest == bars.digest


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (lambda v: v * 0, "have no volume, as in files of spot prices"),
        (lambda v: v * 0 + 1, "more different prices than contracts.*a constant in its place"),
        (lambda v: (v / 200).round().clip(1), "more different prices than contracts.*thousands looks"),
        (lambda v: v * 0 + 777, "volume is 777 on nearly every bar, so it was written in place"),
    ],
)
def test_no_volume_is_told_of_whoever_reads_the_file(
    bars: Bars, tmp_path: Path, caplog: pytest.LogCaptureFixture, column: Column, words: str
) -> None:
    with caplog.at_level(logging.WARNING):
        read = read_bars(save(bars, tmp_path / "bars.csv", column(bars.frame["volume"])), "ES")
        assert re.search(words, caplog.text)
        caplog.clear()
        read_bars(save(bars, tmp_path / "bars.csv", bars.frame["volume"]), "ES")
    assert caplog.text == ""
    assert np.array_equal(read.frame["close"], bars.frame["close"])


def test_a_contract_of_ones_own_may_trade_parts_of_one(bars: Bars, tmp_path: Path) -> None:
    coin = Contract("COIN", "a coin", 0.25, 25, 1, 10)
    path = save(bars, tmp_path / "bars.csv", bars.frame["volume"] / 7)
    assert read_bars(path, coin).frame["volume"].iloc[0] == bars.frame["volume"].iloc[0] / 7


def test_a_habit_is_told_from_a_hundred_bars_on(bars: Bars) -> None:
    def told(count: int, volume: float) -> list[str]:
        frame = bars.frame[:count].assign(volume=volume)
        some = _contents(Bars(frame, bars.contract, "bars.csv"), FileFacts("wall"))
        return [one.kind for check in (volume_problems, volume_warnings) for one in check(some)]

    assert told(FEWEST, 2.5) == ["volume_in_parts", "volume_too_small"]
    assert told(FEWEST, 60_000.0) == ["volume_too_large", "volume_is_constant"]
    assert told(FEWEST, 0.0) == ["no_volume"]
    for volume in (2.5, 60_000.0, 0.0):
        assert told(FEWEST - 1, volume) == []


@pytest.mark.parametrize(
    ("volume", "problem", "warning"),
    [
        (50_000.0, None, "volume_is_constant"),
        (50_001.0, "volume_too_large", "volume_is_constant"),
        (10.0, None, "volume_is_constant"),
        (9.0, None, None),
    ],
)
def test_where_a_volume_is_too_large_and_where_one_is_made_up(
    volume: float, problem: str | None, warning: str | None
) -> None:
    contents = made(np.full(FEWEST, volume))
    assert [one.kind for one in volume_problems(contents)] == [problem] * (problem is not None)
    assert [one.kind for one in volume_warnings(contents)] == [warning] * (warning is not None)
    assert not list(volume_problems(made(np.full(FEWEST - 1, 50_001.0))))


@pytest.mark.parametrize(("flat", "none", "told"), [(60, 20, True), (60, 19, False), (0, 50, True)])
def test_bars_of_one_price_do_not_count_where_there_is_no_volume(
    flat: int, none: int, told: bool
) -> None:
    """Half of those whose prices differ, of a hundred bars of which many do not."""
    rows = np.arange(100)
    bars = made(np.where((rows >= flat) & (rows < flat + none), 0.0, 700.0 + rows))
    for column in (bars.open, bars.high, bars.low):
        column[:flat] = bars.close[:flat]
    assert [one.kind for one in volume_warnings(bars)] == ["no_volume"] * told
    empty = np.where(rows < flat, 0.0, bars.volume)
    some = replace(bars, volume=empty)
    assert ("no_volume" in [one.kind for one in volume_warnings(some)]) is told


def test_the_part_of_a_contract_that_is_shown_is_one() -> None:
    for at in (0, 7, 99):
        volume = np.full(100, 64.0)
        volume[at] = 2.75
        (found,) = volume_problems(made(volume))
        assert found.message.startswith("1.0% of the volumes are no whole number (such as 2.75)")
    assert not list(volume_problems(made(np.where(np.arange(1000) == 5, 2.5, 64.0))))  # a thousandth


@pytest.mark.parametrize("column", ["open", "high", "low", "close"])
def test_each_price_of_a_bar_needs_a_contract(column: str) -> None:
    """Bars of two prices and two contracts are told of where one price more is different."""
    bars = made(np.full(100, 2.0), close=np.full(100, 6000.0))
    two = replace(bars, open=bars.close, low=bars.close)
    assert [one.kind for one in volume_warnings(two)] == []
    more = {"open": 6000.25, "high": 6000.75, "low": 5999.0, "close": 6000.25}[column]
    three = replace(two, **{column: np.full(100, more)})
    kinds = [one.kind for one in volume_warnings(three)]
    assert kinds == ["volume_too_small"] * (column != "high")


@pytest.mark.parametrize(("few", "told"), [(1, False), (49, False), (50, True), (100, True)])
def test_half_of_the_bars_must_have_too_few_contracts(few: int, told: bool) -> None:
    """Of bars of two contracts, those that have three prices."""
    bars = made(np.full(100, 2.0), close=np.full(100, 6000.0))
    low = np.where(np.arange(100) >= 100 - few, 5999.0, bars.close)
    found = list(volume_warnings(replace(bars, open=bars.close, low=low)))
    assert [one.kind for one in found] == ["volume_too_small"] * told
    if told:
        assert found[0].message.startswith(
            f"{few}% of the bars have more different prices than contracts"
        )
        assert "(volume is 2 on the median bar)" in found[0].message

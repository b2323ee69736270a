"""Bars in the future are told of; those of the past are not."""

from __future__ import annotations

import datetime
import logging
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from markets.file_facts import FileFacts
from markets.quality.contents.warnings import A_DAY, content_warnings
from markets.quality.inspection import inspect
from markets.readers import read_bars, read_frame
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from tests.markets.quality.contents.made_contents import MINUTE, made


def test_bars_in_the_future_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    year = datetime.date.today().year
    for start, told in ((f"{year + 2}-05-06", True), (f"{year - 1}-05-06", False)):
        bars = synthetic_bars("ES", days=2, seed=8, start=start)
        path = write_bars(bars, tmp_path / "ES.csv")
        with caplog.at_level(logging.WARNING):
            assert read_bars(path, "ES").digest == bars.digest
        assert ("900 of 900 bars lie in the future" in caplog.text) == told
        caplog.clear()
        kinds = [found.kind for found in inspect(read_frame(path), bars.contract, "ES.csv").warnings]
        assert ("future" in kinds) == told


@pytest.mark.parametrize(
    ("symbol", "told"),
    [
        ("SPY", True),
        ("^GSPC", True),
        ("ESM5 C6500", True),
        ("ESM5", False),
        ("202506", False),
        ("", False),
    ],
)
def test_symbols_that_are_no_name_of_the_contract_are_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, symbol: str, told: bool
) -> None:
    bars = synthetic_bars("ES", days=2, seed=9, start="2025-05-06")
    path = tmp_path / "bars.csv"
    bars.frame.assign(symbol=symbol).to_csv(path)
    with caplog.at_level(logging.WARNING):
        assert read_bars(path, "ES").digest == bars.digest
    words = f"its column of symbols says {symbol}, which is not known as a name of ES"
    assert (words in caplog.text) == told
    assert ("not known" in caplog.text) == told


@pytest.mark.parametrize(
    ("symbols", "told"),
    [(("SPY", "ESM5"), False), (("SPY", "QQQ"), True), (("202506", "SPY"), True), (("7", "8"), False)],
)
def test_one_symbol_that_is_known_is_enough(symbols: tuple[str, ...], told: bool) -> None:
    bars = replace(made(np.arange(50) % 9 + 20.0), file=FileFacts("wall", contracts=symbols))
    kinds = [one.kind for one in content_warnings(bars)]
    assert ("unknown_symbol" in kinds) == told


@pytest.mark.parametrize("late", [0, 1, 7])
def test_the_bars_that_lie_in_the_future_are_counted(late: int) -> None:
    """A machine's clock may be a day slow."""
    bars = made(np.arange(50) % 9 + 20.0)
    now = time.time_ns() + A_DAY
    after = np.arange(50) >= 50 - late
    ns = now + np.where(after, 3_000 + np.arange(50), np.arange(50) - 9_000) * MINUTE
    found = {one.kind: one for one in content_warnings(replace(bars, ns=ns))}
    assert ("future" in found) == bool(late)
    if late:
        assert found["future"].count == late
        assert found["future"].message.startswith(f"{late} of 50 bars lie in the future (the last on ")


@pytest.mark.parametrize(("hours", "told"), [(-1, False), (1, False), (23, False), (25, True)])
def test_a_machines_clock_may_be_a_day_slow(hours: int, told: bool) -> None:
    bars = made(np.arange(50) % 9 + 20.0)
    ns = time.time_ns() + hours * 60 * MINUTE + (np.arange(50) - 49) * MINUTE
    found = [one for one in content_warnings(replace(bars, ns=ns)) if one.kind == "future"]
    assert len(found) == told


def test_three_symbols_that_are_not_known_are_named_by_their_begin() -> None:
    symbols = ("SPY", "7", "X" * 25, "QQQ", "IWM")
    bars = replace(made(np.arange(50) % 9 + 20.0), file=FileFacts("wall", contracts=symbols))
    (found,) = (one for one in content_warnings(bars) if one.kind == "unknown_symbol")
    assert found.count == 50
    assert found.message == (
        f"its column of symbols says SPY, {'X' * 20}, QQQ, which is not known as a name of ES"
    )
    assert found.mend.startswith("check that these are bars of ES, and not of a fund")

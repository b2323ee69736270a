"""Bars in the future are told of; those of the past are not."""

from __future__ import annotations

import datetime
import logging
from pathlib import Path

import pytest

from markets.quality.inspection import inspect
from markets.readers import read_bars, read_frame
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars


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

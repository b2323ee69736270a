"""Bars and files that the tests of the ground floor share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SHARED = Path(__file__).parents[3] / "shared" / "data"

MakeFrame = Callable[..., pd.DataFrame]
Save = Callable[..., Path]


def session_frame(
    days: int = 3, first: int = 570, last: int = 1019, start: str = "2025-01-06"
) -> pd.DataFrame:
    """Return calm ES bars of business days: a saw of a few ticks around 6000.

    Days run from minute ``first`` to ``last``, New York time; -360 is 18:00 of the evening before.
    """
    stamps = pd.DatetimeIndex([])
    for day in pd.bdate_range(start, periods=days):
        opened = day.tz_localize("America/New_York") + pd.Timedelta(minutes=first)
        minutes = pd.date_range(opened, periods=last - first + 1, freq="min").tz_convert("UTC")
        stamps = minutes if stamps.empty else stamps.append(minutes)
    wave = np.arange(len(stamps)) % 8
    close = 6000 + 0.25 * np.minimum(wave, 8 - wave)
    opened_at = np.concatenate([close[:1], close[:-1]])
    # The first half hour after 09:30 carries the most volume, as it does.
    minute = np.tile(np.arange(first, last + 1), days)
    volume = np.where((minute >= 570) & (minute < 600), 3000.0, 1000.0)
    return pd.DataFrame(
        {
            "open": opened_at,
            "high": np.maximum(opened_at, close) + 0.25,
            "low": np.minimum(opened_at, close) - 0.25,
            "close": close,
            "volume": volume,
        },
        index=stamps.as_unit("ns").rename("timestamp"),
    )


@pytest.fixture(scope="session")
def make_frame() -> MakeFrame:
    return session_frame


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Return a function that writes text (or bytes) to a file in a fresh folder."""

    def write(content: str | bytes, name: str = "bars.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def real_file() -> Path:
    path = SHARED / "ES_1min_utc.csv"
    if not path.exists():
        pytest.skip(f"the real bars are not at {path}")
    return path

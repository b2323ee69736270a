"""Questions: market data alone, nothing after the bar, and no name, date or level when masked."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from markets.advice.chat.prompt import SYSTEM, PromptSettings, messages, question
from markets.advice.view import MarketView
from markets.bars import FEATURES
from tests.sentences import refuses

MASKED = PromptSettings(masked=True)


def test_a_question_shows_the_bar_and_those_before_it(view: MarketView) -> None:
    text = question(view, 300, PromptSettings(bars=3))
    lines = text.splitlines()
    assert lines[0] == "contract: ES"
    assert "2025-01-06 14:30 in New York" in lines[1]
    assert len(lines) == 2 + 1 + 3 + 1
    assert float(lines[5].split()[2]) == view.close[300]


def test_prices_and_volumes_lose_no_digit(view: MarketView) -> None:
    """Prices of NQ have seven figures, and ticks of RTY are no whole number in binary."""
    features = view.features.copy()
    features[300, 1:4] = [1_234_567, 24_098.85, 24_097.125]
    nq = {"high": 24100.75, "low": 24096.25, "close": 24099.75}
    shown = replace(
        view, symbol="NQ", features=features, **{name: np.full(len(view), x) for name, x in nq.items()}
    )
    lines = question(shown, 300, PromptSettings(bars=1)).splitlines()
    assert lines[3] == "24100.75 24096.25 24099.75 1234567"
    assert lines[4].endswith("sma_5 24098.85, sma_20 24097.12")
    rty = {name: np.full(len(view), 21_003 * 0.1) for name in nq}
    shown = replace(shown, symbol="RTY", tick_size=0.1, **rty)
    assert (
        question(shown, 300, PromptSettings(bars=1)).splitlines()[3] == "2100.3 2100.3 2100.3 1234567"
    )


def test_nothing_after_the_bar_is_read(view: MarketView) -> None:
    later = replace(
        view,
        close=np.where(np.arange(len(view)) > 300, 1.0, view.close),
        features=np.where(np.arange(len(view))[:, None] > 300, np.float32(1), view.features),
    )
    for settings in (PromptSettings(), MASKED):
        assert question(view, 300, settings) == question(later, 300, settings)


def test_masked_shows_no_name_date_or_level(view: MarketView) -> None:
    text = question(view, 300, MASKED)
    assert not re.search(r"ES|20\d\d|New York", text)
    assert not re.search(r"(?<![.\d])\d{4,}", text)  # no price and no volume
    # The same moves at another level and date make the same question.
    other = replace(
        view,
        symbol="NQ",
        timestamps_ns=view.timestamps_ns + 10**17,
        **{name: 2 * getattr(view, name) for name in ("high", "low", "close")},
        features=view.features * np.array([2, 1, 2, 2, 1, 2, 1, 2, 1, 1, 1], np.float32),
    )
    assert question(other, 300, MASKED) == text


def test_other_words_are_another_version() -> None:
    made = [PromptSettings(), MASKED, PromptSettings(bars=5)]
    assert len({settings.version for settings in made}) == 3


@pytest.mark.parametrize("bars", [0, -1, 501])
def test_bars_that_make_no_sense(bars: int) -> None:
    with refuses():
        PromptSettings(bars=bars)


def four_bars() -> MarketView:
    """Return four minutes of a summer's morning, each number another."""
    first = int(pd.Timestamp("2025-07-07 13:30", tz="UTC").value)
    columns = {
        "close": (100.0, 101.5, 100.75, 102.5),
        "volume": (1000, 20, 5, 35),
        "sma_5": (1, 2, 3, 101.375),
        "sma_20": (1, 2, 3, 99.125),
        "rsi": (1, 2, 3, 61.5),
        "macd": (1, 2, 3, -0.4375),
        "momentum": (5, 6, 7, 0.0625),
        "atr": (1, 2, 3, 1.3125),
        "min_from_open": (0, 1 / 449, 2 / 449, 3 / 449),
        "min_to_close": (1, 448 / 449, 447 / 449, 446 / 449),
    }
    features = np.full((4, len(FEATURES)), 77, np.float32)
    for name, values in columns.items():
        features[:, FEATURES.index(name)] = values
    return MarketView(
        "MES",
        0.25,
        first + 60_000_000_000 * np.arange(4, dtype=np.int64),
        np.array([100.5, 102.0, 101.25, 104.0]),
        np.array([99.75, 100.25, 99.5, 101.0]),
        np.array(columns["close"]),
        features,
        warmup=0,
        position="none",
    )


def test_a_whole_question() -> None:
    assert question(four_bars(), 3, PromptSettings(bars=3)).splitlines() == [
        "contract: MES",
        "time: 2025-07-07 09:33 in New York, 3 minutes after the open, 446 before the close",
        "position: none",
        "bars, oldest first (high low close volume):",
        "102.00 100.25 101.50 20",
        "101.25 99.50 100.75 5",
        "104.00 101.00 102.50 35",
        "indicators of the newest bar: rsi 61.5, macd -0.4375, momentum 0.0625, atr 1.3125, "
        "sma_5 101.38, sma_20 99.12",
    ]


def test_a_whole_question_without_names_dates_and_levels() -> None:
    """Prices against 102.5, volumes against their mean of 20."""
    assert question(four_bars(), 3, PromptSettings(bars=3, masked=True)).splitlines() == [
        "time: 3 minutes after the open, 446 before the close",
        "position: none",
        "bars, oldest first (high low close volume in basis points from the newest close, volume in "
        "means):",
        "-48.8 -219.5 -97.6 1.00",
        "-122.0 -292.7 -170.7 0.25",
        "146.3 -146.3 0.0 1.75",
        "indicators of the newest bar: rsi 61.5, momentum 0.0625, macd_bp -42.6829, atr_bp 128.049, "
        "sma_5_bp -109.756, sma_20_bp -329.268",
    ]
    # Of the first bar there is no other, and nothing was traded in it.
    still = four_bars()
    still.features[0, FEATURES.index("volume")] = 0
    lines = question(still, 0, PromptSettings(bars=3, masked=True)).splitlines()
    assert lines[3] == "50.0 -25.0 0.0 0.00"
    assert len(lines) == 5


def test_a_question_goes_out_under_the_words_that_say_what_is_asked() -> None:
    assert messages("the bars") == [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "the bars"},
    ]

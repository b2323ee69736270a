"""Questions: market data alone, nothing after the bar, and no name, date or level when masked."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from markets.advice.chat.prompt import PromptSettings, question
from markets.advice.view import MarketView
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

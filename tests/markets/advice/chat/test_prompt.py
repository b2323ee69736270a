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
    assert lines[5].split()[2] == f"{view.close[300]:g}"


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

"""The rules' advice against their words, bar by bar."""

from __future__ import annotations

import math

import numpy as np
import pytest

from markets.advice.rules import RulesAdvisor
from markets.advice.view import MarketView
from markets.bars import FEATURES

BARS = 200


def drawn(seed: int) -> MarketView:
    """Return bars that are quiet, lively and wild by turns, the first of them without features."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(BARS, len(FEATURES))).astype(np.float32)
    place = {name: number for number, name in enumerate(FEATURES)}
    close = 6000 + np.cumsum(rng.normal(size=BARS))
    atr = np.repeat(rng.choice([0.1, 1.0, 2.0, 9.0], BARS // 20), 20) * rng.uniform(0.9, 1.1, BARS)
    columns = {
        "close": close,
        "sma_5": close + rng.normal(size=BARS),
        "sma_20": close + 2 * rng.normal(size=BARS),
        "rsi": rng.uniform(0, 100, BARS),
        "macd": rng.normal(size=BARS),
        "atr": atr,
    }
    for name, values in columns.items():
        features[:, place[name]] = values
    features[:19, place["sma_20"]] = np.nan
    features[:14, [place["atr"], place["rsi"]]] = np.nan
    times = np.arange(BARS, dtype=np.int64) * 60_000_000_000
    return MarketView("ES", 0.25, times, close, close, close, features, 100)


def plain(view: MarketView, row: int) -> tuple[list[float], float, str]:
    """Return chances, confidence and reason of one bar, as the module's words have them."""

    def value(name: str, at: int) -> float:
        return float(view.features[at, FEATURES.index(name)])

    def atr_of(at: int) -> float:
        found = value("atr", at)
        return max(0.0 if math.isnan(found) else found, view.tick_size)

    atr = atr_of(row)
    recent = [atr_of(at) for at in range(max(row - 59, 0), row + 1)]
    times = atr / (sum(recent) / len(recent))
    trend = math.tanh((value("sma_5", row) - value("sma_20", row)) / atr)
    trend += math.tanh(value("macd", row) / atr)
    stretch = (value("rsi", row) - 50) / 25
    stretch += math.tanh((value("close", row) - value("sma_20", row)) / (2 * atr))
    lively = min(max((times - 0.7) / 0.6, 0.0), 1.0)
    score = (lively * trend - (1 - lively) * stretch) / 2
    score = 0.0 if math.isnan(score) else score
    wild = min(max((times - 1.5) / 1.5, 0.0), 1.0)
    weights = [1.0, math.exp(2 * score - 1), math.exp(-2 * score - 1)]
    kind = "trend" if lively > 0.5 else "way back"
    reason = f"{kind}, score {score:+.2f}, ATR {times:.1f} x usual"
    confidence = min(abs(score) * (1 - 0.7 * wild), 1.0)
    return [weight / sum(weights) for weight in weights], confidence, reason


@pytest.mark.parametrize("seed", range(4))
def test_the_rules_say_what_their_words_say(seed: int) -> None:
    view = drawn(seed)
    for rows in (np.arange(BARS), np.array([0, 59, 60, 61, 199]), np.array([199]), np.array([150, 7])):
        made = RulesAdvisor().advise(view, rows)
        assert made.probabilities.dtype == made.confidence.dtype == np.float32
        for number, row in enumerate(rows.tolist()):
            chances, confidence, reason = plain(view, row)
            np.testing.assert_allclose(made.probabilities[number], chances, atol=1e-6)
            np.testing.assert_allclose(made.confidence[number], confidence, atol=1e-6)
            assert made.reasons[number] == reason

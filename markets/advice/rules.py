"""The rules advisor: trend, mean reversion and volatility on the eleven features; needs no server.

Each bar gets a score above zero for buying and below for selling: the trend's (where the two averages
and macd point, in units of ATR), less the stretch's (rsi far from 50 and close far from the slow
average). Between quiet and wild markets the trend counts, in a quiet one the way back does; in a wild
one, with an ATR far above its usual, confidence falls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from markets.advice.table import RULES
from markets.advice.view import MarketView

USUAL_BARS = 60
"""Bars over which the usual ATR is the mean; 60 is an hour."""
SHARPNESS = 2.0
"""Logit of buying at a score of one."""


@dataclass(frozen=True)
class EmbeddedAdvice:
    """Advice on N bars.

    Attributes:
        probabilities: float32 (N, 3), of hold, buy and sell; rows sum to one.
        confidence: float32 (N,), 0 to 1.
        reasons: N short sentences.
    """

    probabilities: NDArray[np.float32]
    confidence: NDArray[np.float32]
    reasons: list[str]


class RulesAdvisor:
    """Rules on a bar's own features and those before it."""

    name = RULES
    model = "trend-reversion-volatility-1"

    def advise(self, view: MarketView, rows: NDArray[np.int64]) -> EmbeddedAdvice:
        """Return advice on bars; nothing after a bar is read for it."""
        named = {
            name: view.feature(name).astype(np.float64)
            for name in ("close", "sma_5", "sma_20", "rsi", "macd", "atr")
        }
        atr = np.maximum(np.nan_to_num(named["atr"]), view.tick_size)
        trend = np.tanh((named["sma_5"] - named["sma_20"]) / atr) + np.tanh(named["macd"] / atr)
        stretch = (named["rsi"] - 50) / 25 + np.tanh((named["close"] - named["sma_20"]) / (2 * atr))
        unusual = atr / _usual(atr)
        lively = np.clip((unusual - 0.7) / 0.6, 0.0, 1.0)
        score = np.nan_to_num(lively * trend - (1 - lively) * stretch) / 2
        wild = np.clip((unusual - 1.5) / 1.5, 0.0, 1.0)
        logits = np.stack(
            [np.zeros_like(score), SHARPNESS * score - 1.0, -SHARPNESS * score - 1.0], axis=1
        )[rows]
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        confidence = np.clip(np.abs(score) * (1 - 0.7 * wild), 0.0, 1.0)[rows]
        return EmbeddedAdvice(
            (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32),
            confidence.astype(np.float32),
            [
                f"{'trend' if alive > 0.5 else 'way back'}, score {value:+.2f}, ATR {times:.1f} x usual"
                for alive, value, times in zip(lively[rows], score[rows], unusual[rows], strict=True)
            ],
        )


def _usual(atr: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean ATR of the last :data:`USUAL_BARS` bars, of fewer at the beginning: (T,)."""
    total = np.concatenate([[0.0], np.cumsum(atr)])
    end = np.arange(1, len(atr) + 1)
    begin = np.maximum(end - USUAL_BARS, 0)
    return (total[end] - total[begin]) / (end - begin)

"""The question to a language model: recent bars and features as text, with names and dates or without.

A prompt holds market data alone. Its version is a digest of its words and settings, so that advice
made with other words is another table.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from markets.advice.view import MarketView
from markets.bars import FEATURES
from markets.contracts import decimals

MOST_BARS = 500

SYSTEM = """\
You advise a trader of one futures contract, one minute at a time. Given are one-minute bars, oldest \
first, and indicators of the newest. Say how likely each action is the best one now, for a trade held \
some ten to sixty minutes, with a stop at 1.5 times the ATR and a target three times as far: hold (no \
trade), buy or sell. Trades cost a spread and a commission, so hold unless there is a reason. Answer \
with JSON alone:
{"hold": 0..1, "buy": 0..1, "sell": 0..1, "confidence": 0..1, "reason": "one short sentence"}
The three chances sum to 1. Confidence is how sure you are of them."""

_SHOWN = ("rsi", "macd", "momentum", "atr", "sma_5", "sma_20")
_MASKED = ("rsi", "momentum")
_PRICES = ("sma_5", "sma_20")
_FORM = {False: 2, True: 1}
"""Number of the form in which numbers are written, by whether a question is masked."""


@dataclass(frozen=True)
class PromptSettings:
    """How a question is written.

    Attributes:
        bars: of history, the newest included.
        masked: no name, date or price level: prices are basis points from the newest close, and
            volume is in means of the bars shown, so that a model cannot recall what came after.
    """

    bars: int = 20
    masked: bool = False

    def __post_init__(self) -> None:
        from foundation.errors import InputError

        if not 1 <= self.bars <= MOST_BARS:
            raise InputError(f"{self.bars} bars in a question; choose from 1 to {MOST_BARS}")

    @property
    def version(self) -> str:
        """Name of the words and settings: the number of the form, a dash and a digest of them."""
        text = f"{SYSTEM}|{self.bars}|{self.masked}|{_SHOWN}|{_MASKED}"
        return f"{_FORM[self.masked]}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def question(view: MarketView, row: int, settings: PromptSettings) -> str:
    """Return the text of a question about a bar that has just closed.

    Args:
        view: the market, and the position where it is asked live; nothing after ``row`` is read.
        row: number of the bar.
        settings: how it is written.
    """
    first = max(0, row - settings.bars + 1)
    shown = slice(first, row + 1)
    places = decimals(view.tick_size)
    newest = dict(zip(FEATURES, view.features[row].tolist(), strict=True))
    clock = (
        f"{newest['min_from_open'] * 449:.0f} minutes after the open, "
        f"{newest['min_to_close'] * 449:.0f} before the close"
    )
    volume = view.feature("volume")[shown]
    if settings.masked:
        lines = _masked_bars(view, shown, volume.astype(np.float64))
        head = [f"time: {clock}"]
        indicators = {name: newest[name] for name in _MASKED}
        indicators["macd_bp"] = 1e4 * newest["macd"] / newest["close"]
        indicators["atr_bp"] = 1e4 * newest["atr"] / newest["close"]
        indicators["sma_5_bp"] = 1e4 * (newest["sma_5"] / newest["close"] - 1)
        indicators["sma_20_bp"] = 1e4 * (newest["sma_20"] / newest["close"] - 1)
    else:
        stamp = pd.Timestamp(view.timestamps_ns[row], tz="UTC").tz_convert("America/New_York")
        head = [f"contract: {view.symbol}", f"time: {stamp:%Y-%m-%d %H:%M} in New York, {clock}"]
        lines = [
            " ".join(f"{price:.{places}f}" for price in prices) + f" {_in_full(traded)}"
            for *prices, traded in zip(
                view.high[shown], view.low[shown], view.close[shown], volume, strict=True
            )
        ]
        indicators = {name: newest[name] for name in _SHOWN}
    written = {
        name: f"{value:.{places}f}" if name in _PRICES else f"{value:.6g}"
        for name, value in indicators.items()
    }
    units = " in basis points from the newest close, volume in means" if settings.masked else ""
    told = [f"position: {view.position}"] if view.position else []
    return "\n".join(
        [
            *head,
            *told,
            f"bars, oldest first (high low close volume{units}):",
            *lines,
            "indicators of the newest bar: " + ", ".join(map(" ".join, written.items())),
        ]
    )


def _masked_bars(view: MarketView, shown: slice, volume: np.ndarray) -> list[str]:
    newest = view.close[shown.stop - 1]
    usual = volume.mean() or 1.0
    return [
        " ".join(f"{1e4 * (price / newest - 1):.1f}" for price in prices) + f" {traded / usual:.2f}"
        for *prices, traded in zip(
            view.high[shown], view.low[shown], view.close[shown], volume, strict=True
        )
    ]


def _in_full(volume: np.float32) -> str:
    """Return a volume with all its digits, and no exponent."""
    return np.format_float_positional(volume, trim="-")


def messages(text: str) -> list[dict[str, str]]:
    """Return a question as the messages of the chat-completions protocol."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]

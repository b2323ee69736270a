"""Cost and time of a pass before it starts: from the answers that are there, else from its text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.advice.answers import FAILED
from markets.advice.chat.prompt import SYSTEM, PromptSettings, question
from markets.advice.store import RANGE_BARS
from markets.advice.table import AdviceTable
from markets.advice.view import MarketView

CHARACTERS_A_TOKEN = 2.5
"""Of questions, which are mostly digits; a guess, until a server has counted some."""
ANSWER_TOKENS = 80
ANSWER_SECONDS = 2.0
"""Of one question, until some were answered; a guess."""


@dataclass(frozen=True)
class Prices:
    """Dollars for a million tokens; 0 for a model of one's own."""

    prompt: float = 0.0
    completion: float = 0.0

    def __post_init__(self) -> None:
        for name in ("prompt", "completion"):
            if not 0 <= getattr(self, name) < 1e6:
                raise InputError(f"{name} price {getattr(self, name)}; give dollars a million tokens")

    def dollars(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Return what tokens cost."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / 1e6


@dataclass(frozen=True)
class Estimate:
    """What questions will cost.

    Attributes:
        questions: to be asked.
        prompt_tokens, completion_tokens: of all.
        dollars: at the prices given.
        seconds: at the concurrency given.
        measured: whether tokens come from answers that are there.
        timed: whether seconds do.
    """

    questions: int
    prompt_tokens: int
    completion_tokens: int
    dollars: float
    seconds: float
    measured: bool
    timed: bool = False

    @property
    def source(self) -> str:
        """Where the numbers come from, in words."""
        if self.measured and self.timed:
            return "from the answers so far"
        if self.measured:
            return "tokens from the answers so far, the time a guess"
        if self.timed:
            return "the time from the answers so far, tokens a guess"
        return "a guess, before any answer"


def estimate(
    view: MarketView,
    rows: NDArray[np.int64],
    prompt: PromptSettings,
    prices: Prices,
    concurrency: int,
    so_far: AdviceTable | None = None,
) -> Estimate:
    """Return what asking about bars will cost and take."""
    if not len(rows):
        return Estimate(0, 0, 0, 0.0, 0.0, measured=False)
    known = None if so_far is None else so_far.frame[so_far.frame["prompt_tokens"] > 0]
    measured = known is not None and len(known) > 0
    if known is not None and measured:
        each = [float(known[name].mean()) for name in ("prompt_tokens", "completion_tokens")]
    else:
        sample = rows[np.linspace(0, len(rows) - 1, min(5, len(rows))).astype(int)]
        length = np.mean([len(question(view, int(row), prompt)) for row in sample]) + len(SYSTEM)
        each = [float(length) / CHARACTERS_A_TOKEN, float(ANSWER_TOKENS)]
    tokens = [round(len(rows) * number) for number in each]
    took = _seconds(so_far)
    return Estimate(
        len(rows),
        tokens[0],
        tokens[1],
        prices.dollars(*tokens),
        _rounds(rows, concurrency) * (ANSWER_SECONDS if took is None else took),
        measured=measured,
        timed=took is not None,
    )


def _seconds(so_far: AdviceTable | None) -> float | None:
    """Return what an answer took on average, one that came too late among them; None before the first.

    Answers of a batch do not say how long they took.
    """
    if so_far is None:
        return None
    counted = so_far.timed & (so_far.frame["status"] != FAILED).to_numpy(bool)
    return float(so_far.frame.loc[counted, "latency_ms"].mean()) / 1000 if counted.any() else None


def _rounds(rows: NDArray[np.int64], concurrency: int) -> int:
    """Return how many answers are waited for in turn: a range ends before the next begins."""
    _, counts = np.unique(rows // RANGE_BARS, return_counts=True)
    return int((-(-counts // concurrency)).sum())

"""What a pass will cost, from its own answers or from its text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foundation.errors import InputError
from markets.advice.chat.estimate import Estimate, Prices, estimate
from markets.advice.chat.prompt import SYSTEM, PromptSettings, question
from markets.advice.table import About, AdviceTable, TableKey
from markets.advice.view import MarketView

PROMPT = PromptSettings(bars=5)
PRICES = Prices(prompt=3.0, completion=15.0)


def table(**columns: list[Any]) -> AdviceTable:
    return AdviceTable(About(TableKey("0", "chat", "tiny", "1"), "ES", 9), pd.DataFrame(columns))


def test_answers_that_are_there_are_the_measure(view: MarketView) -> None:
    """Those without tokens, which failed, do not count."""
    so_far = table(
        status=["ok", "failed", "malformed"],
        prompt_tokens=[100, 0, 300],
        completion_tokens=[10, 0, 31],
        latency_ms=[500.0, 9e9, 1500.0],
    )
    found = estimate(view, np.arange(200, 240), PROMPT, PRICES, 8, so_far)
    dollars = (40 * 200 * 3.0 + 40 * 20.5 * 15.0) / 1e6
    wanted = Estimate(40, 8000, 820, pytest.approx(dollars), 40 * 1.0 / 8, measured=True, timed=True)
    assert found == wanted
    assert found.source == "from the answers so far"


@pytest.mark.parametrize(
    ("rows", "concurrency", "waits"),
    [
        (range(200, 201), 8, 1),
        (range(200, 208), 8, 1),
        (range(200, 209), 8, 2),
        (range(196, 204), 8, 2),  # a range of bars ends before the next begins
        (range(0, 600, 100), 4, 3),
        (range(200, 205), 1, 5),
    ],
)
def test_a_pass_waits_for_the_last_answer_of_a_range(
    view: MarketView, rows: range, concurrency: int, waits: int
) -> None:
    so_far = table(status=["ok"], prompt_tokens=[100], completion_tokens=[10], latency_ms=[1500.0])
    found = estimate(view, np.array(rows), PROMPT, PRICES, concurrency, so_far)
    assert found.seconds == pytest.approx(1.5 * waits)


@pytest.mark.parametrize(
    ("columns", "seconds", "tokens", "source"),
    [
        (
            {"status": ["ok", "ok"], "prompt_tokens": [7, 9], "latency_ms": [0.0, 0.0]},  # of a batch
            *(2.0, 8, "tokens from the answers so far, the time a guess"),
        ),
        (
            {"status": ["ok", "late"], "prompt_tokens": [7, 0], "latency_ms": [2000.0, 60_000.0]},
            *(31.0, 7, "from the answers so far"),
        ),
        (
            {"status": ["ok", "ok"], "prompt_tokens": [0, 0], "latency_ms": [2000.0, 0.0]},
            *(2.0, None, "the time from the answers so far, tokens a guess"),
        ),
        (
            {"status": ["failed", "failed"], "prompt_tokens": [0, 0], "latency_ms": [2000.0, 9.0]},
            *(2.0, None, "a guess, before any answer"),
        ),
    ],
    ids=["of a batch", "too late", "tokens not counted", "failed"],
)
def test_time_is_of_answers_that_tell_it_and_tokens_of_those_that_count_them(
    view: MarketView, columns: dict[str, list[float]], seconds: float, tokens: int | None, source: str
) -> None:
    found = estimate(
        view, np.array([300]), PROMPT, PRICES, 4, table(completion_tokens=[1, 1], **columns)
    )
    assert (found.seconds, found.source) == (seconds, source)
    assert tokens is None or found.prompt_tokens == tokens
    assert found.timed == ("time a guess" not in source and "before" not in source)


@pytest.mark.parametrize(
    "none",
    [None, table(status=["failed"], prompt_tokens=[0], completion_tokens=[0], latency_ms=[1.0])],
)
@pytest.mark.parametrize("count", [1, 2, 5, 6, 41])
def test_without_them_five_questions_are(
    view: MarketView, none: AdviceTable | None, count: int
) -> None:
    rows = view.rows(1)[:count]
    picked = [rows[int(at)] for at in np.linspace(0, count - 1, min(5, count))]
    size = np.mean([len(question(view, int(row), PROMPT)) for row in picked]) + len(SYSTEM)
    found = estimate(view, rows, PROMPT, PRICES, 4, none)
    tokens = round(count * size / 2.5)
    dollars = (3.0 * tokens + 15.0 * 80 * count) / 1e6
    first = int((rows < 200).sum())  # of the range that ends there
    seconds = 2.0 * (math.ceil(first / 4) + math.ceil((count - first) / 4))
    assert found == Estimate(count, tokens, 80 * count, pytest.approx(dollars), seconds, measured=False)


def test_no_questions_cost_nothing(view: MarketView) -> None:
    found = estimate(view, view.rows(1)[:0], PROMPT, PRICES, 4)
    assert found == Estimate(0, 0, 0, 0.0, 0.0, measured=False)


@pytest.mark.parametrize("name", ["prompt", "completion"])
@pytest.mark.parametrize("price", [-0.01, 1e6, float("nan"), float("inf")])
def test_a_price_is_a_number_of_dollars(name: str, price: float) -> None:
    with pytest.raises(InputError, match=f"{name} price"):
        Prices(**{name: price})
    assert Prices(**{name: 0.0}).dollars(5, 5) == 0.0

"""What a pass will cost, from its own answers or from its text."""

from __future__ import annotations

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


def table(**columns: list[float]) -> AdviceTable:
    return AdviceTable(About(TableKey("0", "chat", "tiny", "1"), "ES", 9), pd.DataFrame(columns))


def test_answers_that_are_there_are_the_measure(view: MarketView) -> None:
    """Those without tokens, which failed, do not count."""
    so_far = table(
        prompt_tokens=[100, 0, 300], completion_tokens=[10, 0, 31], latency_ms=[500.0, 9e9, 1500.0]
    )
    found = estimate(view, view.rows(1)[:40], PROMPT, PRICES, 8, so_far)
    dollars = (40 * 200 * 3.0 + 40 * 20.5 * 15.0) / 1e6
    assert found == Estimate(40, 8000, 820, pytest.approx(dollars), 40 * 1.0 / 8, measured=True)


@pytest.mark.parametrize(
    "none", [None, table(prompt_tokens=[0], completion_tokens=[0], latency_ms=[1.0])]
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
    seconds = count * 2.0 / 4
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

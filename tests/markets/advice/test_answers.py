"""What a model writes comes to chances that a table holds and gives back, or to no advice."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import permutations
from pathlib import Path

import pandas as pd
import pytest

from markets.advice.answers import MALFORMED, OK, Advice, read_content
from markets.advice.table import COLUMNS, About, AdviceTable, TableKey, load_table, save_table

NAMES = ("hold", "buy", "sell")


def answer(*chances: float) -> str:
    return json.dumps({**dict(zip(NAMES, chances, strict=True)), "confidence": 0.5, "reason": "why"})


def advice_of(*chances: float) -> Advice:
    reply = read_content(answer(*chances))
    assert reply.status == OK
    assert reply.advice is not None
    return reply.advice


def chances_of(advice: Advice) -> tuple[float, ...]:
    return tuple(getattr(advice, name) for name in NAMES)


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("total", [980, 991, 1000, 1007, 1020])
def test_each_chance_is_its_share_of_the_sum_and_a_chance_of_zero_stays_zero(
    order: tuple[int, ...], total: int
) -> None:
    """Thousandths that sum to one, or within 0.02 of it, as exact fractions have it."""
    for part in range(max(0, total - 1000), min(total, 1000) + 1, 3):
        parts = [(part, total - part, 0)[place] for place in order]
        found = chances_of(advice_of(*(one / 1000 for one in parts)))
        for share, of in zip(found, parts, strict=True):
            assert share == pytest.approx(float(Fraction(of, total)), rel=1e-14, abs=0.0)
            assert 0 <= share <= 1


def test_every_answer_that_is_taken_is_read_back_from_its_table(tmp_path: Path) -> None:
    """A chance a hair below zero, as subtracting leaves, makes a table that is refused as damaged."""
    taken = [advice_of(part / 1000, 1 - part / 1000, 0.0) for part in range(1001)]
    taken += [advice_of(0.0, part / 1000, 1 - part / 1000) for part in range(1001)]
    values = {
        "row": range(len(taken)),
        "status": OK,
        **{name: [getattr(one, name) for one in taken] for name in (*NAMES, "confidence", "reason")},
        "latency_ms": 1.0,
        **dict.fromkeys(("attempts", "prompt_tokens", "completion_tokens"), 1),
    }
    frame = pd.DataFrame({"row": values["row"]})
    frame = frame.assign(**{name: values.get(name, "") for name in COLUMNS if name != "time"})
    frame["time"] = pd.date_range("2025-01-06", periods=len(taken), freq="min", tz="UTC")
    about = About(TableKey("0", "chat", "tiny", "1"), "ES", len(taken))
    save_table(tmp_path / "advice.parquet", AdviceTable(about, frame))
    again = load_table(tmp_path / "advice.parquet")
    assert again.usable.all()
    assert again.probabilities.tolist() == frame[list(NAMES)].to_numpy("float32").tolist()


@pytest.mark.parametrize(
    ("chances", "status"),
    [
        ((0.5, 0.481, 0.0), OK),
        ((0.5, 0.519, 0.0), OK),
        ((0.5, 0.479, 0.0), MALFORMED),
        ((0.5, 0.521, 0.0), MALFORMED),
        ((1.1, 0.0, -0.1), MALFORMED),
        ((0.5, 0.6, -0.1), MALFORMED),
        ((0.0, 0.0, 0.0), MALFORMED),
        ((1.0, 0.0, 0.0), OK),
    ],
)
def test_chances_far_from_a_sum_of_one_or_beyond_it_are_no_advice(
    chances: tuple[float, ...], status: str
) -> None:
    reply = read_content(answer(*chances))
    assert (reply.status, reply.advice is None) == (status, status != OK)

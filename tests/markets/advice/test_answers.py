"""What a model writes comes to chances that a table holds and gives back, or to no advice."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import permutations
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from markets.advice.answers import (
    CUT_OFF,
    MALFORMED,
    OK,
    REFUSED,
    Advice,
    read_completion,
    read_content,
)
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


def completion(usage: object = None, **choice: Any) -> bytes:
    whole = {"message": {"content": answer(0.25, 0.5, 0.25)}, "finish_reason": "stop", **choice}
    body = {"choices": [whole, {"message": {"content": "of another"}}]}
    return json.dumps(body if usage is None else {**body, "usage": usage}).encode()


@pytest.mark.parametrize(
    ("choice", "status", "detail", "content"),
    [
        ({}, OK, "", None),
        ({"finish_reason": None}, OK, "", None),
        ({"finish_reason": "content_filter"}, REFUSED, "the model refused", ""),
        ({"message": {"refusal": "I can't."}}, REFUSED, "the model refused", "I can't."),
        ({"message": {"content": "x", "refusal": "No."}}, REFUSED, "the model refused", "No."),
        ({"finish_reason": "length"}, MALFORMED, CUT_OFF, None),
        ({"finish_reason": "length", "message": {"content": '{"h'}}, MALFORMED, CUT_OFF, '{"h'),
        ({"message": {"content": None}}, MALFORMED, "input data was truncated", ""),
    ],
    ids=str,
)
def test_what_a_completion_comes_to(
    choice: dict[str, Any], status: str, detail: str, content: str | None
) -> None:
    reply = read_completion(completion(**choice))
    assert (reply.status, reply.detail) == (status, detail)
    assert reply.content == (answer(0.25, 0.5, 0.25) if content is None else content)
    assert (reply.advice is not None) == (status == OK)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, (0, 0)),
        ({}, (0, 0)),
        ({"prompt_tokens": 7}, (7, 0)),
        ({"completion_tokens": 9}, (0, 9)),
        ({"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}, (7, 9)),
        ({"prompt_tokens": -7, "completion_tokens": -9}, (0, 0)),
        ({"prompt_tokens": 2**40, "completion_tokens": 2**31}, (2**31 - 1, 2**31 - 1)),
        ({"prompt_tokens": 2**31 - 1, "completion_tokens": 2**31 - 2}, (2**31 - 1, 2**31 - 2)),
    ],
    ids=str,
)
def test_tokens_are_those_that_the_server_counts(usage: object, tokens: tuple[int, int]) -> None:
    """Of an answer that comes to no advice, too."""
    for choice in ({}, {"finish_reason": "length"}):
        reply = read_completion(completion(usage, **choice))
        assert (reply.prompt_tokens, reply.completion_tokens) == tokens


def test_an_answer_holds_what_was_asked_for_and_no_more() -> None:
    good = json.loads(answer(0.25, 0.5, 0.25))
    assert read_content(f"  {json.dumps(good)}\n").status == OK
    assert read_content(json.dumps({**good, "reason": "x" * 300})).status == OK
    changes: list[dict[str, Any]] = [
        {"reason": "x" * 301}, {"reason": None}, {"confidence": 1.01}, {"confidence": -0.01},
        {"confidence": "0.5"}, {"hold": True}, {"more": 1},
    ]  # fmt: skip
    bad = [json.dumps({**good, **change}) for change in changes]
    bad += [json.dumps({name: good[name] for name in good if name != left_out}) for left_out in good]
    bad += ["", "[]", json.dumps(good) * 2, f"```{json.dumps(good)}```", "[" * 100_000, "NaN"]
    for text in bad:
        reply = read_content(text)
        assert (reply.status, reply.advice, reply.content) == (MALFORMED, None, text), text
        assert reply.detail

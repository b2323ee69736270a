"""Advice on the bars at which it is known, and its nulls: other bars, and other answers on the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from markets.advice.schedule import AdviceOnBars, lay
from markets.advice.table import About, AdviceTable, TableKey
from tests.sentences import refuses

BARS = 6000


def made() -> AdviceOnBars:
    """Return answers on two of three bars, which lean to buying."""
    rng = np.random.default_rng(7)
    chances = rng.dirichlet([1.0, 6.0, 2.0], BARS).astype(np.float32)
    given = np.arange(BARS) % 3 != 0
    chances[~given] = 1 / 3
    confidence = np.where(given, rng.random(BARS), 0.0).astype(np.float32)
    counted = np.arange(BARS, dtype=np.int32)
    return AdviceOnBars(chances, confidence, given, counted, counted)


def test_shuffled_answers_are_the_same_answers_on_other_bars() -> None:
    one, other = made(), made().shuffled(3)
    given = one.given
    assert (other.advice[~given] == one.advice[~given]).all()
    assert (other.advice[given] != one.advice[given]).any(axis=1).mean() > 0.99
    for dealt, own in (
        (other.advice, one.advice),
        (other.confidence[:, None], one.confidence[:, None]),
    ):
        assert (np.sort(dealt[given], axis=0) == np.sort(own[given], axis=0)).all()
    pairs = {
        (*row, sure) for row, sure in zip(one.advice.tolist(), one.confidence.tolist(), strict=True)
    }
    assert {
        (*row, sure) for row, sure in zip(other.advice.tolist(), other.confidence.tolist(), strict=True)
    } == pairs


def test_random_answers_favour_each_action_alike_with_every_seed() -> None:
    """Chances are dealt anew on each bar: of 4,000 a third favours each, or so."""
    one = made()
    for seed in range(8):
        other = one.random(seed)
        assert (other.advice[~one.given] == one.advice[~one.given]).all()
        shares = np.bincount(other.advice[one.given].argmax(axis=1), minlength=3) / one.given.sum()
        assert np.abs(shares - 1 / 3).max() < 0.03
        held = np.sort(np.sort(other.advice[one.given], axis=1), axis=0)
        assert (held == np.sort(np.sort(one.advice[one.given], axis=1), axis=0)).all()


OPENS = [0, 1, 2, 3, 4, 5, 8, 9, 10, 11]
"""Minutes at which ten bars open; two are missing."""
TOOK = {0: 0.0, 2: 60_001.0, 5: 90_000.0, 6: 0.0, 7: 60_000.0, 9: 1.0}
"""Milliseconds that the answers about some of them took; that about bar 6 is malformed."""


def table_of(took: dict[int, float]) -> AdviceTable:
    """Return a table of answers to buy, each surer than the one before."""
    frame = pd.DataFrame(
        {
            "row": list(took),
            "status": ["malformed" if row == 6 else "ok" for row in took],
            "hold": 0.25,
            "buy": 0.75,
            "sell": 0.0,
            "confidence": [row / 10 for row in took],
            "latency_ms": list(took.values()),
        }
    )
    return AdviceTable(About(TableKey("0", "chat", "tiny", "1"), "ES", len(OPENS)), frame)


@pytest.mark.parametrize(
    ("latency_ms", "known"),
    [
        (None, {0: 1, 2: 4, 5: 6, 7: 8, 9: 10}),
        (0, {0: 1, 2: 3, 5: 6, 7: 8, 9: 10}),
        (0.0, {0: 1, 2: 3, 5: 6, 7: 8, 9: 10}),
        (1e-7, {0: 1, 2: 3, 5: 6, 7: 8, 9: 10}),
        (60_000, {0: 1, 2: 3, 5: 6, 7: 8, 9: 10}),
        (60_000.0000001, {0: 2, 2: 4, 5: 6, 7: 9, 9: 10}),
        (60_000.001, {0: 2, 2: 4, 5: 6, 7: 9, 9: 10}),
        (120_000, {0: 2, 2: 4, 5: 6, 7: 9, 9: 10}),
        (180_000.0, {0: 3, 2: 5, 5: 6, 7: 10, 9: 10}),
        (180_001.0, {0: 4, 2: 6, 5: 7, 7: 10, 9: 10}),
        (1e300, dict.fromkeys((0, 2, 5, 7, 9), 10)),
        (10**7, dict.fromkeys((0, 2, 5, 7, 9), 10)),
    ],
)
def test_an_answer_is_known_at_the_first_later_bar_that_closes_once_it_has_come(
    latency_ms: float | None, known: dict[int, int]
) -> None:
    """Its own latency counts where none is given, and none at all where 0 is."""
    found = lay(table_of(TOOK), np.array(OPENS, np.int64) * 60_000_000_000, latency_ms)
    assert np.flatnonzero(found.given).tolist() == list(known)
    assert dict(zip(known, found.known[list(known)].tolist(), strict=True)) == known
    assert found.minute.tolist() == OPENS
    assert found.advice[list(known)].tolist() == [[0.25, 0.75, 0.0]] * len(known)
    assert (found.advice[~found.given] == np.float32(1 / 3)).all()
    assert found.confidence[list(known)].tolist() == pytest.approx([row / 10 for row in known])


@pytest.mark.parametrize("latency_ms", [np.nan, np.inf, -np.inf, -1.0])
def test_a_latency_that_is_no_number_from_zero_is_refused(latency_ms: float) -> None:
    with refuses():
        lay(table_of(TOOK), np.array(OPENS, np.int64) * 60_000_000_000, latency_ms)


def test_answers_whose_latency_is_not_known_need_one_that_is_given() -> None:
    opens, took = np.array(OPENS, np.int64) * 60_000_000_000, {**TOOK, 2: np.nan, 9: np.nan}
    with refuses():
        lay(table_of(took), opens)
    assert lay(table_of(took), opens, 0.0).known[[0, 2, 9]].tolist() == [1, 3, 10]


@pytest.mark.parametrize("how", ["shuffled", "random"])
def test_each_seed_deals_answers_in_its_own_way_and_always_the_same(how: str) -> None:
    one = made()
    dealt = [getattr(one, how)(seed).advice[one.given] for seed in range(4)]
    for number, own in enumerate(dealt):
        assert (getattr(one, how)(number).advice[one.given] == own).all()
        for other in dealt[:number]:
            assert (own != other).any(axis=1).mean() > 0.9

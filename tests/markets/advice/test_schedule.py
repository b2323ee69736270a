"""Nulls of advice: the same answers on other bars, and other answers on the same."""

from __future__ import annotations

import numpy as np

from markets.advice.schedule import AdviceOnBars

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

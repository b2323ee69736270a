"""Answers that are drawn for a learner: with gaps, late ones and chances of zero, each on its bar."""

from __future__ import annotations

import numpy as np
import pytest

from parity.learner.advice import SETTINGS, drawn_advice, drawn_answers
from parity.learner.cases import learner_cases

MINUTE = 60_000_000_000


def test_answers_are_chances_known_after_their_bar_and_some_never() -> None:
    count, first = 700, 28_935_270
    times = (first + 2 * np.arange(count)) * MINUTE
    laid = drawn_answers(times)
    advice, confidence, given, known = laid.advice, laid.confidence, laid.given, laid.known
    assert (advice.shape, advice.dtype, confidence.dtype) == ((count, 3), np.float32, np.float32)
    np.testing.assert_allclose(advice.sum(1), 1, rtol=1e-6)
    certain = (advice == 1).any(1)
    assert certain[::7].all()
    assert certain.mean() == pytest.approx(1 / 7, abs=0.03)
    assert set(advice[::7].argmax(1)) == {0, 1, 2}
    assert len(set(confidence.tolist())) > 0.99 * count
    assert ((confidence >= 0) & (confidence < 1)).all()
    assert given.mean() == pytest.approx(0.5, abs=0.06)
    wait = known - np.arange(count)
    assert set(wait[:-4]) == {1, 2, 3, 4}
    assert known.max() == count
    assert laid.minute.tolist() == [first + 2 * n for n in range(count)]
    again = drawn_answers(times)
    for name, value in vars(laid).items():
        np.testing.assert_array_equal(getattr(again, name), value)


@pytest.mark.parametrize("way", ["prior", "columns"])
def test_advice_of_a_case_is_used_as_it_says(way: str) -> None:
    case = learner_cases()[0]
    bars = case.bars.session(case.config.session)
    laid, use = drawn_advice(bars, way)
    assert (use.way, use.settings) == (way, SETTINGS)
    assert (SETTINGS.rule, SETTINGS.weight, SETTINGS.threshold) == ("gated", 2.0, 0.3)
    assert (SETTINGS.fade, SETTINGS.most_age) == (0.2, 4)
    np.testing.assert_array_equal(laid.advice, drawn_answers(bars.timestamps_ns).advice)

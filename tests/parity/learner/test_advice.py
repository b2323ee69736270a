"""Training with advice against MaskablePPO with the same advice, and with planted faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

from jax_port.ppo import minibatches, rollout
from parity.learner import port
from parity.learner.advice import drawn_advice
from parity.learner.cases import LearnerCase, learner_cases
from parity.learner.suite import check_case

pytestmark = pytest.mark.slow

CASE = replace(learner_cases(0)[0], updates=1)
RIGHT = minibatches.prior_at


@pytest.mark.parametrize("way", ["prior", "columns"])
def test_training_with_advice_is_the_references(way: str) -> None:
    results = check_case("cpu", replace(CASE, name=way, advice=way))
    assert [result.passed for result in results] == [True, True, True]
    params = port.make_params(replace(CASE, advice=way))
    laid, _ = drawn_advice(CASE.bars.session(CASE.config.session), way)
    shown = params.market.prior if way == "prior" else params.market.features[:, 11:]
    assert shown is not None
    assert 0.2 < np.asarray(shown != 0).any(axis=1).mean() < 1
    assert laid.given.mean() == pytest.approx(0.5, abs=0.1)


def _scaled(*args: Any) -> jax.Array:
    return 1.001 * RIGHT(*args)


def _none(*args: Any) -> None:
    return None


def _next_bar(step_idx: jax.Array, *rest: Any) -> jax.Array:
    return RIGHT(step_idx + 1, *rest)


@pytest.mark.parametrize(
    ("fault", "places"),
    [
        (_scaled, (minibatches,)),
        (_scaled, (minibatches, rollout)),
        (_none, (minibatches,)),
        (_next_bar, (minibatches, rollout)),
    ],
    ids=["0.1% in the loss", "0.1% everywhere", "not in the loss", "of the next bar"],
)
def test_a_planted_fault_is_found(
    monkeypatch: pytest.MonkeyPatch, fault: Callable[..., Any], places: tuple[Any, ...]
) -> None:
    for place in places:
        monkeypatch.setattr(place, "prior_at", fault)
    port.traced_program.cache_clear()
    try:
        case: LearnerCase = replace(CASE, name="planted", advice="prior")
        assert not check_case("cpu", case)[0].passed
    finally:
        port.traced_program.cache_clear()

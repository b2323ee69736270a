"""The trainer's gradients against those of the loss that one reads, and that a difference is found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.losses import Batch, LossTerms, ppo_loss
from jax_port.ppo.networks import Network
from jax_port.ppo.settings import HyperParams
from parity.engine.measure import of_error
from parity.engine.pair import Fields
from parity.learner import definition
from parity.learner.cases import LearnerCase, learner_cases, small_cases
from parity.learner.definition import LIMIT, check_definition, first_minibatch
from parity.learner.drawn import drawn_cases
from parity.learner.port import Draws, PortRun, make_params, run_port
from parity.learner.reference import Reference

Driven = tuple[LearnerCase, Fields, PortRun]


def driven(case: LearnerCase) -> Driven:
    weights = Reference(case).weights
    return case, weights, run_port(case, weights, make_params(case))


@pytest.fixture(scope="module")
def clipping() -> Driven:
    return driven(small_cases()[0])


@pytest.fixture
def no_gradients_kept() -> Iterator[None]:
    """A loss that is patched is compiled, and so is the sound one after it."""
    definition._gradients.cache_clear()
    yield
    definition._gradients.cache_clear()


def test_every_update_s_first_minibatch_has_the_definition_s_gradients(clipping: Driven) -> None:
    result = check_definition(*clipping)
    assert result.passed
    assert result.compared == 3 * 50
    measure = result.measures["gradients"]
    assert 0 < measure.error < LIMIT
    assert measure.compared == 3 * sum(x.size for x in clipping[1].values())


@pytest.mark.slow
def test_a_frozen_layer_s_gradients_are_zero() -> None:
    case = next(case for case in drawn_cases(0) if 0.0 in dict(case.settings.layer_lr).values())
    result = check_definition(*driven(case))
    assert result.passed, result.measures


def test_a_gradient_that_is_a_little_off_is_named(clipping: Driven) -> None:
    case, weights, run = clipping
    name = "gradients/mlp_extractor.policy_net.0.weight"
    off = [*run.updates[:2], {**run.updates[2], name: 1.0001 * run.updates[2][name]}]
    result = check_definition(case, weights, PortRun(off, run.draws))
    assert not result.passed
    assert result.measures["gradients"].where == "update 3, mlp_extractor.policy_net.0.weight"
    assert result.measures["gradients"].error == pytest.approx(1e-4, rel=0.05)


def test_other_numbers_of_transitions_are_another_minibatch(clipping: Driven) -> None:
    case, weights, run = clipping
    turned = [{**table, "orders": table["orders"][:, ::-1]} for table in run.updates]
    assert not check_definition(case, weights, PortRun(turned, run.draws)).passed


@pytest.mark.usefixtures("no_gradients_kept")
def test_a_definition_that_is_not_what_is_trained_on_is_found(
    clipping: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(
        params: Any, network: Network, batch: Batch, hyper: HyperParams
    ) -> tuple[jax.Array, LossTerms]:
        return ppo_loss(params, network, batch, replace(hyper, vf_coef=1.001 * hyper.vf_coef))

    monkeypatch.setattr(definition, "ppo_loss", faulty)
    assert not check_definition(*clipping).passed


@pytest.mark.slow
def test_a_prior_is_part_of_the_loss() -> None:
    case, weights, run = driven(replace(learner_cases()[0], updates=1, advice="prior"))
    assert check_definition(case, weights, run).passed
    assert bool(jnp.any(first_minibatch(case, run.updates[0]).prior != 0))
    without = [{name: value for name, value in run.updates[0].items() if name != "prior"}]
    assert not check_definition(case, weights, PortRun(without, run.draws)).passed


STEPS, ENVS = 2, 3
DRAWS = Draws(*[np.zeros(1)] * 3)


@pytest.fixture(scope="module")
def case() -> LearnerCase:
    settings = learner_cases()[0].settings.override(n_envs=ENVS, n_steps=STEPS, batch_size=4)
    return replace(learner_cases()[0], settings=settings)


def table(number: int, steps: int, weight: float) -> Fields:
    at = np.arange(STEPS * ENVS).reshape(STEPS, ENVS) + 100 * number
    names = ("log_probs", "values", "advantages", "returns")
    return {
        "orders": np.array([[4, 1, 5, 0, 2, 3], [0, 1, 2, 3, 4, 5]]),
        "obs": np.stack([at, at + 0.5], axis=-1).astype(np.float32),
        "actions": (at % 3).astype(np.int8),
        "masks": np.stack([at % 2 == 0, at % 3 == 0], axis=-1),
        **{name: (at + 1000.0 * n).astype(np.float32) for n, name in enumerate(names, 1)},
        "gradient steps": np.asarray(steps),
        "weights/a": np.asarray(weight),
        "first moments/a": np.asarray(-1.0),
    }


@pytest.mark.parametrize("advised", [False, True])
def test_a_minibatch_is_the_first_of_the_first_order_environment_by_environment(
    case: LearnerCase, advised: bool
) -> None:
    given = table(0, 1, 0.0)
    if advised:
        given["prior"] = given["obs"] * 2
    batch = first_minibatch(case, given)
    # Number 4 is the third environment's first step, 1 the first one's second, and so on.
    at = np.array([2, 3, 5, 0])
    assert batch.obs.tolist() == [[x, x + 0.5] for x in at.tolist()]
    assert batch.actions.tolist() == (at % 3).tolist()
    assert batch.actions.dtype == np.int32
    assert batch.masks.tolist() == [[x % 2 == 0, x % 3 == 0] for x in at.tolist()]
    for n, name in enumerate(("log_probs", "values", "advantages", "returns"), 1):
        assert getattr(batch, name).tolist() == (at + 1000 * n).tolist()
    if advised:
        assert batch.prior is not None
        assert batch.prior.tolist() == [[2 * x, 2 * x + 1] for x in at.tolist()]
    else:
        assert batch.prior is None


def checked(
    monkeypatch: pytest.MonkeyPatch, case: LearnerCase, steps: list[int], errors: list[float]
) -> tuple[Any, list[tuple[int, float]]]:
    """Check updates whose gradients are off by some shares of the limit; what was asked is noted."""
    asked: list[tuple[int, float]] = []

    def compare(given: LearnerCase, number: int, weights: Fields, one: Fields) -> Any:
        assert given is case
        assert set(weights) == {"a"}
        assert one["obs"].min() == 100 * number
        asked.append((number, float(weights["a"])))
        return of_error(errors[number] * LIMIT, LIMIT, 10, f"update {number + 1}")

    monkeypatch.setattr(definition, "_compare", compare)
    tables = [table(number, count, 10.0 + number) for number, count in enumerate(steps)]
    return check_definition(case, {"a": np.asarray(5.0)}, PortRun(tables, DRAWS)), asked


def test_each_update_that_learnt_is_held_to_the_weights_before_it(
    monkeypatch: pytest.MonkeyPatch, case: LearnerCase
) -> None:
    result, asked = checked(monkeypatch, case, [3, 1, 0, 2], [0.1, 0.9, 99.0, 0.5])
    assert asked == [(0, 5.0), (1, 10.0), (3, 12.0)]
    assert (result.check, result.world) == ("learner gradients", case.name)
    assert (result.passed, result.compared, result.error) == (True, 3 * 4, "")
    measure = result.measures["gradients"]
    assert measure.error == pytest.approx(0.9 * LIMIT)
    assert (measure.where, measure.compared) == ("update 2", 30)


@pytest.mark.parametrize("wrong", range(3))
def test_the_worst_of_all_updates_is_told(
    monkeypatch: pytest.MonkeyPatch, case: LearnerCase, wrong: int
) -> None:
    errors = [0.1, 0.2, 0.3]
    errors[wrong] = 1.1
    result, _ = checked(monkeypatch, case, [1, 1, 1], errors)
    assert not result.passed
    assert result.measures["gradients"].where == f"update {wrong + 1}"


def test_nothing_that_learnt_is_no_agreement_and_an_error_is_told(
    monkeypatch: pytest.MonkeyPatch, case: LearnerCase
) -> None:
    result, asked = checked(monkeypatch, case, [0, 0], [0.0, 0.0])
    assert (asked, result.compared, result.passed) == ([], 0, False)
    assert result.error == "no update took a gradient step, so nothing is compared"

    def lacking(*given: Any) -> Any:
        raise ValueError("tensors without a counterpart: b")

    monkeypatch.setattr(definition, "_compare", lacking)
    result = check_definition(case, {"a": np.asarray(5.0)}, PortRun([table(0, 1, 1.0)], DRAWS))
    assert (result.passed, result.error) == (False, "tensors without a counterpart: b")

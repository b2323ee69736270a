"""The trainer's gradients against those of the loss that one reads, and that a difference is found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jax_port.ppo.losses import Batch, LossTerms, ppo_loss
from jax_port.ppo.networks import Network
from jax_port.ppo.settings import HyperParams
from parity.engine.pair import Fields
from parity.learner import definition
from parity.learner.cases import LearnerCase, learner_cases, small_cases
from parity.learner.definition import LIMIT, check_definition, first_minibatch
from parity.learner.drawn import drawn_cases
from parity.learner.port import PortRun, make_params, run_port
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

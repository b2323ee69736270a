"""Drawn learners: every seed has every structure, late ones are late, and faults of a long run show."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.optimizer import adam
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from jax_port.ppo.train_ppo_jax import annealed
from parity.learner.cases import LearnerCase, small_cases
from parity.learner.drawn import LATE, REQUIRED, coverage_of_structures, drawn_cases
from parity.learner.judge import judge_updates, reach_of
from parity.learner.late import Late
from parity.learner.port import hyper_of, run_port, traced_program
from parity.learner.structures import aspects_of
from parity.learner.suite import LearnerRun


@pytest.mark.parametrize("seed", range(40))
def test_the_cases_of_a_seed_have_every_structure(seed: int) -> None:
    cases = drawn_cases(seed)
    assert set(coverage_of_structures(cases)) >= REQUIRED
    assert {case.late and (case.late.updates, case.late.adam_steps) for case in cases} == {
        None,
        *((late.updates, late.adam_steps) for late in LATE),
    }
    assert drawn_cases(seed) == cases != drawn_cases(seed + 1)


@pytest.mark.parametrize("seed", range(10))
def test_rates_are_none_or_freeze_a_layer_or_slow_one_and_speed_another(seed: int) -> None:
    kinds = set()
    for case in drawn_cases(seed):
        factors = sorted(factor for _, factor in case.settings.layer_lr)
        kinds.add(len(factors))
        if len(factors) == 1:
            assert factors == [0.0]
        elif factors:
            assert 0 < factors[0] < 1 < factors[1]
            assert len({layer for layer, _ in case.settings.layer_lr}) == 2
    assert kinds == {0, 1, 2}


def test_seeds_draw_structures_of_their_own() -> None:
    networks = [str([case.settings.network for case in drawn_cases(seed)]) for seed in range(5)]
    assert len(set(networks)) == 5


def test_a_late_case_goes_through_json() -> None:
    for case in drawn_cases(3):
        assert LearnerCase.from_about(case.about()) == case


def test_rates_keep_their_digits_late_in_a_run() -> None:
    case = next(case for case in drawn_cases(0) if case.settings.anneal)
    settings = case.settings.override(total_timesteps=96 * 5000 + 31, n_steps=24, n_envs=4)
    for updates in (0, 1, 2500, 4997, 4998, 4999, 5000):
        left = max(1.0 - (updates + 1) * 96 / settings.total_timesteps, 0.0)
        found = float(annealed(hyper_of(settings), jnp.int32(updates), settings).learning_rate)
        assert found == pytest.approx(settings.learning_rate * left, rel=3e-7, abs=1e-20)


@pytest.fixture(scope="module")
def late() -> LearnerRun:
    """The small case of the gate's own tests, begun late: one compiled program serves all."""
    case = small_cases()[0]
    return LearnerRun(replace(case, updates=1, late=Late(3, 150, seed=1)))


@pytest.mark.costly
def test_both_sides_begin_late_and_agree(late: LearnerRun) -> None:
    result = judge_updates(late.case, late.updates, late.port.updates)
    assert result.passed, [(n, m) for n, m in result.measures.items() if not m.passed]
    (table,) = late.updates
    assert int(table["adam steps"]) == 150 + int(table["gradient steps"])
    rollout = late.case.settings.rollout_size
    resets = late.case.settings.n_envs
    assert float(table["obs count"]) == pytest.approx(4 * rollout + resets, abs=1e-3)
    left = 1 - 4 * rollout / late.case.settings.total_timesteps
    assert float(table["learning rate"]) == pytest.approx(late.case.settings.learning_rate * left)
    moved = [np.abs(v).max() for name, v in table.items() if name.startswith("first moments/")]
    assert min(moved) > 0
    assert Counter(late.coverage)["learner, begun late: on"] == 1


@pytest.mark.costly
def test_a_correction_of_adam_that_stops_is_found(
    late: LearnerRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no fresh learner shows in 36 steps."""
    true = adam._correction
    monkeypatch.setattr(adam, "_correction", lambda beta, count: true(beta, jnp.minimum(count, 100)))
    traced_program.cache_clear()
    port = run_port(late.case, late.weights, late.params)
    traced_program.cache_clear()
    result = judge_updates(late.case, late.updates, port.updates, reach_of(late.port.draws, port.draws))
    assert not result.passed
    assert not result.measures["weights"].passed


def test_an_aspect_is_told_from_what_it_depends_on() -> None:
    network = NetworkSpec((8, 8), (8, 8, 9))
    plain = TrainSettings(n_envs=4, n_steps=24, batch_size=48, total_timesteps=96, network=network)
    assert aspects_of(plain) == {
        "activation": "relu",
        "policy layers": "2",
        "value layers": "3",
        "mlps": "unequal",
        "frozen layers": "off",
        "slower or faster layers": "off",
        "orders": "one",
        "anneal": "off",
        "norm_reward": "on",
        "clip_range_vf": "off",
        "target_kl": "off",
        "last minibatch": "whole",
        "precision": plain.precision,
    }
    first, second = list(network.layers)[:2]
    for changes, aspect, value in (
        ({"batch_size": 24}, "last minibatch", "whole"),
        ({"batch_size": 96}, "last minibatch", "whole"),
        ({"batch_size": 50}, "last minibatch", "partial"),
        ({"batch_size": 25}, "last minibatch", "partial"),
        ({"anneal": True}, "anneal", "on"),
        ({"norm_reward": False}, "norm_reward", "off"),
        ({"clip_range_vf": 0.1}, "clip_range_vf", "on"),
        ({"target_kl": 0.1}, "target_kl", "on"),
        ({"order_groups": 2}, "orders", "by group"),
        ({"layer_lr": ((first, 1.0),)}, "slower or faster layers", "off"),
        ({"layer_lr": ((first, 1.0), (second, 2.0))}, "slower or faster layers", "on"),
        ({"layer_lr": ((first, 0.0),)}, "slower or faster layers", "off"),
        ({"layer_lr": ((first, 0.0),)}, "frozen layers", "on"),
        ({"layer_lr": ((first, 0.5),)}, "frozen layers", "off"),
    ):
        assert aspects_of(plain.override(**changes))[aspect] == value, changes


@pytest.mark.parametrize("seed", range(8))
def test_rates_of_layers_are_of_two_layers_one_slower_and_one_faster(seed: int) -> None:
    rates = [dict(case.settings.layer_lr) for case in drawn_cases(seed)]
    assert {len(one) for one in rates} == {0, 1, 2}
    for one in rates:
        if len(one) == 2:
            slower, faster = sorted(one.values())
            assert 0 < slower < 1 < faster
        assert set(one.values()) == {0.0} or len(one) != 1


@pytest.mark.parametrize("seed", [0, 5])
def test_numbers_that_are_drawn_are_of_the_seed_and_none_is_the_default(seed: int) -> None:
    cases = [*drawn_cases(seed), *drawn_cases(seed + 1)]
    for number, case in enumerate(cases):
        own = seed + number // 4
        assert case.settings.seed == own
        assert case.late is None or case.late.seed == own
    plain = TrainSettings()
    for name in (
        *("learning_rate", "gamma", "gae_lambda", "clip_range"),
        *("ent_coef", "vf_coef", "max_grad_norm"),
    ):
        values = {getattr(case.settings, name) for case in cases}
        assert len(values) == len(cases), name
        assert getattr(plain, name) not in values, name

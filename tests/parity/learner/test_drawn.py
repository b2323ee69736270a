"""Drawn learners: every seed has every structure, late ones are late, and faults of a long run show."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.optimizer import adam
from jax_port.ppo.train_ppo_jax import annealed
from parity.learner.cases import LearnerCase, small_cases
from parity.learner.drawn import LATE, REQUIRED, coverage_of_structures, drawn_cases
from parity.learner.judge import judge_updates, reach_of
from parity.learner.late import Late
from parity.learner.port import hyper_of, run_port, traced_program
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

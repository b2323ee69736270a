"""What learners are compared on, number by number: the fixed cases, and a seed's drawn ones."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from jax_port.ppo.settings import NetworkSpec
from markets.synthetic.stress import stress_bars
from parity.learner.cases import LIMIT, LearnerCase, learner_cases, small_cases
from parity.learner.drawn import coverage_of_structures, drawn_cases
from parity.learner.late import Late
from tests.snapshots import Snapshot


def test_the_cases_are_told_number_by_number(snapshot: Snapshot) -> None:
    told = {case.name: case.about() for case in learner_cases(7)}
    assert {one["settings"]["seed"] for one in told.values()} == {7}
    for case in learner_cases(7):
        assert case.settings.rollout_size * case.updates <= case.settings.total_timesteps
        assert case.config.max_episode_bars in (LIMIT, 2, 40)
    snapshot("cases", told)


def test_the_drawn_cases_are_told_number_by_number(snapshot: Snapshot) -> None:
    snapshot("drawn", {case.name: case.about() for case in drawn_cases(7)})


def test_a_case_s_market_is_hostile_bars_of_four_days() -> None:
    bars = learner_cases(3)[0].bars
    assert bars.frame.equals(stress_bars("ES", seed=0, days=4).frame)


def test_small_cases_differ_in_their_networks_alone() -> None:
    for small, case in zip(small_cases(3), learner_cases(3), strict=True):
        activation = case.settings.network.activation
        assert small.settings.network == NetworkSpec((32, 32), (32, 32), activation)
        settings = small.settings.override(pi=case.settings.network.pi, vf=case.settings.network.vf)
        assert replace(small, settings=settings) == case


@pytest.mark.parametrize("late", [None, Late(3, 150, seed=4)])
def test_a_case_is_rebuilt_from_its_own_words(late: Late | None) -> None:
    case = replace(
        learner_cases(3)[1],
        updates=5,
        action_spread=2.5,
        value_spread=0.5,
        advice="columns",
        late=late,
        must_show=("one", "two"),
    )
    values = json.loads(json.dumps(case.about()))
    assert LearnerCase.from_about(values) == case
    del values["late"]  # as of before there was any
    assert LearnerCase.from_about(values) == replace(case, late=None)


def test_what_cases_cover_is_counted_case_by_case() -> None:
    """Those that begin late alone are said to."""
    late, fresh = replace(learner_cases()[0], late=Late(3, 150)), learner_cases()[2]
    found = Counter(coverage_of_structures([late, fresh, late]))
    assert found["learner, begun late: on"] == 2
    assert "learner, begun late: on" not in coverage_of_structures([fresh])
    assert found["learner, activation: tanh"] == found["learner, activation: relu"] == 1
    assert found["learner, norm_reward: off"] == found["learner, norm_reward: on"] == 1

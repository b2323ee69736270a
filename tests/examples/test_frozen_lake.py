"""FrozenLake draws in its step, its reward in few states: the port is the same, faults are found."""

from __future__ import annotations

from typing import Any

import jax
import pytest

from examples.pairs.frozen_lake import lake_pair, pair
from parity import Report, verify


def report(one: Any) -> Report:
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return verify(one, transitions=300, resets=50)


@pytest.fixture(scope="module")
def same() -> Report:
    return report(pair)


@pytest.mark.costly
def test_a_reward_that_is_drawn_in_few_states_is_compared_as_drawn(same: Report) -> None:
    assert same.passed, str(same)
    assert same.field("reward").verdict == "drawn"
    assert "both draw cell, obs, reward, terminated" in same.answer("draws within a step").text


@pytest.mark.costly
def test_the_width_of_a_number_of_a_discrete_space_is_open(same: Report) -> None:
    answer = same.answer("observation dtype and shape")
    assert answer.status == "note"
    assert "int64" in answer.text
    assert "int32" in answer.text


def test_steps_from_the_same_draws_are_equal(same: Report) -> None:
    assert same.answer("step from the same draws").status == "same"


@pytest.mark.slow
@pytest.mark.parametrize("fault", [{"turns": (-1, 0, 0)}, {"goal": 0.5}])
def test_faults_are_found(fault: dict[str, Any]) -> None:
    found = report(lake_pair(**fault))
    assert found.verdict == "different", str(found)


@pytest.mark.slow
def test_ice_that_turns_the_other_way_for_a_draw_is_the_same_ice() -> None:
    found = report(lake_pair(turns=(1, 0, -1)))
    assert found.passed, str(found)
    answer = found.answer("step from the same draws")
    assert answer.status == "note"
    assert "put to another use" in answer.text

"""Seeds and numbers of the agents of a plan."""

from __future__ import annotations

import numpy as np
import pytest

from jax_port.ppo.settings import TrainSettings
from jax_port.runs.plan import Plan
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig
from tests.sentences import refuses


def test_agents_have_seeds_and_numbers_of_their_own() -> None:
    settings = TrainSettings().override(seed=7, ent_coef=0.5)
    agents = ({}, {"ent_coef": 0.0}, {"seed": 3}, {"gamma": 0.5}, {"seed": 0})
    plan = Plan(settings, TrainingData((Source("ES", "/a.csv"),)), EnvConfig.phase1(), agents)
    assert plan.seeds == [7, 8, 3, 10, 0]
    numbers = plan.hyper()
    np.testing.assert_array_equal(numbers.ent_coef, np.float32([0.5, 0.0, 0.5, 0.5, 0.5]))
    usual = settings.gamma
    np.testing.assert_array_equal(numbers.gamma, np.float32([usual, usual, usual, 0.5, usual]))


@pytest.mark.parametrize("agents", [({}, {}), ({"seed": 2**31},), ({"seed": -1},)])
def test_every_agent_has_a_seed_that_a_program_takes(agents: tuple[dict[str, int], ...]) -> None:
    """Agents without a seed count on from the settings'."""
    settings, data = TrainSettings(seed=2**31 - 1), TrainingData((Source("ES", "/a.csv"),))
    assert Plan(settings, data, EnvConfig.phase1()).seeds == [2**31 - 1]
    with refuses():
        Plan(settings, data, EnvConfig.phase1(), agents)


@pytest.mark.parametrize("schedules", [{"n_steps": [1.0] * 100}, {"gamma": [0.9] * 3}])
def test_only_a_number_of_the_learner_follows_a_schedule_and_one_value_an_update(
    schedules: dict[str, list[float]],
) -> None:
    settings = TrainSettings(n_envs=8, n_steps=8, batch_size=32, total_timesteps=64 * 4)
    data = TrainingData((Source("ES", "/a.csv"),))
    with refuses():
        Plan(settings, data, EnvConfig.phase1(), schedules=schedules)

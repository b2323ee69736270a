"""Schedules: the values of SB3's convention, and a training that follows them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from jax_port.ppo.settings import TrainSettings
from jax_port.runs.plan import read_plan
from markets.synthetic.bars import synthetic_bars
from rltrader import MaskablePPO
from rltrader.python.schedules import table_of
from tests.sentences import refuses

SETTINGS = TrainSettings(n_envs=10, n_steps=10, batch_size=50, total_timesteps=250)


def test_the_progress_left_is_taken_after_the_rollout() -> None:
    table = table_of({"learning_rate": lambda left: left, "ent_coef": lambda left: 0.5}, SETTINGS)
    assert table["learning_rate"] == pytest.approx([0.6, 0.2, 0.0])
    assert table["ent_coef"] == [0.5] * 3


@pytest.mark.parametrize(
    "schedules",
    [
        {"batch_size": abs},
        {"gamma": 0.9},
        {"gamma": lambda left: 2.0},
        {"learning_rate": lambda left: -left},
        {"learning_rate": lambda left: math.nan},
    ],
)
def test_what_is_no_schedule_is_named(schedules: Any) -> None:
    with refuses():
        table_of(schedules, SETTINGS)
    with refuses():
        table_of({"clip_range": abs}, SETTINGS.override(anneal=True))


def test_a_schedule_is_of_the_training_that_follows_it(tmp_path: Path) -> None:
    """Of fewer steps than the settings', it comes down as far."""
    bars = synthetic_bars("ES", days=3, seed=0)
    agent = MaskablePPO(bars, ungated=True, schedules={"learning_rate": lambda left: left})
    plan = agent._plan(SETTINGS.override(total_timesteps=400), tmp_path / "run")
    assert plan.schedules["learning_rate"] == pytest.approx([0.75, 0.5, 0.25, 0.0])


@pytest.mark.slow
def test_a_linear_schedule_is_anneal(tmp_path: Path) -> None:
    bars, small = synthetic_bars("ES", days=3, seed=0), {"n_envs": 8, "n_steps": 16, "batch_size": 64}
    small |= {"n_epochs": 1, "pi": (8,), "vf": (8,), "total_timesteps": 640}  # type: ignore[dict-item]
    schedules = {"learning_rate": lambda left: 1e-3 * left, "clip_range": lambda left: 0.2 * left}
    options: dict[str, Any] = {"ungated": True, "learning_rate": 1e-3, **small}
    one = MaskablePPO(bars, schedules=schedules, **options).learn(folder=tmp_path / "run")
    two = MaskablePPO(bars, anneal=True, **options).learn()
    still = MaskablePPO(bars, **options).learn()
    assert len(read_plan(tmp_path / "run").schedules["learning_rate"]) == 5

    def weights(agent: MaskablePPO) -> np.ndarray[Any, Any]:
        assert agent.policy is not None
        return np.concatenate([np.ravel(x) for x in jax.tree.leaves(agent.policy.params)])

    np.testing.assert_allclose(weights(one), weights(two), rtol=1e-5, atol=1e-7)
    assert np.abs(weights(one) - weights(still)).max() > 1e-5

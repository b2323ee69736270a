"""A search space: read with its limits, and what cannot be searched is named."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from rltrader.sweep.command import sweep
from rltrader.sweep.space import read_space
from tests.sentences import refuses


def test_ranges_and_choices() -> None:
    table = {
        "learning_rate": {"low": 1e-5, "high": 1e-2, "log": True},
        "n-steps": {"low": 64, "high": 256, "step": 64},
        "envs": [256, 512],
        "anneal": [True, False],
        "norm_reward": [True, False],
        "pi": [[64, 64], [256], "32, 064"],
        "vf": [[64]],
        "target_kl": {"low": 0.01, "high": 0.1},
    }
    assert read_space(table, sweep, Path("x.toml")) == {
        "learning_rate": FloatDistribution(1e-5, 1e-2, log=True),
        "n_steps": IntDistribution(64, 256, step=64),
        "n_envs": CategoricalDistribution((256, 512)),
        "anneal": CategoricalDistribution((True, False)),
        "norm_reward": CategoricalDistribution((True, False)),
        "pi": CategoricalDistribution(("64,64", "256", "32,64")),
        "vf": CategoricalDistribution(("64",)),
        "target_kl": FloatDistribution(0.01, 0.1),
    }


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"learning_rat": [1]},
        {"steps": [1000, 2000]},
        {"seed": [1, 2]},
        {"gamma": 0.9},
        {"gamma": {"low": 0.9}},
        {"gamma": {"low": 0.9, "high": 1.5}},
        {"gamma": {"low": 0.99, "high": 0.9}},
        {"gamma": {"low": 0.9, "high": 0.99, "most": 3}},
        {"envs": [0, 5]},
        {"anneal": {"low": 0, "high": 1}},
        {"pi": [[64, 0]]},
        {"pi": [["x"]]},
        {"activation": ["gelu"]},
        {"gamma": []},
        {"gamma": [0.9, 0.9]},
        {"activation": [{"name": "relu"}]},
        {"pi": [64, 128]},
        {"vf": [64]},
        {"pi": [[64], 128]},
        {"pi": [[64, 64], "64, 64"]},
        {"pi": [[True]]},
        {"pi": [True]},
        {"learning_rate": [1, 1.0]},
        {"gamma": [True]},
        {"gamma": [date(2025, 1, 1)]},
        {"anneal": [{"on": True}]},
        {"anneal": [1, 0]},
        {"gamma": {"low": True, "high": 0.99}},
        {"gamma": {"low": 0.9, "high": float("nan")}},
        {"gamma": {"low": 0.9, "high": 0.99, "step": 0.0}},
        {"gamma": {"low": 0.9, "high": 0.99, "step": float("inf")}},
        {"gamma": {"low": 0.9, "high": 0.99, "step": True}},
        {"envs": {"low": 1, "high": 9, "step": 0.5}},
        {"envs": {"low": 1, "high": 9, "step": "2"}},
        {"n_steps": [64], "n-steps": [128]},
        {"gamma": False},
        {"gamma": {"low": 0.9, "high": 0.99, "log": date(2025, 1, 1)}},
    ],
)
def test_what_cannot_be_searched_is_named(table: dict[str, Any]) -> None:
    with refuses():
        read_space(table, sweep, Path("x.toml"))

"""A search space: read with its limits, and what cannot be searched is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from foundation.errors import InputError
from rltrader.sweep.command import sweep
from rltrader.sweep.space import read_space


def test_ranges_and_choices() -> None:
    table = {
        "learning_rate": {"low": 1e-5, "high": 1e-2, "log": True},
        "n-steps": {"low": 64, "high": 256, "step": 64},
        "envs": [256, 512],
        "anneal": [True, False],
        "norm_reward": [True, False],
        "pi": [[64, 64], [256]],
        "target_kl": {"low": 0.01, "high": 0.1},
    }
    assert read_space(table, sweep, Path("x.toml")) == {
        "learning_rate": FloatDistribution(1e-5, 1e-2, log=True),
        "n_steps": IntDistribution(64, 256, step=64),
        "n_envs": CategoricalDistribution((256, 512)),
        "anneal": CategoricalDistribution((True, False)),
        "norm_reward": CategoricalDistribution((True, False)),
        "pi": CategoricalDistribution(("64,64", "256")),
        "target_kl": FloatDistribution(0.01, 0.1),
    }


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "nothing to search"),
        ({"learning_rat": [1]}, "learning_rat cannot be searched; choose from"),
        ({"steps": [1000, 2000]}, "steps cannot be searched"),
        ({"seed": [1, 2]}, "seed cannot be searched"),
        ({"gamma": 0.9}, "gamma is 0.9; give a list of choices"),
        ({"gamma": {"low": 0.9}}, "give a list of choices"),
        ({"gamma": {"low": 0.9, "high": 1.5}}, "gamma is 1.5; it must be at least 0 and at most 1"),
        ({"gamma": {"low": 0.99, "high": 0.9}}, "gamma"),
        ({"gamma": {"low": 0.9, "high": 0.99, "most": 3}}, "give a list of choices"),
        ({"envs": [0, 5]}, "n_envs is 0; it must be a whole number, at least 1"),
        ({"anneal": {"low": 0, "high": 1}}, "is no number; give a list of choices"),
        ({"pi": [[64, 0]]}, "give at least one whole number above zero"),
        ({"pi": [["x"]]}, "give sizes such as 256,256"),
        ({"activation": ["gelu"]}, "activation is 'gelu'; choose one of relu, tanh"),
        ({"gamma": []}, "gamma is an empty list"),
        ({"gamma": [0.9, 0.9]}, "a choice is there twice"),
    ],
)
def test_what_cannot_be_searched_is_named(table: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=rf"x\.toml: .*{words}"):
        read_space(table, sweep, Path("x.toml"))

"""Every setting that Stable-Baselines3 has an argument for arrives there, and none twice."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from jax_port.ppo.settings import NetworkSpec, TrainSettings
from parity.learner.sb3_settings import sb3_arguments


@pytest.mark.parametrize(("activation", "module"), [("relu", nn.ReLU), ("tanh", nn.Tanh)])
def test_every_argument_is_its_own_setting(activation: Any, module: type[nn.Module]) -> None:
    settings = TrainSettings(
        n_envs=3,
        n_steps=40,
        batch_size=30,
        n_epochs=7,
        total_timesteps=1_200,
        learning_rate=0.011,
        gamma=0.92,
        gae_lambda=0.81,
        clip_range=0.13,
        clip_range_vf=0.24,
        ent_coef=0.005,
        vf_coef=0.66,
        max_grad_norm=0.77,
        target_kl=0.018,
        seed=9,
        network=NetworkSpec((5, 6, 7), (8,), activation),
    )
    assert sb3_arguments(settings) == {
        "learning_rate": 0.011,
        "n_steps": 40,
        "batch_size": 30,
        "n_epochs": 7,
        "gamma": 0.92,
        "gae_lambda": 0.81,
        "clip_range": 0.13,
        "clip_range_vf": 0.24,
        "ent_coef": 0.005,
        "vf_coef": 0.66,
        "max_grad_norm": 0.77,
        "target_kl": 0.018,
        "seed": 9,
        "policy_kwargs": {"net_arch": {"pi": [5, 6, 7], "vf": [8]}, "activation_fn": module},
        "device": "cpu",
    }
    none = sb3_arguments(settings.override(clip_range_vf=None, target_kl=None))
    assert (none["clip_range_vf"], none["target_kl"]) == (None, None)

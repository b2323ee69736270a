"""Constructor arguments of Stable-Baselines3's PPO that mean the same as the port's settings."""

from __future__ import annotations

from typing import Any

from torch import nn

from jax_port.ppo.settings import TrainSettings

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


def sb3_arguments(settings: TrainSettings) -> dict[str, Any]:
    """Return the keyword arguments of ``MaskablePPO`` and ``PPO``, network included, on the CPU.

    ``anneal``, ``norm_reward``, ``precision`` and ``layer_lr`` have no argument of their own there.
    """
    return {
        "learning_rate": settings.learning_rate,
        "n_steps": settings.n_steps,
        "batch_size": settings.batch_size,
        "n_epochs": settings.n_epochs,
        "gamma": settings.gamma,
        "gae_lambda": settings.gae_lambda,
        "clip_range": settings.clip_range,
        "clip_range_vf": settings.clip_range_vf,
        "ent_coef": settings.ent_coef,
        "vf_coef": settings.vf_coef,
        "max_grad_norm": settings.max_grad_norm,
        "target_kl": settings.target_kl,
        "seed": settings.seed,
        "policy_kwargs": {
            "net_arch": {"pi": list(settings.network.pi), "vf": list(settings.network.vf)},
            "activation_fn": ACTIVATIONS[settings.network.activation],
        },
        "device": "cpu",
    }

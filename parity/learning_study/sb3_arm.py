"""The reference's arm: sb3-contrib's MaskablePPO with VecNormalize on TradingEnvPhase1."""

from __future__ import annotations

import copy
from functools import lru_cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import nn

from legacy_torch.env_phase1 import TradingEnvPhase1
from parity.learning_study.design import PER_STEPS, Design

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


def learning_curve(design: Design, seed: int) -> NDArray[np.float64]:
    """Train one agent and return its learning curve, float64 (updates,).

    Args:
        design: of the study.
        seed: of weights, sampling and environments.
    """
    torch.set_num_threads(1)
    settings = design.settings
    # The environments' tables are read only, so all copies may share them.
    make = partial(copy.copy, _environment(design))
    normalizer = VecNormalize(
        DummyVecEnv([make] * settings.n_envs),
        norm_reward=settings.norm_reward,
        gamma=settings.gamma,
    )
    model = MaskablePPO(
        "MlpPolicy",
        normalizer,
        learning_rate=settings.learning_rate,
        n_steps=settings.n_steps,
        batch_size=settings.batch_size,
        n_epochs=settings.n_epochs,
        gamma=settings.gamma,
        gae_lambda=settings.gae_lambda,
        clip_range=settings.clip_range,
        clip_range_vf=settings.clip_range_vf,
        ent_coef=settings.ent_coef,
        vf_coef=settings.vf_coef,
        max_grad_norm=settings.max_grad_norm,
        target_kl=settings.target_kl,
        seed=seed * settings.n_envs,  # environment i draws from this plus i: no two rows share a draw
        policy_kwargs={
            "net_arch": {"pi": list(settings.network.pi), "vf": list(settings.network.vf)},
            "activation_fn": ACTIVATIONS[settings.network.activation],
        },
        device="cpu",
    )
    watch = Earnings(normalizer)
    model.learn(settings.total_timesteps, callback=watch)
    normalizer.close()
    return np.array(watch.earned) * (PER_STEPS / settings.rollout_size)


@lru_cache(maxsize=1)
def _environment(design: Design) -> TradingEnvPhase1:
    return TradingEnvPhase1(design.bars(), design.config)


class Earnings(BaseCallback):
    """Sums the raw rewards of every rollout.

    Attributes:
        earned: one sum a rollout, over steps and environments.
    """

    def __init__(self, normalizer: VecNormalize) -> None:
        super().__init__()
        self.earned: list[float] = []
        self._normalizer = normalizer
        self._sum = 0.0

    def _on_step(self) -> bool:
        self._sum += float(np.sum(self._normalizer.get_original_reward(), dtype=np.float64))
        return True

    def _on_rollout_end(self) -> None:
        self.earned.append(self._sum)
        self._sum = 0.0

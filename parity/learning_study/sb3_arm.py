"""The reference's arm: sb3-contrib's MaskablePPO with VecNormalize on TradingEnvPhase1."""

from __future__ import annotations

import copy
from functools import lru_cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from legacy_torch.env_phase1 import TradingEnvPhase1
from parity.learner.sb3_settings import sb3_arguments
from parity.learning_study.design import PER_STEPS, Design


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
    arguments = sb3_arguments(settings)
    # Environment i draws from this plus i: no two agents share a draw.
    arguments["seed"] = seed * settings.n_envs
    model = MaskablePPO("MlpPolicy", normalizer, **arguments)
    # The library's own logger makes a folder in the temporary one and leaves it there.
    model.set_logger(Logger(None, []))
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

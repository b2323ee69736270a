"""The reference with advice: four more features of each bar, or a prior on MaskablePPO's logits.

Source: "Training with advice" in ``docs/advice.md``. A prior travels at the end of the observation,
where sb3's buffer keeps it; it is not normalised, the network does not see it, and it is added to the
logits before the mask.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from sb3_contrib.common.maskable.distributions import MaskableDistribution
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecNormalize

from legacy_torch.env_phase1 import BUY, HOLD, SELL, TradingEnvPhase1
from markets.advice.by_bar import COLUMNS

ASKED = 3
"""Numbers of a prior: hold, buy, sell."""

Floats = NDArray[np.float32]


def give_columns(env: TradingEnvPhase1, columns: Floats) -> None:
    """Widen an environment's features by advice.

    Args:
        env: changed in place; its observation grows by four numbers a bar of the window.
        columns: float32 (T, 4), from :func:`markets.advice.by_bar.columns`.
    """
    wide = dict(zip(COLUMNS, columns.T, strict=True))
    env.features = env.features.assign(**wide)
    account = env.n_position_features
    size = env.config.window_size * env.features.shape[1] + account
    env.observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float32)


class PriorEnv(gymnasium.ObservationWrapper[NDArray[np.float32], np.int64, NDArray[np.float32]]):
    """An environment whose observations end in the prior of their bar.

    Args:
        env: the reference.
        prior: float32 (T, 3), from :func:`markets.advice.by_bar.prior`.
    """

    def __init__(self, env: TradingEnvPhase1, prior: Floats) -> None:
        super().__init__(env)
        size = (env.observation_space.shape or (0,))[0] + ASKED
        self.observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self._env, self._prior = env, prior

    def observation(self, observation: Floats) -> Floats:
        """Return an observation with its bar's prior at the end."""
        return np.concatenate([observation, self._prior[self._env.step_idx]])

    def action_masks(self) -> NDArray[np.bool_]:
        """Return the environment's masks, where sb3-contrib looks for them."""
        return self._env.action_masks()


class PriorNormalize(VecNormalize):
    """A normaliser that leaves the prior as it is."""

    def _normalize_obs(self, obs: Any, obs_rms: Any) -> Any:
        seen = SimpleNamespace(mean=obs_rms.mean[:-ASKED], var=obs_rms.var[:-ASKED])
        normal = super()._normalize_obs(obs[..., :-ASKED], seen)  # type: ignore[arg-type]
        return np.concatenate([normal, obs[..., -ASKED:]], axis=-1)


class _WithoutPrior(BaseFeaturesExtractor):
    """What the networks see: all but the prior, which is laid aside for the logits."""

    prior: torch.Tensor

    def __init__(self, observation_space: spaces.Box) -> None:
        super().__init__(observation_space, observation_space.shape[0] - ASKED)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the observations (B, D) of observations with their prior (B, D + 3)."""
        self.prior = observations[:, -ASKED:]
        return observations[:, :-ASKED]


class PriorPolicy(MaskableActorCriticPolicy):
    """MaskablePPO's policy, whose logits are the network's and the prior's."""

    def __init__(self, *args: Any, **more: Any) -> None:
        more["features_extractor_class"] = _WithoutPrior
        super().__init__(*args, **more)

    def _get_action_dist_from_latent(self, latent_pi: torch.Tensor) -> MaskableDistribution:
        logits = self.action_net(latent_pi)
        column = torch.full((logits.shape[1],), HOLD)
        column[BUY], column[SELL] = BUY, SELL
        extractor: Any = self.pi_features_extractor
        return self.action_dist.proba_distribution(logits + extractor.prior[:, column])

"""SBX's PPO on the port's environments, which it steps from Python through a ``VecEnv``.

Source: sbx-rl 0.28, Stable-Baselines3 with its networks and its gradient step in JAX. It has no action
masks. Rollouts, shuffling and ``VecNormalize`` are Stable-Baselines3's own, in NumPy.
"""

from __future__ import annotations

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from stable_baselines3.common.vec_env import VecNormalize

from benchmarks.baselines.learners import Greedy, lenient, title, vec_scale
from benchmarks.baselines.port_vec_env import PortVecEnv
from jax_port.envs.env_phase1_jax import EnvParams
from jax_port.ppo.running_statistics import normalize
from jax_port.ppo.settings import TrainSettings


class SbxRival:
    """SBX's PPO as a rival; a portion is one rollout and its update.

    Args:
        params: of the environment.
        settings: sizes, towers, numbers and the seed.
    """

    masks = False
    note = "no masks, steps from Python, VecNormalize, two optimisers"

    def __init__(self, params: EnvParams, settings: TrainSettings) -> None:
        self.name, self.envs = title("SBX, no masks", settings), settings.n_envs
        self._params, self._settings = params, settings
        self._model: Any = None

    def prepare(self) -> float:
        """Import, compile by training on one rollout, and return the seconds of all."""
        began = time.perf_counter()
        settings = self._settings
        with lenient():
            import flax.linen as nn
            import sbx

            self._normalizer = self._vec_env()
            self._model = sbx.PPO(
                "MlpPolicy",
                self._normalizer,
                learning_rate=settings.learning_rate,
                n_steps=settings.n_steps,
                batch_size=settings.batch_size,
                n_epochs=settings.n_epochs,
                gamma=settings.gamma,
                gae_lambda=settings.gae_lambda,
                clip_range=settings.clip_range,
                ent_coef=settings.ent_coef,
                vf_coef=settings.vf_coef,
                max_grad_norm=settings.max_grad_norm,
                seed=settings.seed,
                device="cpu",
                policy_kwargs={
                    "net_arch": {"pi": list(settings.network.pi), "vf": list(settings.network.vf)},
                    "activation_fn": nn.relu,
                    "ortho_init": True,
                },
            )
            policy = self._model.policy
            self._fresh = (policy.actor_state, policy.vf_state)
            self._choose = _chooser(policy.actor)
            # It values truncated episodes one at a time; the first comes late in training.
            alone = np.zeros((1, self._params.obs_size), np.float32)
            policy.vf.apply(policy.vf_state.params, alone)
        self.run()
        return time.perf_counter() - began

    def begin(self) -> None:
        """Start again with the first weights, fresh statistics and fresh environments."""
        self._normalizer = self._vec_env()
        self._model.policy.actor_state, self._model.policy.vf_state = self._fresh
        self._model.set_env(self._normalizer)
        self._model.num_timesteps = 0

    def run(self) -> int:
        """Collect one rollout and train on it."""
        with lenient():
            self._model.learn(self._settings.rollout_size, reset_num_timesteps=False)
            jax.block_until_ready((self._model.policy.actor_state, self._model.policy.vf_state))
        return self._settings.rollout_size

    def greedy(self) -> Greedy:
        """Return the policy."""
        params = self._model.policy.actor_state.params
        return Greedy(self._choose, (params, vec_scale(self._normalizer)))

    def close(self) -> None:
        """Forget the model."""
        self._model = None

    def _vec_env(self) -> VecNormalize:
        settings = self._settings
        port = PortVecEnv(self._params, settings.n_envs, settings.seed)
        return VecNormalize(port, gamma=settings.gamma, norm_reward=settings.norm_reward)


def _chooser(actor: Any) -> Any:
    def choose(weights: Any, obs: jax.Array, masks: jax.Array) -> jax.Array:
        del masks
        params, scale = weights
        with lenient():
            likely = actor.apply(params, normalize(scale, obs)).logits_parameter()
        return jnp.argmax(likely, axis=-1).astype(jnp.int32)

    return choose

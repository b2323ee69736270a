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

from benchmarks.baselines.learners import BaselineTrainer, Greedy, default_promotion, vec_scale
from benchmarks.baselines.port_vec_env import PortVecEnv
from jax_port.ppo.running_statistics import normalize
from parity.learner.sb3_settings import sb3_arguments


class SbxTrainer(BaselineTrainer):
    """SBX's PPO as a workload; a portion is one rollout and its update."""

    label = "SBX, no masks"
    note = "no masks, steps from Python, VecNormalize, two optimisers"
    _model: Any = None

    def prepare(self) -> float:
        """Import, compile by training on one rollout, and return the seconds of all."""
        began = time.perf_counter()
        settings = self._settings
        with default_promotion():
            import flax.linen as nn
            import sbx

            self._normalizer = self._vec_env()
            arguments = sb3_arguments(settings)
            arguments["policy_kwargs"] |= {"activation_fn": nn.relu, "ortho_init": True}
            self._model = sbx.PPO("MlpPolicy", self._normalizer, **arguments)
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
        with default_promotion():
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
        with default_promotion():
            logits = actor.apply(params, normalize(scale, obs)).logits_parameter()
        return jnp.argmax(logits, axis=-1).astype(jnp.int32)

    return choose

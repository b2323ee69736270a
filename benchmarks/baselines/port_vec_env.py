"""The port behind Stable-Baselines3's ``VecEnv``: N environments, one compiled step, NumPy outside."""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium as gym
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from jax_port.envs.env_phase1_jax import EnvParams, EnvState, batch_reset, batch_step
from jax_port.envs.registry import phase_of


@partial(jax.jit, static_argnums=2)
def _reset(key: jax.Array, params: EnvParams, num_envs: int) -> tuple[jax.Array, EnvState]:
    return batch_reset(key, params, num_envs, phase_of(params))


@jax.jit
def _step(
    key: jax.Array, number: jax.Array, state: EnvState, action: jax.Array, params: EnvParams
) -> Any:
    key = jax.random.fold_in(key, number)
    moved = batch_step(key, state, action, params, phase_of(params))
    ends = moved.outcome
    return moved.state, (moved.obs, ends.reward, ends.terminated, ends.truncated, moved.final_obs)


class PortVecEnv(VecEnv):
    """The port's environments as Stable-Baselines3 knows them.

    They restart by themselves; a step's ``infos`` hold ``terminal_observation`` and
    ``TimeLimit.truncated`` where an episode ended, and nothing elsewhere.

    Args:
        params: configuration and bars.
        num_envs: stepped together.
        seed: of the starts.
    """

    def __init__(self, params: EnvParams, num_envs: int, seed: int = 0) -> None:
        self._params, self._key, self._number = params, jax.random.key(seed), 0
        self._waiting: NDArray[Any] | None = None
        observations = gym.spaces.Box(-np.inf, np.inf, (params.obs_size,), np.float32)
        super().__init__(num_envs, observations, gym.spaces.Discrete(phase_of(params).num_actions))

    def reset(self) -> NDArray[np.float32]:
        """Start an episode everywhere: float32 (N, obs_size)."""
        self._number += 1
        key = jax.random.fold_in(self._key, self._number)
        obs, self._state = _reset(key, self._params, self.num_envs)
        return np.asarray(obs)

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take note of the actions (N,)."""
        self._waiting = np.asarray(actions, np.int32)

    def step_wait(self) -> Any:
        """Step: obs (N, obs_size), rewards (N,), dones (N,), infos."""
        assert self._waiting is not None
        self._number += 1
        number = jnp.uint32(self._number)
        self._state, seen = _step(self._key, number, self._state, self._waiting, self._params)
        obs, rewards, terminated, truncated, final = (np.asarray(x) for x in seen)
        dones = terminated | truncated
        nothing: dict[str, Any] = {}
        infos = [nothing] * self.num_envs
        for at in np.flatnonzero(dones):
            ends = {"terminal_observation": final[at], "TimeLimit.truncated": bool(truncated[at])}
            infos[at] = ends
        return obs, rewards.copy(), dones, infos

    def close(self) -> None:
        """Nothing to give back."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of each environment: there are none but ``render_mode``, None."""
        if attr_name != "render_mode":
            raise AttributeError(attr_name)
        return [None for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: the environments are rows of arrays, not objects."""
        raise AttributeError(attr_name)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Refuse, likewise."""
        raise AttributeError(method_name)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Return False for each."""
        return [False for _ in self._get_indices(indices)]

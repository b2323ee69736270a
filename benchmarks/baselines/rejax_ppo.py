"""rejax's PPO on the port's gymnax interface, every update one compiled program.

Source: rejax 0.1.3, ``PPO.train_iteration``, called as its own ``train`` calls it, without its
evaluations. It has no action masks.
"""

from __future__ import annotations

import time
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.baselines.learners import Greedy, lenient, minibatches, title
from jax_port.envs.env_phase1_jax import EnvParams
from jax_port.envs.gymnax_api import FiveValueStep, TradingPhase1
from jax_port.ppo.settings import TrainSettings


class RejaxRival:
    """rejax's PPO as a rival; a portion is one ``train_iteration``.

    Observations and rewards are normalised by rejax's own options.

    Args:
        params: of the environment.
        settings: sizes, towers, numbers and the seed; both towers have the policy's sizes.
    """

    masks = False
    note = "no masks, float32 statistics, no bootstrap at truncation, value clipped, two optimisers"

    def __init__(self, params: EnvParams, settings: TrainSettings) -> None:
        self.name, self.envs = title("rejax, no masks", settings), settings.n_envs
        self._params, self._settings = params, settings
        self._state: Any = None

    def prepare(self) -> float:
        """Import, compile, and return the seconds of both."""
        began = time.perf_counter()
        settings = self._settings
        with lenient():
            import rejax

            self._algorithm = rejax.PPO.create(
                env=FiveValueStep(TradingPhase1(self._params)),
                env_params=self._params,
                num_envs=settings.n_envs,
                num_steps=settings.n_steps,
                num_minibatches=minibatches(settings),
                num_epochs=settings.n_epochs,
                learning_rate=settings.learning_rate,
                gamma=settings.gamma,
                gae_lambda=settings.gae_lambda,
                clip_eps=settings.clip_range,
                ent_coef=settings.ent_coef,
                vf_coef=settings.vf_coef,
                max_grad_norm=settings.max_grad_norm,
                normalize_observations=True,
                normalize_rewards=settings.norm_reward,
                reward_normalization_discount=settings.gamma,
                agent_kwargs={"hidden_layer_sizes": settings.network.pi, "activation": "relu"},
            )
            self._choose = _chooser(self._algorithm)
            first = self._algorithm.init_state(jax.random.key(settings.seed))
            # Its reward statistics begin as whole numbers and go on as float32.
            rewards = first.rew_rms_state.replace(mean=jnp.float32(0.0), var=jnp.float32(1.0))
            self._first = jax.tree.map(_strong, first.replace(rew_rms_state=rewards))
            self.begin()
            program = jax.jit(
                lambda algorithm, state: algorithm.train_iteration(state), donate_argnums=1
            )
            self._update = program.lower(self._algorithm, self._state).compile()
        return time.perf_counter() - began

    def begin(self) -> None:
        """Start again from the first state; a second one would be of another class."""
        self._state = jax.block_until_ready(jax.tree.map(jnp.copy, self._first))

    def run(self) -> int:
        """Make one update."""
        self._state = jax.block_until_ready(self._update(self._algorithm, self._state))
        return self._settings.rollout_size

    def greedy(self) -> Greedy:
        """Return the policy."""
        # Copies: the next update is given the state's own arrays.
        kept = (self._state.actor_ts.params, self._state.obs_rms_state)
        return Greedy(self._choose, jax.tree.map(jnp.copy, kept))

    def close(self) -> None:
        """Forget the device arrays."""
        self._state = self._first = None


def _strong(leaf: Any) -> jax.Array:
    """Return an array of a fixed dtype: rejax begins with Python's numbers and goes on with arrays."""
    array = jnp.asarray(leaf)
    return array if jnp.issubdtype(array.dtype, jax.dtypes.prng_key) else array.astype(array.dtype)


def _chooser(algorithm: Any) -> Any:
    def choose(weights: Any, obs: jax.Array, masks: jax.Array) -> jax.Array:
        del masks
        params, moments = weights
        with lenient():
            seen = algorithm.normalize_obs(moments, obs)
            likely = algorithm.actor.apply(params, seen, method="_action_dist").logits
        return jnp.argmax(likely, axis=-1).astype(jnp.int32)

    return choose

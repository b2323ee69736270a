"""Who runs in the throughput benchmark: the port and the reference in three forms each, CartPole.

All take random valid actions: any of hold, buy, sell when flat, hold when a position is open. All
restart by themselves. The reference's actions are chosen from the observation's position feature,
so that no rival pays for a mask it could do without.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

import gymnasium as gym
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from numpy.typing import NDArray

from jax_port.envs import env_phase1_jax as env
from jax_port.envs.env_phase1_jax import EnvParams, EnvState
from jax_port.envs.fast_rng import below, spread_bits
from legacy_torch.env_phase1 import TradingEnvPhase1
from markets import Bars, EnvConfig

Form = Literal["obs", "parts", "none"]
POSITION = -env.POSITION_FEATURES
"""Where the observation holds the position: -1, 0 or 1."""


def random_valid_actions(key: jax.Array, state: EnvState) -> jax.Array:
    """Return int32 actions of shape (N,): uniform over hold, buy, sell when flat, else hold."""
    drawn = below(spread_bits(key, state.position.shape[0]), env.NUM_ACTIONS)
    return jnp.where(state.position == 0, drawn, env.HOLD)


def observe_as(form: Form, state: EnvState, obs: jax.Array, params: EnvParams) -> Any:
    """Return what a step hands out.

    Args:
        form: "obs" is the (N, obs_size) array; "parts" is the window (N, window, 11) and the
            position (N, 5), not concatenated; "none" is nothing.
        state: states after the step, leaves (N,).
        obs: the step's observations; unused, they are never made.
        params: configuration and bars.
    """
    if form == "obs":
        return obs
    if form == "parts":
        window = jax.vmap(env.observe_window, in_axes=(0, None))(state, params)
        return window, jax.vmap(env.observe_position, in_axes=(0, None))(state, params)
    return ()


def rollout(
    keys: jax.Array, carry: tuple[EnvState, Any], params: EnvParams, form: Form
) -> tuple[EnvState, Any, jax.Array]:
    """Step N environments once per row of ``keys``, in one scan.

    Args:
        keys: shape (steps, 2).
        carry: states and observations, both of which go through the scan, so that each step has to
            write its observations.
        params: configuration and bars.
        form: see :func:`observe_as`.

    Returns:
        The carry after the last step, and the sum of all rewards, so that no reward goes unmade.
    """

    def body(carry: tuple[EnvState, Any, jax.Array], key: jax.Array) -> Any:
        state, _, total = carry
        moved = env.batch_step(key[1], state, random_valid_actions(key[0], state), params)
        seen = observe_as(form, moved.state, moved.obs, params)
        return (moved.state, seen, total + moved.outcome.reward), None

    total = jnp.zeros_like(carry[0].position, jnp.float32)
    (state, seen, total), _ = jax.lax.scan(body, (*carry, total), keys)
    return state, seen, total.sum()


PORT_NAMES: dict[Form, str] = {
    "obs": "port, obs",
    "parts": "port, obs in 2 parts",
    "none": "port, no obs",
}


class PortRival:
    """The port on JAX's default device: N environments, one jitted scan.

    Args:
        params: configuration and bars.
        form: what is handed out, see :func:`observe_as`.
        envs: environments stepped at once.
        steps: steps in one scan.
        seed: seed of restarts and actions.
        devices: devices over which the environments are split evenly; 1 leaves them on the first.

    Attributes:
        compiled: the program, once prepared. It consumes the carry, as a trainer's loop does.
    """

    compiled: Any

    def __init__(
        self, params: EnvParams, form: Form, *, envs: int, steps: int, seed: int, devices: int = 1
    ) -> None:
        self.name, self.envs = PORT_NAMES[form], envs
        self._params, self._form, self._steps = params, form, steps
        self._key = jax.random.key(seed)
        self._split: NamedSharding | None = None
        if devices > 1:
            self.name = f"{self.name}, split over {devices} devices"
            mesh = jax.make_mesh((devices,), ("env",), axis_types=(AxisType.Auto,))
            self._split = NamedSharding(mesh, PartitionSpec("env"))
            self._whole = NamedSharding(mesh, PartitionSpec())
            self._params = jax.device_put(params, self._whole)

    def prepare(self) -> float:
        """Reset, compile ahead of time, and return the seconds of the compilation."""
        self._key, key = jax.random.split(self._key)
        reset = jax.jit(env.batch_reset, static_argnums=2)
        obs, state = reset(key, self._params, self.envs)
        self._carry = (
            state,
            jax.jit(observe_as, static_argnums=0)(self._form, state, obs, self._params),
        )
        ends: dict[str, Any] = {}
        if self._split is not None:
            self._carry = jax.device_put(self._carry, self._split)
            ends["out_shardings"] = (self._split, self._split, self._whole)
        start = time.perf_counter()
        program = jax.jit(rollout, static_argnums=3, donate_argnums=1, **ends)
        lowered = program.lower(self._keys(), self._carry, self._params, self._form)
        self.compiled = lowered.compile()
        return time.perf_counter() - start

    def run(self) -> int:
        """Run one scan."""
        *carry, total = self.compiled(self._keys(), self._carry, self._params)
        self._carry = jax.block_until_ready(tuple(carry))
        assert np.isfinite(total)
        return self.envs * self._steps

    def close(self) -> None:
        """Forget the device arrays."""
        for name in ("_carry", "compiled"):
            self.__dict__.pop(name, None)

    def _keys(self) -> jax.Array:
        self._key, key = jax.random.split(self._key)
        keys = jax.random.split(key, (self._steps, 2))
        return keys if self._split is None else jax.device_put(keys, self._whole)


class CartPoleRival:
    """Gymnax's bare CartPole-v1 in the same loop, for scale: an environment that reads no data.

    Args:
        envs: environments stepped at once.
        steps: steps in one scan.
        seed: seed of restarts and actions.
    """

    name = "gymnax CartPole, obs"

    def __init__(self, *, envs: int, steps: int, seed: int) -> None:
        self.envs, self._steps = envs, steps
        self._key = jax.random.key(seed)

    def prepare(self) -> float:
        """Reset, compile ahead of time, and return the seconds of the compilation."""
        import gymnax

        from benchmarks.baselines.learners import lenient

        pole, params = gymnax.make("CartPole-v1")
        self._key, key = jax.random.split(self._key)
        reset = jax.jit(jax.vmap(pole.reset, in_axes=(0, None)))
        with lenient():
            obs, state = reset(jax.random.split(key, self.envs), params)
        # A fresh state holds Python numbers, which a scan would see change their type.
        state = jax.tree.map(lambda x: jnp.asarray(x, jnp.asarray(x).dtype), state)
        self._carry = (obs, state, jnp.zeros(self.envs, jnp.float32))

        def body(carry: Any, key: jax.Array) -> Any:
            _, state, total = carry
            act, move = jax.random.split(key)
            action = jax.random.randint(act, (self.envs,), 0, 2)
            step = jax.vmap(pole.step, in_axes=(0, 0, 0, None))
            obs, state, reward, *_ = step(jax.random.split(move, self.envs), state, action, params)
            return (obs, state, total + reward), None

        def run(key: jax.Array, carry: Any) -> Any:
            return jax.lax.scan(body, carry, jax.random.split(key, self._steps))[0]

        start = time.perf_counter()
        with lenient():
            self._compiled = jax.jit(run, donate_argnums=1).lower(key, self._carry).compile()
        return time.perf_counter() - start

    def run(self) -> int:
        """Run one scan."""
        self._key, key = jax.random.split(self._key)
        self._carry = jax.block_until_ready(self._compiled(key, self._carry))
        return self.envs * self._steps

    def close(self) -> None:
        """Forget the device arrays."""
        for name in ("_carry", "_compiled"):
            self.__dict__.pop(name, None)


class LegacyRival:
    """The reference, one environment in a plain loop."""

    name, envs = "reference", 1

    def __init__(self, bars: Bars, config: EnvConfig, *, steps: int, seed: int) -> None:
        self._bars, self._config, self._steps, self._seed = bars, config, steps, seed

    def prepare(self) -> float:
        """Make the environment and reset it."""
        start = time.perf_counter()
        self._env = TradingEnvPhase1(self._bars, self._config)
        self._obs, _ = self._env.reset(seed=self._seed)
        self._rng = np.random.default_rng(self._seed)
        return time.perf_counter() - start

    def run(self) -> int:
        """Take a portion of steps."""
        step, reset = self._env.step, self._env.reset
        obs = self._obs
        for drawn in self._rng.integers(0, env.NUM_ACTIONS, self._steps).tolist():
            obs, _, terminated, truncated, _ = step(drawn if obs[POSITION] == 0 else env.HOLD)
            if terminated or truncated:
                obs, _ = reset()
        self._obs = obs
        return self._steps

    def close(self) -> None:
        """Nothing to give back."""


class VecRival:
    """The reference behind Stable-Baselines3's ``SubprocVecEnv`` or ``DummyVecEnv``.

    Args:
        bars: bars of one contract.
        config: configuration.
        workers: environments, each in a process of its own unless ``workers`` is run in-process.
        in_process: use ``DummyVecEnv``.
        steps: steps of the whole vector in one portion.
        seed: seed of restarts and actions.
    """

    def __init__(
        self, bars: Bars, config: EnvConfig, *, workers: int, in_process: bool, steps: int, seed: int
    ) -> None:
        kind = "DummyVecEnv" if in_process else "SubprocVecEnv"
        self.name, self.envs = f"reference, {kind}({workers})", workers
        self._bars, self._config, self._in_process = bars, config, in_process
        self._steps, self._seed = steps, seed

    def prepare(self) -> float:
        """Start the workers and reset them."""
        from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

        start = time.perf_counter()
        makers = [_maker(self._bars, self._config)] * self.envs
        # JAX has threads running, so a plain fork could hang.
        self._vec = (
            DummyVecEnv(makers)
            if self._in_process
            else SubprocVecEnv(makers, start_method="forkserver")
        )
        self._vec.seed(self._seed)
        self._obs = self._vec.reset()
        self._rng = np.random.default_rng(self._seed)
        return time.perf_counter() - start

    def run(self) -> int:
        """Take a portion of steps with every environment."""
        for drawn in self._rng.integers(0, env.NUM_ACTIONS, (self._steps, self.envs)):
            self._obs, _, _, _ = self._vec.step(_valid(drawn, self._obs))
        return self._steps * self.envs

    def close(self) -> None:
        """End the workers."""
        if "_vec" in self.__dict__:
            self._vec.close()

    @property
    def processes(self) -> list[int]:
        """Process ids of the workers, once prepared; none with ``DummyVecEnv``."""
        return [process.pid for process in getattr(self._vec, "processes", ())]


def _valid(drawn: NDArray[np.int64], obs: Any) -> NDArray[np.int64]:
    return np.where(obs[:, POSITION] == 0, drawn, env.HOLD)


def _maker(bars: Bars, config: EnvConfig) -> Callable[[], gym.Env[Any, Any]]:
    def make() -> gym.Env[Any, Any]:
        return TradingEnvPhase1(bars, config)

    return make

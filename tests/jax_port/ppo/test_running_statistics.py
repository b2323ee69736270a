"""Running statistics: VecNormalize's, also on raw prices after thousands of steps."""

from collections.abc import Callable

import gymnasium as gym
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams
from jax_port.ppo.fast.program import network_of
from jax_port.ppo.rollout import collect
from jax_port.ppo.running_statistics import (
    RunningMoments,
    init_moments,
    init_rewards,
    normalize,
    normalize_reward,
    scale_of,
    update_moments,
)
from jax_port.ppo.settings import TrainSettings
from jax_port.ppo.train_ppo_jax import init_agent

STEPS, ENVS = 10_000, 8


def test_moments_against_literal_values() -> None:
    moments = update_moments(init_moments((1,)), jnp.array([[1.0], [3.0]]))
    total = 2 + 1e-4
    mean = 2 * 2 / total
    np.testing.assert_allclose(moments.mean, [mean], rtol=1e-15)
    var = (1e-4 * 1 + 2 * 1 + 4 * 1e-4 * 2 / total) / total
    np.testing.assert_allclose(moments.var, [var], rtol=1e-12)
    np.testing.assert_allclose(moments.count, total, rtol=1e-15)


def test_moments_are_float64_inside_a_jitted_scan() -> None:
    batches = 5000.0 + 10.0 * jax.random.normal(jax.random.key(0), (200, 8, 3))

    @jax.jit
    def run(batches: jax.Array) -> jax.Array:
        def body(m: object, batch: jax.Array) -> tuple[object, None]:
            return update_moments(m, batch), None

        return jax.lax.scan(body, init_moments((3,)), batches)[0]

    moments = run(batches)
    assert moments.mean.dtype == jnp.float64
    ours = RunningMeanStd(shape=(3,))
    for batch in np.asarray(batches, np.float64):
        ours.update(batch)
    np.testing.assert_allclose(moments.mean, ours.mean, rtol=1e-13)
    np.testing.assert_allclose(moments.var, ours.var, rtol=1e-10)


def test_raw_prices_are_normalised_accurately_after_many_steps() -> None:
    rng = np.random.default_rng(0)
    batches = (5000.0 + 10.0 * rng.standard_normal((10_000, 8, 1))).astype(np.float32)

    def body(m: object, batch: jax.Array) -> tuple[object, None]:
        return update_moments(m, batch), None

    moments = jax.jit(lambda b: jax.lax.scan(body, init_moments((1,)), b)[0])(jnp.asarray(batches))
    exact = RunningMeanStd(shape=(1,))
    for batch in batches.astype(np.float64):
        exact.update(batch)
    obs = np.linspace(4980, 5020, 101, dtype=np.float32)[:, None]
    expected = np.clip((obs - exact.mean) / np.sqrt(exact.var + 1e-8), -10, 10)
    ours = normalize(scale_of(moments), jnp.asarray(obs))
    np.testing.assert_allclose(ours, expected, atol=2e-6)  # float32 statistics are off by 1.5e-3


class Ramp(gym.Env):
    """Observes a price far from zero; ends by turns."""

    def __init__(self) -> None:
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
        self.action_space = gym.spaces.Discrete(2)
        self.rng, self.steps = np.random.default_rng(1), 0

    def _obs(self) -> np.ndarray:
        return (5000 + 10 * self.rng.standard_normal(2)).astype(np.float32)

    def reset(self, **options: object) -> tuple[np.ndarray, dict[str, object]]:
        self.steps = 0
        return self._obs(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, object]]:
        self.steps += 1
        return self._obs(), float(self.rng.standard_normal()), self.steps % 7 == 0, False, {}


def test_rewards_against_vec_normalize() -> None:
    venv = DummyVecEnv([Ramp, Ramp])
    wrapped = VecNormalize(venv, norm_obs=False, gamma=0.97)
    wrapped.reset()
    state, gamma = init_rewards(2), jnp.float32(0.97)
    for _ in range(40):
        _, scaled, dones, _ = wrapped.step(np.zeros(2, int))
        raw = jnp.asarray(wrapped.get_original_reward().astype(np.float32))
        state, ours = normalize_reward(state, raw, jnp.asarray(dones), gamma)
        np.testing.assert_allclose(ours, scaled, rtol=2e-6)
    np.testing.assert_allclose(state.returns, wrapped.returns, rtol=1e-6)
    np.testing.assert_allclose(state.moments.var, wrapped.ret_rms.var, rtol=1e-6)


def test_a_return_begins_anew_after_any_end_of_an_episode(
    small_market: Callable[..., EnvParams],
) -> None:
    """At the bar limit too, where nothing was lost: there the next episode begins."""
    limit, settings = 4, TrainSettings(n_envs=8, n_steps=4).override(pi=(8,), vf=(8,))
    params = small_market("ES", max_episode_bars=limit)
    agent = init_agent(jnp.int32(0), params, settings)
    network = network_of(settings, phase_of(params).num_actions)

    def returns_after(steps: int) -> np.ndarray:
        key, gamma = jax.random.wrap_key_data(agent.key), jnp.float32(0.99)
        run = jax.jit(
            lambda: collect(agent.actor, key, agent.learner.params, network, params, steps, gamma)
        )
        actor, *_ = run()
        return np.asarray(actor.rewards.returns)

    assert (returns_after(limit - 1) != 0).all()
    np.testing.assert_array_equal(returns_after(limit), 0)


@pytest.fixture(scope="module")
def prices() -> NDArray[np.float32]:
    """Like an index future: mean 5000, deviation 10; float32 (STEPS, ENVS, 2), one feature centred."""
    raw = np.random.default_rng(0).standard_normal((STEPS, ENVS, 2)) * 10 + [5000.0, 0.0]
    return raw.astype(np.float32)


@pytest.fixture(scope="module")
def moments(prices: NDArray[np.float32]) -> RunningMoments:
    @jax.jit
    def run(batches: jax.Array) -> RunningMoments:
        def body(moments: RunningMoments, batch: jax.Array) -> tuple[RunningMoments, None]:
            return update_moments(moments, batch), None

        return jax.lax.scan(body, init_moments((2,)), batches)[0]

    return run(jnp.asarray(prices))


def test_observations_are_normalised_as_in_float64(
    prices: NDArray[np.float32], moments: RunningMoments
) -> None:
    exact = RunningMeanStd(shape=(2,))
    for batch in prices.astype(np.float64):
        exact.update(batch)
    np.testing.assert_allclose(moments.mean, exact.mean, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(moments.var, exact.var, rtol=1e-12)
    seen = prices[-1000:].reshape(-1, 2)
    expected = (seen - exact.mean) / np.sqrt(exact.var + 1e-8)
    assert np.abs(expected).max() > 3
    np.testing.assert_allclose(normalize(scale_of(moments), jnp.asarray(seen)), expected, atol=1e-6)


def test_statistics_in_float32_would_be_off(
    prices: NDArray[np.float32], moments: RunningMoments
) -> None:
    """The same formulas in float32 miss by a thousand times as much, so the test above can fail."""
    mean, var, count = np.float32([0, 0]), np.float32([1, 1]), np.float32(1e-4)
    for batch in prices:
        size = np.float32(ENVS)
        delta, total = batch.mean(0) - mean, count + size
        spread = var * count + batch.var(0) * size + delta**2 * count * size / total
        mean, var, count = mean + delta * size / total, spread / total, total
    off = np.abs(mean.astype(np.float64) - np.asarray(moments.mean)) / np.sqrt(var)
    assert off[0] > 3e-4
    assert off[1] < 1e-5

"""Statistics of many steps at once are those of one step after another."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jax_port.ppo.fast.gpu_statistics import normalize_rewards, update_moments_in_one_pass
from jax_port.ppo.running_statistics import (
    RunningMoments,
    init_moments,
    init_rewards,
    normalize_reward,
    update_moments,
)

STEPS, ENVS, WIDTH = 7, 5, 3


def _same(ours: RunningMoments, theirs: RunningMoments) -> None:
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert one.dtype == other.dtype == jnp.float64
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_moments_of_batches_far_from_each_other() -> None:
    ours = theirs = init_moments((WIDTH,))
    for number in range(3):
        scale = jnp.array([[1.0, 10.0, 0.1]])
        batch = 5.0 * number + scale * jax.random.normal(jax.random.key(number), (ENVS, WIDTH))
        ours = update_moments_in_one_pass(ours, batch, batch)
        theirs = update_moments(theirs, batch)
        _same(ours, theirs)


def test_rewards_of_many_steps() -> None:
    """Some episodes end, and one reward is far larger than all others."""
    rewards = jax.random.normal(jax.random.key(0), (STEPS, ENVS)).at[4, 2].set(400.0)
    dones = jax.random.uniform(jax.random.key(1), (STEPS, ENVS)) < 0.3
    dones = dones.at[-1, :2].set([True, False])  # one ends with the rollout itself
    gamma = jnp.float32(0.97)
    ours = theirs = init_rewards(ENVS)
    for _ in range(2):  # also from where an earlier rollout left
        ours, scaled = normalize_rewards(ours, rewards, dones, gamma)
        each = []
        for reward, done in zip(rewards, dones, strict=True):
            theirs, one = normalize_reward(theirs, reward, done, gamma)
            each.append(one)
        assert scaled.dtype == jnp.float32
        np.testing.assert_allclose(scaled, jnp.stack(each), rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(ours.returns, theirs.returns, rtol=1e-12)
        _same(ours.moments, theirs.moments)
    assert bool(dones.any())


def test_rewards_are_cut_off_at_ten_deviations_on_either_side() -> None:
    """Of 150 environments one earns 400, at the next step another loses 4,000, and then one 90."""
    rewards = np.zeros((3, 150), np.float32)
    rewards[0, 4], rewards[1, 149], rewards[2, 0] = 400.0, -4_000.0, -90.0
    expected = np.zeros_like(rewards)
    expected[0, 4], expected[1, 149] = 10.0, -10.0
    # Of 450 returns, at a discount of zero: the mean is -8.2.
    expected[2, 0] = -90 / ((400**2 + 4_000**2 + 90**2) / 450 - 8.2**2) ** 0.5
    dones, gamma = np.zeros((3, 150), bool), jnp.float32(0.0)
    _, at_once = normalize_rewards(init_rewards(150), jnp.asarray(rewards), jnp.asarray(dones), gamma)
    np.testing.assert_allclose(at_once, expected, rtol=1e-5)
    state = init_rewards(150)
    for reward, wanted in zip(rewards, expected, strict=True):
        state, one = normalize_reward(state, jnp.asarray(reward), jnp.asarray(dones[0]), gamma)
        np.testing.assert_allclose(one, wanted, rtol=1e-5)

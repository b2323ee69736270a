"""Running statistics in few kernels: :mod:`jax_port.ppo.running_statistics` for a GPU."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jax_port.ppo.running_statistics import (
    CLIP,
    EPSILON,
    RewardNormalizer,
    RunningMoments,
    merge_moments,
)


def update_moments_in_one_pass(
    moments: RunningMoments, batch: jax.Array, again: jax.Array
) -> RunningMoments:
    """Merge a batch into the moments, by sums about the present mean.

    The definition is :func:`jax_port.ppo.running_statistics.update_moments`. In float64 the
    difference of the two sums loses nothing that counts, since the present mean is near.

    Args:
        moments: before.
        batch: (N, ...).
        again: the same numbers, made a second time. Where making them is cheaper than writing and
            reading them, each sum is one kernel with what makes its numbers.
    """
    with jax.enable_x64(True):
        size = jnp.float64(batch.shape[0])
        delta = jnp.sum(batch.astype(jnp.float64) - moments.mean[None], axis=0) / size
        away = again.astype(jnp.float64) - moments.mean[None]
        square = jnp.sum(away * away, axis=0) / size
        return merge_moments(moments, delta, square - delta * delta, size)


def normalize_rewards(
    state: RewardNormalizer, rewards: jax.Array, dones: jax.Array, gamma: jax.Array
) -> tuple[RewardNormalizer, jax.Array]:
    """Do what :func:`jax_port.ppo.running_statistics.normalize_reward` does, for T steps at once.

    All variances come from running sums about the mean at the beginning, in float64.

    Args:
        state: before the first step.
        rewards: float32 (T, N).
        dones: bool (T, N).
        gamma: float32 scalar.

    Returns:
        The state after the last step, and float32 (T, N).
    """
    with jax.enable_x64(True):
        discount = gamma.astype(jnp.float64)

        def body(running: jax.Array, step: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            reward, done = step
            returns = running * discount + reward.astype(jnp.float64)
            return jnp.where(done, jnp.float64(0.0), returns), returns

        running, returns = jax.lax.scan(body, state.returns, (rewards, dones))
        away = returns - state.moments.mean
        steps, size = rewards.shape
        counts = state.moments.count + size * jnp.arange(1, steps + 1, dtype=jnp.float64)
        first = jnp.cumsum(jnp.sum(away, axis=1))
        second = state.moments.var * state.moments.count + jnp.cumsum(jnp.sum(away * away, axis=1))
        variances = (second - first * first / counts) / counts
        scaled = rewards.astype(jnp.float64) / jnp.sqrt(variances + jnp.float64(EPSILON))[:, None]
        scaled = jnp.clip(scaled, -CLIP, CLIP).astype(jnp.float32)
        mean = state.moments.mean + first[-1] / counts[-1]
        moments = RunningMoments(mean, variances[-1], counts[-1])
        return RewardNormalizer(running, moments), scaled

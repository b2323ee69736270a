"""Advantages: how much better an action turned out than was expected.

Source: Schulman et al. 2016 (arXiv:1506.02438); SB3's ``RolloutBuffer`` and sb3-contrib's
``MaskablePPO.train`` (2.9).
"""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp

from jax_port.ppo.fast.scale_out import devices_of, mean_over, sum_over

ADVANTAGE_EPS = 1e-8


def gae(
    rewards: jax.Array,
    values: jax.Array,
    episode_starts: jax.Array,
    last_values: jax.Array,
    last_dones: jax.Array,
    gamma: jax.Array,
    gae_lambda: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Return advantages and returns, float32 (T, N).

    delta_t = r_t + gamma V_{t+1} n_t - V_t,  A_t = delta_t + gamma lambda n_t A_{t+1}, where n_t is 0
    if an episode begins at t + 1. Truncation cuts too: what it lost was added to r_t beforehand.
    Returns are A + V.

    Args:
        rewards: float32 (T, N), with gamma V(terminal observation) added where truncated.
        values: float32 (T, N).
        episode_starts: bool (T, N), whether step t is the first of an episode.
        last_values: float32 (N,), of the observation after the last step.
        last_dones: bool (N,), whether the last step ended an episode.
        gamma, gae_lambda: float32 scalars.
    """
    chex.assert_rank(rewards, 2)
    chex.assert_equal_shape([rewards, values, episode_starts])
    chex.assert_shape([last_values, last_dones], rewards.shape[1:])
    chex.assert_type([rewards, values, last_values], float)
    chex.assert_type([episode_starts, last_dones], bool)
    following = jnp.concatenate([values[1:], last_values[None]])
    goes_on = 1.0 - jnp.concatenate([episode_starts[1:], last_dones[None]]).astype(jnp.float32)

    def body(advantage: jax.Array, step: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
        reward, value, after, on = step
        delta = reward + gamma * after * on - value
        advantage = delta + gamma * gae_lambda * on * advantage
        return advantage, advantage

    steps = (rewards, values, following, goes_on)
    _, advantages = jax.lax.scan(body, jnp.zeros_like(last_values), steps, reverse=True)
    return advantages, advantages + values


def standardize(advantages: jax.Array, axis: str | None = None) -> jax.Array:
    """Return (A - mean) / (sd + 1e-8) with the sample deviation (ddof 1), over one minibatch.

    Args:
        advantages: float32 (B,), or a device's share of them.
        axis: of devices with equal shares; None where all are here.
    """
    chex.assert_rank(advantages, 1)
    chex.assert_type(advantages, float)
    centred = advantages - mean_over(jnp.mean(advantages), axis)
    size = advantages.shape[0] * devices_of(axis)
    spread = jnp.sqrt(sum_over(jnp.sum(jnp.square(centred)), axis) / (size - 1))
    return centred / (spread + ADVANTAGE_EPS)

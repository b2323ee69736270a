"""Running normalisation of observations and rewards, by VecNormalize's formulas.

Source: ``stable_baselines3.common.vec_env.VecNormalize`` and ``RunningMeanStd`` (2.9). Statistics are
float64 on the device: float32 ones drift on raw prices (by 1.5e-3 after 10,000 steps on a mean of
5000 and a deviation of 10). Only statistics are float64; observations are normalised in float32
about a mean that is kept in two float32 halves.
"""

from __future__ import annotations

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from flax import struct

EPSILON = 1e-8
CLIP = 10.0


@struct.dataclass
class RunningMoments:
    """Mean and variance of all that was seen.

    Attributes:
        mean, var: float64 (...,).
        count: float64 scalar; begins at 1e-4, as SB3's does.
    """

    mean: jax.Array
    var: jax.Array
    count: jax.Array


class Scale(NamedTuple):
    """Moments ready to normalise with in float32.

    Attributes:
        mean_high, mean_low: float32 (...,); their sum is the mean to about 48 bits.
        inv_std: float32 (...,), 1 / sqrt(var + 1e-8).
    """

    mean_high: jax.Array
    mean_low: jax.Array
    inv_std: jax.Array


def init_moments(shape: tuple[int, ...] = ()) -> RunningMoments:
    """Return moments that have seen nothing: mean 0, variance 1, count 1e-4."""
    with jax.enable_x64(True):
        return RunningMoments(
            mean=jnp.zeros(shape, jnp.float64),
            var=jnp.ones(shape, jnp.float64),
            count=jnp.full((), 1e-4, jnp.float64),
        )


def update_moments(moments: RunningMoments, batch: jax.Array) -> RunningMoments:
    """Merge a batch (N, ...) into the moments, with the batch's population variance (ddof 0).

    mean' = mean + d n / (c + n),  var' = (var c + var_b n + d^2 c n / (c + n)) / (c + n),
    d = mean_b - mean (Chan, Golub and LeVeque 1979).
    """
    chex.assert_shape(batch, (None, *moments.mean.shape))
    chex.assert_type([batch, moments.mean, moments.var, moments.count], [float, *[jnp.float64] * 3])
    with jax.enable_x64(True):
        wide = batch.astype(jnp.float64)
        size = jnp.float64(batch.shape[0])
        mean = jnp.mean(wide, axis=0)
        var = jnp.mean(jnp.square(wide - mean[None]), axis=0)
        return merge_moments(moments, mean - moments.mean, var, size)


def merge_moments(
    moments: RunningMoments, delta: jax.Array, var: jax.Array, size: jax.Array
) -> RunningMoments:
    """Merge a batch of ``size`` with a mean ``delta`` from the moments' and a variance ``var``."""
    with jax.enable_x64(True):
        total = moments.count + size
        spread = moments.var * moments.count + var * size
        spread = spread + jnp.square(delta) * (moments.count * size / total)
        return RunningMoments(moments.mean + delta * (size / total), spread / total, total)


def scale_of(moments: RunningMoments) -> Scale:
    """Return what normalising with these moments needs, in float32.

    A cast to float32 and back would be compiled away for a GPU, and the mean's low half be zero.
    """
    with jax.enable_x64(True):
        rounded = jax.lax.reduce_precision(moments.mean, exponent_bits=8, mantissa_bits=23)
        high, low = (x.astype(jnp.float32) for x in (rounded, moments.mean - rounded))
        inv = 1.0 / jnp.sqrt(moments.var + jnp.float64(EPSILON))
        return Scale(high, low, inv.astype(jnp.float32))


def normalize(scale: Scale | None, obs: jax.Array) -> jax.Array:
    """Return clip((obs - mean) / sqrt(var + 1e-8), -10, 10) in float32, for obs (..., D).

    Without a scale observations stay as they are, neither centred nor clipped.
    """
    if scale is None:
        return obs
    lead = (1,) * (obs.ndim - scale.mean_high.ndim)
    high, low, inv = (x.reshape(lead + x.shape) for x in scale)
    return jnp.clip(((obs - high) - low) * inv, -CLIP, CLIP)


@struct.dataclass
class RewardNormalizer:
    """Discounted returns of N environments and the variance of all of them.

    Attributes:
        returns: float64 (N,), R = gamma R + r, zero after an end.
        moments: of R; only the variance is used.
    """

    returns: jax.Array
    moments: RunningMoments


def init_rewards(num_envs: int) -> RewardNormalizer:
    """Return a reward normaliser that has seen nothing."""
    with jax.enable_x64(True):
        return RewardNormalizer(jnp.zeros(num_envs, jnp.float64), init_moments())


def normalize_reward(
    state: RewardNormalizer, reward: jax.Array, done: jax.Array, gamma: jax.Array
) -> tuple[RewardNormalizer, jax.Array]:
    """Take one step's rewards into account and return them scaled.

    R = gamma R + r; the variance of R is updated; r / sqrt(var + 1e-8) is clipped to +-10, not
    centred; then R is zeroed where an episode ended, after its last reward was counted.

    Args:
        state: before the step.
        reward: float32 (N,).
        done: bool (N,).
        gamma: float32 scalar.

    Returns:
        The state after, and float32 (N,).
    """
    with jax.enable_x64(True):
        returns = state.returns * gamma.astype(jnp.float64) + reward.astype(jnp.float64)
        moments = update_moments(state.moments, returns)
        scaled = reward.astype(jnp.float64) / jnp.sqrt(moments.var + jnp.float64(EPSILON))
        scaled = jnp.clip(scaled, -CLIP, CLIP).astype(jnp.float32)
        kept = jnp.where(done, jnp.float64(0.0), returns)
        return RewardNormalizer(kept, moments), scaled

"""The actor-critic of MaskablePPO in Flax, and the masked categorical distribution.

Source: sb3-contrib's ``MaskableActorCriticPolicy`` and ``MaskableCategorical`` (2.9). Layers are named
so that no weight's place depends on the order of construction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import chex
import flax.linen as nn
import jax
import jax.custom_batching
import jax.numpy as jnp

Part = Literal["both", "policy", "value"]

Params = Any
"""Weights of the network, a pytree."""


class Network(NamedTuple):
    """The policy and the value as functions of weights and normalised observations (B, D).

    Attributes:
        policy: to logits (B, A).
        value: to values (B,).
    """

    policy: Callable[[Params, jax.Array], jax.Array]
    value: Callable[[Params, jax.Array], jax.Array]


FORBIDDEN_LOGIT = -1e8
"""What MaskablePPO puts in place of a forbidden logit. Minus infinity would give NaN gradients."""

ACTIVATIONS: Mapping[str, Callable[[jax.Array], jax.Array]] = {"relu": nn.relu, "tanh": jnp.tanh}


def orthogonal(gain: float = 1.0) -> Callable[..., jax.Array]:
    """Return Flax's orthogonal initialiser, safe to vmap over seeds on a CPU with few cores.

    An orthogonal matrix takes a QR decomposition, and jaxlib's batched ones, which ``vmap`` asks for,
    can wait for each other for ever on two cores. Under this one's ``vmap`` they are made one after
    another; the numbers are Flax's own, bit for bit.

    Args:
        gain: every singular value of the matrix.
    """
    init = nn.initializers.orthogonal(gain)

    def make(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
        def one(key: jax.Array) -> jax.Array:
            made: jax.Array = init(key, tuple(shape), dtype)
            return made

        drawn: jax.Array = jax.custom_batching.sequential_vmap(one)(key)
        return drawn

    return make


def _dense(features: int, gain: float, dtype: jnp.dtype | None, name: str) -> nn.Dense:
    return nn.Dense(
        features,
        kernel_init=orthogonal(gain),
        bias_init=nn.initializers.zeros_init(),
        dtype=dtype,
        name=name,
    )


class ActorCritic(nn.Module):
    """Separate policy and value MLPs.

    Weights are orthogonal with gain sqrt(2) in hidden layers, 0.01 in the action head and 1 in the
    value head; biases are zero.

    Attributes:
        num_actions: size of the action head.
        pi, vf: hidden sizes of the MLPs.
        activation: "relu" or "tanh".
        dtype: of the matrix products; weights and outputs are float32 whatever it is.
    """

    num_actions: int
    pi: Sequence[int] = (256, 256)
    vf: Sequence[int] = (256, 256)
    activation: str = "relu"
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, obs: jax.Array, part: Part = "both") -> Any:
        """Return logits (..., num_actions) and values (...,), float32, of normalised obs (..., D).

        Args:
            obs: float32 (..., D).
            part: "policy" gives the logits alone, "value" the values; the other MLP is not run.
        """
        logits = values = None
        if part != "value":
            hidden = self._mlp(obs, self.pi, "policy")
            logits = _dense(self.num_actions, 0.01, self.dtype, "action_head")(hidden)
            logits = logits.astype(jnp.float32)
        if part != "policy":
            hidden = self._mlp(obs, self.vf, "value")
            values = _dense(1, 1.0, self.dtype, "value_head")(hidden)
            values = values[..., 0].astype(jnp.float32)
        return (logits, values) if part == "both" else (values if logits is None else logits)

    def _mlp(self, x: jax.Array, sizes: Sequence[int], name: str) -> jax.Array:
        act = ACTIVATIONS[self.activation]
        for number, size in enumerate(sizes):
            x = act(_dense(size, 2**0.5, self.dtype, f"{name}_{number}")(x))
        return x


def masked_log_probs(logits: jax.Array, masks: jax.Array) -> jax.Array:
    """Return log probabilities of a masked categorical, float32 (..., A).

    MaskablePPO normalises, puts -1e8 where an action is forbidden, and normalises again.

    Args:
        logits: float32 (..., A).
        masks: bool (..., A), at least one True in each row.
    """
    chex.assert_equal_shape([logits, masks])
    chex.assert_type([logits, masks], [float, bool])
    normal = jax.nn.log_softmax(logits)
    return jax.nn.log_softmax(jnp.where(masks, normal, FORBIDDEN_LOGIT))


def log_prob(log_probs: jax.Array, action: jax.Array) -> jax.Array:
    """Return the log probability of each action (...,), given log probabilities (..., A)."""
    chex.assert_shape(action, log_probs.shape[:-1], custom_message="action")
    chex.assert_type([log_probs, action], [float, int])
    return jnp.take_along_axis(log_probs, action[..., None], axis=-1)[..., 0]


def entropy(log_probs: jax.Array, masks: jax.Array) -> jax.Array:
    """Return minus the sum of p log p over allowed actions, (...,)."""
    chex.assert_equal_shape([log_probs, masks])
    chex.assert_type([log_probs, masks], [float, bool])
    return -jnp.sum(jnp.where(masks, jnp.exp(log_probs) * log_probs, 0.0), axis=-1)


def sample(key: jax.Array, log_probs: jax.Array) -> jax.Array:
    """Draw an action from log probabilities (..., A): int32 (...,)."""
    return jax.random.categorical(key, log_probs).astype(jnp.int32)


def mode(log_probs: jax.Array) -> jax.Array:
    """Return the first most probable action, int32 (...,).

    Probabilities are compared, as MaskablePPO does: two logits that differ in their last bit can
    have equal probabilities.
    """
    return jnp.argmax(jnp.exp(log_probs), axis=-1).astype(jnp.int32)

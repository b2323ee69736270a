"""Networks of a user's own, for tests: some compute what MaskablePPO's MLPs do, some do not."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import flax.linen as nn
import jax
from flax import nnx


class Shared(nn.Module):
    """One trunk with a norm for both heads, in linen."""

    actions: int = 3

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        hidden = nn.relu(nn.LayerNorm()(nn.Dense(8)(x)))
        return nn.Dense(self.actions)(hidden), nn.Dense(1)(hidden)


class Separate(nn.Module):
    """Two MLPs of tanh in linen, two of whose layers have one shape."""

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        value = nn.tanh(nn.Dense(6, name="deep")(x))
        policy = nn.tanh(nn.Dense(8, name="z")(x))
        policy = nn.tanh(nn.Dense(8, name="y")(policy))
        policy = nn.tanh(nn.Dense(8, name="a")(policy))
        return nn.Dense(3, name="out")(policy), nn.Dense(1, name="b")(value)[:, 0]


class SeparateNnx(nnx.Module):
    """Two MLPs in nnx, of ReLU, or of an activation or an input that MaskablePPO has no such MLP of."""

    def __init__(
        self, *, rngs: nnx.Rngs, act: Any = nnx.relu, seen: Any = lambda x: x, size: int = 225
    ) -> None:
        self.act, self.seen = act, seen
        self.policy = nnx.List([nnx.Linear(size, 8, rngs=rngs), nnx.Linear(8, 3, rngs=rngs)])
        self.value = nnx.List([nnx.Linear(size, 5, rngs=rngs), nnx.Linear(5, 1, rngs=rngs)])

    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = self.seen(x)
        logits, values = (layers[1](self.act(layers[0](x))) for layers in (self.policy, self.value))
        return logits, values


class SeparateTwice(nnx.Module):
    """Two MLPs of two hidden layers, of ReLU, but for one layer that adds to large numbers."""

    def __init__(self, *, rngs: nnx.Rngs, odd: str, size: int = 20) -> None:
        self.odd = odd
        self.policy, self.value = (
            nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in pairwise((size, *hidden, outputs))])
            for hidden, outputs in (((8, 7), 3), ((6, 5), 1))
        )

    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return self._mlp("policy", x), self._mlp("value", x)

    def _mlp(self, name: str, x: jax.Array) -> jax.Array:
        *hidden, last = getattr(self, name)
        for number, layer in enumerate(hidden):
            x = nnx.relu(layer(x))
            if self.odd == f"{name} {number}":
                x += 0.03 * nnx.relu(x - 100.0)
        return last(x)


class Dropped(nnx.Module):
    """A network with state beside its weights."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.one = nnx.Linear(225, 3, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return self.one(self.drop(x)), x[:, 0]


class Normed(nn.Module):
    """A network with running statistics of its own."""

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = nn.BatchNorm(use_running_average=False)(x)
        return nn.Dense(3)(x), nn.Dense(1)(x)


class OneHead(nn.Module):
    """A network without values."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dense(3)(x)


class ValueAnAction(nn.Module):
    """A network whose values are of actions, not of observations."""

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        logits = nn.Dense(3)(x)
        return logits, logits.mean(axis=0)

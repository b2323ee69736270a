"""A network of the user's own: any Flax module, linen or nnx, that gives logits and values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx

from foundation.errors import InputError

Weights = Mapping[str, jax.Array]
"""float32 arrays by name, such as "Dense_0/kernel"."""
Tree = Any
ROWS = 1009
"""Observations of a trial call, of shapes alone: a prime that no size of a network is."""


@dataclass(frozen=True, eq=False)
class OwnNetwork:
    """A network that is not the project's: how to draw its weights, and how to run it.

    Attributes:
        name: of the module's class.
        draw: (PRNG key, observations (1, D)) to the module's own tree of weights.
        run: (that tree, normalised observations (B, D)) to logits (B, A) and values (B,) or (B, 1).
    """

    name: str
    draw: Callable[[jax.Array, jax.Array], Tree]
    run: Callable[[Tree, jax.Array], Any]

    layers = ()
    """No layer has a name that a learning rate could be given to."""

    def init(self, key: jax.Array, obs: jax.Array) -> dict[str, jax.Array]:
        """Return weights by name."""
        leaves = jax.tree_util.tree_flatten_with_path(self.draw(key, obs))[0]
        return {_name(path): leaf for path, leaf in leaves}

    def apply(self, weights: Weights, obs: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return logits (B, A) and values (B,), float32, of normalised observations (B, D)."""
        logits, values = self.run(self._tree(weights, obs), obs)
        return logits.astype(jnp.float32), values.reshape(obs.shape[0]).astype(jnp.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return what files say of it; its code is not in them."""
        return {"own": self.name}

    def sizes(self, obs_size: int, num_actions: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight, once the module has been found fit to be trained.

        Raises:
            InputError: it has state beside its weights, weights that are not float32, or does not give
                logits of the actions and values.
        """
        obs = jax.ShapeDtypeStruct((ROWS, obs_size), jnp.float32)
        weights = self._tried(lambda: jax.eval_shape(self.init, jax.random.key(0), obs))
        other = sorted(name for name, one in weights.items() if one.dtype != jnp.float32)
        if other:
            raise InputError(
                f"network {self.name}: {other[0]} is {weights[other[0]].dtype}; weights are trained as "
                "float32 (a module may compute in another dtype)"
            )

        def run(weights: Weights, obs: jax.Array) -> Any:
            return self.run(self._tree(weights, obs), obs)

        out = self._tried(lambda: jax.eval_shape(run, weights, obs))
        wanted = f"logits ({ROWS}, {num_actions}) and values ({ROWS},) of observations {obs.shape}"
        shapes = [getattr(one, "shape", None) for one in out] if isinstance(out, tuple | list) else []
        fits = shapes[:1] == [(ROWS, num_actions)] and shapes[1:] in ([(ROWS,)], [(ROWS, 1)])
        if not fits:
            shown = ", ".join(map(str, shapes)) or "no pair of arrays"
            raise InputError(f"network {self.name} returns {shown}; give {wanted}")
        return {name: tuple(one.shape) for name, one in weights.items()}

    def count(self, obs_size: int, num_actions: int) -> int:
        """Return how many weights there are."""
        return sum(math.prod(shape) for shape in self.sizes(obs_size, num_actions).values())

    def _tree(self, weights: Weights, obs: Any) -> Tree:
        shape = jax.eval_shape(self.draw, jax.random.key(0), obs)
        places, tree = jax.tree_util.tree_flatten_with_path(shape)
        return jax.tree.unflatten(tree, [weights[_name(path)] for path, _ in places])

    def _tried(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except InputError:
            raise
        except Exception as error:
            first = (str(error).splitlines() or [""])[0]
            raise InputError(
                f"network {self.name} cannot be called with observations ({ROWS}, D): "
                f"{type(error).__name__}: {first}; give one that takes them"
            ) from error


@dataclass(frozen=True)
class OwnModule:
    """A network of the user's own as the trainer and the evaluation call one.

    Attributes:
        own: the network.
        num_actions: A.
    """

    own: OwnNetwork
    num_actions: int

    def init(self, key: jax.Array, obs: jax.Array) -> dict[str, jax.Array]:
        """Return weights by name."""
        return self.own.init(key, obs)

    def apply(self, weights: Weights, obs: Any, part: str = "both") -> Any:
        """Return logits (..., A), values (...,) or both of normalised observations (..., D)."""
        rows = obs.reshape(-1, obs.shape[-1])
        logits, values = self.own.apply(weights, rows)
        shaped = logits.reshape(*obs.shape[:-1], -1), values.reshape(obs.shape[:-1])
        return shaped if part == "both" else shaped[0] if part == "policy" else shaped[1]


def own_network(module: Any) -> OwnNetwork:
    """Return a Flax module as a network of the user's own.

    Args:
        module: of linen; or of nnx, whose weights are what training begins with; or a class of nnx, or
            a function, that takes ``rngs`` and returns one, so that each seed draws its own.

    Raises:
        InputError: it is none of these, or has state beside its weights.
    """
    if isinstance(module, OwnNetwork):
        return module
    if isinstance(module, nn.Module):
        return _of_linen(module)
    if isinstance(module, nnx.Module):
        return _of_nnx(type(module).__name__, lambda key: module)
    if callable(module):
        name = getattr(module, "__name__", type(module).__name__)
        return _of_nnx(name, lambda key: module(rngs=nnx.Rngs(key)))
    raise InputError(
        f"network is {type(module).__name__}; give a module of flax.linen or flax.nnx, or a function "
        "of rngs that returns one of nnx"
    )


def _of_linen(module: nn.Module) -> OwnNetwork:
    name = type(module).__name__

    def draw(key: jax.Array, obs: jax.Array) -> Tree:
        state = module.init(key, obs)
        if set(state) != {"params"}:
            more = ", ".join(sorted(set(state) - {"params"})) or "no weights"
            raise InputError(
                f"network {name} has {more} beside its weights; only weights "
                "are trained, so leave that out"
            )
        return state["params"]

    return OwnNetwork(name, draw, lambda tree, obs: module.apply({"params": tree}, obs))


def _of_nnx(name: str, make: Callable[[jax.Array], nnx.Module]) -> OwnNetwork:
    def split(key: jax.Array) -> tuple[Any, Any]:
        made = make(key)
        if not isinstance(made, nnx.Module):
            raise InputError(f"{name}(rngs=...) returns {type(made).__name__}; return a module of nnx")
        parts: Any = nnx.split(made, nnx.Param, ...)
        graph, weights, rest = parts
        if jax.tree.leaves(rest):
            raise InputError(
                f"network {name} has state beside its weights (such as dropout's or batch "
                "normalisation's); only weights are trained, so leave it out"
            )
        return graph, weights

    def draw(key: jax.Array, obs: jax.Array) -> Tree:
        del obs
        return split(key)[1]

    def run(tree: Tree, obs: jax.Array) -> Any:
        graph, _ = nnx.split(nnx.eval_shape(lambda: make(jax.random.key(0))))
        return nnx.merge(graph, tree)(obs)

    return OwnNetwork(name, draw, run)


def _name(path: Any) -> str:
    """Return a weight's name from its place in a tree."""
    kinds = ("key", "idx", "name")
    parts = [str(next((getattr(one, k) for k in kinds if hasattr(one, k)), one)) for one in path]
    if len(parts) > 1 and parts[-1] in ("value", "raw_value"):  # of nnx's variables
        parts.pop()
    return "/".join(parts)

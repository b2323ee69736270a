"""Whether a network of the user's own computes what MaskablePPO's two MLPs compute, found by trying.

Such a network is trained as the project's own, whose learner is held to MaskablePPO's. Which weights
the logits and the values depend on is told from gradients, the order of the layers from their shapes,
and the whole is then held to the MLPs on weights and observations drawn at random: of order one, over
all that an observation may be, and with each layer in turn as large as training may make it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jax_port.ppo.own.module import OwnNetwork
from jax_port.ppo.running_statistics import CLIP
from jax_port.ppo.settings import NetworkSpec

TRIES, ROWS = 3, 64
TOLERANCE = 1e-4
"""Of outputs of order one, of which float32 rounds the sixth digit; of larger ones their share."""
GAIN = 100.0
"""Factor on the weights of one layer at a time: an activation may differ far from zero alone."""
MOST_ORDERS = 120
"""Orders of layers of equal shape that are tried."""

IN_NUMPY: Mapping[str, Any] = {"relu": lambda x: np.maximum(x, 0.0), "tanh": np.tanh}
"""The activations of :data:`jax_port.ppo.networks.ACTIVATIONS`."""
Arrays = Mapping[str, NDArray[np.float32]]
Chain = tuple[str, ...]


class Try(NamedTuple):
    """What both networks are called with.

    Attributes:
        weights: by the user's names.
        rows: normalised observations (ROWS, D).
        tolerance: of outputs of order one.
    """

    weights: dict[str, Any]
    rows: jax.Array
    tolerance: float


class Mlps(NamedTuple):
    """A network as MaskablePPO's.

    Attributes:
        spec: its shape.
        names: the user's name of each layer, by the project's.
    """

    spec: NetworkSpec
    names: dict[str, str]

    def weights(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Return weights of the user's names as the project's tree."""
        layers = {
            ours: {kind: own[f"{theirs}/{kind}"] for kind in ("kernel", "bias")}
            for ours, theirs in self.names.items()
        }
        return {"params": layers}


def as_mlps(own: OwnNetwork, obs_size: int, num_actions: int) -> Mlps | None:
    """Return a network as MaskablePPO's two MLPs; None where it is something else.

    Args:
        own: the network, fit to be trained.
        obs_size, num_actions: D and A.
    """
    shapes = own.sizes(obs_size, num_actions)
    layers = sorted({name.rpartition("/")[0] for name in shapes})
    if sorted(shapes) != sorted(f"{one}/{kind}" for one in layers for kind in ("bias", "kernel")):
        return None
    kernels = {one: shapes[f"{one}/kernel"] for one in layers}
    if any(len(kernels[one]) != 2 or shapes[f"{one}/bias"] != kernels[one][1:] for one in layers):
        return None
    rng = np.random.default_rng(0)
    tries = _tries(rng, shapes, layers, obs_size)
    with jax.default_matmul_precision("highest"):
        call = jax.jit(own.apply)
        outputs = [tuple(map(np.asarray, call(one.weights, one.rows))) for one in tries]
    halves = _halves(own, layers, tries[0].weights, tries[0].rows)
    if halves is None:
        return None
    for activation in IN_NUMPY:
        chains = []
        for number, (half, width) in enumerate(zip(halves, (num_actions, 1), strict=True)):
            wanted = [out[number].reshape(ROWS, width) for out in outputs]
            chains.append(_order(half, kernels, obs_size, width, activation, tries, wanted))
        policy, value = chains
        if policy and value:
            return _named(policy, value, kernels, activation)
    return None


def _named(
    policy: Chain, value: Chain, kernels: Mapping[str, tuple[int, ...]], activation: str
) -> Mlps:
    hidden = [tuple(kernels[one][1] for one in chain[:-1]) for chain in (policy, value)]
    spec = NetworkSpec(hidden[0], hidden[1], activation)
    ours = (*spec.mlps["policy"], *spec.mlps["value"])
    return Mlps(spec, dict(zip(ours, (*policy, *value), strict=True)))


def _draw(rng: np.random.Generator, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Return weights whose layers keep the size of what goes through them."""
    scales = {name: shape[0] ** -0.5 if len(shape) == 2 else 0.5 for name, shape in shapes.items()}
    return {
        name: jnp.asarray(rng.normal(size=shape) * scales[name], jnp.float32)
        for name, shape in shapes.items()
    }


def _tries(
    rng: np.random.Generator,
    shapes: Mapping[str, tuple[int, ...]],
    layers: Sequence[str],
    obs_size: int,
) -> list[Try]:
    """Return tries of order one, then some over all of an observation's range, its bounds included."""
    size = ROWS, obs_size
    near = [
        Try(_draw(rng, shapes), jnp.asarray(rng.normal(size=size), jnp.float32), TOLERANCE)
        for _ in range(TRIES)
    ]
    rows = jnp.asarray(np.clip(rng.uniform(-1.2, 1.2, size), -1.0, 1.0) * CLIP, jnp.float32)
    weights = _draw(rng, shapes)
    wide = [Try(weights, rows, TOLERANCE)]
    for one in layers:
        name = f"{one}/kernel"
        larger = weights | {name: weights[name] * GAIN}
        wide.append(Try(larger, rows, TOLERANCE * GAIN))  # its rounding is as much larger
    return near + wide


def _halves(
    own: OwnNetwork, layers: Sequence[str], weights: dict[str, Any], rows: jax.Array
) -> tuple[list[str], list[str]] | None:
    """Return the layers of the logits and those of the values; None where one serves both or none."""

    def squares(weights: dict[str, Any], number: int) -> jax.Array:
        return jnp.sum(jnp.square(own.apply(weights, rows)[number]))

    def both(weights: dict[str, Any]) -> list[dict[str, Any]]:
        return [jax.grad(squares)(weights, number) for number in (0, 1)]

    reached = [
        {one for one in layers if np.asarray(grads[f"{one}/kernel"]).any()}
        for grads in jax.jit(both)(weights)
    ]
    if reached[0] & reached[1] or reached[0] | reached[1] != set(layers):
        return None
    return sorted(reached[0]), sorted(reached[1])


def _order(
    half: Sequence[str],
    kernels: Mapping[str, tuple[int, ...]],
    size: int,
    width: int,
    activation: str,
    tries: Sequence[Try],
    wanted: Sequence[NDArray[np.float32]],
) -> Chain | None:
    """Return the order of an MLP's layers, one hidden at least, that gives the wanted outputs."""
    act = IN_NUMPY[activation]
    for chain in itertools.islice(_chains(tuple(half), kernels, size, width), MOST_ORDERS):
        if len(chain) >= 2 and all(
            np.abs(_mlp(chain, one.weights, one.rows, act) - out).max()
            < one.tolerance * max(1.0, np.abs(out).max())
            for one, out in zip(tries, wanted, strict=True)
        ):
            return chain
    return None


def _chains(
    left: Chain, kernels: Mapping[str, tuple[int, ...]], size: int, width: int
) -> Iterator[Chain]:
    """Yield the orders in which layers take what the one before gives, from ``size`` to ``width``."""
    if not left:
        if size == width:
            yield ()
        return
    for one in left:
        if kernels[one][0] == size:
            rest = tuple(name for name in left if name != one)
            for more in _chains(rest, kernels, kernels[one][1], width):
                yield (one, *more)


def _mlp(chain: Chain, weights: Arrays, rows: Any, act: Any) -> NDArray[np.float32]:
    x = np.asarray(rows)
    for place, one in enumerate(chain):
        out = x @ np.asarray(weights[f"{one}/kernel"]) + np.asarray(weights[f"{one}/bias"])
        x = out if place == len(chain) - 1 else act(out)
    return x

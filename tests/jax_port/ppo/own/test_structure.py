"""A network that computes MaskablePPO's MLPs is known as such, and one that nearly does is not."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jax_port.ppo.networks import ACTIVATIONS, ActorCritic
from jax_port.ppo.own.module import OwnNetwork, own_network
from jax_port.ppo.own.structure import IN_NUMPY, Try, _halves, _order, as_mlps
from jax_port.ppo.policy import make_network
from jax_port.ppo.settings import NetworkSpec
from tests.jax_port.ppo.own.networks import Separate, SeparateNnx, SeparateTwice, Shared

OBS = jnp.asarray(np.random.default_rng(0).normal(size=(16, 225)), jnp.float32)


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize(
    ("module", "spec"),
    [
        (Separate(), NetworkSpec((8, 8, 8), (6,), "tanh")),
        (SeparateNnx, NetworkSpec((8,), (5,), "relu")),
        (ActorCritic(3, (7,), (4, 4), "tanh"), NetworkSpec((7,), (4, 4), "tanh")),
    ],
)
def test_it_is_found_with_its_sizes_and_weights(module: Any, spec: NetworkSpec) -> None:
    own = own_network(module)
    mlps = as_mlps(own, 225, 3)
    assert mlps is not None
    assert mlps.spec == spec
    weights = jax.jit(own.init)(jax.random.key(7), OBS[:1])
    ours: Any = jax.jit(make_network(spec).apply)(mlps.weights(weights), OBS)
    for mine, theirs in zip(ours, jax.jit(own.apply)(weights, OBS), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.costly
@pytest.mark.parametrize("activation", IN_NUMPY)
def test_a_deep_one_is_found_whose_weights_are_tried_large(activation: str) -> None:
    module = ActorCritic(3, (32,) * 8, (16,) * 8, activation)
    mlps = as_mlps(own_network(module), 225, 3)
    assert mlps is not None
    assert mlps.spec == NetworkSpec((32,) * 8, (16,) * 8, activation)


def test_an_input_that_is_clipped_where_observations_are_is_the_same_function() -> None:
    same = own_network(lambda rngs: SeparateNnx(rngs=rngs, seen=lambda x: jnp.clip(x, -10.0, 10.0)))
    assert as_mlps(same, 225, 3) is not None


def test_every_activation_is_tried() -> None:
    assert set(IN_NUMPY) == set(ACTIVATIONS)


@pytest.mark.parametrize(
    "module",
    [
        Shared(),
        lambda rngs: SeparateNnx(rngs=rngs, act=nnx.gelu),
        lambda rngs: SeparateNnx(rngs=rngs, act=lambda x: nnx.relu(x) * 1.001),
        lambda rngs: SeparateNnx(rngs=rngs, act=lambda x: nnx.relu(x) - 0.001 * nnx.relu(-x)),
        lambda rngs: SeparateNnx(rngs=rngs, act=nnx.relu6),
        lambda rngs: SeparateNnx(rngs=rngs, act=lambda x: jnp.minimum(nnx.relu(x), 300.0)),
        lambda rngs: SeparateNnx(rngs=rngs, seen=lambda x: jnp.clip(x, -5.0, 5.0)),
        lambda rngs: SeparateNnx(rngs=rngs, seen=lambda x: jnp.where(abs(x) < 10.0, x, 0.0)),
    ],
    ids=["trunk", "gelu", "scaled", "leaky", "relu6", "bounded", "clipped", "bounds left out"],
)
def test_what_is_something_else_is_not_taken_for_it(module: Any) -> None:
    assert as_mlps(own_network(module), 225, 3) is None


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("odd", ["policy 1", "policy 0", "value 0", "value 1", "none"])
def test_an_activation_that_differs_a_little_and_far_from_zero_alone_is_another(odd: str) -> None:
    """By three hundredths from a hundred on, in one layer of several, on one side of zero."""
    found = as_mlps(own_network(lambda rngs: SeparateTwice(rngs=rngs, odd=odd)), 20, 3)
    assert (found is not None) == (odd == "none")


@pytest.mark.parametrize(
    ("logits", "values", "halves"),
    [("ac", "b", (["a", "c"], ["b"])), ("a", "b", None), ("ac", "ab", None)],
    ids=["apart", "one serves neither", "one serves both"],
)
def test_every_layer_serves_the_logits_or_the_values(
    logits: str, values: str, halves: tuple[list[str], list[str]] | None
) -> None:
    def run(tree: Any, obs: jax.Array) -> Any:
        parts = (logits, values)
        given = [sum((obs @ tree[f"{one}/kernel"] for one in names), 0 * obs) for names in parts]
        return given[0], given[1][:, 0]

    own = OwnNetwork("Mine", lambda key, obs: weights, run)
    rng = np.random.default_rng(1)
    weights = {f"{one}/kernel": jnp.asarray(rng.normal(size=(2, 2)), jnp.float32) for one in "abc"}
    rows = jnp.asarray(rng.normal(size=(5, 2)), jnp.float32)
    assert _halves(own, ["a", "b", "c"], weights, rows) == halves


@pytest.mark.parametrize(("tolerance", "found"), [(0.01, ("first", "last")), (0.001, None)])
def test_an_order_is_that_of_layers_whose_outputs_are_as_near_as_each_try_asks(
    tolerance: float, found: tuple[str, ...] | None
) -> None:
    """In every try, by its own tolerance, and by its largest output where that is above one."""
    rng = np.random.default_rng(2)
    shapes = {"last": (3, 1), "first": (2, 3)}
    tries, wanted = [], []
    for size, near in ((0.1, 1e-4), (100.0, tolerance)):
        weights = {}
        for name, shape in shapes.items():
            weights[f"{name}/kernel"] = np.float32(rng.uniform(0.5, 1.0, shape))
            weights[f"{name}/bias"] = np.zeros(shape[1], np.float32)
        rows = np.float32(rng.uniform(0.5, 1.0, (4, 2)) * size)
        out = np.maximum(rows @ weights["first/kernel"], 0) @ weights["last/kernel"]
        off = 0.5 * 1e-4 if size < 1 else 0.005 * np.abs(out).max()
        tries.append(Try(weights, jnp.asarray(rows), near))
        wanted.append(np.float32(out + off))
    assert _order(["last", "first"], shapes, 2, 1, "relu", tries, wanted) == found

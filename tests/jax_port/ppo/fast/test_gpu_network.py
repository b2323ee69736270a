"""The GPU's network computes in the precision that was asked for, whatever its shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.fast.gpu_network import gpu_network
from jax_port.ppo.own.module import OwnNetwork
from jax_port.ppo.policy import make_network
from jax_port.ppo.settings import TrainSettings
from parity.engine.jaxprs import equations

OBS, ACTIONS = 7, 3


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize(("pi", "vf"), [((8,), (8,)), ((8,), (16,)), ((8, 4), (8,))], ids=str)
def test_products_are_in_the_precision_that_was_asked_for(
    pi: tuple[int, ...], vf: tuple[int, ...], precision: str
) -> None:
    settings = TrainSettings(precision=precision).override(pi=pi, vf=vf)
    network = gpu_network(settings, ACTIONS, OBS)
    weights = make_network(settings.network).init(jax.random.key(0), jnp.zeros((1, OBS)))
    packed = network.rounded(network.pack(weights))
    program = jax.make_jaxpr(network.infer)(packed, network.inputs(jnp.ones((2, OBS))))
    products = [one for one in equations(program) if one.primitive.name == "dot_general"]
    assert products
    wanted = jnp.bfloat16 if precision == "bf16" else jnp.float32
    assert {factor.aval.dtype for one in products for factor in one.invars} == {jnp.dtype(wanted)}


def _both(settings: TrainSettings) -> tuple[Any, Any]:
    """Return weights and the network as one function of them: logits, then the value."""
    rng = np.random.default_rng(5)

    def drawn(*shape: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    if settings.own is not None:
        weights = {"a": drawn(OBS, ACTIONS), "b": drawn(OBS)}
        return weights, lambda w, x: jnp.concatenate([x @ w["a"], (x @ w["b"])[:, None]], axis=1)
    layers = {"policy_0": (OBS, 4), "action_head": (4, ACTIONS), "value_0": (OBS, 6)}
    layers |= {"value_head": (6, 1)}
    weights = {
        "params": {
            name: {"kernel": drawn(*shape), "bias": drawn(*shape[1:])} for name, shape in layers.items()
        }
    }

    def both(w: Any, x: jax.Array) -> jax.Array:
        def mlp(hidden: str, head: str) -> jax.Array:
            named = w["params"]
            wide = jnp.tanh(x @ named[hidden]["kernel"] + named[hidden]["bias"][None])
            return wide @ named[head]["kernel"] + named[head]["bias"][None]

        return jnp.concatenate([mlp("policy_0", "action_head"), mlp("value_0", "value_head")], axis=1)

    return weights, both


@pytest.mark.parametrize("own", [False, True])
def test_a_network_that_cannot_be_stacked_is_taken_as_it_is(own: bool) -> None:
    """Of other sizes in its halves, or the user's own: outputs, gradients, and weights in lines."""
    settings = TrainSettings().override(pi=(4,), vf=(6,), activation="tanh")
    if own:
        mine = {"a": jnp.zeros((OBS, ACTIONS)), "b": jnp.zeros(OBS)}
        own_one = OwnNetwork("Mine", lambda key, obs: mine, lambda w, x: (x @ w["a"], x @ w["b"]))
        settings = replace(settings, own=own_one)
    weights, both = _both(settings)
    network = gpu_network(settings, ACTIONS, OBS)
    assert network.line == (128 if own else 6)
    for same in (network.pack, network.unpack, network.rounded, network.inputs):
        assert same(weights) is weights
    rng = np.random.default_rng(6)
    x, pull = (jnp.asarray(rng.normal(size=(2, n)), jnp.float32) for n in (OBS, ACTIONS + 1))
    wanted, back = jax.vjp(lambda w: both(w, x), weights)
    np.testing.assert_allclose(network.infer(weights, x), wanted, rtol=1e-5, atol=1e-5)
    found, kept = network.forward(weights, x)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    grads = network.backward(weights, x, kept, pull)
    for ours, theirs in zip(jax.tree.leaves(grads), jax.tree.leaves(back(pull)[0]), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)

"""The MLPs as a CPU likes them are flax's own, both ways."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.fast.cpu_mlp import mlp, policy_layers, value_layers
from jax_port.ppo.fast.program import network_of
from jax_port.ppo.policy import make_network
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from tests.jax_port.made_policy import drawn_layers

SHAPES = {
    "relu": NetworkSpec((16, 8), (12,), "relu"),
    "tanh": NetworkSpec((16, 8), (12, 10, 6), "tanh"),
}
INPUTS, ACTIONS, ROWS = 7, 3, 33


def weights_of(spec: NetworkSpec) -> Any:
    """Weights with biases that are not zero, and heads whose gradients are not tiny."""
    fresh = make_network(spec).init(jax.random.key(0), jnp.zeros((1, INPUTS)))
    keys = iter(jax.random.split(jax.random.key(1), 99))
    return jax.tree.map(lambda x: x + 0.3 * jax.random.normal(next(keys), x.shape), fresh)


@pytest.mark.costly
@pytest.mark.parametrize("spec", SHAPES.values(), ids=SHAPES)
def test_outputs_and_gradients_are_those_of_flax(spec: NetworkSpec) -> None:
    weights, network = weights_of(spec), make_network(spec)
    x = jax.random.normal(jax.random.key(2), (ROWS, INPUTS))
    pull = jax.random.normal(jax.random.key(3), (ROWS, ACTIONS + 1))

    def theirs(weights: Any, x: jax.Array) -> jax.Array:
        logits, values = network.apply(weights, x)
        return jnp.concatenate([logits, values[:, None]], axis=1)

    def ours(weights: Any, x: jax.Array) -> jax.Array:
        logits = mlp(policy_layers(weights, spec), x, spec.activation)
        return jnp.concatenate([logits, mlp(value_layers(weights, spec), x, spec.activation)], axis=1)

    np.testing.assert_allclose(ours(weights, x), theirs(weights, x), rtol=1e-6, atol=1e-6)
    found, expected = (
        jax.jit(jax.grad(lambda w, x, f=f: jnp.sum(f(w, x) * pull), argnums=(0, 1)))(weights, x)
        for f in (ours, theirs)
    )
    for got, want in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert np.abs(want).max() > 0.1
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


def test_a_gradient_by_hand() -> None:
    """One unit, f = 3 relu(2 x + 1) - 1 at x = 0.5 and x = -1: 5 and -1; the second is cut off."""
    layers = (
        (jnp.array([[2.0]]), jnp.array([1.0])),
        (jnp.array([[3.0]]), jnp.array([-1.0])),
    )
    x = jnp.array([[0.5], [-1.0]])
    assert mlp(layers, x, "relu").tolist() == [[5.0], [-1.0]]
    (first, second), of_x = jax.grad(lambda w, x: mlp(w, x, "relu").sum(), (0, 1))(layers, x)
    assert [g.item() for g in first] == [1.5, 3.0]  # 3 x and 3, of the first row alone
    assert [g.item() for g in second] == [2.0, 2.0]  # what the unit gave, and the number of rows
    assert of_x.tolist() == [[6.0], [0.0]]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_cpu_s_network_and_its_gradients_are_two_mlps_in_numpy(activation: str) -> None:
    """Of other depths and sizes each; the gradients by the chain rule in float64."""
    settings = replace(TrainSettings(), network=NetworkSpec((4, 3), (6,), activation))
    network, rng = network_of(settings), np.random.default_rng(6)
    sizes = {"policy": (5, 4, 3, 2), "value": (5, 6, 1)}
    names = {"policy": ("policy_0", "policy_1", "action_head"), "value": ("value_0", "value_head")}
    layers = drawn_layers(names, sizes, rng)
    x = rng.normal(size=(3, 5)).astype(np.float32)
    for part, f in (("policy", network.policy), ("value", network.value)):
        own, rest = names[part], names["value" if part == "policy" else "policy"]
        given, wide = [x.astype(np.float64)], x.astype(np.float64)
        for name in own:
            wide = wide @ layers[name]["kernel"] + layers[name]["bias"]
            if name != own[-1]:
                wide = np.maximum(wide, 0) if activation == "relu" else np.tanh(wide)
            given.append(wide)
        out = wide if part == "policy" else wide[:, 0]
        pull = rng.normal(size=out.shape)
        out_found, back = jax.vjp(lambda w, f=f: f({"params": w}, x), layers)
        np.testing.assert_allclose(out_found, out, rtol=1e-4, atol=1e-5)
        (found,) = back(jnp.asarray(pull, jnp.float32))
        g = pull.reshape(len(x), -1)
        for name, below in zip(reversed(own), reversed(given[:-1]), strict=True):
            np.testing.assert_allclose(found[name]["kernel"], below.T @ g, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(found[name]["bias"], g.sum(0), rtol=1e-4, atol=1e-5)
            slope = (below > 0) if activation == "relu" else 1 - below**2
            g = (g @ layers[name]["kernel"].T.astype(np.float64)) * slope
        assert not any(found[name][kind].any() for name in rest for kind in ("kernel", "bias"))
        more = f({"params": layers}, jnp.asarray(x)[:, None])
        np.testing.assert_allclose(more[:, 0], out_found, rtol=1e-5)


@pytest.mark.costly
def test_inputs_may_have_more_axes() -> None:
    spec = SHAPES["relu"]
    layers = policy_layers(weights_of(spec), spec)
    x = jax.random.normal(jax.random.key(2), (2, 3, INPUTS))
    flat = mlp(layers, x.reshape(6, INPUTS), spec.activation)
    np.testing.assert_array_equal(mlp(layers, x, spec.activation), flat.reshape(2, 3, ACTIONS))
    np.testing.assert_allclose(mlp(layers, x[0, 0], spec.activation), flat[0], rtol=1e-5)


@pytest.mark.costly
def test_several_agents_have_their_own_gradients() -> None:
    spec = SHAPES["tanh"]
    many = jax.tree.map(lambda x: jnp.stack([x, 2 * x]), weights_of(spec))
    x = jax.random.normal(jax.random.key(2), (2, ROWS, INPUTS))

    def loss(weights: Any, x: jax.Array) -> jax.Array:
        return jnp.sum(jnp.square(mlp(policy_layers(weights, spec), x, spec.activation)))

    together = jax.vmap(jax.grad(loss))(many, x)
    for number in range(2):
        alone = jax.grad(loss)(jax.tree.map(lambda w, n=number: w[n], many), x[number])
        for got, want in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(got[number], want, rtol=1e-5, atol=1e-5)


@pytest.mark.costly
def test_flax_s_own_network_agrees() -> None:
    """The definition: the same outputs and gradients but for rounding."""
    settings = replace(TrainSettings(), network=SHAPES["relu"])
    weights = weights_of(settings.network)
    x = jax.random.normal(jax.random.key(2), (ROWS, INPUTS))
    here = network_of(settings)
    module = make_network(settings.network)

    def policy(weights: Any, obs: jax.Array) -> Any:
        return module.apply(weights, obs, part="policy")

    def value(weights: Any, obs: jax.Array) -> Any:
        return module.apply(weights, obs, part="value")

    for ours, theirs in ((here.policy, policy), (here.value, value)):
        one, other = (
            jax.grad(lambda w, f=f: jnp.sum(jnp.square(f(w, x))))(weights) for f in (ours, theirs)
        )
        for got, want in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
            np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)
    assert "custom_vjp" in str(jax.make_jaxpr(here.value)(weights, x))
    assert "custom_vjp" not in str(jax.make_jaxpr(value)(weights, x))

"""Two networks side by side give what they give apart, and learn what they learn apart."""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.fast import stacked_mlp as stacked
from jax_port.ppo.policy import make_network
from jax_port.ppo.settings import NetworkSpec

ROWS, OBS, ACTIONS = 9, 6, 3
SPECS = {
    "one layer, relu": NetworkSpec((5,), (5,)),
    "three layers, tanh": NetworkSpec((6, 4, 5), (6, 4, 5), "tanh"),
}


def _weights(spec: NetworkSpec) -> Any:
    """Weights of which none is zero or like another."""
    fresh = make_network(spec, num_actions=ACTIONS).init(jax.random.key(0), jnp.zeros((1, OBS)))
    keys = iter(jax.random.split(jax.random.key(1), 99))
    return jax.tree.map(lambda x: x + 0.5 * jax.random.normal(next(keys), x.shape), fresh)


def test_networks_of_other_sizes_each_stand_apart() -> None:
    assert stacked.can_stack(NetworkSpec((8, 4), (8, 4)))
    assert not stacked.can_stack(NetworkSpec((8, 4), (8, 5)))


@pytest.mark.parametrize(("size", "padded"), [(1, 64), (63, 64), (64, 128), (225, 256)])
def test_inputs_are_the_observation_a_one_and_zeros(size: int, padded: int) -> None:
    obs = jax.random.normal(jax.random.key(0), (2, size))
    rows = stacked.as_inputs(obs, jnp.float32)
    assert rows.shape == (2, padded) == (2, stacked.padded_size(size))
    np.testing.assert_array_equal(rows[:, :size], obs)
    np.testing.assert_array_equal(rows[:, size], 1.0)
    np.testing.assert_array_equal(rows[:, size + 1 :], 0.0)


@pytest.mark.costly(keep=2)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_weights_outputs_and_gradients(spec: NetworkSpec) -> None:
    weights, network = _weights(spec), make_network(spec, num_actions=ACTIONS)
    packed = stacked.stack(weights, spec)
    chex.assert_trees_all_equal(stacked.unstack(packed, spec, OBS), weights)
    obs = jax.random.normal(jax.random.key(2), (ROWS, OBS))
    pull = jax.random.normal(jax.random.key(3), (ROWS, ACTIONS + 1))

    def apart(weights: Any) -> jax.Array:
        logits, values = network.apply(weights, obs)
        return jnp.concatenate([logits, values[:, None]], axis=1)

    @jax.jit
    def together(packed: stacked.Stacked) -> tuple[jax.Array, stacked.Stacked]:
        x = stacked.as_inputs(obs, jnp.float32)
        out, kept = stacked.outputs(packed, x, spec.activation)
        return out, stacked.gradients(packed, x, kept, pull, spec.activation)

    out, found = together(packed)
    expected, wanted = jax.jit(lambda w: (apart(w), jax.vjp(apart, w)[1](pull)[0]))(weights)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(
        jax.tree.leaves(stacked.unstack(found, spec, OBS)), jax.tree.leaves(wanted), strict=True
    ):
        assert float(jnp.abs(other).max()) > 0.01
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-5)
    # What stands between the two networks stays zero, whatever is learnt.
    again = stacked.stack(stacked.unstack(found, spec, OBS), spec)
    np.testing.assert_array_equal(found.head, again.head)
    np.testing.assert_array_equal(found.first[: OBS + 1], again.first[: OBS + 1])


def test_products_in_half_precision_keep_biases_whole() -> None:
    spec = SPECS["three layers, tanh"]
    packed = stacked.in_precision(stacked.stack(_weights(spec), spec), jnp.bfloat16)
    assert packed.first.dtype == packed.head.dtype == jnp.bfloat16
    for kernel, bias in packed.hidden:
        assert (kernel.dtype, bias.dtype) == (jnp.bfloat16, jnp.float32)
    assert packed.bias.dtype == jnp.float32
    x = stacked.as_inputs(jnp.ones((2, OBS)), jnp.bfloat16)
    out, kept = jax.eval_shape(lambda w: stacked.outputs(w, x, spec.activation), packed)
    assert out.dtype == jnp.float32
    assert {one.dtype for one in kept} == {jnp.dtype(jnp.bfloat16)}
    found = jax.eval_shape(lambda k, g: stacked.gradients(packed, x, k, g, spec.activation), kept, out)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype(jnp.float32)}

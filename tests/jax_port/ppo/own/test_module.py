"""A network of the user's own: its weights by name, its outputs, and what cannot be trained."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

from jax_port.ppo.own.module import OwnModule, OwnNetwork, own_network
from markets import InputError
from tests.jax_port.ppo.own.networks import (
    Dropped,
    Normed,
    OneHead,
    SeparateNnx,
    Shared,
    ValueAnAction,
)
from tests.sentences import refuses

OBS = jnp.asarray(np.random.default_rng(0).normal(size=(4, 225)), jnp.float32)


@pytest.mark.costly
@pytest.mark.parametrize("module", [Shared(), SeparateNnx, SeparateNnx(rngs=nnx.Rngs(3))])
def test_weights_by_name_give_what_the_module_gives(module: Any) -> None:
    own = own_network(module)
    weights = jax.jit(own.init)(jax.random.key(1), OBS[:1])
    assert {name: one.shape for name, one in weights.items()} == own.sizes(225, 3)
    logits, values = jax.jit(own.apply)(weights, OBS)
    if isinstance(module, Shared):
        wanted = jax.jit(lambda key: module.apply(module.init(key, OBS[:1]), OBS))(jax.random.key(1))
    else:
        key = nnx.Rngs(3) if isinstance(module, nnx.Module) else nnx.Rngs(jax.random.key(1))
        wanted = SeparateNnx(rngs=key)(OBS)
    np.testing.assert_allclose(logits, wanted[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(values, wanted[1][:, 0], rtol=1e-5, atol=1e-6)
    called = OwnModule(own, 3)
    assert called.apply(weights, OBS, part="policy").shape == (4, 3)
    assert called.apply(weights, OBS[0], part="value").shape == ()


def test_a_class_draws_anew_for_each_seed_and_a_module_is_what_it_is() -> None:
    drawn, given = own_network(SeparateNnx), own_network(SeparateNnx(rngs=nnx.Rngs(3)))
    one, two = (drawn.init(jax.random.key(seed), OBS[:1])["policy/0/kernel"] for seed in (1, 2))
    assert not np.array_equal(one, two)
    one, two = (given.init(jax.random.key(seed), OBS[:1])["policy/0/kernel"] for seed in (1, 2))
    assert np.array_equal(one, two)


CANNOT_BE_TRAINED = {
    "no module": 3,
    "dropout": Dropped,
    "batch normalisation": Normed(),
    "one head": OneHead(),
    "four actions": Shared(actions=4),
    "a value an action": ValueAnAction(),
    "another size": SeparateNnx(rngs=nnx.Rngs(0), size=224),
    "a number": lambda rngs: 3,
    "no rngs": lambda: 3,
}


@pytest.mark.parametrize("name", CANNOT_BE_TRAINED)
def test_what_cannot_be_trained_is_one_sentence(name: str) -> None:
    # The words of an error within the network are of its library.
    varies = [r"(?<=Error: ).*(?=; give one)"] if name in ("another size", "no rngs") else []
    with refuses(*varies):
        own_network(CANNOT_BE_TRAINED[name]).sizes(225, 3)


class Small(nn.Module):
    """Two layers in linen, of which the second gives values as a column."""

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return nn.Dense(2, name="policy")(x), nn.Dense(1, name="value")(x)


class SmallNnx(nnx.Module):
    """The same in nnx, in half precision."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.heads = nnx.List([nnx.Linear(3, 2, rngs=rngs), nnx.Linear(3, 1, rngs=rngs)])

    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        policy, value = (head(x) for head in self.heads)
        return policy.astype(jnp.bfloat16), value[:, 0].astype(jnp.bfloat16)


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (Small(), ("policy/kernel", "policy/bias", "value/kernel", "value/bias")),
        (SmallNnx, ("heads/0/kernel", "heads/0/bias", "heads/1/kernel", "heads/1/bias")),
    ],
    ids=["linen", "nnx"],
)
def test_each_weight_is_known_by_its_own_name(module: Any, names: tuple[str, ...]) -> None:
    """And logits and values are made of it, of any number of axes, in float32."""
    own = own_network(module)
    sizes = ((3, 2), (2,), (3, 1), (1,))
    assert own.sizes(3, 2) == dict(zip(names, sizes, strict=True))
    assert own.count(3, 2) == 6 + 2 + 3 + 1
    assert (own.name, own.to_dict()) == (name := getattr(module, "__name__", "Small"), {"own": name})
    kernel, bias, of_value, value_bias = (
        np.arange(1, 1 + np.prod(size), dtype=np.float32).reshape(size) / 8 * scale
        for size, scale in zip(sizes, (1, -1, 2, 3), strict=True)
    )
    weights = dict(zip(names, map(jnp.asarray, (kernel, bias, of_value, value_bias)), strict=True))
    x = np.arange(-6, 6, dtype=np.float32).reshape(2, 2, 3)
    called = OwnModule(own, 2)
    logits, values = called.apply(weights, jnp.asarray(x))
    assert logits.dtype == values.dtype == jnp.float32
    np.testing.assert_allclose(logits, x @ kernel + bias, rtol=1e-2)
    np.testing.assert_allclose(values, (x @ of_value + value_bias)[..., 0], rtol=1e-2)
    np.testing.assert_array_equal(called.apply(weights, jnp.asarray(x), part="policy"), logits)
    np.testing.assert_array_equal(called.apply(weights, jnp.asarray(x), part="value"), values)
    assert own_network(own) is own


def test_weights_of_half_precision_are_not_trained() -> None:
    def draw(key: jax.Array, obs: jax.Array) -> Any:
        return {"a": jnp.zeros((3, 2)), "b": jnp.zeros(3, jnp.bfloat16)}

    own = OwnNetwork("Half", draw, lambda tree, obs: (obs @ tree["a"], obs[:, 0]))
    with pytest.raises(InputError, match="network Half: b is bfloat16; weights are trained as float32"):
        own.sizes(3, 2)

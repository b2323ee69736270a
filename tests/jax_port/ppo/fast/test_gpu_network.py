"""The GPU's network computes in the precision that was asked for, whatever its shape."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from jax_port.ppo.fast.gpu_network import gpu_network
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

"""Wrong shapes and dtypes are refused where an environment is entered, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import pytest

from jax_port.envs.contracts import check_params
from jax_port.envs.env_phase1_jax import batch_reset, batch_step
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams

SmallMarket = Callable[..., EnvParams]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("balance", jnp.zeros(4, jnp.float32)),
        ("step_idx", jnp.zeros(4, jnp.int16)),
        ("position", jnp.zeros((4, 1), jnp.int32)),
    ],
)
def test_a_state_of_another_shape_or_dtype_is_refused(
    small_market: SmallMarket, field: str, value: jax.Array
) -> None:
    params = small_market()
    _, state = batch_reset(jax.random.key(0), params, 4)
    wrong = replace(state, **{field: value})
    with pytest.raises(AssertionError, match=r"shape|dtype|type"):
        batch_step(jax.random.key(1), wrong, jnp.zeros(4, jnp.int32), params)


@pytest.mark.parametrize("action", [jnp.zeros(4, jnp.float32), jnp.zeros((4, 1), jnp.int32)])
def test_actions_are_one_whole_number_an_environment(
    small_market: SmallMarket, action: jax.Array
) -> None:
    params = small_market()
    _, state = batch_reset(jax.random.key(0), params, 4)
    with pytest.raises(AssertionError, match=r"action|type"):
        batch_step(jax.random.key(1), state, action, params)


@pytest.mark.costly
def test_flags_are_bool_in_phase_2(small_market: SmallMarket) -> None:
    params = small_market(phase=2)
    phase = phase_of(params)
    _, state = batch_reset(jax.random.key(0), params, 4, phase)
    batch_step(jax.random.key(1), state, jnp.zeros(4, jnp.int32), params, phase)
    wrong = replace(state, trailing=jnp.zeros(4, jnp.int32))
    with pytest.raises(AssertionError, match=r"type"):
        batch_step(jax.random.key(1), wrong, jnp.zeros(4, jnp.int32), params, phase)


def test_parameters_and_market_data_are_checked(small_market: SmallMarket) -> None:
    params = small_market("ES", "NQ")
    check_params(params)
    with pytest.raises(AssertionError, match=r"market\.slippage"):
        check_params(replace(params, market=replace(params.market, slippage=jnp.zeros(3, jnp.int32))))
    with pytest.raises(AssertionError, match=r"type"):
        check_params(replace(params, contracts=jnp.float32(1)))


def test_every_array_of_a_market_is_checked(small_market: SmallMarket) -> None:
    """Its shape and its dtype, each by itself, and so every number of the parameters."""
    params = small_market("ES", "NQ")
    market = params.market
    for field in fields(market):
        value = getattr(market, field.name)
        if value is None:
            continue
        other = jnp.int16 if value.dtype == jnp.int32 else jnp.int32
        for wrong in (value.astype(other), value[None]):
            with pytest.raises(AssertionError):
                check_params(replace(params, market=replace(market, **{field.name: wrong})))
    prior = jnp.zeros((market.bars.shape[0], 3), jnp.float32)
    check_params(replace(params, market=replace(market, prior=prior)))
    for wrong in (prior[1:], prior.astype(jnp.int32)):
        with pytest.raises(AssertionError):
            check_params(replace(params, market=replace(market, prior=wrong)))
    numbers = [name for name, value in vars(params).items() if isinstance(value, jax.Array)]
    assert len(numbers) == 15
    for name in numbers:
        for wrong in (jnp.float32(1), jnp.ones(1, jnp.int32)):
            with pytest.raises(AssertionError):
                check_params(replace(params, **{name: wrong}))

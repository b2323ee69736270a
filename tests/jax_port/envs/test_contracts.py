"""Wrong shapes and dtypes are refused where an environment is entered, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import pytest

from jax_port.envs.contracts import check_action, check_params, check_state
from jax_port.envs.env_phase1_jax import batch_reset, batch_step
from jax_port.envs.registry import PHASES, phase_of
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
            # The number of bars is that of market.bars, and of markets that of market.last_bar.
            told = r"market\." if wrong.ndim > value.ndim else rf"market\.{field.name}\b"
            with pytest.raises(AssertionError, match=told):
                check_params(replace(params, market=replace(market, **{field.name: wrong})))
    prior = jnp.zeros((market.bars.shape[0], 3), jnp.float32)
    check_params(replace(params, market=replace(market, prior=prior)))
    for wrong in (prior[1:], prior[:, 1:], prior.astype(jnp.int32)):
        with pytest.raises(AssertionError, match=r"market\.prior"):
            check_params(replace(params, market=replace(market, prior=wrong)))
    numbers = [name for name, value in vars(params).items() if isinstance(value, jax.Array)]
    assert len(numbers) == 15
    for name in numbers:
        for wrong in (jnp.float32(1), jnp.ones(1, jnp.int32)):
            with pytest.raises(AssertionError, match=rf"params\.{name}\b"):
                check_params(replace(params, **{name: wrong}))


@pytest.mark.parametrize("number", [1, 2])
def test_every_field_of_a_state_is_checked_and_named(small_market: SmallMarket, number: int) -> None:
    """The last as the first, by its shape and by its dtype; the flags of Phase 2 are no numbers."""
    state = PHASES[number].reset_at(jnp.int32(0), small_market("ES", phase=number))
    check_state(state)
    assert len(fields(state)) == (15 if number == 1 else 16)
    for field in fields(state):
        value = getattr(state, field.name)
        other = jnp.int32 if value.dtype == jnp.bool_ else jnp.bool_
        for wrong in (value.astype(other), value.astype(jnp.int16), value[None]):
            with pytest.raises(AssertionError, match=rf"state\.{field.name}\b"):
                check_state(replace(state, **{field.name: wrong}))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bool_])
def test_an_action_that_is_no_whole_number_is_named(dtype: type) -> None:
    check_action(jnp.int8(1))
    check_action(jnp.uint32(1))
    with pytest.raises(AssertionError, match="action"):
        check_action(jnp.zeros((), dtype))


@pytest.mark.parametrize("width", [10, 12, 14, 16])
def test_features_are_eleven_or_with_advice_fifteen(small_market: SmallMarket, width: int) -> None:
    params = small_market("ES", "NQ")
    market = params.market
    for columns in (11, 15):
        some = jnp.zeros((market.bars.shape[0], columns), jnp.float32)
        check_params(replace(params, market=replace(market, features=some)))
    some = jnp.zeros((market.bars.shape[0], width), jnp.float32)
    with pytest.raises(AssertionError, match=r"market\.features"):
        check_params(replace(params, market=replace(market, features=some)))

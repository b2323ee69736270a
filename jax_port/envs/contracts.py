"""Array contracts of the environments: shapes and dtypes, checked while tracing, free at run time.

Source: the docstrings of :mod:`jax_port.envs.state` and :class:`jax_port.data.data_loader.MarketData`.
A wrong dtype here would not fail by itself: it would round, wrap around or compile a second program.
"""

from __future__ import annotations

from dataclasses import fields

import chex
import jax
import jax.numpy as jnp

from jax_port.envs.state import EnvParams, EnvState
from markets.advice.by_bar import COLUMNS
from markets.bars import FEATURES

BAR_COLUMNS = 8


def check_state(state: EnvState) -> None:
    """Check one environment's state: int32 scalars, and bool scalars where its class says so.

    Raises:
        AssertionError: naming the field, what it is and what it must be.
    """
    for field in fields(state):
        value = getattr(state, field.name)
        dtype = jnp.bool_ if field.name in state.flags else jnp.int32
        _check(f"state.{field.name}", value, (), dtype)


def check_action(action: jax.Array) -> None:
    """Check one environment's action: a scalar of any integer dtype.

    Raises:
        AssertionError: naming what it is.
    """
    chex.assert_shape(action, (), custom_message="action, which must be one number an environment")
    chex.assert_type(action, int, custom_message="action, which must be a whole number")


def check_params(params: EnvParams) -> None:
    """Check parameters: int32 scalars, and the shapes and dtypes of ``MarketData``.

    Raises:
        AssertionError: naming the field, what it is and what it must be.
    """
    market = params.market
    markets = (market.last_bar.shape[0],)
    bars = market.bars.shape[0]
    advised = market.features.shape[-1] == len(FEATURES) + len(COLUMNS)
    width = len(FEATURES) + (len(COLUMNS) if advised else 0)
    _check("market.features", market.features, (bars, width), jnp.float32)
    if market.prior is not None:
        _check("market.prior", market.prior, (bars, 3), jnp.float32)
    _check("market.bars", market.bars, (bars, BAR_COLUMNS), jnp.int32)
    _check("market.starts", market.starts, (market.starts.shape[0], 2), jnp.int32)
    for name in ("first_bar", "last_bar", "tick_value", "slippage", "commission"):
        _check(f"market.{name}", getattr(market, name), markets, jnp.int32)
    _check("market.tick_size", market.tick_size, (*markets, 2), jnp.float32)
    for field in fields(params):
        if field.name not in ("market", "window_size", "seconds", "form"):
            _check(f"params.{field.name}", getattr(params, field.name), (), jnp.int32)


def _check(name: str, value: jax.Array, shape: tuple[int, ...], dtype: object) -> None:
    chex.assert_shape(value, shape, custom_message=name)
    chex.assert_type(value, dtype, custom_message=name)

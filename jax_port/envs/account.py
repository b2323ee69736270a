"""What happens to an account within a step: entries, exits, and equity against the floor.

Source: section 6 of ``docs/environment.md``; the numbers in the docstrings are its own. Everything
here is for one environment, without branches, so that it can be batched with ``vmap``.
"""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp

from jax_port.data.data_loader import CLOSE, HIGH, LOW, STOP, TARGET
from jax_port.envs.state import EnvParams, EnvState, commission, of_market, tick_value


def close_trade(
    state: EnvState, params: EnvParams, closing: jax.Array, price: jax.Array
) -> tuple[EnvState, jax.Array]:
    """Close the trade where ``closing`` says so: book it, count it and clear it (6.7).

    Args:
        state: with an open trade wherever ``closing`` is True.
        params: configuration and bars.
        closing: bool scalar.
        price: fill, int32 ticks.

    Returns:
        The state after, and the trade's PnL in int32 cents, 0 where nothing closed.
    """
    side_cost = commission(state, params)
    gross = state.position * (price - state.entry_price) * tick_value(state, params)
    pnl = jnp.where(closing, gross - 2 * side_cost, 0)

    def cleared(value: jax.Array) -> jax.Array:
        return jnp.where(closing, 0, value)

    after = replace(
        state,
        position=cleared(state.position),
        entry_price=cleared(state.entry_price),
        sl_price=cleared(state.sl_price),
        tp_price=cleared(state.tp_price),
        position_entry_step=cleared(state.position_entry_step),
        balance=state.balance + jnp.where(closing, gross - side_cost, 0),
        winning_trades=state.winning_trades + (closing & (pnl > 0)).astype(jnp.int32),
        losing_trades=state.losing_trades + (closing & (pnl <= 0)).astype(jnp.int32),
        total_pnl=state.total_pnl + pnl,
    )
    return after, pnl


def find_exit(state: EnvState, bar: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return whether the bar reaches the stop, and whether it reaches the target instead (6.2).

    The stop is looked at first: a bar that touches both is a loss. Bool scalars.
    """
    earlier = state.position_entry_step < state.step_idx
    is_long, is_short = earlier & (state.position > 0), earlier & (state.position < 0)
    stopped = (is_long & (bar[LOW] <= state.sl_price)) | (is_short & (bar[HIGH] >= state.sl_price))
    reached = (is_long & (bar[HIGH] >= state.tp_price)) | (is_short & (bar[LOW] <= state.tp_price))
    return stopped, reached & ~stopped


def enter(state: EnvState, params: EnvParams, bar: jax.Array, side: jax.Array) -> EnvState:
    """Open a trade of ``side`` (int32: 1 buy, -1 sell, 0 none) at the close plus slippage (6.4)."""
    opening = side != 0
    fill = bar[CLOSE] + side * of_market(params.market.slippage, state.market)

    def opened(new: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(opening, new, old)

    return replace(
        state,
        position=opened(side, state.position),
        entry_price=opened(fill, state.entry_price),
        sl_price=opened(fill - side * bar[STOP], state.sl_price),
        tp_price=opened(fill + side * bar[TARGET], state.tp_price),
        position_entry_step=opened(state.step_idx, state.position_entry_step),
        balance=state.balance - jnp.where(opening, commission(state, params), 0),
        num_trades=state.num_trades + opening.astype(jnp.int32),
    )


def equity_at(state: EnvState, params: EnvParams, price: jax.Array) -> jax.Array:
    """Return the account's worth with the open trade, if any, at a price in ticks: int32 cents."""
    return state.balance + state.position * (price - state.entry_price) * tick_value(state, params)


def raise_high(state: EnvState, params: EnvParams, equity: jax.Array) -> EnvState:
    """Raise the high to an equity in cents, and the floor with it; neither ever falls."""
    highest = jnp.maximum(state.highest_balance, equity)
    locked = params.initial_balance + params.floor_lock
    floor = jnp.minimum(highest - params.trailing_drawdown, locked)
    floor = jnp.maximum(state.trailing_dd_level, floor)
    return replace(state, highest_balance=highest, trailing_dd_level=floor)


def mark_to_market(state: EnvState, params: EnvParams, bar: jax.Array) -> tuple[EnvState, jax.Array]:
    """Raise the high and the floor to the present equity and test the floor (6.6).

    Returns:
        The state with its new high and floor, and whether equity is below the floor (bool).
    """
    equity = equity_at(state, params, bar[CLOSE])
    state = raise_high(state, params, equity)
    return state, equity < state.trailing_dd_level

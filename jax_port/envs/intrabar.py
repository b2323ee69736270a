"""Hold an account to its floor in every second of a minute, not only at its close.

Source: section 8 of ``docs/environment.md``. For evaluation alone: nobody trains on seconds.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_port.envs.account import close_trade, equity_at, find_exit, raise_high
from jax_port.envs.env_phase1_jax import Phase
from jax_port.envs.state import EnvParams, EnvState


class _Minute(NamedTuple):
    """How far a minute has been lived through. Scalars; int32, the flags bool."""

    highest: jax.Array
    floor: jax.Array
    gone: jax.Array
    broken: jax.Array
    price: jax.Array


def with_seconds(phase: Phase) -> Phase:
    """Return a phase that lives through ``params.seconds`` before it trades a minute."""
    return phase._replace(advance=partial(phase.advance, watch=live_through))


def live_through(
    state: EnvState, params: EnvParams, bar: jax.Array
) -> tuple[EnvState, jax.Array, jax.Array]:
    """Hold each second's worst price against the floor, then raise the high to its best.

    A trade is in the market until the second in which it reaches the exit that its minute gives it;
    what the price does beyond that exit, or later, is no longer its own.

    Args:
        state: at bar t.
        params: with seconds.
        bar: bar t.

    Returns:
        The state after the last second, whether a second broke the floor, and the PnL in int32 cents
        of the trade that it liquidated.
    """
    assert params.seconds is not None
    seconds = jax.tree.map(
        lambda table: jax.lax.dynamic_index_in_dim(table, state.step_idx, keepdims=False),
        params.seconds,
    )
    stopped, reached = find_exit(state, bar)
    at_risk = (state.position != 0) & (state.position_entry_step < state.step_idx)
    is_long = state.position > 0

    def second(minute: _Minute, prices: tuple[jax.Array, jax.Array]) -> tuple[_Minute, None]:
        high, low = prices
        worst, best = jnp.where(is_long, low, high), jnp.where(is_long, high, low)
        here = (high >= low) & ~minute.gone
        at_stop = stopped & (state.position * (worst - state.sl_price) <= 0)
        at_target = reached & (state.position * (best - state.tp_price) >= 0)
        worst = jnp.where(at_stop, state.sl_price, worst)
        best = jnp.where(at_target, state.tp_price, best)

        broken = here & (equity_at(state, params, worst) < minute.floor)
        before = replace(state, highest_balance=minute.highest, trailing_dd_level=minute.floor)
        raised = raise_high(before, params, equity_at(state, params, best))
        rising = here & ~broken & ~at_stop
        return _Minute(
            highest=jnp.where(rising, raised.highest_balance, minute.highest),
            floor=jnp.where(rising, raised.trailing_dd_level, minute.floor),
            gone=minute.gone | (here & (broken | at_stop | at_target)),
            broken=minute.broken | broken,
            price=jnp.where(broken, worst, minute.price),
        ), None

    start = _Minute(
        highest=state.highest_balance,
        floor=state.trailing_dd_level,
        gone=~at_risk,
        broken=jnp.zeros_like(at_risk),
        price=jnp.zeros_like(state.entry_price),
    )
    minute, _ = jax.lax.scan(second, start, (seconds.high, seconds.low))
    state = replace(state, highest_balance=minute.highest, trailing_dd_level=minute.floor)
    after, pnl = close_trade(state, params, minute.broken, minute.price)
    return after, minute.broken, pnl

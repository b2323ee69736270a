"""The Phase 1 trading environment as pure functions: hold, buy, sell.

Source: sections 1 and 4 to 6 of ``docs/environment.md``. Prices are int32 ticks and money is int32
cents, so a step has nothing to round; the reward is an integer divided once. Every function here is
written for one environment and batched with ``vmap``; ``batch_*`` are the forms a trainer runs.

:mod:`jax_port.envs.env_phase2_jax` is made of these functions: it gives ``advance`` another mask and
something to do with an open position, and everything that restarts another
:class:`~jax_port.envs.phase.Phase`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp

from jax_port.data.data_loader import ATR, CLOSE, MINUTE, MarketData
from jax_port.envs import state as env_state
from jax_port.envs.account import close_trade, enter, find_exit, mark_to_market
from jax_port.envs.contracts import check_action, check_params, check_state
from jax_port.envs.fast_rng import below, spread_bits
from jax_port.envs.observation import observe_at
from jax_port.envs.phase import (
    IntrabarFn,
    ManageFn,
    ObserveFn,
    Phase,
    Transition,
    close_only,
    manage_nothing,
)
from jax_port.envs.state import (
    DONE_BAR_LIMIT,
    DONE_DRAWDOWN,
    DONE_END_OF_DATA,
    DONE_LATE,
    EXIT_DRAWDOWN,
    EXIT_LATE,
    EXIT_STOP,
    EXIT_TARGET,
    POSITION_FEATURES,
    EnvParams,
    EnvState,
    Outcome,
    bar_at,
    of_market,
    quotient,
)
from markets import EnvConfig

__all__ = [
    "BUY",
    "HOLD",
    "NUM_ACTIONS",
    "PHASE_1",
    "SELL",
    "action_masks",
    "advance",
    "batch_action_masks",
    "batch_reset",
    "batch_step",
    "draw_start",
    "in_entry_window",
    "is_forbidden",
    "make_params",
    "observe",
    "observe_position",
    "reset",
    "reset_at",
    "step",
    "step_or_restart",
]

HOLD, BUY, SELL = 0, 1, 2
NUM_ACTIONS = 3


def make_params(market: MarketData, config: EnvConfig) -> EnvParams:
    """Turn a configuration of Phase 1 into integers on the device.

    Args:
        market: from :func:`jax_port.data.data_loader.stack`, prepared with the same configuration.
        config: account, reward, entry window and episode length.

    Raises:
        InputError: a configuration of another phase, or a reward term that is not a whole number of
            reward units.
    """
    return env_state.make_params(market, config)


# Reset


def draw_start(bits: jax.Array, params: EnvParams) -> jax.Array:
    """Turn 32 random bits (uint32) into a uniform draw from the starts: int32, 0 to S - 1."""
    return below(bits, params.market.starts.shape[0])


def reset_at(start: jax.Array, params: EnvParams) -> EnvState:
    """Return the state at the beginning of an episode.

    Args:
        start: int32, number of the start in ``params.market.starts``.
        params: configuration and bars.
    """
    row = params.market.starts[start]
    zero = jnp.zeros_like(row[0])
    floor = jnp.minimum(
        params.initial_balance - params.trailing_drawdown,
        params.initial_balance + params.floor_lock,
    )
    return EnvState(
        step_idx=row[0],
        position=zero,
        entry_price=zero,
        sl_price=zero,
        tp_price=zero,
        position_entry_step=zero,
        balance=params.initial_balance,
        highest_balance=params.initial_balance,
        trailing_dd_level=floor,
        num_trades=zero,
        winning_trades=zero,
        losing_trades=zero,
        total_pnl=zero,
        episode_start=row[0],
        market=row[1],
    )


# Observation and mask


def observe_position(state: EnvState, params: EnvParams) -> jax.Array:
    """Return the five position features, float32, shape (5,)."""
    bar = bar_at(params, state.step_idx)
    is_open = state.position != 0
    close = bar[CLOSE]
    atr = jax.lax.bitcast_convert_type(bar[ATR], jnp.float32)

    def when_open(x: jax.Array, flat: float = 0.0) -> jax.Array:
        return jnp.where(is_open, x, jnp.float32(flat))

    held = state.step_idx - state.position_entry_step
    return jnp.stack(
        [
            state.position.astype(jnp.float32),
            when_open(quotient(state.entry_price, close), 1.0),
            when_open(quotient(jnp.abs(state.sl_price - close), atr)),
            when_open(quotient(jnp.abs(state.tp_price - close), atr)),
            when_open(quotient(held, params.max_episode_bars)),
        ]
    )


def observe(state: EnvState, params: EnvParams, position: ObserveFn = observe_position) -> jax.Array:
    """Return the observation: window, oldest bar first, then position; float32, (obs_size,)."""
    return observe_at(state.step_idx, position(state, params), params)


def action_masks(state: EnvState, params: EnvParams) -> jax.Array:
    """Return which of hold, buy, sell are allowed: bool, shape (3,)."""
    del params  # the Phase 1 mask doesn't look at the clock
    flat = state.position == 0
    return jnp.stack([jnp.ones_like(flat), flat, flat])


# One step, in the order of section 6


def is_forbidden(action: jax.Array, masks: jax.Array) -> jax.Array:
    """Return whether a mask of shape (A,) forbids an action; one that is no action is forbidden."""
    number = jnp.arange(masks.shape[0], dtype=action.dtype)
    return ~jnp.any(masks & (number == action))


def in_entry_window(params: EnvParams, bar: jax.Array) -> jax.Array:
    """Return whether a trade may be opened on a bar: bool scalar (section 4)."""
    minute = bar[MINUTE]
    return (minute >= params.entry_open) & (minute < params.entry_close)


def advance(
    state: EnvState,
    action: jax.Array,
    params: EnvParams,
    masks: ObserveFn = action_masks,
    manage: ManageFn = manage_nothing,
    intrabar: IntrabarFn = close_only,
) -> tuple[EnvState, Outcome]:
    """Move one bar forward, without restarting.

    Args:
        state: the state at bar t.
        action: integer scalar; 0 hold, 1 buy, 2 sell.
        params: configuration and bars.
        masks: which actions are allowed.
        manage: what becomes of an open position between entry and mark to market.
        intrabar: what an open position meets within the bar.

    Returns:
        The state at bar t + 1 and what happened on the way.
    """
    check_state(state)
    check_action(action)
    check_params(params)
    bar = bar_at(params, state.step_idx)
    slippage = of_market(params.market.slippage, state.market)

    # 1 legality
    forbidden = is_forbidden(action, masks(state, params))
    action = jnp.where(forbidden, HOLD, action)
    was_flat = state.position == 0

    # section 8, in evaluation
    state, broken, broken_pnl = intrabar(state, params, bar)

    # 2 stop and target, 3 flat by 16:59
    stopped, reached = find_exit(state, bar)
    late = ~was_flat & ~broken & ~stopped & ~reached & (bar[MINUTE] >= params.flat_by)
    market_exit = bar[CLOSE] - state.position * slippage
    price = jnp.where(stopped, state.sl_price, jnp.where(reached, state.tp_price, market_exit))
    closing = stopped | reached | late
    state, exit_pnl = close_trade(state, params, closing, price)

    # 4 action, 5 trailing
    in_window = in_entry_window(params, bar)
    side = (action == BUY).astype(jnp.int32) - (action == SELL).astype(jnp.int32)
    state = enter(state, params, bar, jnp.where(was_flat & in_window, side, 0))
    state, win_bonus = manage(state, params, bar, action)

    # 6 mark to market
    state, breached = mark_to_market(state, params, bar)
    held = breached & (state.position != 0)
    market_exit = bar[CLOSE] - state.position * slippage
    state, liquidation_pnl = close_trade(state, params, held, market_exit)
    liquidated = held | broken

    # 8 reward: a whole number of reward units, divided once
    trade_pnl = broken_pnl + exit_pnl + liquidation_pnl
    closed = closing | liquidated
    is_open = state.position != 0
    violation = late | breached
    units = (
        trade_pnl * params.cent_reward
        + jnp.where(is_open, params.hold_penalty, 0)
        + jnp.where(is_open | closed, 0, params.patience_reward)
        + jnp.where(violation, params.violation_penalty, 0)
        + jnp.where(forbidden, params.invalid_action_penalty, 0)
        + (trade_pnl > 0).astype(jnp.int32) * win_bonus
    )
    reward = quotient(units, params.reward_unit)

    # 9 time
    state = replace(state, step_idx=state.step_idx + 1)
    at_end = state.step_idx >= of_market(params.market.last_bar, state.market)
    at_limit = state.time >= params.max_episode_bars
    done_reason = _first_true(
        (breached, DONE_DRAWDOWN),
        (late, DONE_LATE),
        (at_end, DONE_END_OF_DATA),
        (at_limit, DONE_BAR_LIMIT),
    )
    exit_code = _first_true(
        (stopped, EXIT_STOP), (reached, EXIT_TARGET), (late, EXIT_LATE), (liquidated, EXIT_DRAWDOWN)
    )
    outcome = Outcome(
        reward=reward,
        terminated=violation,
        truncated=~violation & (at_end | at_limit),
        exit_code=exit_code,
        done_reason=done_reason,
        trade_pnl=trade_pnl,
        violation=violation,
        forbidden=forbidden,
    )
    return state, outcome


def _first_true(*cases: tuple[jax.Array, int]) -> jax.Array:
    """Return the code of the first condition that holds, else 0: int32 scalar."""
    code = jnp.int32(0)
    for condition, value in reversed(cases):
        code = jnp.where(condition, jnp.int32(value), code)
    return code


# One step that restarts by itself


PHASE_1 = Phase(
    number=1,
    num_actions=NUM_ACTIONS,
    position_features=POSITION_FEATURES,
    make_params=make_params,
    reset_at=reset_at,
    observe_position=observe_position,
    observe=observe,
    action_masks=action_masks,
    advance=advance,
)


def step_or_restart(
    bits: jax.Array, state: EnvState, action: jax.Array, params: EnvParams, phase: Phase = PHASE_1
) -> Transition:
    """Step, and where the episode ended start another at a start drawn from 32 random bits.

    Whatever part of the result a jitted caller doesn't use is never computed; an unused
    ``final_obs`` costs nothing.
    """
    final_state, outcome = phase.advance(state, action, params)
    done = outcome.terminated | outcome.truncated
    fresh = phase.reset_at(draw_start(bits, params), params)
    following = jax.tree.map(lambda new, old: jnp.where(done, new, old), fresh, final_state)
    return Transition(
        obs=phase.observe(following, params),
        state=following,
        outcome=outcome,
        final_obs=phase.observe(final_state, params),
        final_state=final_state,
    )


def reset(key: jax.Array, params: EnvParams, phase: Phase = PHASE_1) -> tuple[jax.Array, EnvState]:
    """Start an episode at a uniformly drawn start.

    Returns:
        obs float32, shape (params.obs_size,), and the state.
    """
    state = phase.reset_at(draw_start(jax.random.bits(key), params), params)
    return phase.observe(state, params), state


def step(
    key: jax.Array, state: EnvState, action: jax.Array, params: EnvParams, phase: Phase = PHASE_1
) -> Transition:
    """Step one environment; see :func:`step_or_restart`."""
    return step_or_restart(jax.random.bits(key), state, action, params, phase)


def batch_reset(
    key: jax.Array, params: EnvParams, num_envs: int, phase: Phase = PHASE_1
) -> tuple[jax.Array, EnvState]:
    """Reset ``num_envs`` environments from one key: obs (N, obs_size), and states with leaves (N,)."""
    start = draw_start(spread_bits(key, num_envs), params)
    state = jax.vmap(phase.reset_at, in_axes=(0, None))(start, params)
    return jax.vmap(phase.observe, in_axes=(0, None))(state, params), state


def batch_step(
    key: jax.Array, state: EnvState, action: jax.Array, params: EnvParams, phase: Phase = PHASE_1
) -> Transition:
    """Step N environments from one key.

    Args:
        key: one key for all restarts of this step.
        state: leaves of shape (N,).
        action: integers, shape (N,).
        params: shared by all.
        phase: the environment; static.

    Returns:
        A transition whose leaves have a leading axis of N.
    """
    bits = spread_bits(key, action.shape[0])
    one = partial(step_or_restart, phase=phase)
    return jax.vmap(one, in_axes=(0, 0, 0, None))(bits, state, action, params)


def batch_action_masks(state: EnvState, params: EnvParams, phase: Phase = PHASE_1) -> jax.Array:
    """Return the masks of N environments: bool, shape (N, 3), in Phase 2 (N, 6)."""
    return jax.vmap(phase.action_masks, in_axes=(0, None))(state, params)


def main() -> None:
    """Step some environments and print masks, actions and rewards."""
    from jax_port.envs.demonstration import show_steps

    show_steps()


if __name__ == "__main__":
    main()

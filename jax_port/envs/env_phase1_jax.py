"""The Phase 1 environment as pure functions: hold, buy, sell.

Source: sections 1 and 4 to 6 of ``docs/environment.md``. Prices are int32 ticks and money is int32
cents, so a step has nothing to round; the reward is an integer divided once. Every function here is
written for one environment and batched with ``vmap``; ``batch_*`` are the forms a trainer runs.

:mod:`jax_port.envs.env_phase2_jax` is made of these functions: it gives ``advance`` another mask and
something to do with an open position, and everything that restarts another :class:`Phase`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from jax_port.data.data_loader import ATR, CLOSE, MINUTE, MarketData
from jax_port.envs.account import close_trade, enter, find_exit, mark_to_market
from jax_port.envs.fast_rng import below, spread_bits
from jax_port.envs.observation import row_at
from jax_port.envs.state import (
    DONE_BAR_LIMIT,
    DONE_DRAWDOWN,
    DONE_END_OF_DATA,
    DONE_LATE,
    EXIT_DRAWDOWN,
    EXIT_LATE,
    EXIT_NONE,
    EXIT_STOP,
    EXIT_TARGET,
    POSITION_FEATURES,
    RUNNING,
    EnvParams,
    EnvState,
    Outcome,
    bar_at,
    commission,
    divide,
    make_params,
    of_market,
    tick_value,
)
from markets import EnvConfig

__all__ = [
    "BUY",
    "DONE_BAR_LIMIT",
    "DONE_DRAWDOWN",
    "DONE_END_OF_DATA",
    "DONE_LATE",
    "EXIT_DRAWDOWN",
    "EXIT_LATE",
    "EXIT_NONE",
    "EXIT_STOP",
    "EXIT_TARGET",
    "HOLD",
    "NUM_ACTIONS",
    "PHASE_1",
    "POSITION_FEATURES",
    "RUNNING",
    "SELL",
    "Advance",
    "EnvParams",
    "EnvState",
    "Look",
    "Manage",
    "Outcome",
    "Phase",
    "Transition",
    "Watch",
    "action_masks",
    "advance",
    "bar_at",
    "batch_action_masks",
    "batch_reset",
    "batch_step",
    "close_trade",
    "commission",
    "divide",
    "draw_start",
    "enter",
    "find_exit",
    "in_entry_window",
    "is_forbidden",
    "leave_alone",
    "look_away",
    "make_params",
    "mark_to_market",
    "observe",
    "observe_at",
    "observe_position",
    "observe_window",
    "of_market",
    "reset",
    "reset_at",
    "step",
    "step_or_restart",
    "tick_value",
    "view",
    "window_at",
]

HOLD, BUY, SELL = 0, 1, 2
NUM_ACTIONS = 3


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


def observe_at(step_idx: jax.Array, position: jax.Array, params: EnvParams) -> jax.Array:
    """Return what an account sees before bar ``step_idx`` (int32 scalar): float32, (220 + P,).

    Args:
        step_idx: a bar of a market, so that at least one follows the window.
        position: float32 (P,), the position features.
        params: configuration and bars.
    """
    oldest = step_idx - params.window_size
    return row_at(params.market.features, oldest, position, params.window_size)


def window_at(step_idx: jax.Array, params: EnvParams) -> jax.Array:
    """Return the window_size bars before bar ``step_idx`` (int32 scalar): float32, (window, 11)."""
    alone = observe_at(step_idx, jnp.zeros(0, jnp.float32), params)
    return alone.reshape(params.window_size, -1)


def observe_window(state: EnvState, params: EnvParams) -> jax.Array:
    """Return the market part of an observation: float32, (window, 11)."""
    return window_at(state.step_idx, params)


def observe_position(state: EnvState, params: EnvParams) -> jax.Array:
    """Return the five position features, float32, shape (5,)."""
    bar = bar_at(params, state.step_idx)
    is_open = state.position != 0
    close = bar[CLOSE]
    atr = jax.lax.bitcast_convert_type(bar[ATR], jnp.float32)

    def real(x: jax.Array) -> jax.Array:
        return x.astype(jnp.float32)

    def when_open(x: jax.Array, flat: float = 0.0) -> jax.Array:
        return jnp.where(is_open, x, jnp.float32(flat))

    held = state.step_idx - state.position_entry_step
    return jnp.stack(
        [
            real(state.position),
            when_open(real(state.entry_price) / real(close), 1.0),
            when_open(real(jnp.abs(state.sl_price - close)) / atr),
            when_open(real(jnp.abs(state.tp_price - close)) / atr),
            when_open(divide(held, params.max_episode_bars)),
        ]
    )


Look = Callable[[Any, Any], jax.Array]
"""(state, params) -> an array."""


def observe(state: EnvState, params: EnvParams, position: Look = observe_position) -> jax.Array:
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


Manage = Callable[[Any, Any, jax.Array, jax.Array], tuple[Any, jax.Array]]
"""(state, params, bar, action) -> the state after 6.4 and 6.5 of an open position, and the int32
reward units that a trade closed in this step earns if it won."""


def leave_alone(
    state: EnvState, params: EnvParams, bar: jax.Array, action: jax.Array
) -> tuple[EnvState, jax.Array]:
    """Do nothing with an open position, as Phase 1 does."""
    del params, bar, action
    return state, jnp.int32(0)


Watch = Callable[[Any, Any, jax.Array], tuple[Any, jax.Array, jax.Array]]
"""(state, params, bar) -> the state at the bar's end, before it is traded, whether the position was
liquidated on the way (bool), and the int32 cents that it came to."""


def look_away(
    state: EnvState, params: EnvParams, bar: jax.Array
) -> tuple[EnvState, jax.Array, jax.Array]:
    """Look at the account at the close alone, as training does."""
    del params, bar
    return state, jnp.bool_(False), jnp.int32(0)


def advance(
    state: EnvState,
    action: jax.Array,
    params: EnvParams,
    masks: Look = action_masks,
    manage: Manage = leave_alone,
    watch: Watch = look_away,
) -> tuple[EnvState, Outcome]:
    """Move one bar forward, without restarting.

    Args:
        state: the state at bar t.
        action: integer scalar; 0 hold, 1 buy, 2 sell.
        params: configuration and bars.
        masks: which actions are allowed.
        manage: what becomes of an open position between entry and mark to market.
        watch: what an open position meets within the bar.

    Returns:
        The state at bar t + 1 and what happened on the way.
    """
    bar = bar_at(params, state.step_idx)
    slippage = of_market(params.market.slippage, state.market)

    # 1 legality
    forbidden = is_forbidden(action, masks(state, params))
    action = jnp.where(forbidden, HOLD, action)
    was_flat = state.position == 0

    # section 8, in evaluation
    state, broken, broken_pnl = watch(state, params, bar)

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
    reward = divide(units, params.reward_unit)

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


class Advance(Protocol):
    """:func:`advance`, of either phase."""

    def __call__(
        self, state: Any, action: jax.Array, params: Any, *, watch: Watch = look_away
    ) -> tuple[Any, Outcome]:
        """Move one bar forward."""


class Phase(NamedTuple):
    """What makes a phase. The functions are for one environment; ``EnvParams`` come last.

    Attributes:
        number: 1 or 2.
        num_actions: size of the mask.
        position_features: of an observation, beside its window.
        make_params: (market, config) -> parameters.
        reset_at: (start, params) -> state.
        observe_position: (state, params) -> float32 (params.position_features,).
        observe: (state, params) -> float32 (params.obs_size,).
        action_masks: (state, params) -> bool (num_actions,).
        advance: (state, action, params) -> state and :class:`Outcome`; ``watch`` as in
            :func:`advance`.
    """

    number: int
    num_actions: int
    position_features: int
    make_params: Callable[[MarketData, EnvConfig], EnvParams]
    reset_at: Callable[[jax.Array, Any], Any]
    observe_position: Look
    observe: Look
    action_masks: Look
    advance: Advance


PHASE_1 = Phase(
    1,
    NUM_ACTIONS,
    POSITION_FEATURES,
    make_params,
    reset_at,
    observe_position,
    observe,
    action_masks,
    advance,
)


class Transition(NamedTuple):
    """One step of an environment that restarts itself when an episode ends.

    Attributes:
        obs: float32, shape (obs_size,); of the new episode where the old one ended.
        state: likewise.
        outcome: reward, ends and codes of the step.
        final_obs: the observation the step led to, before any restart.
        final_state: the state the step led to, before any restart.
    """

    obs: jax.Array
    state: EnvState
    outcome: Outcome
    final_obs: jax.Array
    final_state: EnvState


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


# For people


def view(state: EnvState, params: EnvParams) -> dict[str, jax.Array]:
    """Return a state in points and dollars, float64 where JAX allows it, else float32.

    ``step_idx``, ``position_entry_step`` and ``episode_start`` are counted from the market's own
    first bar. Works on one state or on a batch.
    """
    tick = params.market.tick_size[state.market]
    first = params.market.first_bar[state.market]
    ticks = {name: getattr(state, name) for name in ("entry_price", "sl_price", "tp_price")}
    cents = {
        name: getattr(state, name)
        for name in ("balance", "highest_balance", "trailing_dd_level", "total_pnl")
    }
    counts = ("position", "num_trades", "winning_trades", "losing_trades", "market")
    return {
        "step_idx": state.step_idx - first,
        "episode_start": state.episode_start - first,
        "position_entry_step": jnp.where(state.position != 0, state.position_entry_step - first, 0),
        **{name: getattr(state, name) for name in counts},
        **{name: value.astype(tick.dtype) * tick for name, value in ticks.items()},
        **{name: value.astype(tick.dtype) / 100 for name, value in cents.items()},
    }

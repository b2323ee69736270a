"""The Phase 1 environment as pure functions: hold, buy, sell.

Source: sections 1 and 4 to 6 of ``docs/environment.md``. Prices are int32 ticks and money is int32
cents, so a step has nothing to round; the reward is an integer divided once. Every function here is
written for one environment and batched with ``vmap``; ``batch_*`` are the forms a trainer runs.

:mod:`jax_port.env_phase2_jax` is made of these functions: it gives ``advance`` another mask and
something to do with an open position, and everything that restarts another :class:`Phase`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

from jax_port.data_loader import (
    ATR,
    CLOSE,
    HIGH,
    LOW,
    MINUTE,
    STOP,
    TARGET,
    MarketData,
)
from jax_port.random_bits import below, spread_bits
from markets import EnvConfig, InputError
from markets.config import dollars_to_cents
from markets.limits import reward_scale

HOLD, BUY, SELL = 0, 1, 2
NUM_ACTIONS = 3
POSITION_FEATURES = 5

EXIT_NONE, EXIT_STOP, EXIT_TARGET, EXIT_LATE, EXIT_DRAWDOWN = range(5)
RUNNING, DONE_DRAWDOWN, DONE_LATE, DONE_END_OF_DATA, DONE_BAR_LIMIT = range(5)


@struct.dataclass
class EnvState:
    """Everything an episode remembers. All leaves are int32 scalars.

    Attributes:
        step_idx: row of the present bar in ``MarketData``.
        position: -1, 0 or 1.
        entry_price, sl_price, tp_price: ticks; 0 when flat.
        position_entry_step: row of the bar on which the trade was opened; 0 when flat.
        balance: cents.
        highest_balance: highest equity seen, cents.
        trailing_dd_level: the drawdown floor, cents.
        num_trades, winning_trades, losing_trades: counts.
        total_pnl: cents, after commission, of closed trades.
        episode_start: row of the bar at which the episode started.
        market: which market of ``MarketData`` the episode is in.
    """

    step_idx: jax.Array
    position: jax.Array
    entry_price: jax.Array
    sl_price: jax.Array
    tp_price: jax.Array
    position_entry_step: jax.Array
    balance: jax.Array
    highest_balance: jax.Array
    trailing_dd_level: jax.Array
    num_trades: jax.Array
    winning_trades: jax.Array
    losing_trades: jax.Array
    total_pnl: jax.Array
    episode_start: jax.Array
    market: jax.Array

    @property
    def time(self) -> jax.Array:
        """Bars since the episode started; the name is gymnax's."""
        return self.step_idx - self.episode_start


@struct.dataclass
class EnvParams:
    """Configuration and data as a pytree, so that all of it but the window can be vmapped.

    Attributes:
        market: the bars.
        initial_balance, trailing_drawdown, floor_lock: int32 cents.
        contracts: int32, whole contracts per trade.
        entry_open, entry_close, flat_by: int32 New York minutes.
        max_episode_bars: int32 bars.
        reward_unit: int32; reward terms are whole multiples of 1 / reward_unit.
        cent_reward: int32; reward_unit's share of one cent of PnL.
        hold_penalty, patience_reward, violation_penalty, invalid_action_penalty, trail_win_bonus:
            int32 multiples of 1 / reward_unit.
        window_size: bars in an observation; static.
    """

    phase: ClassVar[int] = 1
    position_features: ClassVar[int] = POSITION_FEATURES

    market: MarketData
    initial_balance: jax.Array
    trailing_drawdown: jax.Array
    floor_lock: jax.Array
    contracts: jax.Array
    entry_open: jax.Array
    entry_close: jax.Array
    flat_by: jax.Array
    max_episode_bars: jax.Array
    reward_unit: jax.Array
    cent_reward: jax.Array
    hold_penalty: jax.Array
    patience_reward: jax.Array
    violation_penalty: jax.Array
    invalid_action_penalty: jax.Array
    trail_win_bonus: jax.Array
    window_size: int = struct.field(pytree_node=False, default=20)

    @property
    def obs_size(self) -> int:
        """Length of an observation: window_size x 11 + 5, in Phase 2 + 8."""
        return self.window_size * self.market.features.shape[1] + self.position_features

    @property
    def max_steps_in_episode(self) -> jax.Array:
        """``max_episode_bars``, by the name that gymnax trainers ask for."""
        return self.max_episode_bars


class Outcome(NamedTuple):
    """What a step did beside moving the state. Scalars.

    Attributes:
        reward: float32.
        terminated, truncated: bool.
        exit_code: int32; 0 none, 1 stop, 2 target, 3 late close, 4 drawdown.
        done_reason: int32; 0 running, 1 drawdown, 2 late close, 3 end of data, 4 bar limit.
        trade_pnl: int32 cents of the trade closed in this step, after both commissions; 0 if none.
        violation: bool, a rule of the account was broken.
        forbidden: bool, the mask forbade the action.
    """

    reward: jax.Array
    terminated: jax.Array
    truncated: jax.Array
    exit_code: jax.Array
    done_reason: jax.Array
    trade_pnl: jax.Array
    violation: jax.Array
    forbidden: jax.Array


def make_params(market: MarketData, config: EnvConfig, kind: type[EnvParams] = EnvParams) -> EnvParams:
    """Turn a configuration into integers on the device.

    Args:
        market: from :func:`jax_port.data_loader.stack`, prepared with the same configuration.
        config: account, reward, entry window and episode length.
        kind: what to make.

    Raises:
        InputError: a configuration of another phase, or a reward term that is not a whole number of
            reward units.
    """
    if config.phase != kind.phase:
        raise InputError(
            f"the environment of phase {kind.phase} was given a configuration of phase {config.phase}; "
            f"use EnvConfig.phase{kind.phase}()"
        )
    account, reward = config.account, config.reward
    scale = reward_scale(reward)
    unit = dollars_to_cents("pnl_divisor_dollars", reward.pnl_divisor_dollars) * scale

    def cents(name: str) -> jax.Array:
        return jnp.int32(dollars_to_cents(name, getattr(account, name)))

    def term(value: float) -> jax.Array:
        return jnp.int32(int(Decimal(repr(float(value))) * unit))

    return kind(
        market=market,
        initial_balance=cents("initial_balance_dollars"),
        trailing_drawdown=cents("trailing_drawdown_dollars"),
        floor_lock=cents("floor_lock_dollars"),
        contracts=jnp.int32(account.contracts),
        entry_open=jnp.int32(config.entry_open_minute),
        entry_close=jnp.int32(config.entry_close_minute),
        flat_by=jnp.int32(config.flat_by_minute),
        max_episode_bars=jnp.int32(config.max_episode_bars),
        reward_unit=jnp.int32(unit),
        cent_reward=jnp.int32(scale),
        hold_penalty=term(reward.hold_penalty),
        patience_reward=term(reward.patience_reward),
        violation_penalty=term(reward.violation_penalty),
        invalid_action_penalty=term(reward.invalid_action_penalty),
        trail_win_bonus=term(reward.trail_win_bonus),
        window_size=config.window_size,
    )


# Reading the market


def bar_at(params: EnvParams, step_idx: jax.Array) -> jax.Array:
    """Return what a step reads of a bar: int32, shape (8,), columns as in ``MarketData.bars``."""
    return jax.lax.dynamic_index_in_dim(params.market.bars, step_idx, keepdims=False)


def of_market(table: jax.Array, market: jax.Array) -> jax.Array:
    """Return a market's entry of a table of shape (M,); with one market there is nothing to look up."""
    return table[0] if table.shape[0] == 1 else table[market]


def tick_value(state: EnvState, params: EnvParams) -> jax.Array:
    """Return cents that one tick is worth to the whole position."""
    return of_market(params.market.tick_value, state.market) * params.contracts


def commission(state: EnvState, params: EnvParams) -> jax.Array:
    """Return cents of one side's commission on all contracts."""
    return of_market(params.market.commission, state.market) * params.contracts


def divide(count: jax.Array, by: jax.Array) -> jax.Array:
    """Return an int32 count over a positive int32 that all environments share: float32.

    XLA would multiply by the reciprocal of a shared divisor, which rounds twice. The divisor here
    is never below min(count, 1), but XLA can't know, so it divides.
    """
    return count.astype(jnp.float32) / jnp.maximum(by, jnp.minimum(count, 1)).astype(jnp.float32)


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


def window_at(step_idx: jax.Array, params: EnvParams) -> jax.Array:
    """Return the window_size bars before bar ``step_idx`` (int32 scalar): float32, (window, 11)."""
    features = params.market.features
    oldest = (step_idx - params.window_size, jnp.int32(0))
    return jax.lax.dynamic_slice(features, oldest, (params.window_size, features.shape[1]))


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
    window = observe_window(state, params)
    return jnp.concatenate([window.reshape(-1), position(state, params)])


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


def mark_to_market(state: EnvState, params: EnvParams, bar: jax.Array) -> tuple[EnvState, jax.Array]:
    """Raise the high and the floor to the present equity and test the floor (6.6).

    Returns:
        The state with its new high and floor, and whether equity is below the floor (bool).
    """
    open_pnl = state.position * (bar[CLOSE] - state.entry_price) * tick_value(state, params)
    equity = state.balance + open_pnl
    highest = jnp.maximum(state.highest_balance, equity)
    locked = params.initial_balance + params.floor_lock
    floor = jnp.minimum(highest - params.trailing_drawdown, locked)
    floor = jnp.maximum(state.trailing_dd_level, floor)
    return replace(state, highest_balance=highest, trailing_dd_level=floor), equity < floor


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


def advance(
    state: EnvState,
    action: jax.Array,
    params: EnvParams,
    masks: Look = action_masks,
    manage: Manage = leave_alone,
) -> tuple[EnvState, Outcome]:
    """Move one bar forward, without restarting.

    Args:
        state: the state at bar t.
        action: integer scalar; 0 hold, 1 buy, 2 sell.
        params: configuration and bars.
        masks: which actions are allowed.
        manage: what becomes of an open position between entry and mark to market.

    Returns:
        The state at bar t + 1 and what happened on the way.
    """
    bar = bar_at(params, state.step_idx)
    slippage = of_market(params.market.slippage, state.market)

    # 1 legality
    forbidden = is_forbidden(action, masks(state, params))
    action = jnp.where(forbidden, HOLD, action)
    was_flat = state.position == 0

    # 2 stop and target, 3 flat by 16:59
    stopped, reached = find_exit(state, bar)
    late = ~was_flat & ~stopped & ~reached & (bar[MINUTE] >= params.flat_by)
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
    liquidated = breached & (state.position != 0)
    market_exit = bar[CLOSE] - state.position * slippage
    state, liquidation_pnl = close_trade(state, params, liquidated, market_exit)

    # 8 reward: a whole number of reward units, divided once
    trade_pnl = exit_pnl + liquidation_pnl
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
        advance: (state, action, params) -> state and :class:`Outcome`.
    """

    number: int
    num_actions: int
    position_features: int
    make_params: Callable[[MarketData, EnvConfig], EnvParams]
    reset_at: Callable[[jax.Array, Any], Any]
    observe_position: Look
    observe: Look
    action_masks: Look
    advance: Callable[[Any, jax.Array, Any], tuple[Any, Outcome]]


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

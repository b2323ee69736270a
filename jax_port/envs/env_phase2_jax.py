"""The Phase 2 environment: Phase 1's pure functions, and three ways to manage an open position.

Source: sections 4 to 6 of ``docs/environment.md``. Only what Phase 2 adds is written here; a step, its
restarts and its batches are :mod:`jax_port.envs.env_phase1_jax`'s.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import struct

from jax_port.data.data_loader import CLOSE, TRAIL, MarketData
from jax_port.envs import env_phase1_jax as phase1
from jax_port.envs.env_phase1_jax import Outcome, Phase, Watch, bar_at, look_away
from markets import EnvConfig

HOLD, BUY, SELL = phase1.HOLD, phase1.BUY, phase1.SELL
BREAK_EVEN, TRAIL_ON, TRAIL_OFF = 3, 4, 5
NUM_ACTIONS = 6
POSITION_FEATURES = phase1.POSITION_FEATURES + 3


@struct.dataclass
class EnvState(phase1.EnvState):
    """Everything an episode remembers: Phase 1's int32 scalars, and one more.

    Attributes:
        trailing: bool, the stop of the open trade follows the close; False when flat.
    """

    trailing: jax.Array


@struct.dataclass
class EnvParams(phase1.EnvParams):
    """Phase 1's parameters, of another kind: an observation is three flags longer."""

    phase: ClassVar[int] = 2
    position_features: ClassVar[int] = POSITION_FEATURES


def make_params(market: MarketData, config: EnvConfig) -> phase1.EnvParams:
    """Turn a configuration of Phase 2 into integers on the device, as Phase 1's function does."""
    return phase1.make_params(market, config, EnvParams)


def reset_at(start: jax.Array, params: EnvParams) -> EnvState:
    """Return the state at the beginning of an episode; see Phase 1's."""
    state = phase1.reset_at(start, params)
    return EnvState(**vars(state), trailing=jnp.zeros_like(start, bool))


# Observation and mask


def can_enter(state: EnvState, params: EnvParams, bar: jax.Array) -> jax.Array:
    """Return whether a trade may be opened now: bool scalar."""
    return (state.position == 0) & phase1.in_entry_window(params, bar)


def at_break_even(state: EnvState) -> jax.Array:
    """Return whether an open trade's stop is at its entry or past it, bool; False when flat."""
    locked_in = state.position * (state.sl_price - state.entry_price)
    return (state.position != 0) & (locked_in >= 0)


def observe_position(state: EnvState, params: EnvParams) -> jax.Array:
    """Return the eight position features, float32: Phase 1's five and three flags."""
    bar = bar_at(params, state.step_idx)
    flags = jnp.stack([can_enter(state, params, bar), at_break_even(state), state.trailing])
    return jnp.concatenate([phase1.observe_position(state, params), flags.astype(jnp.float32)])


def observe(state: EnvState, params: EnvParams) -> jax.Array:
    """Return the observation, float32, (obs_size,): (228,) by default."""
    return phase1.observe(state, params, observe_position)


def action_masks(state: EnvState, params: EnvParams) -> jax.Array:
    """Return which actions are allowed: bool, shape (6,).

    Hold, buy, sell, stop to break-even, trailing on, trailing off.
    """
    bar = bar_at(params, state.step_idx)
    entry = can_enter(state, params, bar)
    is_open = state.position != 0
    profit = state.position * (bar[CLOSE] - state.entry_price) > 0
    at_be = at_break_even(state)
    return jnp.stack(
        [
            jnp.ones_like(entry),
            entry,
            entry,
            is_open & profit & ~at_be,
            is_open & profit & at_be & ~state.trailing,
            is_open & state.trailing,
        ]
    )


# One step


def manage(
    state: EnvState, params: EnvParams, bar: jax.Array, action: jax.Array
) -> tuple[EnvState, jax.Array]:
    """Move the stop of a position that is still open, and switch its trailing (6.4 and 6.5).

    A trade that was closed earlier in this step still has its ``trailing`` here; :func:`advance`
    clears it at the end of the step.

    Args:
        state: after entries.
        params: configuration and bars.
        bar: bar t.
        action: legal, int32 scalar.

    Returns:
        The state after, and the int32 reward units of a win with trailing on, 0 with trailing off.
    """
    is_open = state.position != 0
    entry_plus = state.entry_price + state.position
    stop = jnp.where(is_open & (action == BREAK_EVEN), entry_plus, state.sl_price)
    switched = (state.trailing | (action == TRAIL_ON)) & (action != TRAIL_OFF)
    trailing = jnp.where(is_open, switched, state.trailing)

    candidate = bar[CLOSE] - state.position * bar[TRAIL]
    better = state.position * (candidate - stop) > 0
    stop = jnp.where(is_open & trailing & better, candidate, stop)
    bonus = jnp.where(trailing, params.trail_win_bonus, 0)
    return replace(state, sl_price=stop, trailing=trailing), bonus


def advance(
    state: EnvState, action: jax.Array, params: EnvParams, watch: Watch = look_away
) -> tuple[EnvState, Outcome]:
    """Move one bar forward, without restarting; see Phase 1's."""
    after, outcome = phase1.advance(state, action, params, action_masks, manage, watch)
    assert isinstance(after, EnvState)
    return replace(after, trailing=after.trailing & (after.position != 0)), outcome


PHASE_2 = Phase(
    2,
    NUM_ACTIONS,
    POSITION_FEATURES,
    make_params,
    reset_at,
    observe_position,
    observe,
    action_masks,
    advance,
)

reset = partial(phase1.reset, phase=PHASE_2)
step_or_restart = partial(phase1.step_or_restart, phase=PHASE_2)
step = partial(phase1.step, phase=PHASE_2)
batch_reset = partial(phase1.batch_reset, phase=PHASE_2)
batch_step = partial(phase1.batch_step, phase=PHASE_2)
batch_action_masks = partial(phase1.batch_action_masks, phase=PHASE_2)


# For people


def view(state: EnvState, params: EnvParams) -> dict[str, jax.Array]:
    """Return a state in points and dollars; see Phase 1's."""
    return {**phase1.view(state, params), "trailing": state.trailing}

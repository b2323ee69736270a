"""State, parameters and outcome of an environment, and what a step reads of the market.

Source: sections 1 and 4 of ``docs/environment.md``. Prices are int32 ticks and money is int32 cents.
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

from jax_port.data.data_loader import MarketData
from jax_port.data.seconds_loader import SecondsData
from jax_port.envs.form import Form, default_form
from markets import EnvConfig, InputError
from markets.config import dollars_to_cents
from markets.limits import reward_scale

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
    def flags(self) -> frozenset[str]:
        """Names of the fields that are bool scalars instead; none in Phase 1."""
        return frozenset()

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
        seconds: one-second bars, where an account is looked at every second; none in training.
        form: in which programs of these parameters compute; static.
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
    seconds: SecondsData | None = None
    form: Form = struct.field(pytree_node=False, default="cpu")

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
    """Turn a configuration into integers on the device, in the form for the device that JAX uses.

    Args:
        market: from :func:`jax_port.data.data_loader.stack`, prepared with the same configuration.
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
        form=default_form(),
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


def quotient(a: jax.Array, b: jax.Array) -> jax.Array:
    """Return a / b, int32 or float32 of one shape, as the nearest float32 on every device.

    A GPU's own float32 division is off by up to 2 units in the last place, which matters where running
    statistics magnify it, and XLA multiplies by the reciprocal of a shared divisor, which rounds twice.
    A float64 quotient of a number by one of 24 bits is never so near to the middle of two float32 that
    its own error decides. A cast alone may be compiled away where the result is widened again.
    """
    with jax.enable_x64(True):
        exact = a.astype(jnp.float64) / b.astype(jnp.float64)
        rounded = jax.lax.reduce_precision(exact, exponent_bits=8, mantissa_bits=23)
        return rounded.astype(jnp.float32)

"""Whole episodes of a policy or of any other actor, thousands at a time.

Source: sections 4 to 6 and 8 of ``docs/environment.md``. One jitted scan over the steps of an episode
steps a fixed number of lanes, so that a last, partly filled batch compiles nothing anew. A lane that is
done stands still. What a step did is told from the state before and after ``advance``, so nothing of
section 6 is written here a second time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from numpy.typing import NDArray

from jax_port.data.data_loader import CLOSE
from jax_port.envs import env_phase1_jax as phase1
from jax_port.envs.account import enter
from jax_port.envs.phase import Phase
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EXIT_NONE, EnvParams, EnvState, bar_at, commission, tick_value
from jax_port.evaluation.advice import advised
from jax_port.evaluation.advice.advised import AdviceCounts, AdviceParams, AdviceState, Advised
from jax_port.ppo.networks import Params, masked_log_probs, mode
from jax_port.ppo.policy import Module, Policy
from jax_port.ppo.prior import prior_at, shifted
from jax_port.ppo.running_statistics import Scale, normalize

LANES = 2048
"""Episodes that are played together."""
ROUND_TO = 64
"""Fewer episodes than lanes are padded to a multiple of this."""


@struct.dataclass
class Lane:
    """An episode so far. Scalars; money in int32 cents.

    Attributes:
        state: of the environment.
        done: bool.
        done_reason, steps: int32.
        reward, reward_low: float32; the sum of the rewards is ``reward - reward_low``.
        open_bars: int32, steps that ended with an open position.
        equity: balance and the open trade's worth at the last close.
        peak, drawdown: highest equity so far, and the largest fall of equity from its peak.
    """

    state: EnvState
    done: jax.Array
    done_reason: jax.Array
    steps: jax.Array
    reward: jax.Array
    reward_low: jax.Array
    open_bars: jax.Array
    equity: jax.Array
    peak: jax.Array
    drawdown: jax.Array


class Steps(NamedTuple):
    """What every step did, shape (T, N); all zero once an episode is done, but for the last five.

    Attributes:
        action: int8.
        exit_code: int8, above zero where a trade was closed.
        side: int8, 1 or -1: the closed trade's.
        entry_row: int32, row in ``MarketData`` of the bar that opened the closed trade.
        entry_price, exit_price: int32 ticks, of the closed trade.
        pnl: int32 cents of the closed trade, after both commissions.
        equity: int32 cents after the step.
        position: int8, after the step: -1, 0 or 1.
        held_price, sl_price, tp_price: int32 ticks, the open trade's entry, stop and target after the
            step, so those of the next bar; 0 when flat.
    """

    action: Any
    exit_code: Any
    side: Any
    entry_row: Any
    entry_price: Any
    exit_price: Any
    pnl: Any
    equity: Any
    position: Any
    held_price: Any
    sl_price: Any
    tp_price: Any


class Episodes(NamedTuple):
    """How each of N episodes went, shape (N,). Money in int64 cents.

    Attributes:
        row: int64, row in ``MarketData`` of the first bar.
        steps, done_reason: int64.
        pnl: of closed trades, after commission.
        equity: at the end, an open trade marked at the last close.
        open_at_end: bool, a trade was still open.
        reward: float64.
        trades: opened.
        wins: closed with a PnL above zero.
        open_bars: steps that ended with an open position.
        max_drawdown: largest fall of equity from its peak.
    """

    row: NDArray[np.int64]
    steps: NDArray[np.int64]
    done_reason: NDArray[np.int64]
    pnl: NDArray[np.int64]
    equity: NDArray[np.int64]
    open_at_end: NDArray[np.bool_]
    reward: NDArray[np.float64]
    trades: NDArray[np.int64]
    wins: NDArray[np.int64]
    open_bars: NDArray[np.int64]
    max_drawdown: NDArray[np.int64]


class ActFn(Protocol):
    """Chooses the actions of a step. Hashable: another one is compiled anew."""

    def __call__(self, phase: Phase, given: Any, states: Any, params: EnvParams) -> jax.Array:
        """Return an action for each state, int32 (N,); ``given`` as in :func:`play_actor`."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class PolicyActor:
    """Takes the likeliest allowed action; it is given the network's weights and the scale.

    Where the bars have a prior, the logits are the network's and the prior's.
    """

    network: Module

    def __call__(self, phase: Phase, given: Any, states: Any, params: EnvParams) -> jax.Array:
        """Return the likeliest allowed action for each state, int32 (N,)."""
        logits, masks = self.logits(phase, given, states, params)
        return mode(masked_log_probs(logits, masks))

    def logits(
        self, phase: Phase, given: Any, states: Any, params: EnvParams
    ) -> tuple[jax.Array, jax.Array]:
        """Return the policy's logits, float32 (N, A), and the masks, bool (N, A)."""
        weights: Params
        scale: Scale
        weights, scale = given
        obs = jax.vmap(phase.observe, in_axes=(0, None))(states, params)
        masks = jax.vmap(phase.action_masks, in_axes=(0, None))(states, params)
        logits: Any = self.network.apply(weights, normalize(scale, obs), part="policy")
        return shifted(logits, prior_at(states.step_idx, masks.shape[1], params)), masks


def play(
    policy: Policy,
    params: EnvParams,
    starts: NDArray[np.int64],
    recorded: int,
    *,
    lanes: int = LANES,
    advice: Advised | None = None,
) -> Iterator[tuple[Episodes, Steps | None, AdviceCounts | None]]:
    """Play an episode of a policy from every start; see :func:`play_actor`."""
    given = jax.tree.map(jnp.asarray, policy.params), policy.scale
    actor = PolicyActor(policy.network)
    yield from play_actor(actor, given, params, starts, recorded, lanes=lanes, advice=advice)


def play_actor(
    actor: ActFn,
    given: Any,
    params: EnvParams,
    starts: NDArray[np.int64],
    recorded: int,
    *,
    lanes: int = LANES,
    advice: Advised | None = None,
) -> Iterator[tuple[Episodes, Steps | None, AdviceCounts | None]]:
    """Play an episode from every start, a batch at a time and in order.

    Matrix products are float32 on every device.

    Args:
        actor, given: who chooses the actions, and the arrays that it needs for that.
        params: rules and bars; their phase is the environment's, by the second where they hold seconds.
        starts: numbers of starts in ``params.market.starts``, at least one.
        recorded: how many of the first episodes' steps are wanted; other batches leave theirs on
            the device.
        lanes: episodes in a batch.
        advice: what the policy is advised with, on the one market of ``params``; None for none.

    Yields:
        A batch's episodes, its steps where it holds a recorded episode, and what came of the advice.
    """
    width = min(lanes, -(-len(starts) // ROUND_TO) * ROUND_TO)
    length = int(params.max_episode_bars)
    on_device = None if advice is None else advice.on_device()
    for first in range(0, len(starts), width):
        batch = starts[first : first + width]
        padded = np.concatenate([batch, np.repeat(batch[:1], width - len(batch))]).astype(np.int32)
        with jax.default_matmul_precision("highest"):
            ends, advice_state, steps = _play(
                actor, given, jnp.asarray(padded), params, length, on_device
            )
        batch_steps = None
        if first < recorded:
            batch_steps = Steps(*(np.asarray(leaf)[:, : len(batch)] for leaf in steps))
        yield _episodes(ends, len(batch)), batch_steps, _counts(advice_state, len(batch))


def _episodes(ends: Lane, count: int) -> Episodes:
    """Return the first ``count`` lanes on the host."""
    ends = jax.tree.map(lambda leaf: np.asarray(leaf)[:count], ends)
    state = ends.state

    def wide(values: Any) -> NDArray[np.int64]:
        return np.asarray(values, np.int64)

    return Episodes(
        row=wide(state.episode_start),
        steps=wide(ends.steps),
        done_reason=wide(ends.done_reason),
        pnl=wide(state.total_pnl),
        equity=wide(ends.equity),
        open_at_end=np.asarray(state.position) != 0,
        reward=np.asarray(ends.reward, np.float64) - np.asarray(ends.reward_low, np.float64),
        trades=wide(state.num_trades),
        wins=wide(state.winning_trades),
        open_bars=wide(ends.open_bars),
        max_drawdown=wide(ends.drawdown),
    )


def _counts(advice: AdviceState | None, count: int) -> AdviceCounts | None:
    """Return the first ``count`` lanes' counts on the host."""
    if advice is None:
        return None
    return AdviceCounts(
        *(np.asarray(getattr(advice, name), np.int64)[:count] for name in AdviceCounts._fields)
    )


@partial(jax.jit, static_argnums=(0, 4))
def _play(
    actor: ActFn,
    given: Any,
    starts: jax.Array,
    params: EnvParams,
    length: int,
    advice: AdviceParams | None = None,
) -> tuple[Lane, AdviceState | None, Steps]:
    phase = phase_of(params)
    lanes = jax.vmap(partial(_begin, phase), in_axes=(0, None))(starts, params)
    advice_state = None if advice is None else jax.vmap(advised.begin)(starts)

    def one_step(carry: tuple[Lane, AdviceState | None], _: None) -> Any:
        lanes, advice_state = carry
        if advice_state is None or advice is None:
            actions = actor(phase, given, lanes.state, params)
        else:
            assert isinstance(actor, PolicyActor), "only a policy is advised"
            logits, masks = actor.logits(phase, given, lanes.state, params)
            actions, heard = jax.vmap(advised.decide, in_axes=(0, 0, 0, 0, 0, None, None))(
                logits, masks, lanes.state, lanes.equity, advice_state, params, advice
            )
        after, steps = jax.vmap(partial(_follow, phase), in_axes=(0, 0, None))(lanes, actions, params)
        if advice_state is not None:
            heard = jax.vmap(advised.follow)(heard, lanes.state, after.state)
            advice_state = jax.tree.map(
                lambda old, new: jnp.where(lanes.done, old, new), advice_state, heard
            )
        return (after, advice_state), steps

    (ends, advice_state), steps = jax.lax.scan(one_step, (lanes, advice_state), None, length=length)
    return ends, advice_state, steps


def _begin(phase: Phase, start: jax.Array, params: EnvParams) -> Lane:
    state = phase.reset_at(start, params)
    zero = jnp.zeros_like(start)
    return Lane(
        state=state,
        done=jnp.zeros_like(start, bool),
        done_reason=zero,
        steps=zero,
        reward=jnp.zeros_like(start, jnp.float32),
        reward_low=jnp.zeros_like(start, jnp.float32),
        open_bars=zero,
        equity=state.balance,
        peak=state.balance,
        drawdown=zero,
    )


def _follow(phase: Phase, lane: Lane, action: jax.Array, params: EnvParams) -> tuple[Lane, Steps]:
    """Take one step of one lane and tell what it did."""
    before = lane.state
    after, outcome = phase.advance(before, action, params)
    bar = bar_at(params, before.step_idx)
    open_ticks = after.position * (bar[CLOSE] - after.entry_price)
    equity = after.balance + open_ticks * tick_value(after, params)
    peak = jnp.maximum(lane.peak, equity)
    # Kahan's sum: what the float32 total can't hold of a reward is taken off the next one.
    missed = outcome.reward - lane.reward_low
    reward = lane.reward + missed
    moved = Lane(
        state=after,
        done=outcome.terminated | outcome.truncated,
        done_reason=outcome.done_reason,
        steps=lane.steps + 1,
        reward=reward,
        reward_low=(reward - lane.reward) - missed,
        open_bars=lane.open_bars + (after.position != 0).astype(jnp.int32),
        equity=equity,
        peak=peak,
        drawdown=jnp.maximum(lane.drawdown, peak - equity),
    )
    following = jax.tree.map(lambda old, new: jnp.where(lane.done, old, new), lane, moved)
    closed = ~lane.done & (outcome.exit_code != EXIT_NONE)
    trade = _trade_at_risk(before, action, params, bar)
    # The fill that the PnL was booked with, whatever order it came from.
    gross = outcome.trade_pnl + 2 * commission(before, params)
    gained = trade.position * (gross // tick_value(before, params))

    def of_closed(value: jax.Array) -> jax.Array:
        return jnp.where(closed, value, 0)

    return following, Steps(
        action=jnp.where(lane.done, 0, action).astype(jnp.int8),
        exit_code=of_closed(outcome.exit_code).astype(jnp.int8),
        side=of_closed(trade.position).astype(jnp.int8),
        entry_row=of_closed(trade.position_entry_step),
        entry_price=of_closed(trade.entry_price),
        exit_price=of_closed(trade.entry_price + gained),
        pnl=of_closed(outcome.trade_pnl),
        equity=following.equity,
        position=following.state.position.astype(jnp.int8),
        held_price=following.state.entry_price,
        sl_price=following.state.sl_price,
        tp_price=following.state.tp_price,
    )


def _trade_at_risk(before: EnvState, action: jax.Array, params: EnvParams, bar: jax.Array) -> EnvState:
    """Return a state that holds the trade a step could close: the open one, else its own entry.

    A trade that is opened and liquidated within one step leaves no trace in the state after it.
    """
    side = (action == phase1.BUY).astype(jnp.int32) - (action == phase1.SELL).astype(jnp.int32)
    return enter(before, params, bar, jnp.where(before.position == 0, side, 0))

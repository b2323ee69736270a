"""A policy that asks an advisor: when it asks, when an answer acts, and what it then decides.

Source: "When advice acts" and "Fusion" in ``docs/advice.md``. The answers lie in a table by bar, so
nothing here calls a model. Functions are for one lane.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from numpy.typing import NDArray

from jax_port.envs.env_phase1_jax import BUY, SELL
from jax_port.envs.state import EnvParams, EnvState
from jax_port.evaluation.advice.fusion import FusionParams, fusion_params, log_chances
from jax_port.ppo.networks import masked_log_probs, mode
from markets.advice.fusion import FusionSettings, Situation
from markets.advice.schedule import AdviceOnBars

NEVER = -1_000_000_000


@dataclass(frozen=True)
class Advised:
    """What a policy is advised with: answers by bar, and how they are fused."""

    bars: AdviceOnBars
    settings: FusionSettings

    def on_device(self) -> AdviceParams:
        """Put it on the device."""
        bars = self.bars
        return AdviceParams(
            jnp.asarray(bars.advice),
            jnp.asarray(bars.confidence),
            jnp.asarray(bars.given),
            jnp.asarray(bars.known),
            jnp.asarray(bars.minute),
            fusion_params(self.settings),
        )


@struct.dataclass
class AdviceParams:
    """:class:`markets.advice.schedule.AdviceOnBars` of one market and a fusion, on the device."""

    advice: jax.Array
    confidence: jax.Array
    given: jax.Array
    known: jax.Array
    minute: jax.Array
    fusion: FusionParams


@struct.dataclass
class AdviceState:
    """What an episode remembers of its advice. Scalars, int32.

    Attributes:
        current: bar of the newest answer; -1 before there is one.
        asked: bar of the question under way; -1 where there is none.
        last: bar of the last question.
        losses: losing trades in a row.
        questions: asked.
        advised: decisions that had advice.
        changed: decisions that are not what the bare policy would have done there.
    """

    current: jax.Array
    asked: jax.Array
    last: jax.Array
    losses: jax.Array
    questions: jax.Array
    advised: jax.Array
    changed: jax.Array


class AdviceCounts(NamedTuple):
    """Counts of N episodes, int64 (N,); see :class:`AdviceState`."""

    questions: NDArray[np.int64]
    advised: NDArray[np.int64]
    changed: NDArray[np.int64]


def begin(start: jax.Array) -> AdviceState:
    """Return the state at an episode's start; ``start`` is an int32 scalar."""
    zero = jnp.zeros_like(start)
    none = zero - 1
    return AdviceState(none, none, zero + NEVER, zero, zero, zero, zero)


def decide(
    logits: jax.Array,
    masks: jax.Array,
    state: EnvState,
    equity: jax.Array,
    told: AdviceState,
    params: EnvParams,
    advice: AdviceParams,
) -> tuple[jax.Array, AdviceState]:
    """Take in an answer that has come, decide, then ask: the action, int32, and the state after.

    Args:
        logits: float32 (A,), the policy's.
        masks: bool (A,).
        state: of the environment.
        equity: int32 cents, at the last close.
        told: what was asked and answered before.
        params, advice: rules and answers.
    """
    bar, fusion = state.step_idx, advice.fusion
    pending = jnp.maximum(told.asked, 0)
    arrived = (told.asked >= 0) & (advice.known[pending] <= bar)
    current = jnp.where(arrived & advice.given[pending], told.asked, told.current)
    asked = jnp.where(arrived, -1, told.asked)
    row = jnp.maximum(current, 0)
    age = advice.minute[bar] - advice.minute[row] - 1
    most = fusion.freshness.shape[0] - 1
    fresh = jnp.where(
        (current >= 0) & (age <= most), fusion.freshness[jnp.clip(age, 0, most)], jnp.float32(0)
    )
    left = (equity - state.trailing_dd_level).astype(jnp.float32) / params.trailing_drawdown.astype(
        jnp.float32
    )
    given = Situation(
        logits, masks, advice.advice[row], advice.confidence[row], fresh, told.losses, left
    )
    action = mode(log_chances(given, fusion))
    bare = mode(masked_log_probs(logits, masks))

    wants_in = (bare == BUY) | (bare == SELL)
    due = (bar % fusion.every == 0) | (fusion.at_entries & wants_in)
    ask = (asked < 0) & due & (bar - told.last > fusion.cooldown)
    return action, AdviceState(
        current=current,
        asked=jnp.where(ask, bar, asked),
        last=jnp.where(ask, bar, told.last),
        losses=told.losses,
        questions=told.questions + ask.astype(jnp.int32),
        advised=told.advised + (fresh > 0).astype(jnp.int32),
        changed=told.changed + (action != bare).astype(jnp.int32),
    )


def follow(told: AdviceState, before: EnvState, after: EnvState) -> AdviceState:
    """Count losing trades in a row over a step."""
    lost = after.losing_trades > before.losing_trades
    won = after.winning_trades > before.winning_trades
    losses = jnp.where(lost, told.losses + 1, jnp.where(won, 0, told.losses))
    return replace(told, losses=losses)

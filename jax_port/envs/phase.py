"""A phase of the environment: its functions, and the types of those that vary.

Source: sections 4 to 6 and 8 of ``docs/environment.md``. The functions are for one environment; batches
are made with ``vmap``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from jax_port.data.data_loader import MarketData
from jax_port.envs.state import EnvParams, EnvState, Outcome
from markets import EnvConfig

ObserveFn = Callable[[Any, Any], jax.Array]
"""(state, params) -> an array: an observation, a part of one, or a mask."""

ManageFn = Callable[[Any, Any, jax.Array, jax.Array], tuple[Any, jax.Array]]
"""(state, params, bar, action) -> the state after 6.4 and 6.5 of an open position, and the int32
reward units that a trade closed in this step earns if it won."""

IntrabarFn = Callable[[Any, Any, jax.Array], tuple[Any, jax.Array, jax.Array]]
"""(state, params, bar) -> the state at the bar's end, before it is traded, whether the position was
liquidated on the way (bool), and the int32 cents that it came to."""


def manage_nothing(
    state: EnvState, params: EnvParams, bar: jax.Array, action: jax.Array
) -> tuple[EnvState, jax.Array]:
    """Do nothing with an open position, as Phase 1 does (a :data:`ManageFn`)."""
    del params, bar, action
    return state, jnp.int32(0)


def close_only(
    state: EnvState, params: EnvParams, bar: jax.Array
) -> tuple[EnvState, jax.Array, jax.Array]:
    """Look at the account at the bar's close alone, as training does (an :data:`IntrabarFn`)."""
    del params, bar
    return state, jnp.bool_(False), jnp.int32(0)


class Advance(Protocol):
    """:func:`jax_port.envs.env_phase1_jax.advance`, of either phase."""

    def __call__(
        self, state: Any, action: jax.Array, params: Any, *, intrabar: IntrabarFn = close_only
    ) -> tuple[Any, Outcome]:
        """Move one bar forward, without restarting."""


@dataclass(frozen=True, kw_only=True)
class Phase:
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
        advance: (state, action, params) -> state and :class:`~jax_port.envs.state.Outcome`.
    """

    number: int
    num_actions: int
    position_features: int
    make_params: Callable[[MarketData, EnvConfig], EnvParams]
    reset_at: Callable[[jax.Array, Any], Any]
    observe_position: ObserveFn
    observe: ObserveFn
    action_masks: ObserveFn
    advance: Advance


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

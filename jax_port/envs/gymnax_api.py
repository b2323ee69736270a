"""Gymnax interface of both environments, for trainers written against gymnax.

Source: sections 5 and 6 of ``docs/environment.md``. Nothing is decided here: every method hands over
to the pure functions of the phase. No other file of the port needs gymnax.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from typing import Any, ClassVar, NamedTuple, Self

import jax
import jax.numpy as jnp
from gymnax.environments import spaces
from gymnax.environments.environment import Environment

from jax_port.data.data_loader import prepare, stack
from jax_port.envs import env_phase1_jax as env
from jax_port.envs.env_phase1_jax import PHASE_1
from jax_port.envs.env_phase2_jax import PHASE_2
from jax_port.envs.env_phase2_jax import EnvState as Phase2State
from jax_port.envs.phase import Phase
from jax_port.envs.state import EnvParams, EnvState, Outcome, of_market
from markets import Bars, EnvConfig, InputError
from markets.limits import EXACT_IN_FLOAT32, INT32_MAX

_reset = {phase.number: jax.jit(partial(env.reset, phase=phase)) for phase in (PHASE_1, PHASE_2)}
_step = {phase.number: jax.jit(partial(env.step, phase=phase)) for phase in (PHASE_1, PHASE_2)}


class StepResult(NamedTuple):
    """What gymnax's ``step`` returns, in its order.

    Attributes:
        obs: float32, shape (obs_size,); of the new episode where the old one ended.
        state: likewise.
        reward: float32 scalar.
        terminated, truncated: bool scalars, never both.
        info: every other field of :class:`~jax_port.envs.env_phase1_jax.Outcome` by name, and
            ``final_observation``, what the step led to before any restart.
    """

    obs: jax.Array
    state: EnvState
    reward: jax.Array
    terminated: jax.Array
    truncated: jax.Array
    info: dict[str, jax.Array]


class TradingPhase1(Environment[EnvState, EnvParams]):
    """Hold, buy, sell, as a gymnax environment.

    Args:
        params: from :func:`jax_port.envs.env_phase1_jax.make_params`; they become ``default_params``.

    Give ``params`` to ``reset`` and ``step`` inside your own ``jit``: left out, they become
    constants of the compiled program, bars and all.

    Attributes:
        bars, config: what :meth:`from_bars` made it from; none where it was made from parameters.

    Raises:
        InputError: parameters of the other phase.
    """

    phase: ClassVar[Phase] = PHASE_1
    state_type: ClassVar[type[EnvState]] = EnvState
    bars: tuple[Bars, ...] = ()
    config: EnvConfig | None = None

    def __init__(self, params: EnvParams) -> None:
        if params.phase != self.phase.number:
            raise InputError(
                f"{type(self).__name__} was given parameters of phase {params.phase}; make them with "
                f"jax_port.envs.env_phase{self.phase.number}_jax.make_params"
            )
        self._params = params

    @classmethod
    def from_bars(cls, bars: Bars | Sequence[Bars], config: EnvConfig | None = None) -> Self:
        """Return the environment on one market or several.

        Args:
            bars: as :func:`markets.readers.read_bars` returns them.
            config: the rules; the phase's defaults when None.

        Raises:
            InputError: the rules are of the other phase, or no episode can start in the bars.
        """
        given = (bars,) if isinstance(bars, Bars) else tuple(bars)
        if config is None:
            config = EnvConfig.phase1() if cls.phase.number == 1 else EnvConfig.phase2()
        market = stack([prepare(one, config) for one in given])
        made = cls(cls.phase.make_params(market, config))
        made.bars, made.config = given, config
        return made

    @property
    def default_params(self) -> EnvParams:
        """The parameters the environment was made with."""
        return self._params

    @property
    def num_actions(self) -> int:
        """Three: hold, buy, sell; in Phase 2 six."""
        return self.phase.num_actions

    # gymnax's two outer methods

    def reset(self, key: jax.Array, params: EnvParams | None = None) -> tuple[jax.Array, EnvState]:
        """Start an episode at a uniformly drawn start: obs (obs_size,) and state."""
        return _reset[self.phase.number](key, self._or_default(params))

    def step(
        self,
        key: jax.Array,
        state: EnvState,
        action: int | jax.Array,
        params: EnvParams | None = None,
    ) -> StepResult:
        """Step, and start another episode where this one ended.

        Unlike gymnax's own ``step`` it makes one observation, not two, unless the caller uses
        ``info["final_observation"]``, and it draws random bits once.
        """
        step = _step[self.phase.number]
        moved = step(key, state, jnp.asarray(action, jnp.int32), self._or_default(params))
        outcome = moved.outcome
        info = {**_info(outcome), "final_observation": moved.final_obs}
        return StepResult(
            moved.obs, moved.state, outcome.reward, outcome.terminated, outcome.truncated, info
        )

    # gymnax's inner methods

    def reset_env(self, key: jax.Array, params: EnvParams) -> tuple[jax.Array, EnvState]:
        """Start an episode at a uniformly drawn start."""
        return env.reset(key, params, self.phase)

    def step_env(
        self, key: jax.Array, state: EnvState, action: int | jax.Array, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array, dict[str, jax.Array]]:
        """Step without restarting: obs, state, reward, terminated, info. Uses no randomness."""
        del key
        after, outcome = self.phase.advance(state, jnp.asarray(action, jnp.int32), params)
        obs = self.phase.observe(after, params)
        return obs, after, outcome.reward, outcome.terminated, _info(outcome)

    def get_obs(
        self, state: EnvState, params: EnvParams | None = None, key: jax.Array | None = None
    ) -> jax.Array:
        """Return the observation of a state: float32, shape (obs_size,)."""
        del key
        return self.phase.observe(state, self._or_default(params))

    def action_masks(self, state: EnvState, params: EnvParams | None = None) -> jax.Array:
        """Return which actions are allowed: bool, shape (num_actions,)."""
        return self.phase.action_masks(state, self._or_default(params))

    def is_terminated(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Return whether a state lies below its drawdown floor (bool).

        That is all a state can tell: a forced close at 16:59 also terminates, but leaves an account
        that is merely flat. ``step`` and ``step_env`` return the whole truth.
        """
        del params
        return (state.position == 0) & (state.balance < state.trailing_dd_level)

    def is_truncated(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Return whether a state is at the end of the data or of the episode's bars (bool).

        Holds for a state reached by a step that did not terminate.
        """
        at_end = state.step_idx >= of_market(params.market.last_bar, state.market)
        at_limit = state.time >= params.max_episode_bars
        return (at_end | at_limit) & ~self.is_terminated(state, params)

    # Spaces

    def action_space(self, params: EnvParams | None = None) -> spaces.Discrete:
        """``num_actions`` actions, int32."""
        del params
        return spaces.Discrete(self.num_actions)

    def observation_space(self, params: EnvParams | None = None) -> spaces.Box:
        """Unbounded float32 of shape (obs_size,); observations are always finite."""
        size = self._or_default(params).obs_size
        return spaces.Box(-jnp.inf, jnp.inf, (size,), jnp.float32)

    def state_space(self, params: EnvParams | None = None) -> spaces.Dict:
        """One box a field of the state, int32 or bool, as tight as the arrays' shapes allow."""
        market = self._or_default(params).market
        rows, price = (0, len(market.bars) - 1), (0, EXACT_IN_FLOAT32)
        bounds = {
            "step_idx": rows,
            "position": (-1, 1),
            "entry_price": price,
            "sl_price": (-EXACT_IN_FLOAT32, 2 * EXACT_IN_FLOAT32),
            "tp_price": (-EXACT_IN_FLOAT32, 2 * EXACT_IN_FLOAT32),
            "position_entry_step": rows,
            "num_trades": rows,
            "winning_trades": rows,
            "losing_trades": rows,
            "episode_start": rows,
            "market": (0, market.num_markets - 1),
        }
        money = (-INT32_MAX, INT32_MAX)
        boxes = {
            item.name: spaces.Box(*bounds.get(item.name, money), (), jnp.int32)
            for item in fields(EnvState)
        }
        flags = {item.name for item in fields(self.state_type)} - boxes.keys()
        return spaces.Dict({**boxes, **{name: spaces.Box(0, 1, (), jnp.bool_) for name in flags}})

    def _or_default(self, params: EnvParams | None) -> EnvParams:
        return self._params if params is None else params


class TradingPhase2(TradingPhase1):
    """Hold, buy, sell, stop to break-even, trailing on and off, as a gymnax environment."""

    phase: ClassVar[Phase] = PHASE_2
    state_type: ClassVar[type[EnvState]] = Phase2State


class FiveValueStep:
    """An environment whose ``step`` returns five values, as gymnax's did before version 1.

    Trainers of that time unpack ``obs, state, reward, done, info``. ``done`` is terminated or
    truncated, so such a trainer cuts its return at the bar limit as if the account had been lost;
    ``info`` still tells the two apart.

    Args:
        environment: an environment whose ``step`` returns six values.
    """

    def __init__(self, environment: TradingPhase1) -> None:
        self.environment = environment

    def step(
        self,
        key: jax.Array,
        state: EnvState,
        action: int | jax.Array,
        params: EnvParams | None = None,
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array, dict[str, jax.Array]]:
        """Step, and start another episode where this one ended: obs, state, reward, done, info."""
        obs, after, reward, terminated, truncated, info = self.environment.step(
            key, state, action, params
        )
        return obs, after, reward, terminated | truncated, info

    def __getattr__(self, name: str) -> Any:
        """Everything else is the environment's own."""
        if name.startswith("_"):  # asked of a half-made copy, before it has an environment
            raise AttributeError(name)
        return getattr(self.environment, name)


def _info(outcome: Outcome) -> dict[str, Any]:
    """Return all of an outcome but the reward, by name."""
    return {name: value for name, value in outcome._asdict().items() if name != "reward"}

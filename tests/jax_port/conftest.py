"""Bars made by hand: a tame run-up with an ATR of 8 ticks, then whatever a test scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.envs import env_phase1_jax as env
from jax_port.envs.registry import PHASES, phase_of
from markets import Bars, Contract, EnvConfig, get_contract
from markets.clock import new_york_to_utc_ns
from markets.synthetic.bars import synthetic_bars

TAME = 4000
"""Close of the run-up in ticks; its bars reach four ticks up and down, so the ATR is 8 ticks."""
FIRST = 22
"""The first scripted bar: 20 bars warm up and 2 are in the window."""
ROWS = 40
"""Bars in every hand-made market, so that all of them run through one compiled step."""

Ohlc = tuple[int, int, int]


def bars_from_ticks(
    rows: Sequence[Ohlc], *, contract: Contract | None = None, first_minute: int = 548
) -> Bars:
    """Return one-minute bars of 2025-03-10 from (high, low, close) in ticks; they open at the close."""
    contract = contract or get_contract("ES")
    start = new_york_to_utc_ns("2025-03-10", first_minute)
    index = pd.DatetimeIndex(start + 60_000_000_000 * np.arange(len(rows)), tz="UTC", name="timestamp")
    high, low, close = np.array(rows, np.float64).T * contract.tick_size
    frame = pd.DataFrame(
        {
            "open": close,
            "high": high,
            "low": low,
            "close": close,
            "volume": 100.0 + np.arange(len(rows)),
        },
        index=index,
    )
    return Bars.from_frame(frame, contract, source="hand-made")


@dataclass
class Step:
    """A state and an outcome as plain Python numbers."""

    state: env.EnvState
    outcome: env.Outcome

    def __getattr__(self, name: str) -> Any:
        part = self.state if name in self.state.__dataclass_fields__ else self.outcome
        return np.asarray(getattr(part, name)).item()


_advance = {number: jax.jit(phase.advance) for number, phase in PHASES.items()}
_reset_at = {number: jax.jit(phase.reset_at) for number, phase in PHASES.items()}


@dataclass
class World:
    """One hand-made market and its first start."""

    params: env.EnvParams
    bars: Bars

    def reset(self, **changes: int) -> env.EnvState:
        """Return the state at bar 22, with fields replaced."""
        state = _reset_at[self.params.phase](jnp.int32(0), self.params)
        assert int(state.step_idx) == FIRST
        typed = {
            name: jnp.asarray(value, getattr(state, name).dtype) for name, value in changes.items()
        }
        return state.replace(**typed)

    def play(self, *actions: int, state: env.EnvState | None = None) -> list[Step]:
        """Take actions one after another and return every step."""
        state = self.reset() if state is None else state
        steps = []
        for action in actions:
            state, outcome = _advance[self.params.phase](state, np.int32(action), self.params)
            steps.append(Step(state, outcome))
        return steps


@pytest.fixture(scope="session")
def make_bars() -> Callable[..., Bars]:
    return bars_from_ticks


@pytest.fixture(scope="session")
def world() -> Callable[..., World]:
    """Return ``world(bars=[(high, low, close), ...], contract=, minute=, rows=, **config)``.

    Bars are in ticks; a bare close stands for a bar that reaches four ticks up and down. After the
    scripted bars the last close goes on. ``minute`` is the New York minute of the first of them.
    """

    def make(
        bars: Sequence[Ohlc | int] = (),
        *,
        contract: Contract | None = None,
        minute: int = 570,
        rows: int = ROWS,
        phase: int = 1,
        **config: Any,
    ) -> World:
        script = [TAME] * FIRST + list(bars)
        full = [row if isinstance(row, tuple) else (row + 4, row - 4, row) for row in script]
        last = full[-1][2]
        full += [(last + 4, last - 4, last)] * (rows - len(full))
        settings = {
            "warmup_bars": 20,
            "window_size": 2,
            "max_episode_bars": 10,
            "session": "all",
            **config,
        }
        made = bars_from_ticks(full, contract=contract, first_minute=minute - FIRST)
        configure = EnvConfig.phase1 if phase == 1 else EnvConfig.phase2
        return World(make_params_of(made, configure(**settings)), made)

    return make


def make_params_of(bars: Bars, config: EnvConfig) -> env.EnvParams:
    return phase_of(config).make_params(stack([prepare(bars, config)]), config)


@cache
def _small_market(symbols: tuple[str, ...], **config: Any) -> env.EnvParams:
    settings = EnvConfig.phase1().override(**config)
    markets = [prepare(synthetic_bars(name, days=3, seed=7), settings) for name in symbols]
    return phase_of(settings).make_params(stack(markets), settings)


@pytest.fixture(scope="session")
def small_market() -> Callable[..., env.EnvParams]:
    """Return ``small_market("ES", "NQ", **config)``: three synthetic days a symbol, in one stack."""

    def make(*symbols: str, **config: Any) -> env.EnvParams:
        return _small_market(symbols or ("ES",), **config)

    return make

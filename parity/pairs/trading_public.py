"""The trading environments as a pair on the public face: every question that is asked of any port is
asked of them, too; ``envparity check parity.pairs.trading_public:phase1``.

How a state is read and written, the states that are drawn and the bounds on rounding are those of the
gate's own pair (:mod:`parity.pairs.trading`). The gate beside it compares many markets in one
batch, recorded by processes of their own, and data and learners, which no pair of one environment has.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import numpy as np

from jax_port.envs import env_phase1_jax as port
from jax_port.envs.gymnax_api import TradingPhase1, TradingPhase2
from jax_port.envs.phase import Phase
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams, EnvState, Outcome
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from parity import Pair, Port, Program, Reference, close
from parity.engine.generate import seeded_cases
from parity.engine.pair import MutableSide
from parity.engine.pair import Pair as GatePair
from parity.harness.trees import Fields
from parity.pairs.branches import EXITS, REASONS
from parity.pairs.trading import FLAGS, World, inject_fields, read_fields, trading_pair

CODES = ("exit_code", "done_reason", "trade_pnl", "violation", "forbidden")
"""What a step tells beside its reward: it is shown as a part of the observation."""

SPACES = {1: TradingPhase1, 2: TradingPhase2}
"""Declare the port's spaces, by phase."""


def public_pair(world: World, config: EnvConfig) -> Pair:
    """Declare the environments of the configuration's phase as a pair over one world.

    Args:
        world: bars, by name.
        config: rules; also says which phase.
    """
    gate = trading_pair([world], config)
    bound = close(ulps=gate.rules["obs"].ulps)
    return Pair(
        name=f"{gate.name}, {world.name}",
        reference=_reference(gate.reference, phase_of(config)),
        port=trading_port(gate.port.params),
        rules={"obs": bound, "reward": bound},
        branches={
            **{f"exit: {name}": _is("obs.exit_code", code) for code, name in enumerate(EXITS)},
            **{f"done: {name}": _is("obs.done_reason", code) for code, name in enumerate(REASONS)},
        },
        draw=lambda rng, count: _draw(gate, rng, count),
    )


def _is(field: str, code: int) -> Any:
    return lambda before, action, after: after[field] == code


def _draw(gate: GatePair, rng: np.random.Generator, count: int) -> tuple[Fields, Any]:
    cases = seeded_cases(gate, 0, count, rng)
    state = {
        name: np.array([case.state[name] for case in cases], bool if name in FLAGS else np.int32)
        for name in cases[0].state
    }
    return state, np.array([case.action for case in cases])


def _reference(gate: MutableSide, phase: Phase) -> Any:
    before = {name: np.int32(0) for name in CODES[:3]} | dict.fromkeys(CODES[3:], np.bool_(False))

    def step(env: Any, action: Any) -> Any:
        out = gate.step(env, int(action))
        shown = {"view": out["obs"], "masks": gate.masks(env), **{name: out[name] for name in CODES}}
        return shown, out["reward"], out["terminated"], out["truncated"], {}

    return Reference.mutable(
        make=lambda: gate.make(0),
        read=gate.read,
        write=gate.inject,
        reset_one=lambda env, seed: {
            "view": env.reset(seed=seed)[0],
            "masks": gate.masks(env),
            **before,
        },
        step_one=step,
        action_space=lambda env: env.action_space,
        language="Gymnasium",
        sources=(f"legacy_torch.env_phase{phase.number}",),
    )


def trading_port(params: EnvParams) -> Any:
    """Return the port's side with parameters of either phase; tests give it others than the rules'."""
    phase = phase_of(params)

    def show(state: EnvState, outcome: Outcome | None) -> dict[str, jax.Array]:
        codes = dict.fromkeys(CODES[:3], state.position * 0)
        codes |= dict.fromkeys(CODES[3:], state.position != state.position)
        if outcome is not None:
            codes = {name: getattr(outcome, name) for name in CODES}
        view, masks = phase.observe(state, params), phase.action_masks(state, params)
        return {"view": view, "masks": masks, **codes}

    def reset(key: jax.Array) -> Any:
        _, state = port.reset(key, params, phase)
        return show(state, None), state

    def step(key: jax.Array, state: EnvState, action: jax.Array) -> Any:
        after, out = phase.advance(state, action, params)
        return show(after, out), after, out.reward, out.terminated, out.truncated, {}

    def auto_step(key: jax.Array, state: EnvState, action: jax.Array) -> Any:
        moved = port.step(key, state, action, params, phase)
        out = moved.outcome
        ended = out.terminated | out.truncated
        shown = jax.tree.map(
            lambda a, b: jax.numpy.where(ended, a, b), show(moved.state, None), show(moved.state, out)
        )
        info = {"final_observation": show(moved.final_state, out)}
        return shown, moved.state, out.reward, out.terminated, out.truncated, info

    return Port.functional(
        lambda: Program(reset, step, auto_step, SPACES[phase.number](params).action_space()),
        read=lambda state: read_fields(state, params),
        write=lambda state, fields: inject_fields(state.market, fields, params),
    )


@cache
def short_world() -> World:
    """Return three synthetic days of ES."""
    return World("ES, 3 days", synthetic_bars("ES", days=3, seed=0), "--synthetic 3 --symbol ES")


def phase1() -> Pair:
    """Return Phase 1's pair on three synthetic days of ES."""
    return public_pair(short_world(), EnvConfig.phase1())


def phase2() -> Pair:
    """Return Phase 2's pair on three synthetic days of ES."""
    return public_pair(short_world(), EnvConfig.phase2())

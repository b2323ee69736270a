"""The trading environments as pairs: Gymnasium in points and dollars, JAX in integers.

A pair is of the phase that its configuration names; what the phases differ in is in :data:`KINDS`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from dataclasses import fields as fields_of
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import DTypeLike

from jax_port.data.data_loader import CLOSE, HIGH, LOW, MINUTE, PreparedMarket, prepare, stack
from jax_port.data.seconds_loader import prepare_seconds, stack_seconds
from jax_port.envs import env_phase1_jax as port
from jax_port.envs import env_phase2_jax as port2
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams, EnvState
from legacy_torch.env_phase1 import TradingEnvPhase1
from legacy_torch.env_phase2 import TradingEnvPhase2
from legacy_torch.seconds import SECONDS_ENVIRONMENTS
from markets import Bars, EnvConfig
from markets.contracts_file import file_of
from parity.engine.compare import Array, Tolerance, close, exact
from parity.engine.pair import (
    BatchStep,
    Case,
    Choices,
    Fields,
    FunctionalSide,
    MutableSide,
    Pair,
    Policy,
)
from parity.pairs.branches import (
    PHASE1_REQUIRED,
    PHASE2_REQUIRED,
    Coverage,
    phase1_coverage,
    phase2_coverage,
)
from parity.pairs.corners import SetScene, build_case, phase1_scene, survey_market
from parity.pairs.corners_phase2 import phase2_scene
from parity.pairs.kept_bars import keeping_bars
from parity.pairs.policies import PHASE2_POLICIES, POLICIES
from parity.pairs.seconds import REQUIRED as SECONDS_REQUIRED
from parity.pairs.seconds import seconds_case, seconds_coverage

PRICES = ("entry_price", "sl_price", "tp_price")
MONEY = ("balance", "highest_balance", "trailing_dd_level", "total_pnl")
COUNTS = ("position", "num_trades", "winning_trades", "losing_trades")
BARS = ("step_idx", "episode_start", "position_entry_step")
FLAGS = ("trailing",)
"""State of Phase 2 alone."""

DTYPES: dict[str, DTypeLike] = {
    **dict.fromkeys((*PRICES, *MONEY, *COUNTS, *BARS, "market"), np.int32),
    **dict.fromkeys(("exit_code", "done_reason", "trade_pnl"), np.int32),
    **dict.fromkeys((*FLAGS, "terminated", "truncated", "violation", "forbidden"), np.bool_),
    "reward": np.float32,
}
"""What the reference gives as Python numbers, in the dtypes of the port."""

RULES: dict[str, Tolerance] = {
    **{name: exact("ticks") for name in PRICES},
    **{name: exact("cents") for name in (*MONEY, "trade_pnl")},
    **{name: exact() for name in COUNTS},
    **{name: exact("bars") for name in BARS},
    **{
        name: exact()
        for name in ("market", "masks", "terminated", "truncated", "violation", "forbidden", *FLAGS)
    },
    "exit_code": exact(),
    "done_reason": exact(),
    "reward": close(ulps=4),
    "obs": close(ulps=4),
}


@dataclass(frozen=True)
class World:
    """Bars under a name, with the command-line options that make them again.

    Attributes:
        name: for reports.
        bars: the bars, before the session is applied.
        options: options of ``rltrader parity case`` that name these bars.
        seconds: one-second bars, if the account is to be looked at every second.
    """

    name: str
    bars: Bars
    options: str
    seconds: Bars | None = None


@dataclass(frozen=True)
class Kind:
    """What the phases differ in, for a pair.

    Attributes:
        environment: of the reference.
        state: of the port.
        flags: state that this phase adds.
        policies, set_scene, coverage, required: how to drive it, and what must be seen.
    """

    environment: type[TradingEnvPhase1]
    state: type[EnvState]
    flags: tuple[str, ...]
    policies: Mapping[str, Policy]
    set_scene: SetScene
    coverage: Coverage
    required: frozenset[str]


KINDS = {
    1: Kind(
        TradingEnvPhase1,
        EnvState,
        (),
        POLICIES,
        phase1_scene,
        phase1_coverage,
        PHASE1_REQUIRED,
    ),
    2: Kind(
        TradingEnvPhase2,
        port2.EnvState,
        FLAGS,
        PHASE2_POLICIES,
        phase2_scene,
        phase2_coverage,
        PHASE2_REQUIRED,
    ),
}
"""By phase."""


def make_reference(world: World, config: EnvConfig) -> TradingEnvPhase1:
    """Return the reference of the configuration's phase on a world's bars, and seconds.

    It plays many episodes over the same bars, and so keeps what it reads of them.
    """
    if world.seconds is not None:
        with_seconds: Any = keeping_bars(SECONDS_ENVIRONMENTS[config.phase])
        made: TradingEnvPhase1 = with_seconds(world.bars, world.seconds, config)
        return made
    return keeping_bars(KINDS[config.phase].environment)(world.bars, config)


def _reference(worlds: Sequence[World], config: EnvConfig) -> MutableSide:
    flags = KINDS[config.phase].flags

    @cache
    def first(world: int) -> TradingEnvPhase1:
        return make_reference(worlds[world], config)

    def make(world: int) -> TradingEnvPhase1:
        env = copy(first(world))  # copies share the bars and what is kept of them, which nobody changes
        vars(env)["market"] = world
        return env

    def reset(env: TradingEnvPhase1, start: int) -> Array:
        obs, _ = env.reset(options={"start_index": start})
        return obs

    def inject(env: TradingEnvPhase1, state: Mapping[str, int]) -> None:
        # In the reference's own types: points and dollars in float64, as its arithmetic makes them.
        for name in (*COUNTS, *BARS):
            setattr(env, name, int(state[name]))
        for name in PRICES:
            setattr(env, name, float(round(state[name]) * env.tick_size))
        for name in MONEY:
            setattr(env, name, round(state[name] / 100, 2))
        for name in flags:
            setattr(env, name, bool(state[name]))
        env.trade_history = []

    def read(env: TradingEnvPhase1) -> Fields:
        own, tick = vars(env), env.tick_size
        fields = {name: own[name] for name in (*COUNTS, *BARS, *flags, "market")}
        for name in PRICES:
            fields[name] = round(own[name] / tick)
        for name in MONEY:
            fields[name] = round(own[name] * 100)
        return fields

    def step(env: TradingEnvPhase1, action: int) -> Fields:
        obs, reward, terminated, truncated, info = env.step(action)
        return {
            "obs": obs,
            "reward": reward,
            "terminated": terminated,
            "truncated": truncated,
            "exit_code": info["exit_code"],
            "done_reason": info["done_reason"],
            "trade_pnl": round(info["trade_pnl"] * 100),
            "violation": info["violation"],
            "forbidden": info["forbidden"],
        }

    return MutableSide(
        make=make,
        reset=reset,
        inject=inject,
        read=read,
        observe=lambda env: env.observe(),
        masks=lambda env: env.action_masks(),
        step=step,
        dtypes=DTYPES,
    )


def _begin(worlds: jax.Array, starts: jax.Array, params: EnvParams) -> EnvState:
    market = params.market
    rows = market.first_bar[worlds] + starts

    def number(row: jax.Array) -> jax.Array:
        return jnp.argmax(market.starts[:, 0] == row).astype(jnp.int32)

    reset_at = phase_of(params).reset_at
    return jax.vmap(reset_at, in_axes=(0, None))(jax.vmap(number)(rows), params)


def inject_fields(worlds: jax.Array, fields: dict[str, jax.Array], params: EnvParams) -> EnvState:
    """Return the port's state of fields in common units, of one environment or of N."""
    first = params.market.first_bar[worlds]
    held = fields["position"] != 0
    rows = {name: fields[name] + first for name in ("step_idx", "episode_start")}
    entry = jnp.where(held, fields["position_entry_step"] + first, 0)
    state = KINDS[params.phase].state
    return state(**{**fields, **rows, "position_entry_step": entry, "market": worlds})


def read_fields(state: EnvState, params: EnvParams) -> dict[str, jax.Array]:
    """Return the fields of the port's state in common units, of one environment or of N."""
    first = params.market.first_bar[state.market]
    held = state.position != 0
    return {
        **{item.name: getattr(state, item.name) for item in fields_of(state)},
        "step_idx": state.step_idx - first,
        "episode_start": state.episode_start - first,
        "position_entry_step": jnp.where(
            held, state.position_entry_step - first, state.position_entry_step
        ),
    }


def _step(key: jax.Array, state: EnvState, action: jax.Array, params: EnvParams) -> BatchStep:
    out = port.batch_step(key, state, action, params, phase_of(params))
    return BatchStep(out.obs, out.state, out.final_obs, out.final_state, out.outcome._asdict())


def _observe(state: EnvState, params: EnvParams) -> jax.Array:
    return jax.vmap(phase_of(params).observe, in_axes=(0, None))(state, params)


def _masks(state: EnvState, params: EnvParams) -> jax.Array:
    return port.batch_action_masks(state, params, phase_of(params))


def _port(params: EnvParams) -> FunctionalSide:
    return FunctionalSide(
        params=params,
        begin=_begin,
        inject=inject_fields,
        step=_step,
        observe=_observe,
        masks=_masks,
        read=read_fields,
        form="batch_step, jitted in one lax.scan, parameters and market data as arguments, float32",
    )


def trading_pair(
    worlds: Sequence[World], config: EnvConfig, prepared: Sequence[PreparedMarket] | None = None
) -> Pair:
    """Declare the environments of the configuration's phase as a pair over one or more worlds.

    Args:
        worlds: bars by name; every one becomes a market of the same batch on the port's side. All
            come with seconds, or none.
        config: shared by all worlds.
        prepared: the worlds' prepared markets, if they are at hand.
    """
    markets = list(prepared) if prepared else [prepare(world.bars, config) for world in worlds]
    surveys = [survey_market(market, config) for market in markets]
    kind, phase = KINDS[config.phase], phase_of(config)

    params = phase.make_params(stack(markets), config)
    coverage, required = kind.coverage, kind.required
    seconds = [
        prepare_seconds(world.bars, world.seconds, config)
        for world in worlds
        if world.seconds is not None
    ]
    if seconds:
        params = replace(params, seconds=stack_seconds(seconds))
        coverage = seconds_coverage(markets, seconds, config, coverage)
        required = SECONDS_REQUIRED

    def case(choices: Choices, world: int) -> Case:
        built = build_case(choices, surveys[world], world, kind.set_scene)
        return seconds_case(choices, built, surveys[world], seconds[world]) if seconds else built

    def describe(world: int, state: Mapping[str, int]) -> dict[str, Any]:
        market, step = markets[world], int(state["step_idx"])
        row = market.bars[step]
        contract = market.contract
        return {
            "bar": step,
            "opened_utc": str(np.datetime64(int(market.timestamps_ns[step]), "ns"))[:16],
            "new_york": f"{row[MINUTE] // 60:02d}:{row[MINUTE] % 60:02d}",
            "contract": contract.symbol,
            "high": float(contract.to_points(row[HIGH])),
            "low": float(contract.to_points(row[LOW])),
            "close": float(contract.to_points(row[CLOSE])),
            "high_ticks": int(row[HIGH]),
            "low_ticks": int(row[LOW]),
            "close_ticks": int(row[CLOSE]),
        }

    def command(case: Case) -> str:
        state = json.dumps({name: int(value) for name, value in case.state.items()})
        changed = config.to_json() != EnvConfig.phase1().to_json()
        extra = f" --config '{config.to_json()}'" if changed else ""
        world = worlds[case.world]
        file = file_of(world.bars.contract.symbol)
        contracts = "" if file is None else f"--contracts {shlex.quote(str(file))} "
        return (
            f"rltrader {contracts}parity case {world.options}{extra} --action {case.action} "
            f"--state '{state}'"
        )

    return Pair(
        name=f"trading environment, Phase {phase.number}{', every second' if seconds else ''}",
        worlds=[world.name for world in worlds],
        reference=_reference(worlds, config),
        port=_port(params),
        rules=RULES,
        starts=[market.starts for market in markets],
        begun=lambda fields: (fields["market"], fields["step_idx"]),
        max_steps=config.max_episode_bars,
        policies=kind.policies,
        case=case,
        coverage=coverage,
        required=required,
        describe=describe,
        command=command,
    )

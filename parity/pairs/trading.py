"""The trading environments of Phase 1 as a pair: Gymnasium in points and dollars, JAX in integers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_port import env_phase1_jax as port
from jax_port.data_loader import CLOSE, HIGH, LOW, MINUTE, PreparedMarket, prepare, stack
from legacy_torch.env_phase1 import TradingEnvPhase1
from markets import Bars, EnvConfig
from parity.engine.compare import Array, Close, Equal, Rule
from parity.engine.pair import BatchStep, Case, Choices, Fields, FunctionalSide, MutableSide, Pair
from parity.pairs.corners import phase1_case, survey
from parity.pairs.policies import POLICIES

PRICES = ("entry_price", "sl_price", "tp_price")
MONEY = ("balance", "highest_balance", "trailing_dd_level", "total_pnl")
COUNTS = ("position", "num_trades", "winning_trades", "losing_trades")
BARS = ("step_idx", "episode_start", "position_entry_step")

RULES: dict[str, Rule] = {
    **{name: Equal("ticks") for name in PRICES},
    **{name: Equal("cents") for name in (*MONEY, "trade_pnl")},
    **{name: Equal() for name in COUNTS},
    **{name: Equal("bars") for name in BARS},
    **{
        name: Equal()
        for name in ("market", "masks", "terminated", "truncated", "violation", "forbidden")
    },
    "exit_code": Equal(),
    "done_reason": Equal(),
    "reward": Close(ulps=4),
    "obs": Close(ulps=4),
}

EXITS = ("none", "stop", "target", "late close", "drawdown")
REASONS = ("running", "drawdown", "late close", "end of data", "bar limit")


@dataclass(frozen=True)
class World:
    """Bars under a name, with the command-line options that make them again.

    Attributes:
        name: for reports.
        bars: the bars, before the session is applied.
        options: options of ``rltrader parity case`` that name these bars.
    """

    name: str
    bars: Bars
    options: str


class _Reference(TradingEnvPhase1):
    """The reference, told which world it stands in."""

    market = 0


def _reference(worlds: Sequence[World], config: EnvConfig) -> MutableSide:
    def make(world: int) -> _Reference:
        env = _Reference(worlds[world].bars, config)
        env.market = world
        return env

    def reset(env: _Reference, start: int) -> Array:
        obs, _ = env.reset(options={"start_index": start})
        return obs

    def inject(env: _Reference, state: Mapping[str, int]) -> None:
        # In the reference's own types: points and dollars in float64, as its arithmetic makes them.
        for name in (*COUNTS, *BARS):
            setattr(env, name, int(state[name]))
        for name in PRICES:
            setattr(env, name, float(round(state[name]) * env.tick_size))
        for name in MONEY:
            setattr(env, name, round(state[name] / 100, 2))
        env.trade_history = []

    def read(env: _Reference) -> Fields:
        ticks = {name: round(getattr(env, name) / env.tick_size) for name in PRICES}
        cents = {name: round(getattr(env, name) * 100) for name in MONEY}
        plain = {name: getattr(env, name) for name in (*COUNTS, *BARS)}
        whole = {**plain, **ticks, **cents, "market": env.market}
        return {name: np.int32(value) for name, value in whole.items()}

    def step(env: _Reference, action: int) -> Fields:
        obs, reward, terminated, truncated, info = env.step(action)
        return {
            "obs": obs,
            "reward": np.float32(reward),
            "terminated": np.bool_(terminated),
            "truncated": np.bool_(truncated),
            "exit_code": np.int32(info["exit_code"]),
            "done_reason": np.int32(info["done_reason"]),
            "trade_pnl": np.int32(round(info["trade_pnl"] * 100)),
            "violation": np.bool_(info["violation"]),
            "forbidden": np.bool_(info["forbidden"]),
        }

    return MutableSide(
        make=make,
        reset=reset,
        inject=inject,
        read=read,
        observe=lambda env: env.observe(),
        masks=lambda env: env.action_masks(),
        step=step,
    )


def _begin(worlds: jax.Array, starts: jax.Array, params: port.EnvParams) -> port.EnvState:
    market = params.market
    rows = market.first_bar[worlds] + starts

    def number(row: jax.Array) -> jax.Array:
        return jnp.argmax(market.starts[:, 0] == row).astype(jnp.int32)

    return jax.vmap(port.reset_at, in_axes=(0, None))(jax.vmap(number)(rows), params)


def _inject(worlds: jax.Array, fields: dict[str, jax.Array], params: port.EnvParams) -> port.EnvState:
    first = params.market.first_bar[worlds]
    held = fields["position"] != 0
    rows = {name: fields[name] + first for name in ("step_idx", "episode_start")}
    entry = jnp.where(held, fields["position_entry_step"] + first, 0)
    return port.EnvState(**{**fields, **rows, "position_entry_step": entry, "market": worlds})


def _read(state: port.EnvState, params: port.EnvParams) -> dict[str, jax.Array]:
    first = params.market.first_bar[state.market]
    held = state.position != 0
    same = {name: getattr(state, name) for name in (*PRICES, *MONEY, *COUNTS, "market")}
    return {
        **same,
        "step_idx": state.step_idx - first,
        "episode_start": state.episode_start - first,
        "position_entry_step": jnp.where(
            held, state.position_entry_step - first, state.position_entry_step
        ),
    }


def _step(key: jax.Array, state: port.EnvState, action: jax.Array, params: port.EnvParams) -> BatchStep:
    out = port.batch_step(key, state, action, params)
    return BatchStep(out.obs, out.state, out.final_obs, out.final_state, out.outcome._asdict())


_observe = jax.vmap(port.observe, in_axes=(0, None))


def _port(params: port.EnvParams) -> FunctionalSide:
    return FunctionalSide(
        params=params,
        begin=_begin,
        inject=_inject,
        step=_step,
        observe=_observe,
        masks=port.batch_action_masks,
        read=_read,
        form="batch_step, jitted in one lax.scan, parameters and market data as arguments, float32",
    )


def coverage(before: Fields, actions: Array, after: Fields) -> dict[str, int]:
    """Count the branches of the specification that transitions took.

    Args:
        before, after: fields of N transitions, (N, ...).
        actions: int (N,).
    """
    seen: dict[str, int] = {}
    for code, name in enumerate(EXITS):
        seen[f"exit: {name}"] = int((after["exit_code"] == code).sum())
    for code, name in enumerate(REASONS):
        seen[f"done: {name}"] = int((after["done_reason"] == code).sum())
    patterns, counts = np.unique(before["masks"], axis=0, return_counts=True)
    for pattern, count in zip(patterns, counts, strict=True):
        bits = "".join("1" if allowed else "0" for allowed in pattern)
        seen[f"mask: {bits}"] = int(count)
    opened = (before["position"] == 0) & (after["num_trades"] > before["num_trades"])
    tried = (before["position"] == 0) & np.isin(actions, (1, 2))
    won = after["winning_trades"] > before["winning_trades"]
    lost = after["losing_trades"] > before["losing_trades"]
    seen["entry: long"] = int((opened & (actions == 1)).sum())
    seen["entry: short"] = int((opened & (actions == 2)).sum())
    seen["entry: outside the window"] = int((tried & ~opened).sum())
    seen["trade: won"] = int(won.sum())
    seen["trade: lost"] = int(lost.sum())
    seen["action: forbidden"] = int(after["forbidden"].sum())
    seen["floor: rose"] = int((after["trailing_dd_level"] > before["trailing_dd_level"]).sum())
    seen["late close and drawdown at once"] = int(
        ((after["exit_code"] == 3) & (after["done_reason"] == 1)).sum()
    )
    seen["drawdown while flat"] = int(
        ((after["done_reason"] == 1) & np.isin(after["exit_code"], (0, 1, 2))).sum()
    )
    seen["opened and liquidated in one step"] = int((opened & (after["exit_code"] == 4)).sum())
    return seen


REQUIRED = frozenset(
    [
        *(f"exit: {name}" for name in EXITS),
        *(f"done: {name}" for name in REASONS),
        *(f"mask: {bits}" for bits in ("100", "111")),
        *("entry: long", "entry: short", "entry: outside the window", "trade: won", "trade: lost"),
        *("action: forbidden", "floor: rose", "late close and drawdown at once", "drawdown while flat"),
    ]
)


def phase1_pair(
    worlds: Sequence[World], config: EnvConfig, prepared: Sequence[PreparedMarket] | None = None
) -> Pair:
    """Declare the Phase 1 environments as a pair over one or more worlds.

    Args:
        worlds: bars by name; every one becomes a market of the same batch on the port's side.
        config: shared by all worlds.
        prepared: the worlds' prepared markets, if they are at hand.
    """
    markets = list(prepared) if prepared else [prepare(world.bars, config) for world in worlds]
    grounds = [survey(market, config) for market in markets]

    def case(choices: Choices, world: int) -> Case:
        return phase1_case(choices, grounds[world], world)

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
        options = worlds[case.world].options
        return f"rltrader parity case {options}{extra} --action {case.action} --state '{state}'"

    return Pair(
        name="trading environment, Phase 1",
        worlds=[world.name for world in worlds],
        reference=_reference(worlds, config),
        port=_port(port.make_params(stack(markets), config)),
        rules=RULES,
        starts=[market.starts for market in markets],
        begun=lambda fields: (fields["market"], fields["step_idx"]),
        max_steps=config.max_episode_bars,
        policies=POLICIES,
        case=case,
        coverage=coverage,
        required=REQUIRED,
        describe=describe,
        command=command,
    )

"""Learning study: agents on a market with a planted edge, and on the same market without it.

    python -m benchmarks.suites.it_learns --out reports/it_learns

Agents of several seeds are trained from scratch and judged by their likeliest actions on bars of
another seed, next to random, always-long and never-trade policies and an oracle that knows the pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console

from benchmarks.baselines.pattern_agents import (
    SETTINGS,
    HeldOutMarket,
    make_held_out,
    make_params,
    policy_return,
    train,
)
from benchmarks.baselines.port_agents import fresh_agents, policy_of
from benchmarks.harness import options as cli
from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.output import numeric_table, wide_console, write_report
from benchmarks.harness.reports import SCHEMA, Report
from benchmarks.harness.rows import Row
from foundation.errors import run_command
from jax_port.envs import env_phase1_jax as env
from jax_port.envs.state import EnvParams, EnvState
from jax_port.ppo.settings import Precision, TrainSettings
from markets import EnvConfig
from markets.synthetic.pattern import oracle_signals

CONFIG = EnvConfig.phase1()
KINDS: tuple[tuple[Precision, float], ...] = (("float32", 1.0), ("bf16", 1.0), ("float32", 0.0))
"""Precision, and strength of the planted edge."""
Actions = Callable[[jax.Array, EnvState], jax.Array]
"""(bits, states with leaves (N,)) -> actions (N,)."""


def follow(actions: Actions, params: EnvParams, starts: Any) -> float:
    """Return the mean PnL of episodes in dollars, from given starts, of a policy that is a function."""

    @jax.jit
    def run(starts: jax.Array, params: EnvParams) -> jax.Array:
        state = jax.vmap(env.reset_at, in_axes=(0, None))(starts, params)

        def body(carry: tuple[EnvState, jax.Array], key: jax.Array) -> Any:
            state, done = carry
            masks = env.batch_action_masks(state, params)
            action = actions(key, state)
            allowed = jnp.take_along_axis(masks, action[:, None], axis=1)[:, 0]
            action = jnp.where(allowed, action, env.HOLD)
            moved, outcome = jax.vmap(env.advance, in_axes=(0, 0, None))(state, action, params)
            state = jax.tree.map(lambda old, new: jnp.where(done, old, new), state, moved)
            return (state, done | outcome.terminated | outcome.truncated), None

        keys = jax.random.split(jax.random.key(0), CONFIG.max_episode_bars)
        (state, _), _ = jax.lax.scan(body, (state, jnp.zeros(len(starts), bool)), keys)
        return jnp.mean(state.total_pnl.astype(jnp.float32))

    return float(run(jnp.asarray(starts, jnp.int32), params)) / 100


def oracle_pnl(held_out: HeldOutMarket) -> float:
    """Return the mean PnL of an episode in dollars of one who knows the pattern."""
    signals = jnp.asarray(oracle_signals(held_out.bars.session(CONFIG.session)).astype(np.int32))
    return follow(lambda key, state: signals[state.step_idx], held_out.params, held_out.starts)


def baseline_returns(held_out: HeldOutMarket) -> dict[str, float]:
    """Return the mean PnL of an episode in dollars of the policies that learn nothing."""

    def same(action: int) -> Actions:
        return lambda key, state: jnp.full(state.position.shape, action, jnp.int32)

    def at_random(key: jax.Array, state: EnvState) -> jax.Array:
        return jax.random.randint(key, state.position.shape, 0, env.NUM_ACTIONS)

    policies: dict[str, Actions] = {
        "never trades": same(env.HOLD),
        "always long": same(env.BUY),
        "random": at_random,
    }
    returns = {
        name: follow(actions, held_out.params, held_out.starts) for name, actions in policies.items()
    }
    return {"oracle": oracle_pnl(held_out), **returns}


class LearningRow(Row, frozen=True, kw_only=True, tag="learning"):
    """Agents trained on one kind of market.

    Attributes:
        strength: of the planted edge; 0 for none.
        precision: of matrix products.
        agents_pnl_dollars: mean PnL of an episode, one an agent.
        baselines_pnl_dollars: the same of the oracle and of policies that learn nothing.
        training_pnl_dollars: mean PnL of the episodes that ended in each update, by agent.
        seconds: of training, without compilation.
    """

    strength: float
    precision: Precision
    agents_pnl_dollars: tuple[float, ...]
    baselines_pnl_dollars: dict[str, float]
    training_pnl_dollars: tuple[tuple[float, ...], ...]
    seconds: float


class LearningReport(Report, frozen=True, kw_only=True, tag="it_learns"):
    """The study: the trainer's settings as plain values, and a row for each kind of market."""

    trainer_settings: dict[str, Any]
    rows: tuple[LearningRow, ...]


@click.command()
@click.option("--agents", default=4, show_default=True, help="Seeds of each kind.")
@click.option("--steps", default=SETTINGS.total_timesteps, show_default=True, help="Of each agent.")
@cli.days_option(250, "Days trained on.")
@click.option("--starts", default=2000, show_default=True, help="Episodes judged by.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports/it_learns"))
def main(out: Path, **options: int) -> None:
    """Train with and without an edge, in float32 and bf16, and compare with what learns nothing."""
    console, rows = wide_console(), []
    base = replace(SETTINGS, total_timesteps=options["steps"])
    for precision, strength in KINDS:
        settings = replace(base, precision=precision)
        rows.append(learn(settings, strength, options))
        show(rows[-1], console)
    report = LearningReport(
        schema=SCHEMA,
        machine_info=machine_info(),
        settings=cli.as_text(options),
        trainer_settings=base.to_dict(),
        rows=tuple(rows),
    )
    console.print(f"{write_report(out / 'it_learns.json', report)}", style="dim", markup=False)


def learn(settings: TrainSettings, strength: float, options: dict[str, int]) -> LearningRow:
    """Train agents on one kind of market and return what they and the baselines earn."""
    agents, days = options["agents"], options["days"]
    params = make_params(CONFIG, days, strength)
    fresh = fresh_agents(params, settings, agents)
    trained, curve, seconds = train(fresh, params, settings, settings.num_updates)
    held_out = make_held_out(CONFIG, days, strength, options["starts"])
    policies = [policy_of(trained, number, CONFIG, settings.network) for number in range(agents)]
    return LearningRow(
        name=f"strength {strength:g}, {settings.precision}",
        strength=strength,
        precision=settings.precision,
        agents_pnl_dollars=tuple(policy_return(policy, held_out) for policy in policies),
        baselines_pnl_dollars=baseline_returns(held_out),
        training_pnl_dollars=tuple(tuple(update) for update in curve.round(2).tolist()),
        seconds=seconds,
    )


def show(row: LearningRow, console: Console) -> None:
    """Print one kind of market."""
    table = numeric_table("policy", "PnL of an episode", "of the oracle's")
    table.title, table.title_style = row.name, "bold"
    oracle = row.baselines_pnl_dollars["oracle"]
    agents = {f"agent {number}": pnl for number, pnl in enumerate(row.agents_pnl_dollars)}
    for name, dollars in {**agents, **row.baselines_pnl_dollars}.items():
        share = f"{dollars / oracle:.0%}" if oracle > 0 else ""
        table.add_row(name, f"${dollars:,.0f}", share)
    console.print(table)


if __name__ == "__main__":
    run_command(main)

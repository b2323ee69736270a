"""Does it learn? Agents on a market with a planted edge, and on the same market without it.

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
from rich.table import Table

from benchmarks.baselines.pattern_agents import (
    SETTINGS,
    Unseen,
    fresh_agents,
    judge,
    make_params,
    make_unseen,
    policy_of,
    train,
)
from benchmarks.harness.measure import surroundings, wide_console, write_json
from jax_port.envs import env_phase1_jax as env
from jax_port.envs.env_phase1_jax import EnvParams, EnvState
from jax_port.ppo.settings import Precision
from markets import EnvConfig
from markets.synthetic.pattern import oracle_signals

SCHEMA = 1
CONFIG = EnvConfig.phase1()
Actions = Callable[[jax.Array, EnvState], jax.Array]
"""(bits, states with leaves (N,)) -> actions (N,)."""


def follow(actions: Actions, params: EnvParams, starts: Any) -> float:
    """Return the mean PnL of episodes in dollars, from given starts, of a policy that is a function."""

    @jax.jit
    def run(starts: jax.Array, params: EnvParams) -> jax.Array:
        state = jax.vmap(env.reset_at, in_axes=(0, None))(starts, params)

        def body(carry: tuple[EnvState, jax.Array], key: jax.Array) -> Any:
            state, done = carry
            allowed = env.batch_action_masks(state, params)
            wanted = actions(key, state)
            chosen = jnp.where(jnp.take_along_axis(allowed, wanted[:, None], axis=1)[:, 0], wanted, 0)
            moved, outcome = jax.vmap(env.advance, in_axes=(0, 0, None))(state, chosen, params)
            kept = jax.tree.map(lambda old, new: jnp.where(done, old, new), state, moved)
            return (kept, done | outcome.terminated | outcome.truncated), None

        keys = jax.random.split(jax.random.key(0), CONFIG.max_episode_bars)
        (state, _), _ = jax.lax.scan(body, (state, jnp.zeros(len(starts), bool)), keys)
        return jnp.mean(state.total_pnl.astype(jnp.float32))

    return float(run(jnp.asarray(starts, jnp.int32), params)) / 100


def oracle_pnl(unseen: Unseen) -> float:
    """Return the mean PnL of an episode in dollars of one who knows the pattern."""
    signals = jnp.asarray(oracle_signals(unseen.bars.session(CONFIG.session)).astype(np.int32))
    return follow(lambda key, state: signals[state.step_idx], unseen.params, unseen.starts)


def baselines(unseen: Unseen) -> dict[str, float]:
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
    learnt_nothing = {
        name: follow(actions, unseen.params, unseen.starts) for name, actions in policies.items()
    }
    return {"oracle": oracle_pnl(unseen), **learnt_nothing}


@click.command()
@click.option("--agents", default=4, show_default=True, help="Seeds of each kind.")
@click.option("--steps", default=SETTINGS.total_timesteps, show_default=True)
@click.option("--days", default=250, show_default=True, help="Days trained on.")
@click.option("--starts", default=2000, show_default=True, help="Episodes judged by.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports/it_learns"))
def main(agents: int, steps: int, days: int, starts: int, out: Path) -> None:
    """Train with and without an edge, in float32 and bf16, and compare with what learns nothing."""
    console, rows = wide_console(), []
    kinds: tuple[tuple[Precision, float], ...] = (("float32", 1.0), ("bf16", 1.0), ("float32", 0.0))
    for precision, strength in kinds:
        settings = replace(SETTINGS, total_timesteps=steps, precision=precision)
        params = make_params(CONFIG, days, strength)
        fresh = fresh_agents(params, settings, agents)
        agent, curve, seconds = train(fresh, params, settings, settings.num_updates)
        unseen = make_unseen(CONFIG, days, strength, starts)
        policies = [policy_of(agent, number, CONFIG, settings.network) for number in range(agents)]
        earned = [judge(policy, unseen) for policy in policies]
        rows.append(
            {
                "strength": strength,
                "precision": precision,
                "agents_pnl_dollars": earned,
                "baselines_pnl_dollars": baselines(unseen),
                "training_pnl_dollars": curve.round(2).tolist(),
                "seconds": seconds,
            }
        )
        show(rows[-1], console)
    report = {
        "schema": SCHEMA,
        "benchmark": "it_learns",
        "surroundings": surroundings(),
        "settings": {**SETTINGS.to_dict(), "total_timesteps": steps, "agents": agents, "days": days},
        "rows": rows,
    }
    console.print(f"[dim]{write_json(out / 'it_learns.json', report)}[/]")


def show(row: dict[str, Any], console: Console) -> None:
    """Print one kind of market."""
    earned, others = row["agents_pnl_dollars"], row["baselines_pnl_dollars"]
    table = Table(title=f"strength {row['strength']:g}, {row['precision']}", title_style="bold")
    table.add_column("policy")
    table.add_column("PnL of an episode", justify="right")
    table.add_column("of the oracle's", justify="right")

    def add(name: str, dollars: float) -> None:
        oracle = others["oracle"]
        share = f"{dollars / oracle:.0%}" if oracle > 0 else ""
        table.add_row(name, f"${dollars:,.0f}", share)

    for number, dollars in enumerate(earned):
        add(f"agent {number}", dollars)
    for name, dollars in others.items():
        add(name, dollars)
    console.print(table)


if __name__ == "__main__":
    main()

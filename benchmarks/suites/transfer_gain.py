"""Does Phase 1 help Phase 2? Agents that begin with Phase 1 weights against agents from scratch.

    python -m benchmarks.suites.transfer_gain --out reports/transfer_gain

On the market with the planted pattern, over several seeds: an agent of Phase 1 is trained; then one
of Phase 2 begins with its weights, and another from scratch. All are judged, as they go, by their
likeliest actions on bars of another seed. The one from scratch goes on for as many steps as the other
had in both phases together, so both can be compared at equal steps of Phase 2 and in all.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
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
from foundation.errors import run_command
from jax_port.envs.env_phase1_jax import EnvParams
from jax_port.ppo.settings import TrainSettings
from jax_port.ppo.train_ppo_jax import Agent
from jax_port.ppo.transfer import begin_with, extend
from markets import EnvConfig, InputError

SCHEMA = 1
PHASE_1, PHASE_2 = EnvConfig.phase1(), EnvConfig.phase2()
Curve = NDArray[np.float64]


class _Judge:
    """Judges all agents now and then while they are trained."""

    def __init__(self, unseen: Unseen, settings: TrainSettings, every: int) -> None:
        self._unseen, self._settings, self._every = unseen, settings, every
        self.updates: list[int] = []
        self.earned: list[list[float]] = []

    def __call__(self, updates: int, agent: Agent) -> None:
        if updates % self._every:
            return
        count = agent.updates.shape[0]
        config, spec = self._unseen.config, self._settings.network
        policies = [policy_of(agent, number, config, spec) for number in range(count)]
        self.updates.append(updates)
        self.earned.append([judge(policy, self._unseen) for policy in policies])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values: steps, and the PnL of each agent at each of them in dollars."""
        size = self._settings.rollout_size
        return {"steps": [n * size for n in self.updates], "pnl_dollars": self.earned}


def begin_with_each(agent: Agent, teachers: Agent, params: EnvParams, spec: Any) -> Agent:
    """Return fresh Phase 2 agents (A, ...), each with the weights and statistics of its own teacher."""
    begun = []
    for number in range(agent.updates.shape[0]):
        policy = extend(policy_of(teachers, number, PHASE_1, spec), PHASE_2)
        begun.append(begin_with(jax.tree.map(lambda x, n=number: x[n : n + 1], agent), policy, params))
    with jax.enable_x64(True):  # the statistics are float64 and stay so
        joined: Agent = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *begun)
    return joined


def compare(transferred: dict[str, Any], scratch: dict[str, Any], steps: int) -> dict[str, Any]:
    """Return what the transfer was worth, agent by agent.

    Args:
        transferred, scratch: of :meth:`_Judge.to_dict`.
        steps: of Phase 2 that both have.
    """
    ours, theirs = (np.array(curve["pnl_dollars"]) for curve in (transferred, scratch))
    within = np.array(scratch["steps"]) <= steps
    area = ours.mean(0) - theirs[within].mean(0)
    return {
        "steps": steps,
        "mean_over_the_way_dollars": {
            "transferred": ours.mean(0).tolist(),
            "scratch": theirs[within].mean(0).tolist(),
            "better_in": int((area > 0).sum()),
        },
        "at_equal_phase_2_steps_dollars": {
            "transferred": ours[-1].tolist(),
            "scratch": theirs[within][-1].tolist(),
            "better_in": int((ours[-1] > theirs[within][-1]).sum()),
        },
        "at_equal_steps_in_all_dollars": {
            "transferred": ours[-1].tolist(),
            "scratch": theirs[-1].tolist(),
            "better_in": int((ours[-1] > theirs[-1]).sum()),
        },
    }


@click.command()
@click.option("--agents", default=6, show_default=True, help="Seeds.")
@click.option("--first", default=500_000, show_default=True, help="Steps of Phase 1.")
@click.option("--second", default=500_000, show_default=True, help="Steps of Phase 2.")
@click.option("--days", default=250, show_default=True, help="Days trained on.")
@click.option("--starts", default=1000, show_default=True, help="Episodes judged by.")
@click.option("--points", default=8, show_default=True, help="How often Phase 2 agents are judged.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports/transfer_gain"))
def main(agents: int, first: int, second: int, days: int, starts: int, points: int, out: Path) -> None:
    """Train Phase 2 with and without what Phase 1 learnt, and compare."""
    if min(agents, first, second, points) < 1:
        raise InputError("--agents, --first, --second and --points must be at least 1")
    console, size = wide_console(), SETTINGS.rollout_size
    before, after = -(-first // size), -(-second // size)
    every = max(after // points, 1)
    after = every * (after // every)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("training", total=2 * before + 2 * after)

        def tell(judged: _Judge) -> Any:
            def told(updates: int, agent: Agent) -> None:
                judged(updates, agent)
                bar.advance(task)

            return told

        settings = replace(SETTINGS, total_timesteps=before * size)
        world = make_params(PHASE_1, days, 1.0)
        taught = _Judge(make_unseen(PHASE_1, days, 1.0, starts), settings, before)
        teachers, _, _ = train(
            fresh_agents(world, settings, agents), world, settings, before, tell(taught)
        )
        settings = replace(SETTINGS, total_timesteps=(before + after) * size)
        world, unseen = make_params(PHASE_2, days, 1.0), make_unseen(PHASE_2, days, 1.0, starts)
        transferred, scratch = (_Judge(unseen, settings, every) for _ in range(2))
        fresh = fresh_agents(world, settings, agents)
        pupils = begin_with_each(fresh, teachers, world, settings.network)
        train(pupils, world, settings, after, tell(transferred))
        fresh = fresh_agents(world, settings, agents)
        train(fresh, world, settings, before + after, tell(scratch))
    report = {
        "schema": SCHEMA,
        "benchmark": "transfer_gain",
        "surroundings": surroundings(),
        "settings": {
            **SETTINGS.to_dict(),
            "agents": agents,
            "steps_phase_1": before * size,
            "steps_phase_2": after * size,
            "days": days,
            "starts": starts,
        },
        "phase_1": taught.to_dict(),
        "transferred": transferred.to_dict(),
        "scratch": scratch.to_dict(),
        "gain": compare(transferred.to_dict(), scratch.to_dict(), after * size),
    }
    show(report, console)
    console.print(f"[dim]{write_json(out / 'transfer_gain.json', report)}[/]")


def show(report: dict[str, Any], console: Console) -> None:
    """Print who earned how much."""
    table = Table("mean PnL of an episode, $", "from Phase 1", "from scratch", "better in", box=None)
    for name, row in report["gain"].items():
        if name == "steps":
            continue
        ours, theirs = np.array(row["transferred"]), np.array(row["scratch"])
        table.add_row(
            name.removesuffix("_dollars").replace("_", " "),
            f"{ours.mean():,.0f} ({ours.min():,.0f} to {ours.max():,.0f})",
            f"{theirs.mean():,.0f} ({theirs.min():,.0f} to {theirs.max():,.0f})",
            f"{row['better_in']} of {len(ours)}",
        )
    console.print(table)


if __name__ == "__main__":
    run_command(main)

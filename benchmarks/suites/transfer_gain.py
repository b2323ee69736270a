"""Transfer study: Phase 2 agents that begin with Phase 1 weights against agents from scratch.

    python -m benchmarks.suites.transfer_gain --out reports/transfer_gain

On the market with the planted pattern, over several seeds: an agent of Phase 1 is trained; then one
of Phase 2 begins with its weights, and another from scratch. All are judged, as they go, by their
likeliest actions on bars of another seed. The one from scratch goes on for as many steps as the other
had in both phases together, so both can be compared at equal steps of Phase 2 and in all.
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
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.baselines import pattern_agents
from benchmarks.baselines.pattern_agents import SETTINGS, HeldOutMarket
from benchmarks.baselines.port_agents import fresh_agents, policy_of
from benchmarks.harness import options as cli
from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.output import numeric_table, wide_console, write_report
from benchmarks.harness.record import Record
from benchmarks.harness.reports import SCHEMA, Report
from foundation.errors import run_command
from foundation.progress import EACH_TASK, progress_bar
from jax_port.envs.state import EnvParams
from jax_port.ppo.train_ppo_jax import TrainState
from jax_port.ppo.transfer import begin_with, extend
from markets import EnvConfig, InputError

PHASE_1, PHASE_2 = EnvConfig.phase1(), EnvConfig.phase2()


class Curve(Record, frozen=True, kw_only=True):
    """Judgements while agents are trained.

    Attributes:
        steps: made by each judgement.
        pnl_dollars: mean PnL of an episode at each judgement, one an agent.
    """

    steps: tuple[int, ...]
    pnl_dollars: tuple[tuple[float, ...], ...]


class Gain(Record, frozen=True, kw_only=True):
    """Mean PnL of an episode in dollars, agent by agent, with and without Phase 1's weights.

    Attributes:
        transferred, scratch: one an agent.
        better_in: agents whose transferred one earns more.
    """

    transferred: tuple[float, ...]
    scratch: tuple[float, ...]
    better_in: int


class TransferReport(Report, frozen=True, kw_only=True, tag="transfer_gain"):
    """The study.

    Attributes:
        trainer_settings: as plain values.
        steps_phase_1, steps_phase_2: of training, made.
        phase_1, transferred, scratch: curves.
        gain: by what is compared: on the way, at equal steps of Phase 2, at equal steps in all.
    """

    trainer_settings: dict[str, Any]
    steps_phase_1: int
    steps_phase_2: int
    phase_1: Curve
    transferred: Curve
    scratch: Curve
    gain: dict[str, Gain]


class _Judge:
    """Judges all agents at regular intervals while they are trained."""

    def __init__(self, held_out: HeldOutMarket, every: int) -> None:
        self._held_out, self._every = held_out, every
        self._updates: list[int] = []
        self._earned: list[tuple[float, ...]] = []

    def __call__(self, updates: int, agent: TrainState) -> None:
        if updates % self._every:
            return
        config = self._held_out.config
        policies = [
            policy_of(agent, number, config, SETTINGS.network)
            for number in range(agent.updates.shape[0])
        ]
        self._updates.append(updates)
        self._earned.append(
            tuple(pattern_agents.policy_return(policy, self._held_out) for policy in policies)
        )

    @property
    def curve(self) -> Curve:
        """The judgements until now."""
        steps = tuple(updates * SETTINGS.rollout_size for updates in self._updates)
        return Curve(steps=steps, pnl_dollars=tuple(self._earned))


def begin_with_each(
    agent: TrainState, teachers: TrainState, params: EnvParams, spec: Any
) -> TrainState:
    """Return fresh Phase 2 agents (A, ...), each with the weights and statistics of its own teacher."""
    begun = []
    for number in range(agent.updates.shape[0]):
        policy = extend(policy_of(teachers, number, PHASE_1, spec), PHASE_2)
        begun.append(begin_with(jax.tree.map(lambda x, n=number: x[n : n + 1], agent), policy, params))
    with jax.enable_x64(True):  # the statistics are float64 and stay so
        joined: TrainState = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *begun)
    return joined


def compare(transferred: Curve, scratch: Curve, steps: int) -> dict[str, Gain]:
    """Return what the transfer was worth, agent by agent; ``steps`` of Phase 2 are had by both."""

    def gain(with_transfer: NDArray[Any], without: NDArray[Any]) -> Gain:
        return Gain(
            transferred=tuple(with_transfer.tolist()),
            scratch=tuple(without.tolist()),
            better_in=int((with_transfer > without).sum()),
        )

    ours, theirs = np.array(transferred.pnl_dollars), np.array(scratch.pnl_dollars)
    within = np.array(scratch.steps) <= steps
    return {
        "mean_over_the_way_dollars": gain(ours.mean(0), theirs[within].mean(0)),
        "at_equal_phase_2_steps_dollars": gain(ours[-1], theirs[within][-1]),
        "at_equal_steps_in_all_dollars": gain(ours[-1], theirs[-1]),
    }


@click.command()
@click.option("--agents", default=6, show_default=True, help="Seeds.")
@click.option("--first", default=500_000, show_default=True, help="Steps of Phase 1.")
@click.option("--second", default=500_000, show_default=True, help="Steps of Phase 2.")
@cli.days_option(250, "Days trained on.")
@click.option("--starts", default=1000, show_default=True, help="Episodes judged by.")
@click.option("--points", default=8, show_default=True, help="How often Phase 2 agents are judged.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports/transfer_gain"))
def main(out: Path, **options: int) -> None:
    """Train Phase 2 with and without what Phase 1 learnt, and compare."""
    if min(options[name] for name in ("agents", "first", "second", "points")) < 1:
        raise InputError("--agents, --first, --second and --points must be at least 1")
    console = wide_console()
    report = measure(options)
    show(report, console)
    console.print(f"{write_report(out / 'transfer_gain.json', report)}", style="dim", markup=False)


def measure(options: dict[str, int]) -> TransferReport:
    """Train all agents and return the report."""
    agents, days, starts = options["agents"], options["days"], options["starts"]
    size = SETTINGS.rollout_size
    before, after = -(-options["first"] // size), -(-options["second"] // size)
    every = max(after // options["points"], 1)
    after = every * (after // every)
    with progress_bar("transfer", EACH_TASK) as bar:
        task = bar.add_task("training", total=2 * before + 2 * after)

        def watched(judge: _Judge) -> Callable[[int, TrainState], None]:
            def on_update(updates: int, agent: TrainState) -> None:
                judge(updates, agent)
                bar.advance(task)

            return on_update

        settings = replace(SETTINGS, total_timesteps=before * size)
        params = pattern_agents.make_params(PHASE_1, days, 1.0)
        phase_1 = _Judge(pattern_agents.make_held_out(PHASE_1, days, 1.0, starts), before)
        fresh = fresh_agents(params, settings, agents)
        teachers, _, _ = pattern_agents.train(fresh, params, settings, before, watched(phase_1))
        settings = replace(SETTINGS, total_timesteps=(before + after) * size)
        params, held_out = (
            pattern_agents.make_params(PHASE_2, days, 1.0),
            pattern_agents.make_held_out(PHASE_2, days, 1.0, starts),
        )
        transferred, scratch = _Judge(held_out, every), _Judge(held_out, every)
        fresh = fresh_agents(params, settings, agents)
        pupils = begin_with_each(fresh, teachers, params, settings.network)
        pattern_agents.train(pupils, params, settings, after, watched(transferred))
        fresh = fresh_agents(params, settings, agents)
        pattern_agents.train(fresh, params, settings, before + after, watched(scratch))
    return TransferReport(
        schema=SCHEMA,
        machine_info=machine_info(),
        settings=cli.as_text(dict(options)),
        trainer_settings=SETTINGS.to_dict(),
        steps_phase_1=before * size,
        steps_phase_2=after * size,
        phase_1=phase_1.curve,
        transferred=transferred.curve,
        scratch=scratch.curve,
        gain=compare(transferred.curve, scratch.curve, after * size),
    )


def show(report: TransferReport, console: Console) -> None:
    """Print who earned how much."""
    table = numeric_table("mean PnL of an episode, $", "from Phase 1", "from scratch", "better in")
    for name, gain in report.gain.items():
        table.add_row(
            name.removesuffix("_dollars").replace("_", " "),
            _mean_and_range(gain.transferred),
            _mean_and_range(gain.scratch),
            f"{gain.better_in} of {len(gain.transferred)}",
        )
    console.print(table)


def _mean_and_range(dollars: tuple[float, ...]) -> str:
    return f"{np.mean(dollars):,.0f} ({min(dollars):,.0f} to {max(dollars):,.0f})"


if __name__ == "__main__":
    run_command(main)

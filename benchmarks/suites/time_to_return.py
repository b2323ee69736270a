"""Time to a fixed return: wall time of training until a policy trades well, for every trainer.

    python -m benchmarks.suites.time_to_return [--quick] [--json OUT]

All are trained on the market with the planted pattern and judged by their likeliest actions on bars of
another seed (:mod:`benchmarks.baselines.pattern_agents`). The clock stops when the mean PnL of an
episode reaches half of what the oracle makes, who knows the pattern. It runs while a trainer trains,
and not while it compiles or is judged. Each trainer has the machine, and a process, to itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import click
from msgspec.structs import replace as replace_fields
from rich.console import Console

from benchmarks.baselines.learners import Learner, greedy_return
from benchmarks.baselines.pattern_agents import TRAINED_ON, make_held_out, make_params
from benchmarks.baselines.port_trainer import PortLearner
from benchmarks.baselines.reference_trainer import ReferenceLearner, reference_settings
from benchmarks.baselines.trainers import BASELINES
from benchmarks.harness import options as cli
from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.measure import sentence
from benchmarks.harness.output import numeric_table, publish, wide_console
from benchmarks.harness.reports import SCHEMA, ReturnReport, TimeRatio
from benchmarks.harness.rows import ReturnPoint, ReturnRow
from benchmarks.suites.it_learns import oracle_pnl
from foundation.command_line.numbers import Number
from foundation.errors import run_command
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from legacy_torch.train import TrainConfig
from markets import EnvConfig, InputError
from markets.synthetic.pattern import pattern_bars

CONFIG = EnvConfig.phase1()
TRAINERS = ("port", "maskable", *BASELINES)
SLACK = 0.05
"""A policy is judged again when the clock has gone on by this share, or by ``every`` if longer."""


@dataclass(frozen=True)
class TrainingPlan:
    """What every trainer is given.

    Attributes:
        days: of the market trained on; a quarter as many, of another seed, are judged on.
        starts: episodes a policy is judged by.
        share: of the oracle's PnL that is to be reached.
        limit_seconds: of training, after which a trainer is stopped.
        every: seconds of training after which it is judged again.
        settings: sizes, network and numbers of those who train on the port's environments.
        reference: the same of MaskablePPO.
    """

    days: int
    starts: int
    share: float
    limit_seconds: float
    every: float
    settings: TrainSettings
    reference: TrainConfig


def make_learner(name: str, plan: TrainingPlan, seed: int) -> Learner:
    """Return a trainer by its name in :data:`TRAINERS`."""
    if name == "maskable":
        bars = pattern_bars("ES", days=plan.days, seed=TRAINED_ON, strength=1.0)
        return ReferenceLearner(bars, CONFIG, replace(plan.reference, seed=seed))
    params, settings = make_params(CONFIG, plan.days, 1.0), replace(plan.settings, seed=seed)
    if name == "port":
        return PortLearner(params, CONFIG, settings)
    return BASELINES[name](params, settings)


def run_row(name: str, plan: TrainingPlan, seed: int) -> ReturnRow:
    """Train one trainer until it reaches the return or the limit, and return its row.

    A trainer that fails has an ``error`` and the judgements until then.
    """
    row = blank_row(name, plan, seed)
    learner: Learner | None = None
    try:
        held_out = make_held_out(CONFIG, plan.days, 1.0, plan.starts)
        oracle = oracle_pnl(held_out)
        target = plan.share * oracle
        row = replace_fields(row, oracle_return_dollars=oracle, target_return_dollars=target)
        learner = make_learner(name, plan, seed)
        row = replace_fields(row, name=learner.name, masks=learner.masks, note=learner.note)
        row = replace_fields(row, compile_seconds=learner.prepare())
        learner.begin()
        seconds, due = 0.0, 0.0
        while True:
            if seconds >= due:
                earned = greedy_return(learner.greedy(), held_out)
                point = ReturnPoint(seconds, row.steps, earned)
                row = replace_fields(row, curve=(*row.curve, point))
                if earned >= target:
                    row = replace_fields(row, seconds=seconds)
                    break
                if seconds >= plan.limit_seconds:
                    break
                due = seconds + max(plan.every, SLACK * seconds)
            began = time.perf_counter()
            steps = learner.run()
            seconds += time.perf_counter() - began
            row = replace_fields(row, steps=row.steps + steps)
            due = min(due, plan.limit_seconds)
    except Exception as error:
        row = replace_fields(row, error=sentence(error))
    finally:
        if learner is not None:
            learner.close()
    return row


def blank_row(name: str, plan: TrainingPlan, seed: int) -> ReturnRow:
    """Return the row of a trainer that has done nothing yet."""
    return ReturnRow(name=name, trainer=name, seed=seed, limit_seconds=plan.limit_seconds)


def run_in_process(name: str, plan: TrainingPlan, seed: int) -> ReturnRow:
    """Do what :func:`run_row` does in a process of its own: nobody inherits another's threads."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(run_row, name, plan, seed).result()
        except Exception as error:  # the process itself ended
            return replace_fields(blank_row(name, plan, seed), error=sentence(error))


@click.command(context_settings={"show_default": True})
@click.option("--trainers", default=",".join(TRAINERS), help="Who is trained, in this order.")
@click.option("--seeds", default=1, type=click.IntRange(min=1), help="Runs of each trainer.")
@click.option("--share", default=0.5, type=Number(0.0, 1.0), help="Of the oracle's PnL.")
@click.option("--limit-seconds", default=600.0, type=Number(min=0.0), help="Per run.")
@click.option("--every", default=0.5, type=Number(min=0.0), help="Seconds between judgements.")
@click.option("--days", default=250, type=click.IntRange(min=3), help="Days trained on.")
@click.option("--starts", default=1000, type=click.IntRange(min=1), help="Episodes judged by.")
@click.option("--envs", default=64, type=int, help="Environments, of all but MaskablePPO.")
@click.option("--n-steps", default=128, type=int, help="Steps in a rollout, of all but MaskablePPO.")
@click.option("--batch-size", default=1024, type=int, help="Minibatch, of all but MaskablePPO.")
@click.option("--epochs", default=4, type=int)
@click.option("--hidden", default=256, type=int, help="Width of both networks, of all but MaskablePPO.")
@click.option("--learning-rate", default=1e-3, type=Number(0))
@click.option("--workers", default=8, type=int, help="Processes of MaskablePPO.")
@click.option(
    "--rollout", default=8192, type=int, help="Steps in MaskablePPO's rollout, of all workers."
)
@click.option("--reference-batch", default=512, type=int, help="MaskablePPO's minibatch.")
@cli.quick_option
@cli.json_option
def command(out: Path | None, quick: bool, **options: Any) -> None:
    """Measure wall time to a fixed return on the market with the planted pattern."""
    if quick:
        options |= {"days": 4, "starts": 64, "limit_seconds": 0.05, "every": 0.02}
        options |= {"envs": 8, "n_steps": 16, "batch_size": 64, "epochs": 1, "hidden": 16}
        options |= {"workers": 1, "rollout": 64, "reference_batch": 32}
    names = options["trainers"].split(",")
    for name in names:
        if name not in TRAINERS:
            raise InputError(f"{name!r} is no trainer; choose from {', '.join(TRAINERS)}")
    plan = make_plan(options)
    console, rows = wide_console(), []
    for seed in range(options["seeds"]):
        for name in names:
            rows.append(run_in_process(name, plan, seed))
            console.print(f"{summary_line(rows[-1])}", style="dim", markup=False)
    report = ReturnReport(
        schema=SCHEMA,
        machine_info=machine_info(),
        settings=cli.as_text(options),
        trainer_settings={"port": plan.settings.to_dict(), "maskable": asdict(plan.reference)},
        rows=tuple(rows),
        ahead=ahead(rows),
    )
    publish(report, show, out)


def make_plan(options: Mapping[str, Any]) -> TrainingPlan:
    """Return what the command's options ask for."""
    settings = TrainSettings(
        n_envs=options["envs"],
        n_steps=options["n_steps"],
        batch_size=options["batch_size"],
        n_epochs=options["epochs"],
        learning_rate=options["learning_rate"],
        network=NetworkSpec((options["hidden"],) * 2, (options["hidden"],) * 2),
    )
    sizes = (options["epochs"], options["workers"], options["reference_batch"], options["rollout"])
    reference = replace(reference_settings(*sizes), learning_rate=options["learning_rate"])
    same = {name: options[name] for name in ("days", "starts", "share", "limit_seconds", "every")}
    return TrainingPlan(**same, settings=settings, reference=reference)


def ahead(rows: Sequence[ReturnRow]) -> dict[str, TimeRatio]:
    """Return, by trainer, how many times as long as the port it took: medians over seeds.

    A run that did not get there counts as long as its limit, so where the median is such a run the
    ratio is the least it can be (``at_least``). Trainers that failed are left out.
    """
    seconds: dict[str, list[tuple[float, bool]]] = {}
    for row in rows:
        if row.error is None:
            late = row.seconds is None
            took = row.limit_seconds if row.seconds is None else row.seconds
            seconds.setdefault(row.trainer, []).append((took, late))
    port = seconds.pop("port", [])
    if not port or any(late for _, late in port):
        return {}
    base = median(took for took, _ in port)
    if not base:  # untrained it was good enough
        return {}
    return {
        name: TimeRatio(
            ratio=median(took for took, _ in runs) / base,
            at_least=sum(late for _, late in runs) * 2 >= len(runs),
        )
        for name, runs in seconds.items()
    }


def summary_line(row: ReturnRow) -> str:
    """Return one line on a row."""
    if row.error:
        return f"{row.name}, seed {row.seed}, failed: {row.error}"
    reached = "not reached" if row.seconds is None else f"reached in {row.seconds:,.1f} s"
    return f"{row.name}, seed {row.seed}: {reached}, {row.steps:,} steps"


def show(report: ReturnReport, console: Console) -> None:
    """Print all rows as a table."""
    targets = [row.target_return_dollars for row in report.rows if row.target_return_dollars]
    if targets:
        console.print(f"to a mean PnL of [bold]${targets[0]:,.0f}[/] an episode")
    columns = ("trainer", "masks", "seed", "compile", "seconds", "steps", "best", "of the limit")
    table = numeric_table(*columns, words=2)
    for row in report.rows:
        if row.error:
            table.add_row(row.name, "", str(row.seed), "", "[red]failed[/]")
            continue
        reached = "not reached" if row.seconds is None else f"{row.seconds:,.1f} s"
        table.add_row(
            row.name,
            "yes" if row.masks else "no",
            str(row.seed),
            f"{row.compile_seconds or 0:,.1f} s",
            reached,
            f"{row.steps:,}",
            f"${row.best_return_dollars or 0:,.0f}",
            f"{row.curve[-1].seconds:,.0f} of {row.limit_seconds:,.0f} s",
        )
    console.print(table)
    for name, ratio in report.ahead.items():
        more = "at least " if ratio.at_least else ""
        console.print(f"{name} took {more}[bold]{ratio.ratio:,.2f}x[/] as long as the port")
    for row in report.rows:
        if row.error:
            console.print(summary_line(row), style="red", markup=False)


def main() -> None:
    """Run the command; bad input prints one sentence and exits with code 2."""
    run_command(command)


if __name__ == "__main__":
    main()

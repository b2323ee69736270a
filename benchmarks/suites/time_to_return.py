"""How long until it trades well: wall time to a fixed return, of the port's trainer and of others.

    python -m benchmarks.suites.time_to_return [--quick] [--json OUT]

All are trained on the market with the planted pattern and judged by their likeliest actions on bars of
another seed (:mod:`benchmarks.baselines.pattern_agents`). The clock stops when the mean PnL of an
episode reaches
half of what the oracle makes, who knows the pattern. It runs while a trainer trains, and not while it
compiles or is judged. Each trainer has the machine, and a process, to itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks.baselines.learners import Learner, PortLearner, ReferenceLearner, judged
from benchmarks.baselines.pattern_agents import TRAINED_ON, make_params, make_unseen
from benchmarks.baselines.port_and_sb3 import reference_settings
from benchmarks.baselines.trainers import RIVALS
from benchmarks.harness.measure import sentence, surroundings, wide_console, write_json
from benchmarks.harness.options import json_option, quick_option
from benchmarks.suites.it_learns import oracle_pnl
from foundation.errors import run_command
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from legacy_torch.train import TrainConfig
from markets import EnvConfig, InputError
from markets.synthetic.pattern import pattern_bars

SCHEMA = 1
CONFIG = EnvConfig.phase1()
TRAINERS = ("port", "maskable", *RIVALS)
SLACK = 0.05
"""A policy is judged again when the clock has gone on by this share, or by ``every`` if longer."""


@dataclass(frozen=True)
class Plan:
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


def make_learner(name: str, plan: Plan, seed: int) -> Learner:
    """Return a trainer by its name in :data:`TRAINERS`."""
    if name == "maskable":
        bars = pattern_bars("ES", days=plan.days, seed=TRAINED_ON, strength=1.0)
        return ReferenceLearner(bars, CONFIG, replace(plan.reference, seed=seed))
    params, settings = make_params(CONFIG, plan.days, 1.0), replace(plan.settings, seed=seed)
    if name == "port":
        return PortLearner(params, CONFIG, settings)
    return RIVALS[name](params, settings)


def run_row(name: str, plan: Plan, seed: int) -> dict[str, Any]:
    """Train one trainer until it reaches the return or the limit, and return its row.

    Returns:
        Names and values, ready for JSON. ``seconds`` is None where the return was not reached;
        ``steps`` are those made by the end; ``curve`` has (seconds, steps, dollars) of each judgement,
        untrained first. A trainer that fails has an ``error`` and what was seen until then.
    """
    row = blank(name, plan, seed)
    learner: Learner | None = None
    try:
        unseen = make_unseen(CONFIG, plan.days, 1.0, plan.starts)
        oracle = oracle_pnl(unseen)
        row |= {"oracle_return": oracle, "target_return": plan.share * oracle}
        learner = make_learner(name, plan, seed)
        row |= {"name": learner.name, "masks": learner.masks, "note": learner.note}
        row["compile_seconds"] = learner.prepare()
        learner.begin()
        seconds, due = 0.0, 0.0
        while True:
            if seconds >= due:
                earned = judged(learner.greedy(), unseen)
                row["curve"].append([seconds, row["steps"], earned])
                row["best_return"] = max(point[2] for point in row["curve"])
                if earned >= row["target_return"]:
                    row["seconds"] = seconds
                    break
                if seconds >= plan.limit_seconds:
                    break
                due = seconds + max(plan.every, SLACK * seconds)
            began = time.perf_counter()
            row["steps"] += learner.run()
            seconds += time.perf_counter() - began
            due = min(due, plan.limit_seconds)
    except Exception as error:
        row["error"] = sentence(error)
    finally:
        if learner is not None:
            learner.close()
    return row


def blank(name: str, plan: Plan, seed: int) -> dict[str, Any]:
    """Return the row of a trainer that has done nothing yet."""
    return {
        "trainer": name,
        "name": name,
        "masks": None,
        "seed": seed,
        "compile_seconds": None,
        "seconds": None,
        "steps": 0,
        "best_return": None,
        "limit_seconds": plan.limit_seconds,
        "curve": [],
        "note": "",
    }


def alone(name: str, plan: Plan, seed: int) -> dict[str, Any]:
    """Do what :func:`run_row` does in a process of its own: nobody inherits another's threads."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(run_row, name, plan, seed).result()
        except Exception as error:  # the process itself ended
            return {**blank(name, plan, seed), "error": sentence(error)}


@click.command(context_settings={"show_default": True})
@click.option("--trainers", default=",".join(TRAINERS), help="Who is trained, in this order.")
@click.option("--seeds", default=1, type=click.IntRange(min=1), help="Runs of each trainer.")
@click.option("--share", default=0.5, type=click.FloatRange(0.0, 1.0), help="Of the oracle's PnL.")
@click.option("--limit-seconds", default=600.0, type=click.FloatRange(min=0.0), help="Per run.")
@click.option(
    "--every", default=0.5, type=click.FloatRange(min=0.0), help="Seconds between judgements."
)
@click.option("--days", default=250, type=click.IntRange(min=3), help="Days trained on.")
@click.option("--starts", default=1000, type=click.IntRange(min=1), help="Episodes judged by.")
@click.option("--envs", default=64, type=int, help="Environments, of all but MaskablePPO.")
@click.option("--n-steps", default=128, type=int, help="Steps in a rollout, of all but MaskablePPO.")
@click.option("--batch-size", default=1024, type=int, help="Minibatch, of all but MaskablePPO.")
@click.option("--epochs", default=4, type=int)
@click.option("--hidden", default=256, type=int, help="Width of both towers, of all but MaskablePPO.")
@click.option("--learning-rate", default=1e-3, type=float)
@click.option("--workers", default=8, type=int, help="Processes of MaskablePPO.")
@click.option(
    "--rollout", default=8192, type=int, help="Steps in MaskablePPO's rollout, of all workers."
)
@click.option("--reference-batch", default=512, type=int, help="MaskablePPO's minibatch.")
@quick_option
@json_option
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
            rows.append(alone(name, plan, seed))
            console.print(f"[dim]{said(rows[-1])}[/]")
    report = {
        "schema": SCHEMA,
        "benchmark": "time_to_return",
        "surroundings": surroundings(),
        "plan": asdict(plan),
        "rows": rows,
        "ahead": ahead(rows),
    }
    show(rows, console)
    if out is not None:
        write_json(out, report)


def make_plan(options: Mapping[str, Any]) -> Plan:
    """Return the plan of the command's options."""
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
    return Plan(**same, settings=settings, reference=reference)


def ahead(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return, by trainer, how many times as long as the port it took: medians over seeds.

    A run that did not get there counts as long as its limit, so where the median is such a run the
    ratio is the least it can be (``at_least``). Trainers that failed are left out.
    """
    seconds: dict[str, list[tuple[float, bool]]] = {}
    for row in rows:
        if "error" not in row:
            late = row["seconds"] is None
            took = row["limit_seconds"] if late else row["seconds"]
            seconds.setdefault(row["trainer"], []).append((took, late))
    ours = seconds.pop("port", [])
    if not ours or any(late for _, late in ours):
        return {}
    base = median(took for took, _ in ours)
    if not base:  # untrained it was good enough
        return {}
    return {
        name: {
            "ratio": median(took for took, _ in runs) / base,
            "at_least": sum(late for _, late in runs) * 2 >= len(runs),
        }
        for name, runs in seconds.items()
    }


def said(row: Mapping[str, Any]) -> str:
    """Return one line on a row."""
    if "error" in row:
        return f"{row['name']}, seed {row['seed']}, failed: {row['error']}"
    reached = "not reached" if row["seconds"] is None else f"reached in {row['seconds']:,.1f} s"
    return f"{row['name']}, seed {row['seed']}: {reached}, {row['steps']:,} steps"


def show(rows: list[dict[str, Any]], console: Console) -> None:
    """Print all rows as a table."""
    targets = [row["target_return"] for row in rows if "target_return" in row]
    if targets:
        console.print(f"to a mean PnL of [bold]${targets[0]:,.0f}[/] an episode")
    table = Table("trainer", "masks", "seed", "compile", "seconds", "steps", "best", "of the limit")
    table.columns[0].no_wrap = True
    for column in table.columns[2:]:
        column.justify = "right"
    for row in rows:
        if "error" in row:
            table.add_row(row["name"], "", str(row["seed"]), "", "[red]failed[/]")
            continue
        reached = "not reached" if row["seconds"] is None else f"{row['seconds']:,.1f} s"
        used = row["curve"][-1][0]
        table.add_row(
            row["name"],
            "yes" if row["masks"] else "no",
            str(row["seed"]),
            f"{row['compile_seconds']:,.1f} s",
            reached,
            f"{row['steps']:,}",
            f"${row['best_return']:,.0f}",
            f"{used:,.0f} of {row['limit_seconds']:,.0f} s",
        )
    console.print(table)
    for name, ratio in ahead(rows).items():
        more = "at least " if ratio["at_least"] else ""
        console.print(f"{name} took {more}[bold]{ratio['ratio']:,.2f}x[/] as long as the port")
    for row in rows:
        if "error" in row:
            console.print(said(row), style="red", markup=False)


def main() -> None:
    """Run the command; bad input prints one sentence and exits with code 2."""
    run_command(command)


if __name__ == "__main__":
    main()

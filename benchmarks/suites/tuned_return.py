"""Time to a fixed return with tuned settings: every trainer has as many trials to find its own.

    python -m benchmarks.suites.tuned_return [--trials 16] [--seeds 10] [--log LOG] [--json OUT]

Optuna searches the same space for each trainer; a trial is one run of
:mod:`benchmarks.suites.time_to_return` with a seed of its own. The best three settings are tried again
with two more seeds, and those with the smallest mean are raced over fresh seeds, the trainers one after
another with each seed. Every run is a line of the log, so that a search goes on where it was cut off,
with the same options and code on the same machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import click
import msgspec
import optuna

from benchmarks.baselines.trainers import BASELINES
from benchmarks.harness import options as cli
from benchmarks.harness.machine_info import PACKAGES, machine_info
from benchmarks.harness.output import publish, wide_console
from benchmarks.harness.reports import SCHEMA, ReturnReport
from benchmarks.harness.rows import ReturnRow
from benchmarks.suites.time_to_return import (
    TrainingPlan,
    ahead,
    make_plan,
    run_in_process,
    show,
    summary_line,
)
from foundation.command_line.numbers import Number
from foundation.errors import InputError, run_command
from foundation.files import json_digest
from foundation.import_closure import PACKAGES_ROOT, digests
from foundation.json_lines import adding_lines, read_json_lines, require_same
from foundation.json_reading import Artifact, convert
from foundation.provenance import cpu_model, versions

SPACE: dict[str, tuple[int, ...]] = {
    "envs": (32, 64, 128, 256),
    "n_steps": (32, 64, 128),
    "epochs": (2, 4, 8),
    "minibatches": (4, 8, 16),
    "hidden": (64, 128, 256),
}
RATES = 3e-4, 5e-3
"""Least and largest learning rate, drawn by its logarithm."""
FIRST = {
    "envs": 64,
    "n_steps": 128,
    "epochs": 4,
    "minibatches": 8,
    "hidden": 256,
    "learning_rate": 1e-3,
}
"""The first trial of every trainer: the settings of the untuned comparison."""
AGAIN, MORE_SEEDS = 3, 2
TUNING_SEEDS = 1_000
"""Seeds from here on are used for tuning alone."""
LINE = Artifact("line of a search for settings", "remove the file to begin anew")


class Run(msgspec.Struct, frozen=True):
    """One training to the return.

    Attributes:
        stage: "tune", "again" or "race".
        trainer: by its name on the command line.
        number: of the trial; -1 in the race.
        settings: as drawn.
        row: what came of it.
    """

    stage: str
    trainer: str
    number: int
    settings: dict[str, float]
    row: ReturnRow


@dataclass(frozen=True)
class Races:
    """Runs that were made and how to make more.

    Attributes:
        options: of the plan, without what is drawn.
        known: runs by stage, trainer, number and seed; one of other settings is no run of a race's.
        add: writes a run down.
    """

    options: dict[str, Any]
    known: dict[tuple[str, str, int, int], Run]
    add: Callable[[Run], None]

    def run(self, stage: str, trainer: str, number: int, settings: dict[str, Any], seed: int) -> Run:
        """Return a run, from the log where it is there."""
        key = (stage, trainer, number, seed)
        if key not in self.known or self.known[key].settings != settings:
            row = run_in_process(trainer, plan_of(self.options, settings), seed)
            self.known[key] = Run(stage, trainer, number, settings, row)
            self.add(self.known[key])
        return self.known[key]

    def tune(self, trainer: str, trials: int) -> dict[str, Any]:
        """Return the settings with which a trainer gets there soonest."""
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=6))
        study.enqueue_trial(FIRST)
        tried: list[tuple[float, int, dict[str, Any]]] = []
        for number in range(trials):
            trial = study.ask()
            settings: dict[str, Any] = {
                name: trial.suggest_categorical(name, values) for name, values in SPACE.items()
            }
            settings["learning_rate"] = trial.suggest_float("learning_rate", *RATES, log=True)
            run = self.run("tune", trainer, number, settings, TUNING_SEEDS + number)
            study.tell(trial, seconds_of(run.row))
            tried.append((seconds_of(run.row), number, settings))
        best = sorted(tried, key=lambda one: one[0])[:AGAIN]
        means = []
        for seconds, number, settings in best:
            seeds = [TUNING_SEEDS + trials + more for more in range(MORE_SEEDS)]
            more = [self.run("again", trainer, number, settings, seed).row for seed in seeds]
            means.append((mean([seconds, *map(seconds_of, more)]), number, settings))
        return min(means, key=lambda one: one[:2])[2]


def plan_of(options: dict[str, Any], settings: dict[str, Any]) -> TrainingPlan:
    """Return the plan of one run: a rollout's transitions in so many minibatches."""
    rollout = int(settings["envs"]) * int(settings["n_steps"])
    batch = rollout // int(settings["minibatches"])
    return make_plan({**options, **settings, "batch_size": batch})


def seconds_of(row: ReturnRow) -> float:
    """Return the seconds that a run took; where it did not get there, more the further it is away."""
    if row.seconds is not None:
        return row.seconds
    if row.error is not None or not row.target_return_dollars:
        return 3 * row.limit_seconds
    short = 1 - (row.best_return_dollars or 0.0) / row.target_return_dollars
    return row.limit_seconds * (1 + min(max(short, 0.0), 2.0))


def asked_of(options: dict[str, Any]) -> dict[str, Any]:
    """Return what decides on the runs of a log: options, code, and the machine that times them."""
    return {
        "options": options,
        "code": json_digest(digests(PACKAGES_ROOT, ["benchmarks.suites.tuned_return"])),
        "machine": [cpu_model(), os.cpu_count(), os.environ.get("JAX_PLATFORMS", "")],
        "versions": versions(PACKAGES),
    }


@click.command(context_settings={"show_default": True})
@click.option("--trainers", default=",".join(("port", *BASELINES)), help="Who is tuned and raced.")
@click.option("--trials", default=16, type=click.IntRange(min=1), help="Of each trainer.")
@click.option("--seeds", default=10, type=click.IntRange(min=1), help="Of the race.")
@click.option("--limit-seconds", default=40.0, type=Number(min=0.0), help="Per run.")
@click.option("--log", type=click.Path(path_type=Path, dir_okay=False), help="Goes on from here.")
@cli.quick_option
@cli.json_option
def command(
    trainers: str,
    trials: int,
    seeds: int,
    limit_seconds: float,
    log: Path | None,
    quick: bool,
    out: Path | None,
) -> None:
    """Tune every trainer alike, then race them to half of what the oracle makes."""
    names = trainers.split(",")
    for name in names:
        if name not in ("port", *BASELINES):
            raise InputError(f"{name!r} is not tuned here; choose from port, {', '.join(BASELINES)}")
    options: dict[str, Any] = {"days": 250, "starts": 300, "share": 0.5, "every": 0.3}
    options |= {"limit_seconds": limit_seconds, "workers": 8, "rollout": 8192, "reference_batch": 512}
    if quick:
        options |= {"days": 4, "starts": 64, "limit_seconds": 0.02, "every": 0.02}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    console = wide_console()
    lines = [] if log is None else read_json_lines(log, LINE)
    runs = [convert(line, Run, LINE, where=log) for line in lines]
    if log is not None:
        require_same(log.with_suffix(".asked.json"), asked_of(options), bool(lines))
    with ExitStack() as stack:
        add_line = stack.enter_context(adding_lines(log, lines)) if log is not None else None

        def add(run: Run) -> None:
            console.print(
                f"{run.stage} {run.number}, {summary_line(run.row)}", style="dim", markup=False
            )
            if add_line is not None:
                add_line(msgspec.to_builtins(run))

        known = {(run.stage, run.trainer, run.number, run.row.seed): run for run in runs}
        races = Races(options, known, add)
        best = {name: races.tune(name, trials) for name in names}
        rows = [
            races.run("race", name, -1, best[name], seed).row for seed in range(seeds) for name in names
        ]
    report = ReturnReport(
        schema=SCHEMA,
        machine_info=machine_info(),
        settings=cli.as_text({**options, "trials": trials, "seeds": seeds}),
        trainer_settings=best,
        rows=tuple(rows),
        ahead=ahead(rows),
    )
    publish(report, show, out)


def main() -> None:
    """Run the command; bad input prints one sentence and exits with code 2."""
    run_command(command)


if __name__ == "__main__":
    main()

"""Learning parity: ``python -m parity.learning_study.run`` trains missing seeds, then judges them all.

Each seed's row is written as soon as it is trained, so the study may be interrupted at any time and
goes on where it stopped.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from foundation.errors import run_command
from foundation.files import write_json, write_text
from foundation.progress import EACH_TASK, progress_bar
from foundation.report.format import duration
from foundation.signals import worker_start
from markets import InputError
from parity.learning.statistics import EQUIVALENT
from parity.learning_study.design import ARMS, DESIGN, Design
from parity.learning_study.rows import Row, missing, read_rows, train_row, write_row
from parity.learning_study.study import Values, judge

OUT = Path("reports/learning")

ONE_THREAD = {"OMP_NUM_THREADS": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
"""The networks are so small that sharing one product among threads costs more than it saves."""


def train(
    design: Design,
    folder: Path,
    arms: tuple[str, ...],
    seeds: int,
    jobs: int,
    on_progress: Callable[[Row], None] = lambda row: None,
) -> None:
    """Train the seeds that have no row yet and write each row as soon as it is there.

    Args:
        design: of the study.
        folder: where rows are.
        arms: of :data:`~parity.learning_study.design.ARMS`.
        seeds: train the first so many of each arm.
        jobs: processes at a time; with 0, this process trains.
        on_progress: told of every new row, in the order in which they end.

    Raises:
        InputError: a row in the folder is damaged or of another design, or a process died.
    """
    todo = [(seed, arm) for arm in arms for seed in missing(folder, design, arm, seeds)]

    def keep(row: Row) -> None:
        write_row(folder, row)
        on_progress(row)

    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)  # JAX reads it with its first array, a new process at once
    if not jobs:
        for seed, arm in sorted(todo):
            keep(train_row(design, arm, seed))
        return
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=fresh, initializer=worker_start(obey)) as pool:
        waiting = [pool.submit(train_row, design, arm, seed) for seed, arm in sorted(todo)]
        try:
            for future in as_completed(waiting):
                keep(future.result())
        except BrokenProcessPool:
            raise InputError(
                "a training process died, perhaps for lack of memory; run again with fewer --jobs"
            ) from None
        finally:
            for future in waiting:
                future.cancel()


def obey() -> None:
    """Let a training process die at once by Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--arm", type=click.Choice([*ARMS, "both"]), default="both", help="Arm to train.")
@click.option(
    "--seeds",
    type=click.IntRange(0, DESIGN.seeds),
    default=DESIGN.seeds,
    help="Train the first so many seeds of an arm; 0 only makes the report anew.",
)
@click.option(
    "--jobs", type=click.IntRange(min=0), default=1, help="Processes that train; 0 for this one."
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=OUT)
def command(arm: str, seeds: int, jobs: int, out: Path) -> None:
    """Train both learners on one market, seed by seed, and say whether they learn the same.

    Goes on where an earlier run stopped. Writes rows-sb3, rows-jax, learning.json and learning.html.
    Exit code 0 means equivalent, 1 different or not enough seeds, 2 bad input.
    """
    from parity.learning_study.page import render

    console = Console()
    if seeds:
        watch(console, ARMS if arm == "both" else (arm,), seeds, jobs, out)
    report = judge(DESIGN, read_rows(out, DESIGN))
    write_json(out / "learning.json", report)
    write_text(out / "learning.html", render(report))
    show(console, report, out)
    if report["verdict"] != EQUIVALENT:
        raise SystemExit(1)


def watch(console: Console, arms: tuple[str, ...], seeds: int, jobs: int, out: Path) -> None:
    """Train what is missing under one progress bar an arm."""
    with progress_bar(EACH_TASK, "{task.fields[done]}", console=console, transient=False) as bar:
        trained = {name: seeds - len(missing(out, DESIGN, name, seeds)) for name in arms}
        tasks = {n: bar.add_task(n, total=seeds, completed=trained[n], done="") for n in arms}

        def on_progress(row: Row) -> None:
            text = f"seed {row['seed']} in {duration(row['seconds'])}"
            bar.update(tasks[row["arm"]], advance=1, done=text)

        train(DESIGN, out, arms, seeds, jobs, on_progress)


def show(console: Console, report: Values, out: Path) -> None:
    """Print the verdict with its numbers."""
    table = Table(show_header=False, box=None)
    for name, arm in report["arms"].items():
        table.add_row(f"seeds of {name}", f"{arm['seeds']} of {report['design']['seeds']}")
    if test := report["test"]:
        table.add_row("difference", f"{test['difference']:+.4f} per 100 steps")
        table.add_row("interval", f"{test['low']:+.4f} to {test['high']:+.4f}")
        table.add_row("margin", f"±{test['margin']:.4f}")
    table.add_row("page", str(out / "learning.html"))
    console.print(table)
    good = report["verdict"] == EQUIVALENT
    console.print(f"[bold {'green' if good else 'red'}]{report['verdict']}")


def main() -> None:
    """Run the command; bad input prints one sentence and exits with code 2."""
    run_command(command)


if __name__ == "__main__":
    main()

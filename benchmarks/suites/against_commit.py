"""Speed of this tree against another checkout of the project, in interleaved pairs.

    git worktree add ../before COMMIT
    python -m benchmarks.suites.against_commit ../before [--rounds 15] [--json OUT]

Each checkout is measured by a process of its own, which runs that checkout's environment and trainer
and waits while another is measured. In every round each takes one turn, in an order that alternates, so
that a disturbance of the machine falls on all alike. A second process of the other checkout is the
control: its ratio to the first shows what two identical programs differ by here.

Exit code 0 means that nothing is slower than noise explains, 1 that something is, 2 bad input.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import click
from rich.console import Console
from rich.progress import track

from benchmarks.harness import options as cli
from benchmarks.harness import tree_worker
from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.output import numeric_table, publish
from benchmarks.harness.reports import SCHEMA, Report
from benchmarks.harness.rows import Row
from benchmarks.harness.statistics import PairedRatio, Samples, median_interval, ratio_of_rounds
from foundation.command_line.numbers import Number
from foundation.errors import InputError, run_command
from foundation.import_closure import PACKAGES_ROOT
from foundation.report.format import short_rate

WORKLOADS = ("environment, phase 1", "training, phase 1", "training, phase 2")
Verdict = Literal["slower", "faster", "within noise"]


class AgainstRow(Row, frozen=True, kw_only=True, tag="against commit"):
    """Speed of one workload in two checkouts, steps per second of single environments.

    Attributes:
        this, other: samples, one a round.
        ratio: this over other, paired by rounds.
        interval: 95% interval of the median ratio.
        control: the other checkout's second process over its first.
        control_interval: 95% interval of its median.
        verdict: "slower" or "faster" where the interval lies wholly outside both 1 and the control's.
    """

    this: Samples
    other: Samples
    ratio: PairedRatio
    interval: tuple[float, float]
    control: PairedRatio
    control_interval: tuple[float, float]
    verdict: Verdict


class AgainstReport(Report, frozen=True, kw_only=True, tag="against_commit"):
    """Two checkouts, by their commits, and a row for each workload."""

    this_commit: str
    other_commit: str
    rows: tuple[AgainstRow, ...]


class Runner(Protocol):
    """Something that measures a workload for some seconds and returns steps per second."""

    def measure(self, workload: str, seconds: float) -> float:
        """Return steps per second."""


class TreeProcess:
    """Process that measures one checkout; see :mod:`benchmarks.harness.tree_worker`.

    Args:
        tree: folder of the checkout.
        sizes: command-line options of the worker.
    """

    def __init__(self, tree: Path, sizes: Sequence[str]) -> None:
        self._tree = tree
        self._process = subprocess.Popen(
            # -P: the worker's own folder must not be searched, PYTHONPATH comes first.
            [sys.executable, "-P", str(Path(tree_worker.__file__)), *sizes],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def wait_ready(self) -> None:
        """Wait until all is compiled.

        Raises:
            InputError: the checkout cannot be measured, or another one would be.
        """
        checkout = Path(self._answer()["checkout"])
        if checkout != self._tree:
            raise InputError(f"{self._tree}: holds no jax_port; {checkout} would be measured instead")

    def measure(self, workload: str, seconds: float) -> float:
        """Return steps per second of one workload."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([workload, seconds]) + "\n")
        self._process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise InputError(f"{self._tree}: its process ended; what it printed above says why")
        return json.loads(line)


@click.command()
@click.argument("other", type=click.Path(path_type=Path))
@cli.days_option(60)
@click.option("--envs", default=1024, show_default=True, help="Environments.")
@click.option("--steps", default=32, show_default=True, help="Steps in a rollout, and in one scan.")
@click.option("--batch-size", default=8192, show_default=True, help="Steps in a minibatch.")
@cli.rounds_option(15)
@click.option(
    "--seconds", type=Number(0), default=3.0, show_default=True, help="Of each turn, at least."
)
@cli.quick_option
@cli.json_option
def main(other: Path, out: Path | None, quick: bool, **options: Any) -> None:
    """Measure this tree and the checkout OTHER in turns and compare their speeds."""
    if not (other / "jax_port").is_dir():
        raise InputError(f"{other}: not a checkout of this project; give a folder with jax_port in it")
    if quick:
        options |= {"days": 4, "envs": 16, "steps": 8, "batch_size": 64, "rounds": 2, "seconds": 0.02}
    report = measure(other.resolve(), options)
    publish(report, show, out)
    raise SystemExit(any(row.verdict == "slower" for row in report.rows))


def measure(other: Path, options: dict[str, Any]) -> AgainstReport:
    """Start a process for each checkout and a control, and measure them in turns."""
    names = ("days", "envs", "steps", "batch_size")
    sizes = [f"--{name.replace('_', '-')}={options[name]}" for name in names]
    with ExitStack() as stack:
        runners = []
        for tree in (PACKAGES_ROOT, other, other):
            runners.append(stack.enter_context(TreeProcess(tree, sizes)))
            runners[-1].wait_ready()  # one after another, as compiling takes all cores
        rows = interleave(*runners, rounds=options["rounds"], seconds=options["seconds"])
    return AgainstReport(
        schema=SCHEMA,
        machine_info=machine_info(),
        settings=cli.as_text(options),
        this_commit=commit_of(PACKAGES_ROOT),
        other_commit=commit_of(other),
        rows=tuple(rows),
    )


def interleave(
    this: Runner,
    other: Runner,
    control: Runner,
    *,
    rounds: int,
    seconds: float,
    workloads: Sequence[str] = WORKLOADS,
) -> list[AgainstRow]:
    """Measure every workload in rounds in which each runner takes one turn.

    Args:
        this, other: of the two checkouts.
        control: a second one of the other checkout.
        rounds: samples per row.
        seconds: of each turn, at least.
        workloads: names.
    """
    runners = (this, other, control)
    samples: dict[str, list[list[float]]] = {name: [[], [], []] for name in workloads}
    for number in track(range(rounds), "rounds", console=Console(stderr=True), transient=True):
        for name in workloads:
            # The order turns, so that nobody always follows the same neighbour.
            for turn in range(len(runners)):
                at = (number + turn) % len(runners)
                samples[name][at].append(runners[at].measure(name, seconds))
    return [make_row(name, *samples[name]) for name in workloads]


def make_row(
    name: str, this: Sequence[float], other: Sequence[float], control: Sequence[float]
) -> AgainstRow:
    """Return the row of samples that were taken in the same rounds."""
    ratio, same = ratio_of_rounds(this, other), ratio_of_rounds(control, other)
    interval, noise = median_interval(ratio.rounds), median_interval(same.rounds)
    verdict: Verdict = "within noise"
    if interval[1] < min(1.0, noise[0]):
        verdict = "slower"
    elif interval[0] > max(1.0, noise[1]):
        verdict = "faster"
    return AgainstRow(
        name=name,
        this=Samples.of(this),
        other=Samples.of(other),
        ratio=ratio,
        interval=interval,
        control=same,
        control_interval=noise,
        verdict=verdict,
    )


def commit_of(tree: Path) -> str:
    """Return the commit of a checkout, "+" behind it if files differ; empty if git knows of none."""
    command = ["git", "-C", str(tree), "describe", "--always", "--abbrev=12", "--dirty=+"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def show(report: AgainstReport, console: Console) -> None:
    """Print a report as a table."""
    console.print(f"this: {report.this_commit}; other: {report.other_commit}", highlight=False)
    columns = ("steps/s", "other", "this", "this / other", "95% interval", "control", "verdict")
    table = numeric_table(*columns)
    for row in report.rows:
        low, high = row.control_interval
        table.add_row(
            row.name,
            short_rate(row.other.median),
            short_rate(row.this.median),
            f"{row.ratio.median:.3f}",
            f"{row.interval[0]:.3f} to {row.interval[1]:.3f}",
            f"{low:.3f} to {high:.3f}",
            row.verdict,
        )
    console.print(table)
    console.print("control: the same ratio of two processes of the other checkout, 95% interval")


if __name__ == "__main__":
    run_command(main)

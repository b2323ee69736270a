"""Memory per environment and per market on both sides, and how busy each keeps the machine.

    python -m benchmarks.suites.memory [--sizes 1000,10000,100000] [--workers 2,4,8] [--json OUT]

A worker of the reference costs its process: its PSS, its own pages and its share of shared ones.
An environment of the port costs what its compiled loop holds on the device, arguments, results and
temporary arrays as XLA plans them: how much more for 2 N environments than for N, so that the market,
which all share, counts apart.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace as replace_settings
from pathlib import Path
from typing import Any

import click
import jax
import msgspec
from msgspec.structs import replace
from rich.console import Console

from benchmarks.baselines.environments import PortWorkload, ReferenceWorkload, VecEnvWorkload
from benchmarks.baselines.market import Market, make_market, read_or_generate
from benchmarks.baselines.numpy_env import NumpyWorkload
from benchmarks.baselines.port_agents import agents_hyper, fresh_agents
from benchmarks.baselines.port_trainer import PortTrainer
from benchmarks.baselines.reference_trainer import ReferenceTrainer, reference_settings
from benchmarks.harness import options as cli
from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.measure import Workload, sentence
from benchmarks.harness.output import numeric_table, print_errors, publish
from benchmarks.harness.processes import watch_utilisation
from benchmarks.harness.reports import SCHEMA, MemoryReport
from benchmarks.harness.rows import Form, MemoryRow, Side, UtilisationRow
from foundation.errors import run_command
from foundation.report.format import byte_size, percent_figures
from jax_port.envs.state import EnvParams
from jax_port.ppo.settings import TrainSettings
from jax_port.ppo.train_ppo_jax import make_train
from legacy_torch.train import TrainConfig

SHORT_SECONDS = 1.0
"""Below this CPU seconds, which the system gives in hundredths, say little."""
FORMS: dict[Form, str] = {"obs": "with observations", "none": "without observations"}


@click.command()
@cli.symbol_option
@cli.days_option(250)
@click.option("--sizes", default="1000,10000,100000", show_default=True, help="Of the port.")
@click.option("--workers", default="2,4,8", show_default=True, help="Sizes of SubprocVecEnv.")
@cli.seconds_option(10.0)
@cli.legacy_option
@cli.quick_option
@cli.json_option
def main(out: Path | None, quick: bool, **options: Any) -> None:
    """Measure memory and utilisation of both sides."""
    if quick:
        options |= {"days": 4, "sizes": "32", "workers": "2", "seconds_per_row": 0.02}
    cli.use_host_devices()
    publish(measure(options, quick), show, out)


def measure(options: dict[str, Any], quick: bool) -> MemoryReport:
    """Return the report of both sides on the same bars.

    Raises:
        InputError: there are too few bars, or a list of sizes is none.
    """
    sizes, workers = (cli.numbers(options[name], f"--{name}") for name in ("sizes", "workers"))
    market = make_market(read_or_generate(None, options["symbol"], options["days"]))
    around = machine_info()
    rows = []
    if options["legacy"]:
        rows += reference_rows(options["symbol"], options["days"], options["workers"])
    rows += [loop_row(market.params, form, size) for size in sizes for form in FORMS]
    trained = TrainSettings(n_envs=16, n_steps=8, batch_size=64) if quick else TrainSettings()
    rows.append(trainer_row(market.params, trained))
    rows += market_rows(market)
    envs = max(sizes) if quick else 10_000
    watched = port_watched(market, trained, envs)
    if options["legacy"]:
        most = max(workers)
        theirs = reference_settings(1 if quick else 4, most, *((64, 64) if quick else (512, 4096)))
        watched += reference_watched(market, theirs, most)
    seconds = options["seconds_per_row"]
    return MemoryReport(
        schema=SCHEMA,
        machine_info=around,
        settings=cli.as_text(options),
        data=market.data,
        rows=tuple(rows),
        utilisation=tuple(utilisation(one.workload, one.side, seconds) for one in watched),
    )


@dataclass(frozen=True)
class Watched:
    """A program whose utilisation is measured."""

    side: Side
    workload: Workload


def port_watched(market: Market, settings: TrainSettings, envs: int) -> list[Watched]:
    """Return the port's and NumPy's programs."""
    params, config = market.params, market.config
    watched = [
        Watched("port", PortWorkload(params, "obs", envs=envs, steps=100, seed=0)),
        Watched("port", PortWorkload(params, "none", envs=envs, steps=400, seed=0)),
        Watched("NumPy", NumpyWorkload(market.prepared, config, envs=envs, steps=10, seed=0)),
        Watched("port", PortTrainer(params, settings)),
    ]
    devices = jax.device_count()
    if devices > 1 and envs % devices == 0:
        split = PortWorkload(params, "obs", envs=envs, steps=100, seed=0, devices=devices)
        watched.append(Watched("port", split))
    return watched


def reference_watched(market: Market, settings: TrainConfig, workers: int) -> list[Watched]:
    """Return the reference's programs."""
    bars, config = market.bars, market.config
    vec = VecEnvWorkload(bars, config, workers=workers, in_process=False, steps=200, seed=0)
    return [
        Watched("reference", ReferenceWorkload(bars, config, steps=500, seed=0)),
        Watched("reference", vec),
        Watched("reference", ReferenceTrainer(bars, config, settings)),
    ]


def reference_rows(symbol: str, days: int, workers: str) -> list[MemoryRow]:
    """Return the rows of :mod:`benchmarks.baselines.reference_memory`, from a process of its own."""
    options = ["--symbol", symbol, "--days", str(days), "--workers", workers]
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks.baselines.reference_memory", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        why = (process.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        return [MemoryRow(name="reference, workers", side="reference", per="environment", error=why)]
    return msgspec.json.decode(process.stdout, type=list[MemoryRow])


def planned(row: MemoryRow, small: Any, large: Any, envs: int) -> MemoryRow:
    """Return a row with what an environment takes of what XLA planned, and what all of them share.

    Args:
        row: of the program.
        small, large: programs compiled for ``envs`` and for twice as many environments.
        envs: environments.

    Raises:
        ValueError: the larger program is planned no more bytes than the smaller.
    """

    def parts(compiled: Any) -> dict[str, int]:
        plan = compiled.memory_analysis()
        # What goes in and comes out in one place counts once.
        return {
            "arguments": plan.argument_size_in_bytes,
            "results": plan.output_size_in_bytes - plan.alias_size_in_bytes,
            "temporary": plan.temp_size_in_bytes,
        }

    one, two = parts(small), parts(large)
    each = {name: (two[name] - one[name]) / envs for name in one}
    total = sum(each.values())
    if total <= 0:
        raise ValueError(f"XLA plans no more bytes for {2 * envs:,} environments than for {envs:,}")
    shared = sum(one.values()) - envs * total
    return replace(row, bytes=total, parts=each, envs=envs, shared_bytes=shared)


def _planned_or_failed(row: MemoryRow, envs: int, compiled: Callable[[], tuple[Any, Any]]) -> MemoryRow:
    try:
        return planned(row, *compiled(), envs)
    except Exception as error:  # a failure is a row that says so
        return replace(row, error=sentence(error))


def loop_row(params: EnvParams, form: Form, envs: int) -> MemoryRow:
    """Return what an environment of the port takes in its compiled loop."""
    row = MemoryRow(
        name=f"port, {FORMS[form]}, {envs:,} environments",
        side="port",
        per="environment",
        form=form,
        how="XLA's plan of the compiled loop, from N to 2 N",
        envs=envs,
    )
    workloads = [PortWorkload(params, form, envs=size, steps=8, seed=0) for size in (envs, 2 * envs)]

    def compiled() -> tuple[Any, Any]:
        for workload in workloads:
            workload.prepare()
        return workloads[0].compiled, workloads[1].compiled

    try:
        return _planned_or_failed(row, envs, compiled)
    finally:
        for workload in workloads:
            workload.close()


def trainer_row(params: EnvParams, settings: TrainSettings) -> MemoryRow:
    """Return what an environment of the port takes in the compiled trainer, its rollout included."""
    row = MemoryRow(
        name=f"port, training, {settings.n_envs:,} environments x {settings.n_steps} steps",
        side="port",
        per="environment",
        how="XLA's plan of one update, from N to 2 N; minibatches are shared",
        envs=settings.n_envs,
    )

    def compiled() -> tuple[Any, Any]:
        twice = replace_settings(settings, n_envs=2 * settings.n_envs)
        return _update(params, settings), _update(params, twice)

    return _planned_or_failed(row, settings.n_envs, compiled)


def _update(params: EnvParams, settings: TrainSettings) -> Any:
    """Return the compiled program of one update of one agent."""
    agents = fresh_agents(params, settings, 1)
    program: Any = make_train(settings, 1, 1)
    return program.lower(agents, agents_hyper(settings, 1), params).compile()


def market_rows(market: Market) -> list[MemoryRow]:
    """Return the bytes of one market on both sides."""
    frame = market.bars.session(market.config.session).frame
    bars = len(market.prepared)
    return [
        MemoryRow(
            name="port, market",
            side="port",
            per="market",
            how="arrays on the device",
            bytes=market.params.market.nbytes,
            bars=bars,
        ),
        MemoryRow(
            name="reference, bars before features",
            side="reference",
            per="market",
            how="the pandas frame, in each worker",
            bytes=int(frame.memory_usage(index=True, deep=True).sum()),
            bars=bars,
        ),
    ]


def utilisation(workload: Workload, side: Side, seconds: float) -> UtilisationRow:
    """Run a program for some time and return what it used of the machine."""
    row = UtilisationRow(name=workload.name, side=side, envs=workload.envs)
    try:
        workload.prepare()
        workload.run()
        with watch_utilisation() as use:
            began, steps = time.perf_counter(), 0
            while not steps or time.perf_counter() - began < seconds:
                steps += workload.run()
        return replace(row, steps=steps, **vars(use))
    except Exception as error:  # a failure is a row that says so
        return replace(row, error=sentence(error))
    finally:
        workload.close()


def show(report: MemoryReport, console: Console) -> None:
    """Print a report as two tables."""
    table = numeric_table("memory", "per", "how", "bytes", words=3)
    for row in report.rows:
        size = "-" if row.bytes is None else byte_size(row.bytes)
        table.add_row(row.name, row.per, row.how, size)
    console.print(table)
    print_errors(report.rows, console)
    table = numeric_table("utilisation", "CPU", "GPU")
    for busy in report.utilisation:
        if busy.cpu_share is None:
            table.add_row(busy.name, "-", "-")
            continue
        gpu = busy.gpu_reason if busy.gpu_share is None else percent_figures(busy.gpu_share)
        table.add_row(busy.name, f"{busy.cpu_share:.0%} of {busy.cores} cores", gpu)
    console.print(table)
    print_errors(report.utilisation, console)
    if any(busy.wall_seconds < SHORT_SECONDS for busy in report.utilisation if not busy.error):
        console.print(
            f"Shares of less than {SHORT_SECONDS:g} s are rough: CPU time is read in hundredths."
        )


if __name__ == "__main__":
    run_command(main)

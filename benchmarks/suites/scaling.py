"""Scaling of the port's speed with environments, rollout length, minibatch, devices and data.

    python -m benchmarks.suites.scaling [--devices 1,2,4,8] [--json OUT]

One size at a time moves away from a base point; all points take turns in one run. Compile times are
measured apart. On a CPU the host's cores stand in for devices, so two devices are two halves of the
same machine.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import jax
from jax.experimental.compilation_cache.compilation_cache import reset_cache
from msgspec.structs import replace
from rich.console import Console

from benchmarks.baselines.environments import PortWorkload
from benchmarks.baselines.port_trainer import DeviceTrainer, PortTrainer
from benchmarks.harness import options as cli
from benchmarks.harness.entries import STEPS, Entry, measure_entries
from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.measure import Workload
from benchmarks.harness.output import numeric_table, print_errors, publish
from benchmarks.harness.reports import SCHEMA, ScalingReport
from benchmarks.harness.rows import CompileRow, Form, LoadingRow, ScalingRow
from foundation.errors import run_command
from foundation.report.format import short_rate
from jax_port.data.data_loader import prepare, stack
from jax_port.envs.env_phase1_jax import make_params
from jax_port.envs.state import EnvParams
from jax_port.ppo.settings import TrainSettings
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

COMPILE_REPEATS = 2
FULL = {
    "train_envs": "128,512,1024,4096,16384",
    "n_steps": "8,32,128",
    "batches": "512,2048,8192,32768",
    "devices": "1,2,4,8",
    "days": "20,250,1260",
    "compile_envs": "1,1000,100000",
    "compile_steps": "10,100,1000,10000",
}
QUICK = {
    "train_envs": "16,32",
    "n_steps": "8",
    "batches": "64",
    "devices": "1,2",
    "days": "2,4",
    "compile_envs": "1,16",
    "compile_steps": "2",
}
SERIES: dict[Form, str] = {"obs": "environment", "none": "environment without observations"}
Lists = dict[str, tuple[int, ...]]
Axes = dict[str, int]


def _list_option(name: str, help: str) -> Callable[[cli.F], cli.F]:
    default = FULL[name.removeprefix("--").replace("-", "_")]
    return click.option(name, default=default, show_default=True, help=help)


@click.command()
@cli.symbol_option
@cli.envs_option(help="Environments without training.")
@_list_option("--train-envs", "Environments in training.")
@_list_option("--n-steps", "Lengths of a rollout.")
@_list_option("--batches", "Sizes of a minibatch.")
@_list_option("--devices", "Those there are count.")
@_list_option("--days", "Lengths of synthetic data.")
@_list_option("--compile-envs", "Environments of the loop that is compiled.")
@_list_option("--compile-steps", "Steps of the loop that is compiled.")
@cli.rounds_option(3)
@cli.seconds_option(6.0)
@cli.quick_option
@cli.json_option
def main(out: Path | None, quick: bool, **options: Any) -> None:
    """Measure how the port's speed and compile time change with its sizes."""
    if quick:
        options |= {**QUICK, "envs": 32, "rounds": 2, "seconds_per_row": 0.02}
    cli.use_host_devices()
    publish(measure(options), show, out)


def measure(options: dict[str, Any]) -> ScalingReport:
    """Return the report of all points.

    Raises:
        InputError: an axis has no values, or values that can't be used.
    """
    lists: Lists = {name: cli.numbers(options[name], f"--{name.replace('_', '-')}") for name in FULL}
    params_by_days, loading = load_markets(options["symbol"], lists["days"])
    params = params_by_days[middle_of(lists["days"])]
    around = machine_info()
    training, left_out = training_entries(params, lists)
    entries = [
        *training,
        *device_entries(params, lists["devices"], options["envs"]),
        *data_entries(params_by_days, options["envs"]),
    ]
    rows = measure_entries(entries, options["rounds"], options["seconds_per_row"])
    return ScalingReport(
        schema=SCHEMA,
        machine_info=around,
        settings=cli.as_text(options),
        rows=(*rows, *left_out),
        compile=compile_times(params, lists["compile_envs"], lists["compile_steps"]),
        loading=tuple(loading),
    )


def load_markets(symbol: str, days: tuple[int, ...]) -> tuple[dict[int, EnvParams], list[LoadingRow]]:
    """Return the environment's parameters by days of data, and how long each market took to prepare."""
    config = EnvConfig.phase1()
    prepare(synthetic_bars(symbol, days=days[0], seed=0), config)  # the first is slower
    params_by_days, rows = {}, []
    for count in days:
        bars = synthetic_bars(symbol, days=count, seed=0)
        began = time.perf_counter()
        prepared = prepare(bars, config)
        seconds = time.perf_counter() - began
        market = stack([prepared])
        params_by_days[count] = make_params(market, config)
        rows.append(
            LoadingRow(
                days=count,
                bars=len(prepared),
                device_bytes=market.nbytes,
                prepare_seconds=seconds,
            )
        )
    return params_by_days, rows


def entry(workload: Workload, series: str, axes: Axes) -> Entry[ScalingRow]:
    """Return the entry of a point; the workload takes its name."""
    workload.name = name_of(series, axes)
    return Entry(workload, blank_row(series, axes), may_fail=True)


def blank_row(series: str, axes: Axes) -> ScalingRow:
    """Return the row of a point, not yet measured."""
    return ScalingRow(
        name=name_of(series, axes),
        side="port",
        envs=axes["environments"],
        unit=STEPS,
        series=series,
        axes=axes,
    )


def training_entries(
    params: EnvParams, lists: Lists
) -> tuple[list[Entry[ScalingRow]], list[ScalingRow]]:
    """Return the points of training, and the rows of those that cannot be."""
    entries, left_out = {}, {}
    for at, axes in enumerate(training_points(lists)):
        row = blank_row("training", axes)
        rollout = axes["environments"] * axes["steps"]
        if axes["minibatch"] > rollout:
            why = f"left out: its rollout has {rollout:,} steps, fewer than a minibatch"
            left_out[row.name] = replace(row, error=why)
            continue
        settings = TrainSettings(
            n_envs=axes["environments"], n_steps=axes["steps"], batch_size=axes["minibatch"]
        )
        if row.name not in entries:
            entries[row.name] = entry(PortTrainer(params, settings), "training", axes)
        if at == 0 and jax.device_count() > 1:
            for devices in fitting(lists["devices"], settings.n_envs):
                trainer = DeviceTrainer(params, settings, devices)
                split = entry(trainer, "training over devices", {**axes, "devices": devices})
                entries[split.row.name] = split
    return list(entries.values()), list(left_out.values())


def device_entries(
    params: EnvParams, devices: tuple[int, ...], envs: int
) -> Iterator[Entry[ScalingRow]]:
    """Yield the environment alone over numbers of devices, with and without observations."""
    for count in fitting(devices, envs):
        for form, series in SERIES.items():
            workload = PortWorkload(params, form, envs=envs, steps=200, seed=0, devices=count)
            axes = {"environments": envs, "devices": count}
            yield entry(workload, f"{series} over devices", axes)


def data_entries(params_by_days: dict[int, EnvParams], envs: int) -> Iterator[Entry[ScalingRow]]:
    """Yield the environment alone over days of data."""
    for days, params in params_by_days.items():
        workload = PortWorkload(params, "obs", envs=envs, steps=200, seed=0)
        yield entry(workload, "environment over data", {"environments": envs, "days": days})


def name_of(series: str, axes: Axes) -> str:
    """Return the name of a point's row, such as "training, 32 environments, 8 steps"."""
    return f"{series}, {', '.join(f'{value:,} {name}' for name, value in axes.items())}"


def training_points(lists: Lists) -> list[Axes]:
    """Return the points of training: the base point, then those where one size has another value."""
    base = {
        "environments": middle_of(lists["train_envs"]),
        "steps": middle_of(lists["n_steps"]),
        "minibatch": lists["batches"][min(1, len(lists["batches"]) - 1)],
    }
    options = {"environments": "train_envs", "steps": "n_steps", "minibatch": "batches"}
    moved = [base | {axis: value} for axis, name in options.items() for value in lists[name]]
    return [base, *moved]


def middle_of(values: tuple[int, ...]) -> int:
    """Return the middle one of some values."""
    return values[len(values) // 2]


def fitting(counts: tuple[int, ...], envs: int) -> list[int]:
    """Return the numbers of devices that there are and that share the environments evenly."""
    return [count for count in counts if count <= jax.device_count() and envs % count == 0]


def compile_times(
    params: EnvParams, sizes: tuple[int, ...], lengths: tuple[int, ...]
) -> tuple[CompileRow, ...]:
    """Return XLA's seconds for the environment's loop, over sizes and over scan lengths."""
    points = [(size, lengths[0]) for size in sizes] + [(sizes[0], length) for length in lengths]
    rows = []
    with no_compilation_cache():
        for envs, steps in dict.fromkeys(points):
            seconds = []
            for _ in range(COMPILE_REPEATS):
                jax.clear_caches()  # else the second time is a look-up
                workload = PortWorkload(params, "obs", envs=envs, steps=steps, seed=0)
                seconds.append(workload.prepare())
                workload.close()
            rows.append(CompileRow(environments=envs, steps=steps, seconds=tuple(seconds)))
    return tuple(rows)


@contextlib.contextmanager
def no_compilation_cache() -> Iterator[None]:
    """Switch off the folder of compiled programs that JAX may have been given."""
    name = "jax_enable_compilation_cache"
    before = getattr(jax.config, name)
    jax.config.update(name, False)
    reset_cache()  # JAX asks for the setting only once
    try:
        yield
    finally:
        jax.config.update(name, before)
        reset_cache()


def show(report: ScalingReport, console: Console) -> None:
    """Print a report as tables."""
    table = numeric_table("point", "steps/s", "ready in")
    for row in report.rows:
        rate = "-" if row.median is None else short_rate(row.median)
        table.add_row(row.name, rate, f"{row.prepare_seconds or 0:.2f} s")
    console.print(table)
    print_errors(report.rows, console)
    table = numeric_table("environments compiled for", "steps", "seconds")
    for compiled in report.compile:
        seconds = ", ".join(f"{x:.2f}" for x in compiled.seconds)
        table.add_row(f"{compiled.environments:,}", f"{compiled.steps:,}", seconds)
    console.print(table)
    for market in report.loading:
        console.print(
            f"{market.days:,} days: {market.bars:,} bars, {market.device_bytes / 2**20:.1f} MiB on the "
            f"device, prepared in {market.prepare_seconds:.2f} s"
        )


if __name__ == "__main__":
    run_command(main)

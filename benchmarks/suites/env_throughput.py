"""Environment steps a second: the port, the reference and others, in one interleaved run.

    python -m benchmarks.suites.env_throughput [--data FILE --symbol ES] [--envs 10000] [--json OUT]
    python -m benchmarks.suites.env_throughput --sizes 1,10,100,1000,10000,100000,1000000

What is measured is described in :mod:`benchmarks.baselines.environments`, and how in
:mod:`benchmarks.harness.measure`.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import jax
from msgspec.structs import replace
from rich.console import Console

from benchmarks.baselines.environments import (
    CartPoleWorkload,
    PortWorkload,
    ReferenceWorkload,
    VecEnvWorkload,
)
from benchmarks.baselines.market import DEFAULT_SYMBOL, Market, make_market, read_or_generate
from benchmarks.baselines.numpy_env import NumpyWorkload
from benchmarks.harness import options as cli
from benchmarks.harness.entries import Entry, environment_entry, measure_entries
from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.output import numeric_table, publish
from benchmarks.harness.reports import SCHEMA, EnvReport, LoadingTimes
from benchmarks.harness.rows import EnvironmentRow, Form
from benchmarks.harness.statistics import PairedRatio, paired_ratio
from foundation.errors import run_command
from foundation.report.format import short_rate
from jax_port.data.data_loader import load
from markets import EnvConfig, get_contract
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars

FORMS: tuple[Form, ...] = ("obs", "parts", "none")
SPLIT_FORMS: tuple[Form, ...] = ("obs", "none")
FIVE_YEARS = 1260
"""Trading days."""
NUMPY_ENVS = 1_000
"""Environments whose observations a core's cache holds: the size that suits NumPy best."""
MIN_STEPS, MAX_STEPS = 8, 4_000
"""Steps in one scan, over sizes: as many transitions in each, where these bounds allow."""


@dataclass(frozen=True)
class Sizes:
    """What is measured, and for how long.

    Attributes:
        envs: environments of the port.
        sizes: further cli.numbers of environments of the port, with and without observations.
        workers: sizes of ``SubprocVecEnv`` to try; the best of them is compared.
        steps: steps in one scan of the port, and in one portion of the reference.
        rounds: samples per row.
        seconds_per_row: measuring time per row.
        seed: of restarts and actions.
        legacy: measure the reference too.
    """

    envs: int
    sizes: tuple[int, ...]
    workers: tuple[int, ...]
    steps: int
    rounds: int
    seconds_per_row: float
    seed: int
    legacy: bool


@click.command()
@cli.data_option
@cli.file_symbol_option
@cli.days_option(250)
@cli.envs_option()
@click.option("--sizes", default="", help="More numbers of environments of the port, with commas.")
@click.option("--workers", default="2,4,8", show_default=True, help="Sizes of SubprocVecEnv.")
@click.option("--steps", default=400, show_default=True, help="Steps in one scan of the port.")
@cli.rounds_option(7)
@cli.seconds_option(10.0)
@click.option("--seed", default=0, show_default=True, help="Seed of bars, restarts and actions.")
@cli.legacy_option
@click.option("--loading/--no-loading", default=False, help="Time loading five years of one market.")
@click.option(
    "--host-devices",
    default=os.cpu_count() or 1,
    show_default=True,
    help="On a CPU, split over as many.",
)
@cli.quick_option
@cli.json_option
def main(out: Path | None, quick: bool, loading: bool, host_devices: int, **options: Any) -> None:
    """Measure environment steps per second of the port, of the reference and of others."""
    if quick:
        options |= {"days": 4, "envs": 32, "steps": 4, "rounds": 2, "seconds_per_row": 0.02}
        options |= {"sizes": "1,64" if options["sizes"] else "", "workers": "2"}
    cli.use_host_devices(host_devices)
    settings = cli.as_text(options)
    data, symbol, days = (options.pop(name) for name in ("data", "symbol", "days"))
    options |= {name: cli.numbers(options[name]) for name in ("sizes", "workers")}
    sizes = Sizes(**options)
    market = make_market(read_or_generate(data, symbol, days, sizes.seed))
    report = measure(market, sizes, settings)
    if loading:
        times = time_loading(symbol or DEFAULT_SYMBOL, days if quick else FIVE_YEARS, sizes.seed)
        report = replace(report, loading=times)
    publish(report, show, out)


def measure(market: Market, sizes: Sizes, settings: dict[str, str]) -> EnvReport:
    """Run all environments on the same bars and return the report."""
    around = machine_info()
    port, left_out = port_entries(market, sizes)
    entries = [*port, *numpy_entries(market, sizes)]
    pole = CartPoleWorkload(envs=sizes.envs, steps=sizes.steps, seed=sizes.seed)
    entries.append(environment_entry(pole, "CartPole"))
    if sizes.legacy:
        entries += reference_entries(market, sizes)
    rows = measure_entries(entries, sizes.rounds, sizes.seconds_per_row)
    return EnvReport(
        schema=SCHEMA,
        machine_info=around,
        settings=settings,
        data=market.data,
        config=market.config.to_dict(),
        rows=(*rows, *left_out),
        ratios=ratios(rows),
    )


def port_entries(
    market: Market, sizes: Sizes
) -> tuple[list[Entry[EnvironmentRow]], list[EnvironmentRow]]:
    """Return the port in all forms and sizes, and the rows of sizes that memory does not allow."""

    def entry(form: Form, envs: int, devices: int = 1, suffix: str = "") -> Entry[EnvironmentRow]:
        steps = sizes.steps if envs == sizes.envs else steps_for(envs, sizes.envs * sizes.steps)
        workload = PortWorkload(
            market.params, form, envs=envs, steps=steps, seed=sizes.seed, devices=devices
        )
        workload.name += suffix
        return environment_entry(workload, "port", form=form, devices=devices)

    entries = [entry(form, sizes.envs) for form in FORMS]
    devices = jax.device_count()
    if devices > 1 and sizes.envs % devices == 0:
        entries += [entry(form, sizes.envs, devices) for form in SPLIT_FORMS]
    left_out = []
    free = free_bytes()
    others = [size for size in dict.fromkeys(sizes.sizes) if size != sizes.envs]
    for size, form in ((size, form) for size in others for form in SPLIT_FORMS):
        one = entry(form, size, suffix=f", {size:,} environment{'s' if size > 1 else ''}")
        need = bytes_in_loop(size, market.params.obs_size if form == "obs" else 0)
        if free is not None and need > free:
            why = f"left out: it needs {need / 2**30:.1f} GiB, and {free / 2**30:.1f} are free"
            left_out.append(replace(one.row, error=why))
            continue
        free = None if free is None else free - need
        entries.append(one)
    return entries, left_out


def numpy_entries(market: Market, sizes: Sizes) -> Iterator[Entry[EnvironmentRow]]:
    """Yield the NumPy environments at the port's size and at the size that suits them best."""
    for envs in dict.fromkeys((sizes.envs, min(NUMPY_ENVS, sizes.envs))):
        steps = max(sizes.steps // 10 * sizes.envs // envs, 1)
        workload = NumpyWorkload(
            market.prepared, market.config, envs=envs, steps=steps, seed=sizes.seed
        )
        workload.name += "" if envs == sizes.envs else f", {envs:,} environments"
        yield environment_entry(workload, "NumPy")


def reference_entries(market: Market, sizes: Sizes) -> Iterator[Entry[EnvironmentRow]]:
    """Yield the reference alone, in ``DummyVecEnv``, and in ``SubprocVecEnv`` of every size."""
    bars, config = market.bars, market.config
    alone = ReferenceWorkload(bars, config, steps=4 * sizes.steps, seed=sizes.seed)
    yield environment_entry(alone, "reference")
    for count, in_process in [(2, True), *((count, False) for count in sizes.workers)]:
        vec = VecEnvWorkload(
            bars, config, workers=count, in_process=in_process, steps=sizes.steps, seed=sizes.seed
        )
        yield environment_entry(vec, "reference")


def steps_for(envs: int, transitions: int) -> int:
    """Return the steps of a scan that makes about so many transitions."""
    return min(max(transitions // envs, MIN_STEPS), MAX_STEPS)


def bytes_in_loop(envs: int, obs_size: int) -> int:
    """Return what a scan holds at most: two copies of the observations and three of the state."""
    return envs * (2 * 4 * obs_size + 3 * 64)


def free_bytes() -> int | None:
    """Return the free memory of the default device, on a CPU the machine's; None if unreadable."""
    stats = jax.devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"] - stats["bytes_in_use"])
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    kib = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return kib[0] * 1024 if kib else None


def ratios(rows: list[EnvironmentRow]) -> dict[str, PairedRatio]:
    """Return how many times as fast the port with observations, the first row, is as every other."""
    port, *others = rows
    baselines = {row.name: row for row in others if row.side != "port"}
    vectorised = [row for row in baselines.values() if "Subproc" in row.name]
    if vectorised:
        best = max(vectorised, key=lambda row: row.median or 0.0)
        baselines["reference, best SubprocVecEnv"] = best
    pairs = {name: paired_ratio(port.rate, row.rate) for name, row in baselines.items()}
    return {name: ratio for name, ratio in pairs.items() if ratio is not None}


def time_loading(symbol: str, days: int, seed: int) -> LoadingTimes:
    """Time the loading of one market's CSV: once without the cache, five times from it."""
    contract, config = get_contract(symbol), EnvConfig.phase1()
    with tempfile.TemporaryDirectory() as folder:
        path = write_bars(synthetic_bars(symbol, days=days, seed=seed), Path(folder) / "bars.csv")
        cache = Path(folder) / "cache"

        def seconds() -> float:
            start = time.perf_counter()
            load(path, contract, config, cache_dir=cache)
            return time.perf_counter() - start

        first, cached = seconds(), tuple(seconds() for _ in range(5))
        return LoadingTimes(
            days=days,
            bars=len(load(path, contract, config, cache_dir=cache)),
            file_bytes=path.stat().st_size,
            cache_bytes=sum(entry.stat().st_size for entry in cache.iterdir()),
            first_seconds=first,
            cached_seconds=cached,
        )


def show(report: EnvReport, console: Console) -> None:
    """Print a report as a table."""
    around, data = report.machine_info, report.data
    console.print(
        f"{data.symbol}, {data.bars} bars ({data.source}), "
        f"{(data.device_bytes or 0) / 2**20:.1f} MiB on {around.device.kind}; {around.cpu}, "
        f"{around.cores} cores; jax {around.versions['jax']}"
    )
    table = numeric_table("environment", "envs", "steps/s", "quartiles", "port", "ready in")
    for row in report.rows:
        if row.rate is None:
            table.add_row(row.name, f"{row.envs:,}", row.error, style="yellow")
            continue
        low, high = row.rate.quartiles
        ratio = report.ratios.get(row.name)
        table.add_row(
            row.name,
            f"{row.envs:,}",
            short_rate(row.rate.median),
            f"{short_rate(low)} - {short_rate(high)}",
            f"{ratio.median:,.0f}x" if ratio else "",
            f"{row.prepare_seconds or 0:.2f} s",
        )
    console.print(table)
    console.print(
        "steps/s: medians; port: how many times as fast the port with observations is, the median of "
        "the rounds' ratios."
    )
    if (loading := report.loading) is not None:
        console.print(
            f"{loading.bars:,} bars of {loading.days} days: {loading.first_seconds:.2f} s "
            f"from CSV, {sorted(loading.cached_seconds)[2]:.3f} s from the cache"
        )


if __name__ == "__main__":
    run_command(main)

"""How many environment steps a second: the port against the reference, in one interleaved run.

    python -m benchmarks.env_throughput [--data FILE --symbol ES] [--envs 10000] [--json OUT]

What is measured is described in :mod:`benchmarks.env_rivals`, and how in :mod:`benchmarks.measure`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import jax
from rich.console import Console
from rich.table import Table

from benchmarks.env_rivals import Form, LegacyRival, PortRival, VecRival
from benchmarks.measure import Rival, Timing, surroundings, take_turns, wide_console, write_json
from benchmarks.numpy_env import NumpyRival
from jax_port.data_loader import load, prepare, stack
from jax_port.env_phase1_jax import make_params
from markets import Bars, EnvConfig, InputError, get_contract
from markets.synthetic import synthetic_bars

SCHEMA = 1
FORMS: tuple[Form, ...] = ("obs", "parts", "none")
SPLIT_FORMS: tuple[Form, ...] = ("obs", "none")
FIVE_YEARS = 1260
"""Trading days."""


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="File of bars; synthetic bars without.")
@click.option("--symbol", default="ES", show_default=True, help="Contract of the bars.")
@click.option("--days", default=250, show_default=True, help="Days of synthetic bars.")
@click.option("--envs", default=10_000, show_default=True, help="Environments of the port.")
@click.option("--steps", default=400, show_default=True, help="Steps in one scan of the port.")
@click.option("--rounds", default=7, show_default=True, help="Samples per rival.")
@click.option("--seconds-per-row", default=10.0, show_default=True, help="Measuring time per rival.")
@click.option("--seed", default=0, show_default=True, help="Seed of bars, restarts and actions.")
@click.option(
    "--legacy/--no-legacy", default=True, show_default=True, help="Measure the reference too."
)
@click.option("--loading/--no-loading", default=False, help="Time loading five years of one market.")
@click.option(
    "--host-devices",
    default=os.cpu_count() or 1,
    show_default=True,
    help="On a CPU, split over as many.",
)
@click.option("--quick", is_flag=True, help="Tiny sizes: shows that it runs, measures nothing.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the report to this file.")
def main(
    data: Path | None,
    symbol: str,
    days: int,
    envs: int,
    steps: int,
    rounds: int,
    seconds_per_row: float,
    seed: int,
    legacy: bool,
    loading: bool,
    host_devices: int,
    quick: bool,
    out: Path | None,
) -> None:
    """Measure steps per second of the port and of the reference."""
    if quick:
        days, envs, steps, rounds, seconds_per_row = 4, 32, 4, 2, 0.02
    with contextlib.suppress(RuntimeError):  # JAX has been used already and keeps what it has
        jax.config.update("jax_num_cpu_devices", host_devices)
    try:
        bars = _read(data, symbol) if data else synthetic_bars(symbol, days=days, seed=seed)
        report = measure(
            bars,
            EnvConfig.phase1(),
            envs=envs,
            steps=steps,
            rounds=rounds,
            seconds_per_row=seconds_per_row,
            seed=seed,
            legacy=legacy,
            workers=(2,) if quick else (2, 4),
        )
        if loading:
            report["loading"] = time_loading(symbol, days if quick else FIVE_YEARS, seed)
    except InputError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
    show(report, wide_console())
    if out is not None:
        write_json(out, report)


def _read(path: Path, symbol: str) -> Bars:
    from markets.readers import read_bars

    return read_bars(path, symbol)


def measure(
    bars: Bars,
    config: EnvConfig,
    *,
    envs: int,
    steps: int,
    rounds: int,
    seconds_per_row: float,
    seed: int,
    legacy: bool,
    workers: tuple[int, ...],
) -> dict[str, Any]:
    """Run all rivals on the same bars and return the report.

    Args:
        bars: bars of one contract.
        config: configuration of every environment.
        envs: environments of the port.
        steps: steps in one scan of the port, and in one portion of the reference.
        rounds: samples per rival.
        seconds_per_row: measuring time per rival.
        seed: of restarts and actions.
        legacy: measure the reference too.
        workers: sizes of ``SubprocVecEnv`` to try; the best of them is compared.
    """
    prepared = prepare(bars, config)
    market = stack([prepared])
    params = make_params(market, config)
    rivals: list[Rival] = [
        PortRival(params, form, envs=envs, steps=steps, seed=seed) for form in FORMS
    ]  # fmt: skip
    devices = jax.device_count()
    if devices > 1 and envs % devices == 0:
        rivals += [
            PortRival(params, form, envs=envs, steps=steps, seed=seed, devices=devices)
            for form in SPLIT_FORMS
        ]
    rivals.append(NumpyRival(prepared, config, envs=envs, steps=max(steps // 10, 1), seed=seed))
    if legacy:
        rivals.append(LegacyRival(bars, config, steps=4 * steps, seed=seed))
        sizes = [(2, True), *((size, False) for size in workers)]
        rivals += [
            VecRival(bars, config, workers=size, in_process=inside, steps=steps, seed=seed)
            for size, inside in sizes
        ]
    before = surroundings()
    try:
        timings = take_turns(rivals, rounds=rounds, seconds_per_row=seconds_per_row)
    finally:
        for rival in rivals:
            rival.close()
    return {
        "schema": SCHEMA,
        "benchmark": "env_throughput",
        "surroundings": before,
        "data": {
            "source": bars.source,
            "symbol": bars.contract.symbol,
            "bars": len(prepared),
            "starts": len(prepared.starts),
            "digest": prepared.digest,
            "device_bytes": market.nbytes,
            "device_bytes_per_bar": market.nbytes / len(prepared),
        },
        "settings": {
            "seed": seed,
            "envs": envs,
            "steps": steps,
            "rounds": rounds,
            "seconds_per_row": seconds_per_row,
            "config": config.to_dict(),
        },
        "rows": [timing.to_dict() for timing in timings],
        "ratios": ratios(timings),
    }


def ratios(timings: list[Timing]) -> dict[str, float]:
    """Return the port with observations over every other program, medians over medians."""
    port, *others = timings
    reference = [timing for timing in others if not timing.name.startswith("port")]
    best = [timing for timing in reference if "Subproc" in timing.name]
    result = {timing.name: port.median / timing.median for timing in reference}
    if best:
        result["reference, best SubprocVecEnv"] = port.median / max(t.median for t in best)
    return result


def time_loading(symbol: str, days: int, seed: int) -> dict[str, Any]:
    """Time the loading of one market's CSV, the first time and from the cache.

    Returns:
        Bars, the file's and the cache's bytes, the seconds of the first load, and the seconds of
        five loads from the cache.
    """
    from markets.writers import write_bars

    contract, config = get_contract(symbol), EnvConfig.phase1()
    with tempfile.TemporaryDirectory() as folder:
        path = write_bars(synthetic_bars(symbol, days=days, seed=seed), Path(folder) / "bars.csv")
        cache = Path(folder) / "cache"

        def seconds() -> float:
            start = time.perf_counter()
            load(path, contract, config, cache_dir=cache)
            return time.perf_counter() - start

        first, cached = seconds(), [seconds() for _ in range(5)]
        return {
            "days": days,
            "bars": len(load(path, contract, config, cache_dir=cache)),
            "file_bytes": path.stat().st_size,
            "cache_bytes": sum(entry.stat().st_size for entry in cache.iterdir()),
            "first_seconds": first,
            "cached_seconds": cached,
        }


def short(rate: float) -> str:
    """Return a number with three figures and its unit, such as "3.41M"."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if rate >= unit:
            return f"{rate / unit:.3g}{name}"
    return f"{rate:.3g}"


def show(report: dict[str, Any], console: Console) -> None:
    """Print a report as a table."""
    around, data = report["surroundings"], report["data"]
    device = around["device"]
    console.print(
        f"{data['symbol']}, {data['bars']} bars ({data['source']}), "
        f"{data['device_bytes'] / 2**20:.1f} MiB on {device['kind']}; {around['cpu']}, "
        f"{around['cores']} cores; jax {around['versions']['jax']}"
    )
    table = Table("rival", "envs", "steps/s", "quartiles", "port", "ready in")
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    for row in report["rows"]:
        speed = row["steps_per_second"]
        low, high = speed["quartiles"]
        ratio = report["ratios"].get(row["name"])
        table.add_row(
            row["name"],
            f"{row['envs']:,}",
            short(speed["median"]),
            f"{short(low)} - {short(high)}",
            f"{ratio:,.0f}x" if ratio else "",
            f"{row['prepare_seconds']:.2f} s",
        )
    console.print(table)
    console.print("steps/s: medians; port: how many times faster the port with observations is.")
    if "loading" in report:
        loading = report["loading"]
        console.print(
            f"{loading['bars']:,} bars of {loading['days']} days: {loading['first_seconds']:.2f} s "
            f"from CSV, {sorted(loading['cached_seconds'])[2]:.3f} s from the cache"
        )


if __name__ == "__main__":
    main()

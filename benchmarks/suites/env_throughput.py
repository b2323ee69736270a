"""How many environment steps a second: the port against the reference, in one interleaved run.

    python -m benchmarks.suites.env_throughput [--data FILE --symbol ES] [--envs 10000] [--json OUT]
    python -m benchmarks.suites.env_throughput --sizes 1,10,100,1000,10000,100000,1000000

What is measured is described in :mod:`benchmarks.baselines.environments`, and how in
:mod:`benchmarks.harness.measure`.
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

from benchmarks.baselines.environments import CartPoleRival, Form, LegacyRival, PortRival, VecRival
from benchmarks.baselines.numpy_env import NumpyRival
from benchmarks.harness.measure import Rival, Timing, surroundings, take_turns, wide_console, write_json
from benchmarks.harness.options import json_option, quick_option
from benchmarks.harness.statistics import median_of, paired
from jax_port.data.data_loader import load, prepare, stack
from jax_port.envs.env_phase1_jax import make_params
from markets import Bars, EnvConfig, InputError, get_contract
from markets.synthetic.bars import synthetic_bars

SCHEMA = 2
FORMS: tuple[Form, ...] = ("obs", "parts", "none")
SPLIT_FORMS: tuple[Form, ...] = ("obs", "none")
FIVE_YEARS = 1260
"""Trading days."""
NUMPY_ENVS = 1_000
"""Environments whose observations a core's cache holds: the size that suits NumPy best."""
MIN_STEPS, MAX_STEPS = 8, 4_000
"""Steps in one scan, over sizes: as many transitions in each, where these bounds allow."""


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="File of bars; synthetic bars without.")
@click.option("--symbol", default="ES", show_default=True, help="Contract of the bars.")
@click.option("--days", default=250, show_default=True, help="Days of synthetic bars.")
@click.option("--envs", default=10_000, show_default=True, help="Environments of the port.")
@click.option("--sizes", default="", help="More numbers of environments of the port, with commas.")
@click.option("--workers", default="2,4,8", show_default=True, help="Sizes of SubprocVecEnv.")
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
@quick_option
@json_option
def main(
    data: Path | None,
    symbol: str,
    days: int,
    envs: int,
    sizes: str,
    workers: str,
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
        sizes, workers = "1,64" if sizes else "", "2"
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
            workers=numbers(workers),
            sizes=numbers(sizes),
        )
        if loading:
            report["loading"] = time_loading(symbol, days if quick else FIVE_YEARS, seed)
    except InputError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
    show(report, wide_console())
    if out is not None:
        write_json(out, report)


def numbers(text: str) -> tuple[int, ...]:
    """Return the whole numbers above zero of a list such as "1,4,10".

    Raises:
        InputError: it is no such list.
    """
    try:
        found = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        found = (0,)
    if any(number < 1 for number in found):
        raise InputError(f"{text!r}: give whole numbers above zero with commas, such as 1,4,10")
    return found


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
    sizes: tuple[int, ...] = (),
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
        sizes: further numbers of environments of the port, with and without observations.
    """
    prepared = prepare(bars, config)
    market = stack([prepared])
    params = make_params(market, config)
    rivals: list[Rival] = []
    meaning: dict[str, dict[str, Any]] = {}
    skipped: list[dict[str, Any]] = []

    def add(rival: Rival, side: str, **about: Any) -> None:
        rivals.append(rival)
        meaning[rival.name] = {"side": side, **about}

    def port(form: Form, size: int, devices: int = 1) -> PortRival:
        long = steps if size == envs else steps_for(size, envs * steps)
        return PortRival(params, form, envs=size, steps=long, seed=seed, devices=devices)

    for form in FORMS:
        add(port(form, envs), "port", form=form, devices=1)
    devices = jax.device_count()
    if devices > 1 and envs % devices == 0:
        for form in SPLIT_FORMS:
            add(port(form, envs, devices), "port", form=form, devices=devices)
    free = free_bytes()
    for size in dict.fromkeys(sizes):
        for form in SPLIT_FORMS if size != envs else ():
            rival = port(form, size)
            rival.name += f", {size:,} environment{'s' if size > 1 else ''}"
            need = bytes_in_loop(size, params.obs_size if form == "obs" else 0)
            if free is not None and need > free:
                why = f"left out: it needs {need / 2**30:.1f} GiB, and {free / 2**30:.1f} are free"
                about = {"side": "port", "form": form, "devices": 1, "error": why}
                skipped.append({"name": rival.name, "envs": size, **about})
                continue
            free = None if free is None else free - need
            add(rival, "port", form=form, devices=1)
    for size in dict.fromkeys((envs, min(NUMPY_ENVS, envs))):
        few = max(steps // 10 * envs // size, 1)
        numpy = NumpyRival(prepared, config, envs=size, steps=few, seed=seed)
        numpy.name += "" if size == envs else f", {size:,} environments"
        add(numpy, "NumPy", form="obs")
    add(CartPoleRival(envs=envs, steps=steps, seed=seed), "CartPole", form="obs")
    if legacy:
        add(LegacyRival(bars, config, steps=4 * steps, seed=seed), "reference", form="obs")
        for size, inside in [(2, True), *((size, False) for size in workers)]:
            vec = VecRival(bars, config, workers=size, in_process=inside, steps=steps, seed=seed)
            add(vec, "reference", form="obs")
    before = surroundings()
    timings = take_turns(rivals, rounds=rounds, seconds_per_row=seconds_per_row, may_fail=rivals[1:])
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
            "sizes": list(sizes),
            "steps": steps,
            "rounds": rounds,
            "seconds_per_row": seconds_per_row,
            "precision": "float32 observations and rewards, int32 state",
            "config": config.to_dict(),
        },
        "rows": [*({**timing.to_dict(), **meaning[timing.name]} for timing in timings), *skipped],
        "ratios": ratios(timings),
    }


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


def ratios(timings: list[Timing]) -> dict[str, dict[str, Any]]:
    """Return the port with observations over every other program: the spread of the rounds' ratios."""
    port, *others = timings
    rivals = [t for t in others if not t.name.startswith("port") and t.error is None]
    best = [timing for timing in rivals if "Subproc" in timing.name]
    named = {timing.name: timing for timing in rivals}
    if best:
        named["reference, best SubprocVecEnv"] = max(best, key=lambda timing: timing.median)
    return {name: paired(port.samples, timing.samples) for name, timing in named.items()}


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
    for unit, name in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
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
        if median_of(row) is None:
            table.add_row(row["name"], f"{row['envs']:,}", row["error"], style="yellow")
            continue
        speed = row["steps_per_second"]
        low, high = speed["quartiles"]
        ratio = report["ratios"].get(row["name"], {}).get("median")
        table.add_row(
            row["name"],
            f"{row['envs']:,}",
            short(speed["median"]),
            f"{short(low)} - {short(high)}",
            f"{ratio:,.0f}x" if ratio else "",
            f"{row['prepare_seconds']:.2f} s",
        )
    console.print(table)
    console.print(
        "steps/s: medians; port: how many times faster the port with observations is, the median of "
        "the rounds' ratios."
    )
    if "loading" in report:
        loading = report["loading"]
        console.print(
            f"{loading['bars']:,} bars of {loading['days']} days: {loading['first_seconds']:.2f} s "
            f"from CSV, {sorted(loading['cached_seconds'])[2]:.3f} s from the cache"
        )


if __name__ == "__main__":
    main()

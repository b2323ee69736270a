"""Bytes per environment and per market on both sides, and how busy each side keeps the machine.

    python -m benchmarks.suites.memory [--sizes 1000,10000,100000] [--workers 2,4,8] [--json OUT]

A worker of the reference costs its process: its PSS, its own pages and its share of shared ones.
An environment of the port costs what its compiled loop holds on the device, arguments, results and
temporary arrays as XLA plans them: how much more for 2 N environments than for N, so that the market,
which all share, counts apart.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import jax
import jax.numpy as jnp
from rich.console import Console
from rich.table import Table

from benchmarks.baselines.environments import Form, LegacyRival, PortRival, VecRival
from benchmarks.baselines.numpy_env import NumpyRival
from benchmarks.baselines.port_and_sb3 import PortTrainer, ReferenceTrainer, reference_settings
from benchmarks.harness.measure import Rival, sentence, surroundings, wide_console, write_json
from benchmarks.harness.options import json_option, quick_option
from benchmarks.harness.processes import used
from benchmarks.suites.env_throughput import numbers
from foundation.errors import run_command
from jax_port.data.data_loader import prepare, stack
from jax_port.envs.env_phase1_jax import EnvParams, make_params
from jax_port.ppo.settings import RATES, TrainSettings
from jax_port.ppo.train_ppo_jax import init_agents, make_train
from jax_port.ppo.update import hyper_params
from markets import Bars, EnvConfig, InputError
from markets.synthetic.bars import synthetic_bars

SCHEMA = 1
SHORT = 1.0
"""Seconds below which CPU seconds, which the system gives in hundredths, say little."""
FORMS: dict[Form, str] = {"obs": "with observations", "none": "without observations"}


@click.command()
@click.option("--symbol", default="ES", show_default=True)
@click.option("--days", default=250, show_default=True, help="Days of synthetic bars.")
@click.option("--sizes", default="1000,10000,100000", show_default=True, help="Of the port.")
@click.option("--workers", default="2,4,8", show_default=True, help="Sizes of SubprocVecEnv.")
@click.option("--seconds-per-row", default=10.0, show_default=True, help="Of each rival's utilisation.")
@click.option("--legacy/--no-legacy", default=True, show_default=True)
@quick_option
@json_option
def main(out: Path | None, quick: bool, **options: Any) -> None:
    """Measure memory and utilisation of both sides."""
    if quick:
        options |= {"days": 4, "sizes": "32", "workers": "2", "seconds_per_row": 0.02}
    with contextlib.suppress(RuntimeError):  # JAX has been used already and keeps what it has
        jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)
    bars = synthetic_bars(options["symbol"], days=options["days"], seed=0)
    report = measure(bars, EnvConfig.phase1(), options, quick)
    show(report, wide_console())
    if out is not None:
        write_json(out, report)


def measure(bars: Bars, config: EnvConfig, options: dict[str, Any], quick: bool) -> dict[str, Any]:
    """Return the report of both sides on the same bars.

    Raises:
        InputError: there are too few bars, or a list of sizes is none.
    """
    sizes, workers = (_some(name, options[name]) for name in ("sizes", "workers"))
    prepared = prepare(bars, config)
    around = surroundings()
    rows = []
    if options["legacy"]:
        rows += reference_rows(options["symbol"], options["days"], options["workers"])
    params = make_params(stack([prepared]), config)
    for size in sizes:
        rows += [loop_row(params, form, size) for form in FORMS]
    settings = TrainSettings(n_envs=16, n_steps=8, batch_size=64) if quick else TrainSettings()
    rows.append(trainer_row(params, settings))
    rows += market_rows(bars, params, len(prepared))
    size = max(sizes) if quick else 10_000
    rivals: list[tuple[str, Rival]] = [
        ("port", PortRival(params, "obs", envs=size, steps=100, seed=0)),
        ("port", PortRival(params, "none", envs=size, steps=400, seed=0)),
        ("NumPy", NumpyRival(prepared, config, envs=size, steps=10, seed=0)),
        ("port", PortTrainer(params, settings)),
    ]
    devices = jax.device_count()
    if devices > 1 and size % devices == 0:
        split = PortRival(params, "obs", envs=size, steps=100, seed=0, devices=devices)
        rivals.append(("port", split))
    if options["legacy"]:
        rivals.append(("reference", LegacyRival(bars, config, steps=500, seed=0)))
        many = max(workers)
        vec = VecRival(bars, config, workers=many, in_process=False, steps=200, seed=0)
        theirs = reference_settings(
            1 if quick else 4, many, 64 if quick else 512, 64 if quick else 4096
        )
        rivals += [("reference", vec), ("reference", ReferenceTrainer(bars, config, theirs))]
    return {
        "schema": SCHEMA,
        "benchmark": "memory",
        "surroundings": around,
        "data": {"source": bars.source, "bars": len(prepared), "digest": prepared.digest},
        "settings": {name: str(value) for name, value in options.items()},
        "rows": rows,
        "utilisation": [
            {"side": side, **utilisation(rival, options["seconds_per_row"])} for side, rival in rivals
        ],
    }


def _some(name: str, text: str) -> tuple[int, ...]:
    found = numbers(text)
    if not found:
        raise InputError(f"--{name} is empty; give whole numbers above zero with commas")
    return found


def _row(name: str, side: str, per: str, **about: Any) -> dict[str, Any]:
    return {"name": name, "side": side, "per": per, **about}


def reference_rows(symbol: str, days: int, workers: str) -> list[dict[str, Any]]:
    """Return the rows of :mod:`benchmarks.baselines.reference_memory`, from a process of its own."""
    asked = ["--symbol", symbol, "--days", str(days), "--workers", workers]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.baselines.reference_memory", *asked],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return [_row("reference, workers", "reference", "environment", error=why)]
    rows = json.loads(done.stdout)
    return [_row(row.pop("name"), "reference", "environment", **row) for row in rows]


def planned(small: Any, large: Any, envs: int) -> dict[str, Any]:
    """Return what an environment takes of what XLA planned, and what all of them share.

    Args:
        small, large: programs compiled for ``envs`` and for twice as many environments.
        envs: environments.

    Returns:
        Bytes per environment, in all ("bytes") and by what they are ("parts"); ``envs``; and the bytes
        that are there once for all ("shared").

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
    return {"bytes": total, "parts": each, "envs": envs, "shared": sum(one.values()) - envs * total}


def loop_row(params: EnvParams, form: Form, envs: int) -> dict[str, Any]:
    """Return what an environment of the port takes in its compiled loop."""
    row = _row(f"port, {FORMS[form]}, {envs:,} environments", "port", "environment", form=form)
    row |= {"how": "XLA's plan of the compiled loop, from N to 2 N", "envs": envs}
    rivals = [PortRival(params, form, envs=size, steps=8, seed=0) for size in (envs, 2 * envs)]
    try:
        for rival in rivals:
            rival.prepare()
        return row | planned(rivals[0].compiled, rivals[1].compiled, envs)
    except Exception as error:  # a rival that fails is a row that says so
        return {**row, "error": sentence(error)}
    finally:
        for rival in rivals:
            rival.close()


def trainer_row(params: EnvParams, settings: TrainSettings) -> dict[str, Any]:
    """Return what an environment of the port takes in the compiled trainer, its rollout included."""
    name = f"port, training, {settings.n_envs:,} environments x {settings.n_steps} steps"
    how = "XLA's plan of one update, from N to 2 N; minibatches are shared"
    row = _row(name, "port", "environment", how=how, envs=settings.n_envs)
    try:
        sizes = (settings, replace(settings, n_envs=2 * settings.n_envs))
        small, large = (_update(params, size) for size in sizes)
        return row | planned(small, large, settings.n_envs)
    except Exception as error:  # a rival that fails is a row that says so
        return {**row, "error": sentence(error)}


def _update(params: EnvParams, settings: TrainSettings) -> Any:
    """Return the compiled program of one update of one agent."""
    one = hyper_params(**{rate: getattr(settings, rate) for rate in RATES})
    hyper = jax.tree.map(lambda x: x[None], one)
    fresh = jax.jit(init_agents, static_argnums=2)
    agents = fresh(jnp.arange(1, dtype=jnp.int32), params, settings)
    program: Any = make_train(settings, 1, 1)
    return program.lower(agents, hyper, params).compile()


def market_rows(bars: Bars, params: EnvParams, count: int) -> list[dict[str, Any]]:
    """Return the bytes of one market on both sides."""
    kept = bars.session(EnvConfig.phase1().session)
    frame = int(kept.frame.memory_usage(index=True, deep=True).sum())
    on_device = {"how": "arrays on the device", "bars": count}
    return [
        _row("port, market", "port", "market", bytes=params.market.nbytes, **on_device),
        _row(
            "reference, bars before features",
            "reference",
            "market",
            bytes=frame,
            bars=count,
            how="the pandas frame, in each worker",
        ),
    ]


def utilisation(rival: Rival, seconds: float) -> dict[str, Any]:
    """Run a rival for some time and return what it used of the machine."""
    try:
        rival.prepare()
        rival.run()
        with used() as use:
            began, steps = time.perf_counter(), 0
            while not steps or time.perf_counter() - began < seconds:
                steps += rival.run()
        return {"name": rival.name, "envs": rival.envs, "steps": steps, **use.to_dict()}
    except Exception as error:  # a rival that fails is a row that says so
        return {"name": rival.name, "envs": rival.envs, "error": sentence(error)}
    finally:
        rival.close()


def size_words(size: float) -> str:
    """Return bytes for reading, such as "1.9 KiB"."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}" if size / unit < 999.5 else f"{size / unit:,.0f} {name}"
    return f"{size:.0f} B"


def show(report: dict[str, Any], console: Console) -> None:
    """Print a report as two tables."""
    table = Table("memory", "per", "bytes", "how", box=None)
    for row in report["rows"]:
        said = row.get("error") or size_words(row["bytes"])
        table.add_row(row["name"], row["per"], said, row.get("how", ""))
    console.print(table)
    table = Table("utilisation", "CPU", "GPU", box=None)
    for row in report["utilisation"]:
        if "error" in row:
            table.add_row(row["name"], row["error"], "")
            continue
        gpu = row["gpu_reason"] if row["gpu_share"] is None else f"{row['gpu_share']:.0%}"
        table.add_row(row["name"], f"{row['cpu_share']:.0%} of {row['cores']} cores", gpu)
    console.print(table)
    if any(row.get("wall_seconds", SHORT) < SHORT for row in report["utilisation"]):
        console.print(f"Shares of less than {SHORT:g} s are rough: CPU time is read in hundredths.")


if __name__ == "__main__":
    run_command(main)

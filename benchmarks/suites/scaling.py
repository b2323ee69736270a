"""How speed changes with environments, rollout length, minibatch, devices and data, and compile time.

    python -m benchmarks.suites.scaling [--devices 1,2,4,8] [--json OUT]

One axis at a time moves away from a base point; all points take turns in one run. On a CPU the host's
cores stand in for devices, so two devices are two halves of the same machine.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jax
import jax.numpy as jnp
from jax.experimental.compilation_cache.compilation_cache import reset_cache
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from rich.console import Console
from rich.table import Table

from benchmarks.baselines.environments import PortRival
from benchmarks.baselines.port_and_sb3 import PortTrainer
from benchmarks.harness.measure import Rival, surroundings, take_turns, wide_console, write_json
from benchmarks.harness.options import json_option, quick_option
from benchmarks.harness.statistics import median_of
from benchmarks.suites.env_throughput import numbers, short
from foundation.errors import run_command
from jax_port.data.data_loader import prepare, stack
from jax_port.envs.env_phase1_jax import EnvParams, make_params
from jax_port.ppo.settings import RATES, TrainSettings
from jax_port.ppo.sharding import AXIS, agent_shardings, make_layout
from jax_port.ppo.train_ppo_jax import init_agents, make_train
from jax_port.ppo.update import hyper_params
from markets import EnvConfig, InputError
from markets.synthetic.bars import synthetic_bars

SCHEMA = 1
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


class DeviceTrainer:
    """The port's trainer with its environments split over some of the devices: one update a portion.

    Args:
        params: configuration and bars.
        settings: sizes and epochs.
        devices: how many; ``settings.n_envs`` must be a multiple.
    """

    def __init__(self, params: EnvParams, settings: TrainSettings, devices: int) -> None:
        self.name, self.envs = "training", settings.n_envs
        self._settings = settings
        self._mesh = jax.make_mesh((devices,), (AXIS,), axis_types=(AxisType.Auto,))
        self._params = params

    def prepare(self) -> float:
        """Make the agent, compile, and make one update."""
        began, settings, mesh = time.perf_counter(), self._settings, self._mesh
        one = hyper_params(**{name: getattr(settings, name) for name in RATES})
        whole = NamedSharding(mesh, PartitionSpec())
        self._hyper = jax.device_put(jax.tree.map(lambda x: x[None], one), whole)
        self._params = jax.device_put(self._params, whole)
        fresh = jax.jit(init_agents, static_argnums=2)
        agent = fresh(jnp.arange(1, dtype=jnp.int32), self._params, settings)
        places = agent_shardings(mesh, agent)
        with jax.enable_x64(True):  # else float64 statistics would be cut to float32
            self._agent = jax.device_put(agent, places)
        self._train = make_train(settings, 1, 1, make_layout(mesh), places)
        self.run()
        return time.perf_counter() - began

    def run(self) -> int:
        """Make one update."""
        self._agent, metrics = self._train(self._agent, self._hyper, self._params)
        jax.block_until_ready(metrics)
        return self._settings.rollout_size

    def close(self) -> None:
        """Forget the agent."""
        self.__dict__.pop("_agent", None)


@click.command()
@click.option("--symbol", default="ES", show_default=True)
@click.option(
    "--envs",
    type=click.IntRange(1),
    default=10_000,
    show_default=True,
    help="Environments without training.",
)
@click.option("--train-envs", default=FULL["train_envs"], show_default=True)
@click.option("--n-steps", default=FULL["n_steps"], show_default=True, help="Lengths of a rollout.")
@click.option("--batches", default=FULL["batches"], show_default=True, help="Sizes of a minibatch.")
@click.option("--devices", default=FULL["devices"], show_default=True, help="Those there are count.")
@click.option("--days", default=FULL["days"], show_default=True, help="Lengths of synthetic data.")
@click.option("--compile-envs", default=FULL["compile_envs"], show_default=True)
@click.option("--compile-steps", default=FULL["compile_steps"], show_default=True)
@click.option(
    "--rounds", type=click.IntRange(1), default=3, show_default=True, help="Samples per point."
)
@click.option("--seconds-per-row", default=6.0, show_default=True, help="Measuring time per point.")
@quick_option
@json_option
def main(out: Path | None, quick: bool, **options: Any) -> None:
    """Measure how the port's speed and compile time change with its sizes."""
    if quick:
        options |= {**QUICK, "envs": 32, "rounds": 2, "seconds_per_row": 0.02}
    with contextlib.suppress(RuntimeError):  # JAX has been used already and keeps what it has
        jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)
    report = measure(options)
    show(report, wide_console())
    if out is not None:
        write_json(out, report)


def measure(options: dict[str, Any]) -> dict[str, Any]:
    """Return the report of all points.

    Raises:
        InputError: an axis has no values, or values that can't be used.
    """
    lists = {name: numbers(options[name]) for name in FULL}
    for name, values in lists.items():
        if not values:
            option = name.replace("_", "-")
            raise InputError(f"--{option} is empty; give whole numbers above zero with commas")
    days = lists["days"]
    config = EnvConfig.phase1()
    markets = {}
    loading = []
    prepare(synthetic_bars(options["symbol"], days=days[0], seed=0), config)  # the first is slower
    for count in days:
        bars = synthetic_bars(options["symbol"], days=count, seed=0)
        began = time.perf_counter()
        prepared = prepare(bars, config)
        seconds = time.perf_counter() - began
        market = stack([prepared])
        markets[count] = make_params(market, config)
        size = {"bars": len(prepared), "device_bytes": market.nbytes}
        loading.append({"days": count, **size, "prepare_seconds": seconds})
    middle = days[len(days) // 2]
    params = markets[middle]
    around = surroundings()
    rivals: list[Rival] = []
    meaning: dict[str, dict[str, Any]] = {}
    left_out: dict[str, dict[str, Any]] = {}

    def add(rival: Rival, what: str, axes: dict[str, int]) -> None:
        rival.name = name_of(what, axes)
        if rival.name not in meaning:
            rivals.append(rival)
            meaning[rival.name] = {"what": what, "axes": axes}

    for name, base, moved in training_points(lists):
        sizes = base | moved
        rollout = sizes["environments"] * sizes["steps"]
        if sizes["minibatch"] > rollout:
            why = f"left out: its rollout has {rollout:,} steps, fewer than a minibatch"
            row = {"name": name_of("training", sizes), "envs": sizes["environments"], "error": why}
            left_out[name_of("training", sizes)] = {**row, "what": "training", "axes": sizes}
            continue
        settings = TrainSettings(
            n_envs=sizes["environments"], n_steps=sizes["steps"], batch_size=sizes["minibatch"]
        )
        add(PortTrainer(params, settings), "training", sizes)
        if name == "base" and jax.device_count() > 1:
            for devices in fitting(lists["devices"], settings.n_envs):
                spread = DeviceTrainer(params, settings, devices)
                add(spread, "training over devices", {**sizes, "devices": devices})
    envs = options["envs"]
    for devices in fitting(lists["devices"], envs):
        for form in ("obs", "none"):
            rival = PortRival(params, form, envs=envs, steps=200, seed=0, devices=devices)
            words = {"obs": "environment", "none": "environment without observations"}[form]
            add(rival, f"{words} over devices", {"environments": envs, "devices": devices})
    for count, market_params in markets.items():
        over_data = PortRival(market_params, "obs", envs=envs, steps=200, seed=0)
        add(over_data, "environment over data", {"environments": envs, "days": count})
    timings = take_turns(
        rivals,
        rounds=options["rounds"],
        seconds_per_row=options["seconds_per_row"],
        may_fail=rivals,
    )
    return {
        "schema": SCHEMA,
        "benchmark": "scaling",
        "surroundings": around,
        "settings": {name: str(value) for name, value in options.items()},
        "rows": [
            *({**timing.to_dict(), **meaning[timing.name]} for timing in timings),
            *left_out.values(),
        ],
        "compile": compile_times(params, lists["compile_envs"], lists["compile_steps"]),
        "loading": loading,
    }


def name_of(what: str, axes: dict[str, int]) -> str:
    """Return the name of a point's row, such as "training, 32 environments, 8 steps"."""
    return f"{what}, {', '.join(f'{value:,} {name}' for name, value in axes.items())}"


def training_points(
    lists: dict[str, tuple[int, ...]],
) -> list[tuple[str, dict[str, int], dict[str, int]]]:
    """Return the points of training: what moved, the base point, and the value in its place."""
    base = {
        "environments": middle_of(lists["train_envs"]),
        "steps": middle_of(lists["n_steps"]),
        "minibatch": lists["batches"][min(1, len(lists["batches"]) - 1)],
    }
    points: list[tuple[str, dict[str, int], dict[str, int]]] = [("base", base, {})]
    for name, key in (("environments", "train_envs"), ("steps", "n_steps"), ("minibatch", "batches")):
        points += [(name, base, {name: value}) for value in lists[key]]
    return points


def middle_of(values: tuple[int, ...]) -> int:
    """Return the middle one of some values."""
    return values[len(values) // 2]


def fitting(counts: tuple[int, ...], envs: int) -> list[int]:
    """Return the numbers of devices that there are and that share the environments evenly."""
    return [count for count in counts if count <= jax.device_count() and envs % count == 0]


def compile_times(
    params: EnvParams, sizes: tuple[int, ...], lengths: tuple[int, ...]
) -> list[dict[str, Any]]:
    """Return XLA's seconds for the environment's loop, over sizes and over scan lengths."""
    points = [(size, lengths[0]) for size in sizes] + [(sizes[0], length) for length in lengths]
    rows = []
    with nothing_kept():
        for envs, steps in dict.fromkeys(points):
            seconds = []
            for _ in range(COMPILE_REPEATS):
                jax.clear_caches()  # else the second time is a look-up
                rival = PortRival(params, "obs", envs=envs, steps=steps, seed=0)
                seconds.append(rival.prepare())
                rival.close()
            rows.append({"environments": envs, "steps": steps, "seconds": seconds})
    return rows


@contextlib.contextmanager
def nothing_kept() -> Iterator[None]:
    """Neither read nor write the folder of compiled programs that JAX may have been given."""
    name = "jax_enable_compilation_cache"
    before = getattr(jax.config, name)
    jax.config.update(name, False)
    reset_cache()  # JAX asks for the setting only once
    try:
        yield
    finally:
        jax.config.update(name, before)
        reset_cache()


def show(report: dict[str, Any], console: Console) -> None:
    """Print a report as tables."""
    table = Table("point", "steps/s", "ready in", box=None)
    for row in report["rows"]:
        median = median_of(row)
        said = row.get("error", "") if median is None else short(median)
        table.add_row(row["name"], said, f"{row.get('prepare_seconds') or 0:.2f} s")
    console.print(table)
    table = Table("compiled for", "steps", "seconds", box=None)
    for row in report["compile"]:
        seconds = ", ".join(f"{x:.2f}" for x in row["seconds"])
        table.add_row(f"{row['environments']:,} environments", f"{row['steps']:,}", seconds)
    console.print(table)
    for row in report["loading"]:
        console.print(
            f"{row['days']:,} days: {row['bars']:,} bars, {row['device_bytes'] / 2**20:.1f} MiB on the "
            f"device, prepared in {row['prepare_seconds']:.2f} s"
        )


if __name__ == "__main__":
    run_command(main)

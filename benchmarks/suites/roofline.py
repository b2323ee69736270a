"""What the hardware allows: a step's bytes and operations counted, the machine measured, the shares.

    python -m benchmarks.suites.roofline [--envs 10000] [--json OUT]

The machine's own rates (a large copy, a copy in the cache, gathered windows, a matrix product) take
turns with the rivals, so a share compares numbers of the same minute. What a step moves is counted from
the arrays' shapes: what must be read and written if nothing is touched twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import jax
import jax.numpy as jnp
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.baselines.environments import LegacyRival, PortRival, VecRival
from benchmarks.baselines.numpy_env import NumpyRival
from benchmarks.baselines.port_and_sb3 import (
    PortTrainer,
    ReferenceTrainer,
    flops_per_step,
    reference_settings,
)
from benchmarks.harness.measure import Rival, Timing, surroundings, take_turns, wide_console, write_json
from benchmarks.harness.options import json_option, quick_option
from benchmarks.harness.statistics import median_of, paired, scaled
from benchmarks.suites.env_throughput import short
from foundation.errors import run_command
from jax_port.data.data_loader import PreparedMarket, prepare, stack
from jax_port.envs import env_phase1_jax as env
from jax_port.envs.env_phase1_jax import EnvParams, make_params
from jax_port.ppo.settings import TrainSettings
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

SCHEMA = 1
LARGE = 256 * 2**20
"""Bytes of a copied array that no cache holds."""
PRODUCT = 8192
"""Rows of the left factor; the right one is (256, 256), as in the networks."""
WORD = 4
SEEN = ("next market row, read", "window, read", "observation, written")
"""What a step moves only if it hands out its observation."""
ABOVE_ONE = (
    "A share above 100% is none: its floor was measured at too small a size, or part of what it counts "
    "was left out, as the port's trainer leaves out the products of forced moves."
)


class Work:
    """Something whose rate the hardware sets.

    Args:
        name: of the row.
        make: returns the work, ready to be called; a call ends when the work is done.
        amount: bytes, operations or windows in one call.
    """

    envs = 1

    def __init__(self, name: str, make: Callable[[], Callable[[], object]], amount: int) -> None:
        self.name, self._make, self._amount = name, make, amount

    def prepare(self) -> float:
        """Allocate and compile."""
        began = time.perf_counter()
        self._work = self._make()
        self._work()
        return time.perf_counter() - began

    def run(self) -> int:
        """Do it once and return its amount."""
        self._work()
        return self._amount

    def close(self) -> None:
        """Forget the arrays."""
        self.__dict__.pop("_work", None)


def xla_copy(size: int) -> Callable[[], Callable[[], object]]:
    """Return a maker of work that reads and writes ``size`` bytes on the default device, in place.

    A copy into fresh memory would measure how fast the system hands out pages.
    """

    def make() -> Callable[[], object]:
        held = [jnp.zeros(size // WORD, jnp.float32)]
        add = jax.jit(lambda x: x + 1, donate_argnums=0)

        def work() -> None:
            held[0] = add(held[0]).block_until_ready()

        return work

    return make


def numpy_copy(size: int) -> Callable[[], Callable[[], object]]:
    """Return a maker of a copy of ``size`` bytes on one thread."""

    def make() -> Callable[[], object]:
        # Ones, since pages of zeros that were never written are all one page, which a cache holds.
        source, target = np.ones(size // WORD, np.float32), np.ones(size // WORD, np.float32)
        return lambda: np.copyto(target, source)

    return make


def xla_gather(params: EnvParams, envs: int) -> Callable[[], Callable[[], object]]:
    """Return a maker of the windows of ``envs`` random bars: (envs, 220) float32."""

    def make() -> Callable[[], object]:
        rows = jnp.asarray(_some_bars(params, envs))

        def windows(rows: jax.Array, params: EnvParams) -> jax.Array:
            return jax.vmap(env.window_at, in_axes=(0, None))(rows, params).reshape(envs, -1)

        gather = jax.jit(windows)
        return lambda: gather(rows, params).block_until_ready()

    return make


def numpy_gather(market: PreparedMarket, params: EnvParams, envs: int) -> Callable[[], Any]:
    """Return a maker of the same windows on one thread."""

    def make() -> Callable[[], object]:
        size, width = params.window_size, market.features.shape[1]
        flat = np.ascontiguousarray(market.features)
        windows = np.lib.stride_tricks.as_strided(
            flat, (len(flat) - size + 1, size * width), flat.strides, writeable=False
        )
        rows = _some_bars(params, envs) - size
        target = np.empty((envs, size * width), np.float32)

        def work() -> None:
            target[:] = windows[rows]

        return work

    return make


def _some_bars(params: EnvParams, envs: int) -> Any:
    last = int(params.market.features.shape[0]) - 1
    low = int(params.market.starts[0, 0])
    return np.random.default_rng(0).integers(low, last, envs, np.int32)


def product(library: str) -> Callable[[], Callable[[], object]]:
    """Return a maker of a (8192, 256) x (256, 256) product in "xla" or "torch"."""

    def make() -> Callable[[], object]:
        if library == "torch":
            left, right = torch.ones(PRODUCT, 256), torch.ones(256, 256)
            return lambda: torch.mm(left, right)
        one, other = jnp.ones((PRODUCT, 256), jnp.float32), jnp.ones((256, 256), jnp.float32)
        multiply = jax.jit(jnp.matmul)
        return lambda: multiply(one, other).block_until_ready()

    return make


@click.command()
@click.option("--symbol", default="ES", show_default=True)
@click.option("--days", default=250, show_default=True, help="Days of synthetic bars.")
@click.option(
    "--envs",
    type=click.IntRange(1),
    default=10_000,
    show_default=True,
    help="Environments of the port.",
)
@click.option("--train-envs", default=1024, show_default=True)
@click.option("--n-steps", default=32, show_default=True)
@click.option("--batch-size", default=8192, show_default=True)
@click.option(
    "--workers", type=click.IntRange(1), default=8, show_default=True, help="Of the reference."
)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Samples per row.")
@click.option("--seconds-per-row", default=8.0, show_default=True, help="Measuring time per row.")
@click.option("--legacy/--no-legacy", default=True, show_default=True)
@quick_option
@json_option
def main(out: Path | None, quick: bool, **options: Any) -> None:
    """Measure the machine and both sides, and the shares attained."""
    if quick:
        options |= {"days": 4, "envs": 32, "train_envs": 16, "n_steps": 8, "batch_size": 64}
        options |= {"workers": 2, "rounds": 2, "seconds_per_row": 0.02}
    report = measure(options, 2**20 if quick else LARGE)
    show(report, wide_console())
    if out is not None:
        write_json(out, report)


def count_bytes(params: EnvParams) -> dict[str, int]:
    """Return the bytes of one environment's step by what they are, counted from shapes.

    The position features look at the bar that the step leads to, so an observation takes a second row
    of the market.
    """
    leaves = jax.tree.leaves(jax.eval_shape(lambda: env.reset_at(jnp.int32(0), params)))
    state = sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)
    width, row = params.market.features.shape[1], WORD * params.market.bars.shape[1]
    return {
        "state, read": state,
        "state, written": state,
        "market row, read": row,
        "reward, summed": 2 * WORD,
        "next market row, read": row,
        "window, read": WORD * params.window_size * width,
        "observation, written": WORD * params.obs_size,
    }


def xla_count(params: EnvParams, envs: int) -> dict[str, float]:
    """Return what XLA counts for one step of one environment, observation included.

    Returns:
        "flops", those on integers included, and "bytes", what its kernels read and write one after
        another: how much more for 2 ``envs`` than for ``envs``, since XLA counts the whole market, too.
    """
    step = jax.jit(lambda key, state, action, params: env.batch_step(key, state, action, params)[:3])

    def cost(envs: int) -> dict[str, float]:
        _, state = jax.eval_shape(lambda key: env.batch_reset(key, params, envs), jax.random.key(0))
        action = jax.ShapeDtypeStruct((envs,), jnp.int32)
        lowered = step.lower(jax.random.key(0), state, action, params)
        return lowered.compile().cost_analysis() or {}

    one, two = cost(envs), cost(2 * envs)
    names = {"flops": "flops", "bytes accessed": "bytes"}
    return {word: (two[name] - one[name]) / envs for name, word in names.items() if name in one}


def measure(options: dict[str, Any], large: int = LARGE) -> dict[str, Any]:
    """Return the report."""
    config, envs = EnvConfig.phase1(), options["envs"]
    bars = synthetic_bars(options["symbol"], days=options["days"], seed=0)
    prepared = prepare(bars, config)
    params = make_params(stack([prepared]), config)
    counted = count_bytes(params)
    looking = sum(counted.values())
    blind = looking - sum(counted[name] for name in SEEN)
    fits = envs * counted["observation, written"]
    mebibytes = f"{fits / 2**20:.2g}" if fits < 10 * 2**20 else f"{fits / 2**20:,.0f}"
    rivals: list[Rival] = []
    units: dict[str, str] = {}
    floors: list[tuple[str, float, str, str]] = []

    def add(rival: Rival, unit: str) -> str:
        rivals.append(rival)
        units[rival.name] = unit
        return rival.name

    def machine(name: str, make: Callable[[], Callable[[], object]], amount: int, unit: str) -> str:
        return add(Work(name, make, amount), unit)

    copy = machine("large copy, XLA", xla_copy(large), 2 * large, "bytes/s")
    near = machine(f"copy of {mebibytes} MiB, XLA", xla_copy(fits), 2 * fits, "bytes/s")
    gather = machine("windows gathered, XLA", xla_gather(params, envs), envs, "windows/s")
    multiply = machine("matrix product, XLA", product("xla"), 2 * PRODUCT * 256 * 256, "flop/s")
    copy_np = machine("large copy, NumPy", numpy_copy(large), 2 * large, "bytes/s")
    taken = machine("windows copied, NumPy", numpy_gather(prepared, params, envs), envs, "windows/s")
    multiply_torch = machine("matrix product, torch", product("torch"), 2 * PRODUCT * 256**2, "flop/s")
    bare = add(PortRival(params, "none", envs=envs, steps=400, seed=0), "steps/s")
    whole = add(PortRival(params, "obs", envs=envs, steps=200, seed=0), "steps/s")
    rows = add(NumpyRival(prepared, config, envs=envs, steps=20, seed=0), "steps/s")
    floors += [
        (bare, blind, copy, "bytes of a step without observations, against the large copy"),
        (whole, looking, copy, "bytes of a step with observations, against the large copy"),
        (whole, looking, near, "the same, against a copy that is as large as all observations"),
        (whole, 1, gather, "windows, against gathering windows and nothing else"),
        (rows, looking, copy_np, "bytes of a step, against NumPy's large copy"),
        (rows, 1, taken, "windows, against copying windows and nothing else"),
    ]
    for epochs in (1, 4) if large == LARGE else (4,):
        settings = TrainSettings(
            n_envs=options["train_envs"],
            n_steps=options["n_steps"],
            batch_size=options["batch_size"],
            n_epochs=epochs,
        )
        flops = flops_per_step(settings, params.obs_size, env.NUM_ACTIONS)
        trainer = add(PortTrainer(params, settings), "steps/s")
        said = f"operations of {epochs} epoch{'s' if epochs > 1 else ''} if none is left out"
        said += ", against the matrix product"
        floors.append((trainer, flops, multiply, said))
        if options["legacy"] and epochs == 4:
            size = options["train_envs"] * options["n_steps"] // 4
            theirs = reference_settings(epochs, options["workers"], options["batch_size"], size)
            name = add(ReferenceTrainer(bars, config, theirs), "steps/s")
            floors.append((name, flops, multiply_torch, said))
    if options["legacy"]:
        one = add(LegacyRival(bars, config, steps=1000, seed=0), "steps/s")
        vec = VecRival(bars, config, workers=options["workers"], in_process=False, steps=200, seed=0)
        many = add(vec, "steps/s")
        floors += [
            (name, looking, copy_np, "bytes of a step, against NumPy's large copy")
            for name in (one, many)
        ]
    around = surroundings()
    timings = take_turns(
        rivals,
        rounds=options["rounds"],
        seconds_per_row=options["seconds_per_row"],
        may_fail=rivals,
    )
    return {
        "schema": SCHEMA,
        "benchmark": "floors",
        "surroundings": around,
        "settings": {name: str(value) for name, value in options.items()},
        "bytes_per_step": counted,
        "xla_per_step": xla_count(params, envs),
        "rows": [row_of(timing, units[timing.name]) for timing in timings],
        "floors": attained(floors, {timing.name: timing for timing in timings}),
    }


def row_of(timing: Timing, unit: str) -> dict[str, Any]:
    """Return a timing as a row whose rate has a unit of its own."""
    row = timing.to_dict()
    if "steps_per_second" in row:
        row["rate"] = row.pop("steps_per_second")
    return {**row, "unit": unit}


def attained(
    floors: list[tuple[str, float, str, str]], timings: dict[str, Timing]
) -> list[dict[str, Any]]:
    """Return the shares: what each rival's steps need a second, over what the machine gave."""
    found = []
    for name, per_step, floor, words in floors:
        rival, machine = timings[name], timings[floor]
        share = None
        if rival.error is None and machine.error is None:
            share = scaled(paired(rival.samples, machine.samples), per_step)
        about = {"rival": name, "floor": floor, "per_step": per_step, "words": words}
        found.append({**about, "share": share})
    return found


def show(report: dict[str, Any], console: Console) -> None:
    """Print a report as two tables."""
    table = Table("row", "rate", "unit", box=None)
    for row in report["rows"]:
        median = median_of(row)
        said = row.get("error", "") if median is None else short(median)
        table.add_row(row["name"], said, row["unit"])
    console.print(table)
    table = Table("rival", "share", "of", box=None)
    for floor in report["floors"]:
        share = floor["share"]
        said = "failed" if share is None else f"{share['median']:.3%}"
        table.add_row(floor["rival"], said, floor["words"])
    console.print(table)
    if any(floor["share"] and floor["share"]["median"] > 1 for floor in report["floors"]):
        console.print(ABOVE_ONE)


if __name__ == "__main__":
    run_command(main)

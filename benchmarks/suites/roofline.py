"""Roofline: what the hardware allows, what a step needs of it, and the share that is attained.

    python -m benchmarks.suites.roofline [--envs 10000] [--json OUT]

The machine's own rates (a large copy, a copy in the cache, gathered windows, a matrix product) take
turns with the programs, so a share compares numbers of the same minute. What a step moves is counted
from the arrays' shapes: what must be read and written if nothing is touched twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import jax
import jax.numpy as jnp
from msgspec.structs import replace
from rich.console import Console

from benchmarks.baselines.environments import PortWorkload, ReferenceWorkload, VecEnvWorkload
from benchmarks.baselines.machine_rates import (
    PRODUCT_FLOPS,
    WORD,
    MachineWorkload,
    MakeWork,
    flops_per_step,
    make_product,
    numpy_copy,
    numpy_gather,
    xla_copy,
    xla_gather,
)
from benchmarks.baselines.market import Market, make_market, read_or_generate
from benchmarks.baselines.numpy_env import NumpyWorkload
from benchmarks.baselines.port_trainer import PortTrainer
from benchmarks.baselines.reference_trainer import ReferenceTrainer, reference_settings
from benchmarks.harness import options as cli
from benchmarks.harness.entries import Entry, environment_entry, measure_entries, training_entry
from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.measure import Workload
from benchmarks.harness.output import numeric_table, print_errors, publish
from benchmarks.harness.reports import SCHEMA, RooflineReport
from benchmarks.harness.rows import EnvironmentRow, MachineRow, RateRow, ShareRow, TrainingRow
from benchmarks.harness.statistics import paired_ratio, scaled
from foundation.errors import run_command
from foundation.report.format import short_rate
from jax_port.envs import env_phase1_jax as env
from jax_port.envs.state import EnvParams
from jax_port.ppo.settings import TrainSettings

LARGE = 256 * 2**20
"""Bytes of a copied array that no cache holds."""
OBSERVING = ("next market row, read", "window, read", "observation, written")
"""What a step moves only if it hands out its observation."""
LARGE_COPY, GATHER, PRODUCT = "large copy, XLA", "windows gathered, XLA", "matrix product, XLA"
NUMPY_COPY, NUMPY_GATHER = "large copy, NumPy", "windows copied, NumPy"
TORCH_PRODUCT = "matrix product, torch"
"""Names of the machine's rows."""
ABOVE_ONE = (
    "A share above 100% is none: its limit was measured at too small a size, or part of what it counts "
    "was left out, as the port's trainer leaves out the products of forced moves."
)
Options = dict[str, Any]
Rows = list[MachineRow | EnvironmentRow | TrainingRow]


@click.command()
@cli.symbol_option
@cli.days_option(250)
@cli.envs_option()
@click.option(
    "--train-envs", default=1024, show_default=True, help="Environments of the port's trainer."
)
@click.option("--n-steps", default=32, show_default=True, help="Steps in a rollout of the port.")
@click.option("--batch-size", default=8192, show_default=True, help="Minibatch of both trainers.")
@click.option(
    "--workers", type=click.IntRange(1), default=8, show_default=True, help="Of the reference."
)
@cli.rounds_option(5)
@cli.seconds_option(8.0)
@cli.legacy_option
@cli.quick_option
@cli.json_option
def main(out: Path | None, quick: bool, **options: Any) -> None:
    """Measure the machine and both sides, and the shares attained."""
    if quick:
        options |= {"days": 4, "envs": 32, "train_envs": 16, "n_steps": 8, "batch_size": 64}
        options |= {"workers": 2, "rounds": 2, "seconds_per_row": 0.02}
    publish(measure(options, 2**20 if quick else LARGE), show, out)


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


class Programs:
    """Programs to be measured, and the shares to be computed from them.

    Args:
        market: measured on.
        options: of the command.
    """

    def __init__(self, market: Market, options: Options) -> None:
        self.market, self.options = market, options
        self.entries: list[Entry[MachineRow | EnvironmentRow | TrainingRow]] = []
        self.shares: list[ShareRow] = []

    def machine(self, name: str, make: MakeWork, amount: int, unit: str) -> None:
        """Add a rate of the machine."""
        row = MachineRow(name=name, side="machine", envs=1, unit=unit)
        self.entries.append(Entry(MachineWorkload(name, make, amount), row, may_fail=True))

    def environment(self, workload: Workload, **fields: Any) -> str:
        """Add an environment and return its row's name."""
        entry = environment_entry(workload, may_fail=True, **fields)
        self.entries.append(entry)
        return entry.row.name

    def share(self, name: str, limit: str, needs_per_step: float, description: str) -> None:
        """Add a share to be computed."""
        self.shares.append(
            ShareRow(name=name, limit=limit, needs_per_step=needs_per_step, description=description)
        )

    def add_machine_rates(self, large: int, cached: int) -> None:
        """Add the machine's rates; ``large`` and ``cached`` are the bytes of the copies."""
        envs, params = self.options["envs"], self.market.params
        self.machine(LARGE_COPY, xla_copy(large), 2 * large, "bytes/s")
        self.machine(cached_copy_name(cached), xla_copy(cached), 2 * cached, "bytes/s")
        self.machine(GATHER, xla_gather(params, envs), envs, "windows/s")
        self.machine(PRODUCT, lambda: make_product("xla"), PRODUCT_FLOPS, "flop/s")
        self.machine(NUMPY_COPY, numpy_copy(large), 2 * large, "bytes/s")
        gather = numpy_gather(self.market.prepared, params, envs)
        self.machine(NUMPY_GATHER, gather, envs, "windows/s")
        self.machine(TORCH_PRODUCT, lambda: make_product("torch"), PRODUCT_FLOPS, "flop/s")

    def add_environments(self, counted: dict[str, int], cached: int) -> None:
        """Add the port's and NumPy's environments; ``counted`` is of :func:`count_bytes`."""
        envs, market = self.options["envs"], self.market
        observing = sum(counted.values())
        without = observing - sum(counted[name] for name in OBSERVING)
        bare = PortWorkload(market.params, "none", envs=envs, steps=400, seed=0)
        whole = PortWorkload(market.params, "obs", envs=envs, steps=200, seed=0)
        numpy = NumpyWorkload(market.prepared, market.config, envs=envs, steps=20, seed=0)
        name = self.environment(bare, side="port", form="none")
        words = "bytes of a step without observations, against the large copy"
        self.share(name, LARGE_COPY, without, words)
        name = self.environment(whole, side="port")
        words = "bytes of a step with observations, against the large copy"
        self.share(name, LARGE_COPY, observing, words)
        words = "the same, against a copy that is as large as all observations"
        self.share(name, cached_copy_name(cached), observing, words)
        self.share(name, GATHER, 1, "windows, against gathering windows and nothing else")
        name = self.environment(numpy, side="NumPy")
        self.share(name, NUMPY_COPY, observing, "bytes of a step, against NumPy's large copy")
        self.share(name, NUMPY_GATHER, 1, "windows, against copying windows and nothing else")

    def add_trainers(self, epochs: int, with_reference: bool) -> None:
        """Add the port's trainer and, if wanted, the reference's with as many epochs."""
        options, market = self.options, self.market
        envs, steps, batch = options["train_envs"], options["n_steps"], options["batch_size"]
        settings = TrainSettings(n_envs=envs, n_steps=steps, batch_size=batch, n_epochs=epochs)
        flops = flops_per_step(settings, market.params.obs_size, env.NUM_ACTIONS)
        words = f"operations of {epochs} epoch{'s' if epochs > 1 else ''} if none is left out"
        words += ", against the matrix product"
        port = training_entry(PortTrainer(market.params, settings), "port", epochs, may_fail=True)
        self.entries.append(port)
        self.share(port.row.name, PRODUCT, flops, words)
        if with_reference:
            theirs = reference_settings(epochs, options["workers"], batch, envs * steps // 4)
            trainer = ReferenceTrainer(market.bars, market.config, theirs)
            reference = training_entry(trainer, "reference", epochs, may_fail=True)
            self.entries.append(reference)
            self.share(reference.row.name, TORCH_PRODUCT, flops, words)

    def add_reference(self, needs_per_step: float) -> None:
        """Add the reference's environment, alone and vectorised."""
        bars, config, workers = self.market.bars, self.market.config, self.options["workers"]
        alone = ReferenceWorkload(bars, config, steps=1000, seed=0)
        vec = VecEnvWorkload(bars, config, workers=workers, in_process=False, steps=200, seed=0)
        for workload in (alone, vec):
            name = self.environment(workload, side="reference")
            words = "bytes of a step, against NumPy's large copy"
            self.share(name, NUMPY_COPY, needs_per_step, words)


def cached_copy_name(size: int) -> str:
    """Return the name of the row of a copy of so many bytes."""
    mebibytes = size / 2**20
    return (
        f"copy of {mebibytes:.2g} MiB, XLA" if mebibytes < 10 else f"copy of {mebibytes:,.0f} MiB, XLA"
    )


def measure(options: Options, large: int = LARGE) -> RooflineReport:
    """Return the report; ``large`` is the bytes of the large copy.

    Raises:
        InputError: there are too few bars, or sizes do not fit each other.
    """
    market = make_market(read_or_generate(None, options["symbol"], options["days"]))
    counted = count_bytes(market.params)
    cached = options["envs"] * counted["observation, written"]
    programs = Programs(market, options)
    programs.add_machine_rates(large, cached)
    programs.add_environments(counted, cached)
    for epochs in (1, 4) if large == LARGE else (4,):
        programs.add_trainers(epochs, with_reference=options["legacy"] and epochs == 4)
    if options["legacy"]:
        programs.add_reference(sum(counted.values()))
    around = machine_info()
    rows: Rows = measure_entries(programs.entries, options["rounds"], options["seconds_per_row"])
    return RooflineReport(
        schema=SCHEMA,
        machine_info=around,
        settings=cli.as_text(options),
        bytes_per_step=counted,
        xla_per_step=xla_count(market.params, options["envs"]),
        rows=tuple(rows),
        shares=attained(programs.shares, rows),
    )


def attained(shares: Iterable[ShareRow], rows: Iterable[RateRow]) -> tuple[ShareRow, ...]:
    """Return shares computed from rows: what steps need a second, over what the machine gave."""
    rates = {row.name: row.rate for row in rows}
    computed = []
    for share in shares:
        ratio = paired_ratio(rates[share.name], rates[share.limit])
        value = None if ratio is None else scaled(ratio, share.needs_per_step)
        error = "a row that it needs failed" if value is None else None
        computed.append(replace(share, share=value, error=error))
    return tuple(computed)


def show(report: RooflineReport, console: Console) -> None:
    """Print a report as two tables."""
    table = numeric_table("row", "rate", "unit")
    for row in report.rows:
        rate = "-" if row.median is None else short_rate(row.median)
        table.add_row(row.name, rate, row.unit)
    console.print(table)
    print_errors(report.rows, console)
    table = numeric_table("program", "share", "of")
    for share in report.shares:
        value = "failed" if share.share is None else f"{share.share.median:.3%}"
        table.add_row(share.name, value, share.description)
    console.print(table)
    if any(share.share and share.share.median > 1 for share in report.shares):
        console.print(ABOVE_ONE)


if __name__ == "__main__":
    run_command(main)

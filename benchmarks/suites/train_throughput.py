"""Training steps a second, end to end: the port, MaskablePPO and other trainers, in one run.

    python -m benchmarks.suites.train_throughput [--epochs 1,4,10] [--baselines purejaxrl,rejax,sbx]
    [--json OUT]

The trainers are described in :mod:`benchmarks.baselines.port_trainer`,
:mod:`benchmarks.baselines.reference_trainer` and :mod:`benchmarks.baselines.trainers`, and how they are
timed in :mod:`benchmarks.harness.measure`. A baseline that fails is a row that says why.
On an accelerator, ``--no-legacy --envs 65536 --batch-size 262144 --precisions float32,tf32,bf16`` shows
what it can do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import jax
from msgspec.structs import replace as replace_fields
from rich.console import Console

from benchmarks.baselines.environments import PortWorkload, VecEnvWorkload
from benchmarks.baselines.machine_rates import flops_per_step, product_rates
from benchmarks.baselines.market import Market, make_market, read_or_generate
from benchmarks.baselines.port_trainer import PortTrainer
from benchmarks.baselines.reference_trainer import ReferenceTrainer, reference_settings
from benchmarks.baselines.trainers import BASELINES, baseline_names, batch_layouts
from benchmarks.harness import options as cli
from benchmarks.harness.entries import Entry, environment_entry, measure_entries, training_entry
from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.output import numeric_table, publish
from benchmarks.harness.reports import SCHEMA, BaselineRatio, TrainReport
from benchmarks.harness.rows import EnvironmentRow, RateRow, Side, TrainingRow
from benchmarks.harness.statistics import paired_ratio
from foundation.errors import run_command
from foundation.report.format import short_rate
from jax_port.envs.registry import phase_of
from jax_port.ppo.settings import TrainSettings
from markets import Bars, EnvConfig

TWO_MILLION = 2_000_000
BASELINE_LAYOUTS = "2048x16x4096"
Rows = Sequence[TrainingRow | EnvironmentRow]
Options = dict[str, Any]


@click.command()
@cli.data_option
@cli.file_symbol_option
@cli.days_option(60)
@click.option("--epochs", default="1,4,10", show_default=True, help="Epochs, the same on both sides.")
@cli.envs_option(1024)
@click.option("--n-steps", default=32, show_default=True, help="Steps in a rollout of the port.")
@click.option("--batch-size", default=8192, show_default=True, help="The port's minibatch.")
@click.option(
    "--trained",
    default=0,
    type=click.IntRange(min=0),
    show_default=True,
    help="Also measure the port's agents after so many steps of training.",
)
@click.option("--precisions", default="float32", show_default=True)
@click.option("--workers", default="2,4", show_default=True, help="Processes of the reference.")
@click.option("--batches", default="512,4096", show_default=True, help="The reference's minibatches.")
@click.option("--rollout", default=8192, show_default=True, help="Steps in the reference's rollout.")
@cli.rounds_option(3)
@cli.seconds_option(12.0)
@cli.legacy_option
@click.option("--baselines", default=",".join(BASELINES), show_default=True, help="Or none.")
@click.option(
    "--baseline-layouts",
    default=BASELINE_LAYOUTS,
    show_default=True,
    help="Environments x steps x minibatch that baselines are given beside the port's own.",
)
@cli.quick_option
@cli.json_option
def main(out: Path | None, quick: bool, **options: Any) -> None:
    """Measure training steps per second of the port, of the reference and of other trainers."""
    if quick:
        options |= {"days": 4, "epochs": "1", "envs": 16, "n_steps": 8, "batch_size": 64}
        options |= {"workers": "2", "batches": "32", "rollout": 64, "rounds": 2}
        options |= {"seconds_per_row": 0.02, "baseline_layouts": ""}
    bars = read_or_generate(options["data"], options["symbol"], options["days"])
    publish(measure(bars, options), show, out)


def measure(bars: Bars, options: Options) -> TrainReport:
    """Measure all trainers on the same bars and return the report."""
    phase1, phase2 = make_market(bars), make_market(bars, EnvConfig.phase2())
    entries: list[Entry[TrainingRow | EnvironmentRow]] = []
    for epochs in cli.numbers(options["epochs"]):
        for precision in options["precisions"].split(","):
            settings = TrainSettings(
                n_envs=options["envs"],
                n_steps=options["n_steps"],
                batch_size=options["batch_size"],
                n_epochs=epochs,
                precision=precision,
            )
            entries += port_entries(phase1, phase2, settings, options["trained"])
        entries += baseline_entries(phase1, replace(settings, precision="float32"), options)
        entries += reference_entries(phase1, epochs, options)
    entries += environment_entries(phase1, options)
    around, rates = machine_info(), product_rates()
    rows = measure_entries(entries, options["rounds"], options["seconds_per_row"])
    rows = [with_first_seconds(row, entry) for row, entry in zip(rows, entries, strict=True)]
    return TrainReport(
        schema=SCHEMA,
        machine_info=around,
        settings=cli.as_text(options),
        matrix_flops=rates,
        data=phase1.data,
        rows=tuple(rows),
        ratios={**ratios(rows), **first_steps_ratios(rows)},
        ahead=ahead(rows),
    )


def port_entries(
    phase1: Market, phase2: Market, settings: TrainSettings, trained: int
) -> Iterator[Entry[TrainingRow]]:
    """Yield the port's trainer of both phases, fresh and after some training."""
    for steps in sorted({0, trained}):
        sides: list[tuple[Market, Side]] = [(phase1, "port"), (phase2, "port, phase 2")]
        for market, side in sides:
            yield training_entry(
                PortTrainer(market.params, settings, trained=steps),
                side,
                settings.n_epochs,
                trained_steps=steps,
                flops_per_step=_flops(market, settings),
            )


def baseline_entries(
    market: Market, settings: TrainSettings, options: Options
) -> Iterator[Entry[TrainingRow]]:
    """Yield every other trainer in the port's batch layout and in its own."""
    for name in baseline_names(options["baselines"]):
        for layout in batch_layouts(options["baseline_layouts"], settings):
            trainer = BASELINES[name](market.params, layout)
            yield training_entry(
                trainer,
                "baseline",
                settings.n_epochs,
                may_fail=True,
                baseline=name,
                masks=trainer.masks,
                note=trainer.note,
                flops_per_step=_flops(market, layout),
            )


def reference_entries(market: Market, epochs: int, options: Options) -> Iterator[Entry[TrainingRow]]:
    """Yield MaskablePPO with every number of workers and every minibatch."""
    for workers in cli.numbers(options["workers"]) if options["legacy"] else ():
        for batch in cli.numbers(options["batches"]):
            settings = reference_settings(epochs, workers, batch, options["rollout"])
            trainer = ReferenceTrainer(market.bars, market.config, settings)
            yield training_entry(trainer, "reference", epochs)


def environment_entries(market: Market, options: Options) -> Iterator[Entry[EnvironmentRow]]:
    """Yield both environments without training."""
    port = PortWorkload(
        market.params, "obs", envs=options["envs"], steps=options["n_steps"], seed=0
    )  # fmt: skip
    yield environment_entry(port, "port")
    for workers in cli.numbers(options["workers"]) if options["legacy"] else ():
        vec = VecEnvWorkload(
            market.bars, market.config, workers=workers, in_process=False, steps=400, seed=0
        )
        yield environment_entry(vec, "reference")


def _flops(market: Market, settings: TrainSettings) -> float:
    params = market.params
    return flops_per_step(settings, params.obs_size, phase_of(params).num_actions)


def with_first_seconds(
    row: TrainingRow | EnvironmentRow, entry: Entry[RateRow]
) -> TrainingRow | EnvironmentRow:
    """Return a row with the seconds of the training that came before it was measured."""
    trainer = entry.workload
    if isinstance(row, TrainingRow) and isinstance(trainer, PortTrainer) and row.trained_steps:
        return replace_fields(row, first_seconds=trainer.first_seconds)
    return row


def _best(
    rows: Iterable[RateRow],
    side: Side,
    epochs: int | None,
    trained: int = 0,
    baseline: str | None = None,
) -> RateRow | None:
    """Return the fastest row of a side; ``epochs`` is None for environments without training."""

    def key(row: RateRow) -> tuple[Any, ...]:
        if isinstance(row, TrainingRow):
            return row.side, row.epochs, row.trained_steps, row.baseline
        return row.side, None, 0, None

    measured = [row for row in rows if row.rate and key(row) == (side, epochs, trained, baseline)]
    return max(measured, key=lambda row: row.median or 0.0, default=None)


def _median_ratio(numerator: RateRow | None, denominator: RateRow | None) -> float | None:
    if numerator is None or denominator is None or not (numerator.median and denominator.median):
        return None
    return numerator.median / denominator.median


def ratios(rows: Rows) -> dict[str, float]:
    """Return, by epochs, the port's best rate over the reference's best, medians over medians, and
    Phase 2's over Phase 1's; the same of agents that had been trained for a while."""
    trainers = [row for row in rows if isinstance(row, TrainingRow)]
    lengths = sorted({row.trained_steps for row in trainers} | {0})
    by_name: dict[str, float | None] = {}
    for epochs in (*dict.fromkeys(row.epochs for row in trainers), None):
        name = "environment alone" if epochs is None else f"{epochs} epochs"
        reference = _best(rows, "reference", epochs)
        for trained in lengths:
            after = f", after {trained:,} steps" if trained else ""
            port = _best(rows, "port", epochs, trained)
            second = _best(rows, "port, phase 2", epochs, trained)
            by_name[name + after] = _median_ratio(port, reference)
            by_name[f"phase 2 over phase 1, {name}{after}"] = _median_ratio(second, port)
    return {name: ratio for name, ratio in by_name.items() if ratio is not None}


def first_steps_ratios(rows: Rows) -> dict[str, float]:
    """Return, by epochs, Phase 2's speed over Phase 1's in the first steps of training, all of them."""
    seconds: dict[tuple[int, int], dict[str, float]] = {}
    for row in rows:
        if isinstance(row, TrainingRow) and row.first_seconds:
            by_side = seconds.setdefault((row.epochs, row.trained_steps), {})
            by_side[row.side] = min(row.first_seconds, by_side.get(row.side, float("inf")))
    return {
        f"phase 2 over phase 1, {epochs} epochs, the first {steps:,} steps": by_side["port"] / second
        for (epochs, steps), by_side in seconds.items()
        if (second := by_side.get("port, phase 2"))
    }


def ahead(rows: Rows) -> dict[str, BaselineRatio]:
    """Return, by baseline and epochs, the port's best row over the baseline's, paired by rounds."""
    by_name = {}
    pairs = dict.fromkeys(
        (row.baseline, row.epochs) for row in rows if isinstance(row, TrainingRow) and row.baseline
    )
    for baseline, epochs in pairs:
        port, other = _best(rows, "port", epochs), _best(rows, "baseline", epochs, baseline=baseline)
        ratio = paired_ratio(port.rate, other.rate) if port and other else None
        if port and other and ratio:
            by_name[f"ahead of {baseline}, {epochs} epochs"] = BaselineRatio(
                port=port.name,
                baseline=other.name,
                median=ratio.median,
                quartiles=ratio.quartiles,
                rounds=ratio.rounds,
            )
    return by_name


def show(report: TrainReport, console: Console) -> None:
    """Print a report as a table."""
    around, rates = report.machine_info, report.matrix_flops
    console.print(
        f"{report.data.bars:,} bars ({report.data.source}); {around.cpu}, "
        f"{around.cores} cores; {around.device.kind}; jax {around.versions['jax']}; "
        f"matrix products: XLA {rates['xla'] / 1e9:,.0f}, torch {rates['torch'] / 1e9:,.0f} GFLOP/s"
    )
    table = numeric_table("trainer", "envs", "steps/s", "quartiles", "dense GFLOP/s", "2M steps in")
    for row in report.rows:
        if row.rate is None:
            table.add_row(row.name, f"{row.envs:,}", "[red]failed[/]")
            continue
        low, high = row.rate.quartiles
        flops = row.flops_per_second if isinstance(row, TrainingRow) else None
        seconds = f"{TWO_MILLION / row.rate.median:,.1f} s" if isinstance(row, TrainingRow) else ""
        table.add_row(
            row.name,
            f"{row.envs:,}",
            short_rate(row.rate.median),
            f"{short_rate(low)} - {short_rate(high)}",
            f"{flops / 1e9:,.0f}" if flops else "",
            seconds,
        )
    console.print(table)
    for row in report.rows:
        if row.error:
            console.print(f"{row.name} failed: {row.error}", style="red", markup=False)
    for name, ratio in report.ratios.items():
        compared = "" if name.startswith("phase") else "port over reference, "
        console.print(f"{compared}{name}: [bold]{ratio:,.2f}x[/]")
    for name, paired in report.ahead.items():
        low, high = paired.quartiles
        console.print(f"{name}: [bold]{paired.median:,.2f}x[/] ({low:,.2f} - {high:,.2f})")
    if jax.default_backend() == "cpu":
        console.print("[dim]dense GFLOP/s counts every product; what is skipped counts as done[/]")


if __name__ == "__main__":
    run_command(main)

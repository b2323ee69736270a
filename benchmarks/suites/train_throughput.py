"""How many training steps a second, end to end: the port, MaskablePPO and others, in one run.

    python -m benchmarks.suites.train_throughput [--epochs 1,4,10] [--rivals purejaxrl,rejax,sbx]
    [--json OUT]

Who trains is described in :mod:`benchmarks.baselines.port_and_sb3` and
:mod:`benchmarks.baselines.trainers`, how it
is timed in :mod:`benchmarks.harness.measure`; they take turns. A rival that fails is a row that says
why.
On an accelerator, ``--no-legacy --envs 65536 --batch-size 262144 --precisions float32,tf32,bf16`` shows
what it can do.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import jax
from rich.console import Console
from rich.table import Table

from benchmarks.baselines.environments import PortRival, VecRival
from benchmarks.baselines.learners import Learner
from benchmarks.baselines.port_and_sb3 import (
    PortTrainer,
    ReferenceTrainer,
    flops_per_step,
    matrix_rate,
    reference_settings,
)
from benchmarks.baselines.trainers import RIVALS, ahead, layouts, rival_names
from benchmarks.harness.measure import Rival, Timing, surroundings, take_turns, wide_console, write_json
from benchmarks.harness.options import json_option, quick_option
from benchmarks.suites.env_throughput import numbers, short
from jax_port.data.data_loader import prepare, stack
from jax_port.envs.env_phase1_jax import NUM_ACTIONS, make_params
from jax_port.envs.env_phase2_jax import PHASE_2
from jax_port.envs.registry import phase_of
from jax_port.ppo.settings import TrainSettings
from markets import Bars, EnvConfig, InputError
from markets.synthetic.bars import synthetic_bars

SCHEMA = 1
TWO_MILLION = 2_000_000
RIVAL_LAYOUTS = "2048x16x4096"


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="File of bars; synthetic bars without.")
@click.option("--symbol", default="ES", show_default=True)
@click.option("--days", default=60, show_default=True, help="Days of synthetic bars.")
@click.option("--epochs", default="1,4,10", show_default=True, help="Epochs, the same on both sides.")
@click.option("--envs", default=1024, show_default=True, help="Environments of the port.")
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
@click.option("--rounds", default=3, show_default=True, help="Samples per rival.")
@click.option("--seconds-per-row", default=12.0, show_default=True)
@click.option("--legacy/--no-legacy", default=True, show_default=True)
@click.option("--rivals", default=",".join(RIVALS), show_default=True, help="Or none.")
@click.option(
    "--rival-layouts",
    default=RIVAL_LAYOUTS,
    show_default=True,
    help="Portions that rivals are given beside the port's own.",
)
@quick_option
@json_option
def main(out: Path | None, quick: bool, **options: Any) -> None:
    """Measure training steps per second of the port and of the reference."""
    if quick:
        options |= {"days": 4, "epochs": "1", "envs": 16, "n_steps": 8, "batch_size": 64}
        options |= {"workers": "2", "batches": "32", "rollout": 64, "rounds": 2}
        options |= {"seconds_per_row": 0.02, "rival_layouts": ""}
    try:
        if options["data"]:
            from markets.readers import read_bars

            bars = read_bars(options["data"], options["symbol"])
        else:
            bars = synthetic_bars(options["symbol"], days=options["days"], seed=0)
        report = measure(bars, EnvConfig.phase1(), options)
    except InputError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(2) from None
    show(report, wide_console())
    if out is not None:
        write_json(out, report)


class Watched(PortTrainer):
    """The port's trainer, which remembers how long its first steps took.

    Attributes:
        first_seconds: of all updates before it is measured but the first, which compiles.
    """

    first_seconds = 0.0

    def prepare(self) -> float:
        """Make the agents, compile, and train for as many steps as were asked for."""
        began = time.perf_counter()
        took = super().prepare()
        self.first_seconds = time.perf_counter() - began - took
        return took


def measure(bars: Bars, config: EnvConfig, options: dict[str, Any]) -> dict[str, Any]:
    """Run all rivals on the same bars and return the report."""
    prepared = prepare(bars, config)
    params = make_params(stack([prepared]), config)
    config2 = EnvConfig.phase2()
    params2 = PHASE_2.make_params(stack([prepare(bars, config2)]), config2)
    rivals: list[Rival] = []
    others: list[Learner] = []
    meaning: dict[str, dict[str, Any]] = {}

    def add(rival: Rival, /, **about: Any) -> None:
        rivals.append(rival)
        meaning[rival.name] = about

    for epochs in numbers(options["epochs"]):
        for precision in options["precisions"].split(","):
            settings = TrainSettings(
                n_envs=options["envs"],
                n_steps=options["n_steps"],
                batch_size=options["batch_size"],
                n_epochs=epochs,
                precision=precision,
            )
            for trained in sorted({0, options["trained"]}):
                for given, side in ((params, "port"), (params2, "port, phase 2")):
                    flops = flops_per_step(settings, given.obs_size, phase_of(given).num_actions)
                    one = Watched(given, settings, trained=trained)
                    add(one, side=side, epochs=epochs, trained=trained, flops_per_step=flops)
        ours = replace(settings, precision="float32")
        for name in rival_names(options["rivals"]):
            for portions in layouts(options["rival_layouts"], ours):
                others.append(RIVALS[name](params, portions))
                about = {"rival": name, "masks": others[-1].masks, "note": others[-1].note}
                about["flops_per_step"] = flops_per_step(portions, params.obs_size, NUM_ACTIONS)
                add(others[-1], side="rival", epochs=epochs, **about)
        for workers in numbers(options["workers"]) if options["legacy"] else ():
            for batch in numbers(options["batches"]):
                theirs = reference_settings(epochs, workers, batch, options["rollout"])
                add(ReferenceTrainer(bars, config, theirs), side="reference", epochs=epochs)
    stepping = PortRival(params, "obs", envs=options["envs"], steps=options["n_steps"], seed=0)
    add(stepping, side="port", epochs=None)
    if options["legacy"]:
        for workers in numbers(options["workers"]):
            bare = VecRival(bars, config, workers=workers, in_process=False, steps=400, seed=0)
            add(bare, side="reference", epochs=None)
    around, rates = surroundings(), matrix_rate()
    timings = take_turns(
        rivals,
        rounds=options["rounds"],
        seconds_per_row=options["seconds_per_row"],
        may_fail=others,
    )
    rows = [{**timing.to_dict(), **meaning[timing.name]} for timing in timings]
    first = {rival.name: getattr(rival, "first_seconds", 0.0) for rival in rivals}
    for row in rows:
        if row.get("trained") and "error" not in row:
            row["first_seconds"] = first[row["name"]]
        if "flops_per_step" in row and "error" not in row:
            row["flops"] = row["flops_per_step"] * row["steps_per_second"]["median"]
    return {
        "schema": SCHEMA,
        "benchmark": "train_throughput",
        "surroundings": around,
        "matrix_flops": rates,
        "data": {"source": bars.source, "bars": len(prepared), "digest": prepared.digest},
        "settings": {name: str(value) for name, value in options.items()},
        "rows": rows,
        "ratios": {**ratios(timings, meaning), **from_the_start(rows)},
        "ahead": ahead(timings, meaning),
    }


def ratios(timings: list[Timing], meaning: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Return, by epochs, the port's best rate over the reference's best, medians over medians, and
    Phase 2's over Phase 1's; the same of agents that had learnt for a while."""
    found: dict[str, float] = {}

    def best(side: str, epochs: int | None, trained: int = 0) -> float:
        wanted = (side, epochs, trained)
        return max(
            (
                timing.median
                for timing in timings
                if wanted
                == tuple(meaning[timing.name].get(k, 0) for k in ("side", "epochs", "trained"))
            ),
            default=0.0,
        )

    for epochs in dict.fromkeys(about["epochs"] for about in meaning.values()):
        reference = best("reference", epochs)
        for trained in sorted({about.get("trained", 0) for about in meaning.values()}):
            port, second = (best(side, epochs, trained) for side in ("port", "port, phase 2"))
            after = f", after {trained:,} steps" if trained else ""
            if port and reference:
                name = "environment alone" if epochs is None else f"{epochs} epochs"
                found[name + after] = port / reference
            if port and second:
                found[f"phase 2 over phase 1, {epochs} epochs{after}"] = second / port
    return found


def from_the_start(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return, by epochs, Phase 2's speed over Phase 1's in the first steps of training, all of them."""
    seconds: dict[tuple[int, int], dict[str, float]] = {}
    for row in rows:
        if row.get("first_seconds"):
            of = seconds.setdefault((row["epochs"], row["trained"]), {})
            of[row["side"]] = min(row["first_seconds"], of.get(row["side"], float("inf")))
    return {
        f"phase 2 over phase 1, {epochs} epochs, the first {steps:,} steps": of["port"] / second
        for (epochs, steps), of in seconds.items()
        if (second := of.get("port, phase 2"))
    }


def show(report: dict[str, Any], console: Console) -> None:
    """Print a report as a table."""
    around, rates = report["surroundings"], report["matrix_flops"]
    console.print(
        f"{report['data']['bars']:,} bars ({report['data']['source']}); {around['cpu']}, "
        f"{around['cores']} cores; {around['device']['kind']}; jax {around['versions']['jax']}; "
        f"matrix products: XLA {rates['xla'] / 1e9:,.0f}, torch {rates['torch'] / 1e9:,.0f} GFLOP/s"
    )
    table = Table("trainer", "envs", "steps/s", "quartiles", "dense GFLOP/s", "2M steps in")
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    for row in report["rows"]:
        if "error" in row:
            table.add_row(row["name"], f"{row['envs']:,}", "[red]failed[/]")
            continue
        speed = row["steps_per_second"]
        low, high = speed["quartiles"]
        seconds = TWO_MILLION / speed["median"]
        table.add_row(
            row["name"],
            f"{row['envs']:,}",
            short(speed["median"]),
            f"{short(low)} - {short(high)}",
            f"{row['flops'] / 1e9:,.0f}" if "flops" in row else "",
            f"{seconds:,.1f} s" if row["epochs"] else "",
        )
    console.print(table)
    for row in report["rows"]:
        if "error" in row:
            console.print(f"{row['name']} failed: {row['error']}", style="red", markup=False)
    for name, ratio in report["ratios"].items():
        whose = "" if name.startswith("phase") else "port over reference, "
        console.print(f"{whose}{name}: [bold]{ratio:,.2f}x[/]")
    for name, ratio in report["ahead"].items():
        low, high = ratio["quartiles"]
        console.print(f"{name}: [bold]{ratio['median']:,.2f}x[/] ({low:,.2f} - {high:,.2f})")
    if jax.default_backend() == "cpu":
        console.print("[dim]dense GFLOP/s counts every product; what is skipped counts as done[/]")


if __name__ == "__main__":
    main()

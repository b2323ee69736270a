"""All that is measured on an accelerator, in one command of under six minutes.

    python -m benchmarks.accelerator [--out FOLDER] [--budget SECONDS] [--parts environment,...]

What matters most comes first, and every row is in ``accelerator.json`` as soon as it is known, so a
run that is cut off still counts: the card's own rates, the environment with and without observations,
training in three precisions with the best of some sizes, a profile, time to half of what the oracle
makes, command buffers, and the gate with the port on the accelerator. Each row has its memory, how busy
the card was, and what the model of :mod:`benchmarks.gpu_program` expected. ``--quick`` shows on any
device that it runs.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foundation.command_line.numbers import Number
from foundation.errors import InputError, run_command

if TYPE_CHECKING:  # importing it imports JAX, which takes seconds that count
    from benchmarks.accelerator.recorder import Recorder

WORKERS = max((os.cpu_count() or 4) - 4, 1)
PARTS = ("card", "environment", "training", "profile", "return", "buffers", "gate")


@click.command(context_settings={"show_default": True})
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports/accelerator"))
@click.option("--budget", default=340.0, type=Number(min=0.0), help="Seconds for everything.")
@click.option(
    "--parts", default=",".join(PARTS), help="What to measure; a profile and buffers need training."
)
@click.option("--workers", default=WORKERS, help="Processes that drive the gate's reference.")
@click.option("--quick", is_flag=True, help="Tiny sizes: shows that it runs, measures nothing.")
def main(out: Path, budget: float, parts: str, workers: int, quick: bool) -> None:
    """Measure the environment, the trainer and the gate on the default device.

    Exit code 0 means that every part was measured, 1 that some failed or had no time, 2 bad input.
    """
    if out.is_file():
        raise InputError(f"{out} is a file; name a folder to write to")
    wanted = [name.strip() for name in parts.split(",") if name.strip()]
    for name in wanted:
        if name not in PARTS:
            raise InputError(f"--parts {name}: choose from {', '.join(PARTS)}")
    from benchmarks.accelerator.recorder import Recorder

    recorder = Recorder(out / "accelerator.json", budget)  # before JAX is imported: that takes time too
    recorder.note(quick=quick)
    measure(recorder, out, wanted, workers, quick)
    failed = []
    for name, part in recorder.values["parts"].items():
        failed += [f"{name}: {one['error']}" for one in (part, *part["rows"]) if one.get("error")]
    for line in failed:
        click.echo(line)
    click.echo(f"{recorder.elapsed:.0f} s in all; {out / 'accelerator.json'}")
    raise SystemExit(1 if failed else 0)


def measure(recorder: Recorder, out: Path, wanted: Sequence[str], workers: int, quick: bool) -> None:
    """Measure the parts in the order of what matters most."""
    import jax
    import msgspec

    from benchmarks.accelerator.ceilings import measure_card
    from benchmarks.accelerator.learning import measure_return, run_gate
    from benchmarks.accelerator.rows import card_here
    from benchmarks.accelerator.speed import (
        QUICK,
        Bench,
        Sizes,
        measure_environment,
        measure_training,
        profile_training,
        try_command_buffers,
    )
    from benchmarks.accelerator.utilisation import Monitor
    from benchmarks.harness.machine_info import machine_info
    from benchmarks.harness.measure import sentence

    try:
        recorder.note(machine=msgspec.to_builtins(machine_info()))
    except Exception as error:  # a package without a version must not cost the rest
        recorder.note(machine={"error": sentence(error), "device": jax.devices()[0].device_kind})
    monitor = Monitor()
    with tempfile.TemporaryDirectory() as cache:
        # Within this run alone: what one seed compiled, the next need not.
        if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
            jax.config.update("jax_compilation_cache_dir", cache)
        try:
            bench = Bench(recorder, monitor, card_here(), QUICK if quick else Sizes())
            if "card" in wanted:
                measure_card(bench, quick)
            if "environment" in wanted:
                measure_environment(bench)
            programs = measure_training(bench) if "training" in wanted else {}
            if "profile" in wanted and "training" in wanted:
                profile_training(bench, programs, out)
            if "return" in wanted:
                measure_return(bench, quick)
            if "buffers" in wanted and "training" in wanted:
                try_command_buffers(bench, programs)
            if "gate" in wanted:
                run_gate(bench, out / "parity", workers, quick)
        finally:
            monitor.close()


if __name__ == "__main__":
    run_command(main)

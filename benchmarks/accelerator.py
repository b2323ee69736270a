"""All that is measured on an accelerator, in one command of under ten minutes.

    python -m benchmarks.accelerator --out reports/accelerator

Runs the environment's throughput over growing numbers of environments, training in every precision,
and the parity gate with the port on the accelerator and the reference on the CPU, and writes what each
writes, with one summary.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from benchmarks.harness.measure import write_json
from benchmarks.harness.options import quick_option
from foundation.errors import run_command
from markets import InputError

SIZES = (1_000, 10_000, 100_000, 1_000_000)
LIMIT_SECONDS = 180
"""Longest that one part may take."""


def _run(arguments: list[str], limit: float) -> dict[str, Any]:
    """Run a module in a process of its own; a part that fails is a row that says so."""
    began = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            timeout=limit,
            check=False,
            capture_output=True,
            text=True,
        )
        code, said = done.returncode, (done.stdout + done.stderr)[-2000:]
    except subprocess.TimeoutExpired:
        code, said = -1, f"stopped after {limit:.0f} s"
    return {"exit_code": code, "seconds": time.perf_counter() - began, "said": said}


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports/accelerator"))
@click.option("--workers", default=max((os.cpu_count() or 4) - 4, 1), help="Drive the reference.")
@quick_option
def main(out: Path, workers: int, quick: bool) -> None:
    """Measure throughput and run the gate on the default device."""
    if out.is_file():
        raise InputError(f"{out} is a file; name a folder to write to")
    out.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Any] = {}
    for size in (64,) if quick else SIZES:
        report = out / f"throughput_{size}.json"
        options = ["--no-legacy", "--envs", str(size), "--rounds", "5", "--seconds-per-row", "3"]
        options += ["--quick"] if quick else []
        arguments = ["benchmarks.suites.env_throughput", *options, "--json", str(report)]
        parts[report.stem] = _run(arguments, LIMIT_SECONDS)
        click.echo(parts[report.stem]["said"])
    sizes = ["--envs", "65536", "--n-steps", "32", "--batch-size", "131072", "--epochs", "1,4"]
    sizes += ["--precisions", "float32,tf32,bf16"]
    training = ["benchmarks.suites.train_throughput", "--no-legacy", "--rivals", "none"]
    training += ["--quick"] if quick else sizes
    parts["training"] = _run([*training, "--json", str(out / "training.json")], LIMIT_SECONDS)
    click.echo(parts["training"]["said"])
    small = ["--episodes", "4", "--cases", "200", "--days", "3", "--symbols", "ES"] if quick else []
    gate = ["rltrader", "parity", "run", "--workers", str(0 if quick else workers), *small]
    parts["parity"] = _run([*gate, "--out", str(out / "parity")], LIMIT_SECONDS)
    click.echo(parts["parity"]["said"])
    write_json(out / "summary.json", {"schema": 1, "benchmark": "accelerator", "parts": parts})
    failed = [name for name, part in parts.items() if part["exit_code"]]
    click.echo(json.dumps({"failed": failed}))
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    run_command(main)

"""The parts about what is learnt: time to half of the oracle's return, and the gate."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from benchmarks.accelerator.speed import Bench
from benchmarks.gpu_program.report import seconds as time_text

SEEDS = 3
PLAN: dict[str, Any] = {
    "days": 250,
    "starts": 1000,
    "share": 0.5,
    "limit_seconds": 20.0,
    "every": 0.0,
    "envs": 2048,
    "n_steps": 16,
    "batch_size": 8192,
    "epochs": 4,
    "hidden": 256,
    "learning_rate": 3e-3,
    "workers": 1,
    "rollout": 64,
    "reference_batch": 32,
}
"""As :mod:`benchmarks.suites.time_to_return` measures it, with portions that suit a GPU. What concerns
other trainers is not used."""
QUICK = {"days": 4, "starts": 64, "limit_seconds": 0.05, "envs": 8, "batch_size": 64, "hidden": 16}
GATE = ("--episodes", "20", "--cases", "2000", "--days", "3", "--symbols", "ES,MNQ")
QUICK_GATE = ("--episodes", "4", "--cases", "200", "--days", "3", "--symbols", "ES")
GATE_FLAGS = "--xla_gpu_autotune_level=0"
"""The gate compiles many small programs, whose tuning would be most of its time."""


def measure_return(bench: Bench, quick: bool) -> None:
    """Train until the policy earns half of what the oracle makes, for some seeds."""
    with bench.recorder.part("time to half of the oracle's return", needs=45) as part:
        if not part.enough:
            return
        # A part is on its own: what it needs and cannot import fails it alone.
        from benchmarks.suites.time_to_return import make_plan, run_row

        plan = make_plan({**PLAN, **(QUICK if quick else {})})
        for seed in range(1 if quick else SEEDS):
            row = run_row("port", plan, seed)
            if row.seconds is None:
                line = f"seed {seed}: not reached, {row.error or ''}"
            else:
                line = f"seed {seed}: {time_text(row.seconds)}, {row.steps:,} steps"
            part.add(msgspec.to_builtins(row), line)
            if bench.recorder.left < 20:
                break
        reached = [row["seconds"] for row in part.rows if row["seconds"] is not None]
        part.note(median_seconds=median(reached) if reached else None)


def run_gate(bench: Bench, out: Path, workers: int, quick: bool) -> None:
    """Run the parity gate with the port on the accelerator and the reference on the CPU."""
    with bench.recorder.part("parity gate", needs=60) as part:
        if not part.enough:
            return
        sizes = QUICK_GATE if quick else GATE
        command = [sys.executable, "-m", "rltrader", "parity", "run", *sizes]
        command += ["--workers", str(0 if quick else workers), "--out", str(out)]
        flags = f"{os.environ.get('XLA_FLAGS', '')} {GATE_FLAGS}".strip()
        around = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false", "XLA_FLAGS": flags}
        began, limit = time.perf_counter(), max(bench.recorder.left, 30.0)
        out.mkdir(parents=True, exist_ok=True)
        with (out / "log.txt").open("w") as log:  # a file holds what a stopped run had to say
            try:
                code = subprocess.run(
                    command, timeout=limit, check=False, stdout=log, stderr=log, env=around
                ).returncode
            except subprocess.TimeoutExpired:
                code = -1
        verdict = {0: "the same", 1: "a difference", -1: "stopped"}.get(code, "failed")
        part.add(
            {
                "name": "parity run",
                "exit_code": code,
                "verdict": verdict,
                "seconds": time.perf_counter() - began,
                "output": (out / "log.txt").read_text()[-4000:],
            },
            f"{verdict} (exit code {code}) after {time.perf_counter() - began:.0f} s",
        )

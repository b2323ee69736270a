"""Memory of the reference's environments, in a process that has never seen JAX.

    python -m benchmarks.baselines.reference_memory --days 250 --workers 2,4,8

A worker process imports its parent's main module. Here that is this file, so a worker holds what it
holds in the reference's own training: the environment, Stable-Baselines3 and PyTorch. Prints JSON.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
from typing import Any

import numpy as np

from benchmarks.harness.processes import pss_bytes
from legacy_torch.env_phase1 import TradingEnvPhase1
from markets import Bars, EnvConfig
from markets.synthetic.bars import synthetic_bars

UNREADABLE = "this system shows no /proc/PID/smaps_rollup"
IN_PROCESS = 8
"""Environments whose growth of this process's memory is measured."""
STEPS = 50
"""Steps before a worker is looked at."""


def in_process_row(bars: Bars, config: EnvConfig) -> dict[str, Any]:
    """Return what one more environment adds to a process that has one."""
    row = {"name": "reference, one more in the same process", "how": "growth of the process's PSS"}
    kept = [TradingEnvPhase1(bars, config)]
    gc.collect()
    before = pss_bytes(os.getpid())
    kept += [TradingEnvPhase1(bars, config) for _ in range(IN_PROCESS)]
    gc.collect()
    after = pss_bytes(os.getpid())
    if before is None or after is None:
        return {**row, "error": UNREADABLE}
    if after <= before:
        return {**row, "error": "the process did not grow: it had room to spare"}
    return {**row, "bytes": (after - before) / IN_PROCESS}


def worker_row(bars: Bars, config: EnvConfig, workers: int) -> dict[str, Any]:
    """Return the mean PSS of the processes of ``make_vec_env``, one environment each."""
    from legacy_torch.train import make_vec_env

    row = {"name": f"reference, SubprocVecEnv({workers}), each worker", "envs": workers}
    row["how"] = "PSS of the worker's process"
    try:
        vec = make_vec_env(bars, config, workers)
    except OSError as error:  # a rival that fails is a row that says so
        return {**row, "error": f"{type(error).__name__}: {error}"}
    try:
        vec.reset()
        for _ in range(STEPS):
            vec.step(np.zeros(workers, np.int64))
        found = [pss_bytes(process.pid) for process in vec.processes]  # type: ignore[attr-defined]
    finally:
        vec.close()
    each = [size for size in found if size is not None]
    if not each:
        return {**row, "error": UNREADABLE}
    return {**row, "bytes": sum(each) / len(each), "each": each}


def main() -> None:
    """Print the rows as JSON."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--symbol", default="ES")
    asked.add_argument("--days", type=int, default=250)
    asked.add_argument("--workers", default="2,4,8")
    options = asked.parse_args()
    bars, config = synthetic_bars(options.symbol, days=options.days, seed=0), EnvConfig.phase1()
    rows = [in_process_row(bars, config)]
    rows += [worker_row(bars, config, int(size)) for size in options.workers.split(",")]
    print(json.dumps(rows))


if __name__ == "__main__":
    main()

"""Memory of the reference's environments, measured in a process that does not import JAX.

    python -m benchmarks.baselines.reference_memory --days 250 --workers 2,4,8

A worker process imports its parent's main module. Here that is this file, so a worker holds what it
holds in the reference's own training: the environment, Stable-Baselines3 and PyTorch. Prints JSON.
"""

from __future__ import annotations

import argparse
import gc
import os

import msgspec
import numpy as np
from msgspec.structs import replace

from benchmarks.harness.processes import pss_bytes
from benchmarks.harness.rows import MemoryRow
from legacy_torch.env_phase1 import TradingEnvPhase1
from markets import Bars, EnvConfig
from markets.synthetic.bars import synthetic_bars

UNREADABLE = "this system shows no /proc/PID/smaps_rollup"
IN_PROCESS = 8
"""Environments whose growth of this process's memory is measured."""
STEPS = 50
"""Steps before a worker is looked at."""


def in_process_row(bars: Bars, config: EnvConfig) -> MemoryRow:
    """Return the row of what one more environment adds to a process that has one."""
    row = MemoryRow(
        name="reference, one more in the same process",
        side="reference",
        per="environment",
        how="growth of the process's PSS",
    )
    environments = [TradingEnvPhase1(bars, config)]
    gc.collect()
    before = pss_bytes(os.getpid())
    environments += [TradingEnvPhase1(bars, config) for _ in range(IN_PROCESS)]
    gc.collect()
    after = pss_bytes(os.getpid())
    if before is None or after is None:
        return replace(row, error=UNREADABLE)
    if after <= before:
        return replace(row, error="the process did not grow: it had room to spare")
    return replace(row, bytes=(after - before) / IN_PROCESS)


def worker_row(bars: Bars, config: EnvConfig, workers: int) -> MemoryRow:
    """Return the row of the mean PSS of the processes of ``make_vec_env``, one environment each."""
    from legacy_torch.train import make_vec_env

    row = MemoryRow(
        name=f"reference, SubprocVecEnv({workers}), each worker",
        side="reference",
        per="environment",
        how="PSS of the worker's process",
        envs=workers,
    )
    try:
        vec = make_vec_env(bars, config, workers)
    except OSError as error:  # a failure is a row that says so
        return replace(row, error=f"{type(error).__name__}: {error}")
    try:
        vec.reset()
        for _ in range(STEPS):
            vec.step(np.zeros(workers, np.int64))
        sizes = [pss_bytes(process.pid) for process in vec.processes]  # type: ignore[attr-defined]
    finally:
        vec.close()
    readable = tuple(size for size in sizes if size is not None)
    if not readable:
        return replace(row, error=UNREADABLE)
    return replace(row, bytes=sum(readable) / len(readable), worker_bytes=readable)


def main() -> None:
    """Print the rows as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--symbol", default="ES")
    parser.add_argument("--days", type=int, default=250)
    parser.add_argument("--workers", default="2,4,8")
    options = parser.parse_args()
    bars, config = synthetic_bars(options.symbol, days=options.days, seed=0), EnvConfig.phase1()
    rows = [in_process_row(bars, config)]
    rows += [worker_row(bars, config, int(size)) for size in options.workers.split(",")]
    print(msgspec.json.encode(rows).decode())


if __name__ == "__main__":
    main()

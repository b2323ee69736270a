"""What processes and a GPU were doing: CPU seconds and memory from /proc, kernels from nvidia-smi."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROC = Path("/proc")
NO_GPU = "no GPU in this run"
SAMPLE_MS = 100
"""Between two readings of the GPU, milliseconds."""


def pss_bytes(pid: int) -> int | None:
    """Return a process's proportional set size: its own pages, and its share of shared ones.

    None where the system has no ``smaps_rollup`` or won't show it.
    """
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), None)


def _stat(pid: str) -> tuple[int, float] | None:
    """Return a process's parent and its CPU seconds; None if it is gone."""
    try:
        text = (PROC / pid / "stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return int(fields[1]), ticks / os.sysconf("SC_CLK_TCK")


def tree_cpu_seconds() -> float:
    """Return the CPU seconds, user and system, of this process and all that descend from it."""
    if not PROC.is_dir():
        return time.process_time()
    found = {int(p.name): _stat(p.name) for p in PROC.iterdir() if p.name.isdigit()}
    alive = {pid: stat for pid, stat in found.items() if stat is not None}
    mine = {os.getpid()}
    while True:
        more = {pid for pid, (parent, _) in alive.items() if parent in mine} - mine
        if not more:
            break
        mine |= more
    return sum(alive[pid][1] for pid in mine if pid in alive)


@dataclass
class Use:
    """What was used while something ran.

    Attributes:
        wall_seconds: how long it ran, readings of CPU seconds included.
        cpu_seconds: of this process and its children.
        cores: that this process may use.
        gpu_share: of the time in which a kernel ran on the GPU, 0 to 1; None if not readable.
        gpu_reason: why it is not.
    """

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    cores: int = 1
    gpu_share: float | None = None
    gpu_reason: str = NO_GPU

    @property
    def cpu_share(self) -> float:
        """Share of all cores, 0 to 1."""
        return self.cpu_seconds / self.wall_seconds / self.cores

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {**self.__dict__, "cpu_share": self.cpu_share}


@contextmanager
def used() -> Iterator[Use]:
    """Measure what a block of code uses; the numbers are there when it ends."""
    use = Use(cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    watcher = _watch_gpu()
    # Readings take CPU time themselves: they lie within the wall time, else a share could exceed one.
    wall, cpu = time.perf_counter(), tree_cpu_seconds()
    try:
        yield use
    finally:
        use.cpu_seconds = tree_cpu_seconds() - cpu
        use.wall_seconds = time.perf_counter() - wall
        if isinstance(watcher, str):
            use.gpu_reason = watcher
        else:
            use.gpu_share, use.gpu_reason = _read_gpu(watcher)


def _watch_gpu() -> subprocess.Popen[str] | str:
    """Start reading the first GPU's utilisation, or say why that can't be."""
    import jax  # not above: the reference's workers import this file

    if jax.default_backend() != "gpu":
        return NO_GPU
    asked = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-i", "0"]
    try:
        return subprocess.Popen(
            [*asked, "-lms", str(SAMPLE_MS)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    except OSError as error:
        return f"nvidia-smi can't be run: {error}"


def _read_gpu(watcher: subprocess.Popen[str]) -> tuple[float | None, str]:
    watcher.terminate()
    said, complaint = watcher.communicate()
    shares = [int(line) / 100 for line in said.split() if line.strip().isdigit()]
    if not shares:
        return None, f"nvidia-smi gave no number: {(said + complaint).strip()[:200]}"
    return sum(shares) / len(shares), ""

"""Fair timing on a noisy machine: rivals take turns, and a table says how far they scattered."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np
from rich.console import Console

PACKAGES = ("jax", "jaxlib", "numpy", "gymnasium", "stable-baselines3", "torch")
WIDTH = 130
"""Columns of a table that goes to a file or a pipe."""
FLAGS = ("jax_enable_x64", "jax_default_matmul_precision")


class Rival(Protocol):
    """Something whose speed is measured.

    Attributes:
        name: what it is called in tables and files.
        envs: environments it steps at once.
    """

    name: str
    envs: int

    def prepare(self) -> float:
        """Get ready, compile included, and return the seconds it took."""

    def run(self) -> int:
        """Do one portion of work to its end and return the steps of single environments it made."""

    def close(self) -> None:
        """Give back processes and memory."""


@dataclass
class Timing:
    """One rival's samples, in steps of single environments per second, one sample a round.

    Attributes:
        name, envs: the rival's.
        prepare_seconds: what its preparation took.
        samples: none where it failed.
        error: why it failed, in one sentence; None where it did not.
    """

    name: str
    envs: int
    prepare_seconds: float
    samples: list[float] = field(default_factory=list)
    error: str | None = None

    @property
    def median(self) -> float:
        """Median of the samples."""
        return float(np.median(self.samples))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; of a rival that failed, only who and why."""
        if self.error is not None:
            return {"name": self.name, "envs": self.envs, "error": self.error}
        low, high = np.percentile(self.samples, (25, 75))
        return {
            "name": self.name,
            "envs": self.envs,
            "prepare_seconds": self.prepare_seconds,
            "steps_per_second": {
                "median": self.median,
                "quartiles": [float(low), float(high)],
                "samples": self.samples,
            },
        }


def take_turns(
    rivals: Sequence[Rival],
    *,
    rounds: int,
    seconds_per_row: float,
    may_fail: Collection[Rival] = (),
) -> list[Timing]:
    """Measure rivals in rounds, in each of which every rival runs once.

    Interleaving lets a disturbance of the machine fall on all of them alike. Every rival is
    prepared, and run once unmeasured, before the first round. All are closed at the end, whatever
    happens.

    Args:
        rivals: at least one.
        rounds: samples per rival.
        seconds_per_row: seconds of measuring per rival, over all rounds.
        may_fail: rivals of whom an exception is a result; it ends their turns.
    """
    forgiven = {id(rival) for rival in may_fail}
    timings = [Timing(rival.name, rival.envs, 0.0) for rival in rivals]

    def attempt(at: int, work: Callable[[], float]) -> float | None:
        if timings[at].error is not None:
            return None
        try:
            return work()
        except Exception as error:
            if id(rivals[at]) not in forgiven:
                raise
            timings[at].error = sentence(error)
            return None

    try:
        for at, rival in enumerate(rivals):
            timings[at].prepare_seconds = attempt(at, rival.prepare) or 0.0
        for at, rival in enumerate(rivals):
            attempt(at, rival.run)
        for number in range(rounds):
            # The order turns, so that nobody always follows the same neighbour.
            for at in np.roll(np.arange(len(rivals)), -number).tolist():
                rate = attempt(at, partial(_rate, rivals[at].run, seconds_per_row / rounds))
                if rate is not None:
                    timings[at].samples.append(rate)
    finally:
        for rival in rivals:
            rival.close()
    return timings


def sentence(error: BaseException) -> str:
    """Return an exception's kind and the first line of what it says, cut at 200 characters."""
    said = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {said}"[:200] if said else type(error).__name__


def _rate(run: Callable[[], int], seconds: float) -> float:
    steps, start = 0, time.perf_counter()
    while True:
        steps += run()
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return steps / elapsed


def surroundings() -> dict[str, Any]:
    """Return what a number depends on: machine, device, versions, flags."""
    device = jax.devices()[0]
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": sys.version.split()[0],
        "versions": {name: version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "device": {
            "platform": device.platform,
            "kind": device.device_kind,
            "count": jax.device_count(),
        },
        "flags": {
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
            **{name: getattr(jax.config, name) for name in FLAGS},
        },
    }


def cpu_model() -> str:
    """Return the processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def wide_console() -> Console:
    """Return a console that leaves tables their width where nobody's screen limits it."""
    shown = Console()
    return shown if shown.is_terminal else Console(width=WIDTH)


def write_json(path: str | Path, report: Mapping[str, Any]) -> Path:
    """Write a report beside its place and move it there."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    beside.write_text(json.dumps(report, indent=2) + "\n")
    beside.replace(target)
    return target

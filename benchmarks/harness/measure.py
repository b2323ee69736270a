"""Fair timing on a noisy machine: programs are measured in interleaved rounds, one sample a round."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np

from benchmarks.harness.statistics import Samples


class Workload(Protocol):
    """Program whose throughput is measured.

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
    """Samples of one workload, in steps of single environments per second, one sample a round.

    Attributes:
        name, envs: the workload's.
        prepare_seconds: what its preparation took.
        samples: none where it failed.
        error: why it failed, in one sentence; None where it did not.
    """

    name: str
    envs: int
    prepare_seconds: float = 0.0
    samples: list[float] = field(default_factory=list)
    error: str | None = None

    @property
    def rate(self) -> Samples | None:
        """The samples as one block; None where the workload failed."""
        return None if self.error is not None else Samples.of(self.samples)


def take_turns(
    workloads: Sequence[Workload],
    *,
    rounds: int,
    seconds_per_row: float,
    may_fail: Collection[Workload] = (),
) -> list[Timing]:
    """Measure workloads in rounds, in each of which every workload runs once.

    Interleaving lets a disturbance of the machine fall on all of them alike. Every workload is
    prepared, and run once unmeasured, before the first round. All are closed at the end, whatever
    happens.

    Args:
        workloads: at least one.
        rounds: samples per workload.
        seconds_per_row: seconds of measuring per workload, over all rounds.
        may_fail: workloads of which an exception is a result; it ends their turns.
    """
    optional = {id(workload) for workload in may_fail}
    timings = [Timing(workload.name, workload.envs) for workload in workloads]

    def attempt(at: int, work: Callable[[], float]) -> float | None:
        if timings[at].error is not None:
            return None
        try:
            return work()
        except Exception as error:
            if id(workloads[at]) not in optional:
                raise
            timings[at].error = sentence(error)
            return None

    try:
        for at, workload in enumerate(workloads):
            timings[at].prepare_seconds = attempt(at, workload.prepare) or 0.0
        for at, workload in enumerate(workloads):
            attempt(at, workload.run)
        for number in range(rounds):
            # The order turns, so that nobody always follows the same neighbour.
            for at in np.roll(np.arange(len(workloads)), -number).tolist():
                rate = attempt(at, partial(_rate, workloads[at].run, seconds_per_row / rounds))
                if rate is not None:
                    timings[at].samples.append(rate)
    finally:
        for workload in workloads:
            workload.close()
    return timings


def sentence(error: BaseException) -> str:
    """Return an exception's class and the first line of its message, cut at 200 characters."""
    first_line = str(error).strip().partition("\n")[0].rstrip()
    return f"{type(error).__name__}: {first_line}"[:200] if first_line else type(error).__name__


def _rate(run: Callable[[], int], seconds: float) -> float:
    steps, start = 0, time.perf_counter()
    while True:
        steps += run()
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return steps / elapsed

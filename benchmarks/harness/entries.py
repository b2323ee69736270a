"""Workloads with the rows that they fill, measured together in interleaved rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from msgspec.structs import replace

from benchmarks.harness.measure import Timing, Workload, take_turns
from benchmarks.harness.rows import EnvironmentRow, RateRow, Side, TrainingRow

STEPS = "steps/s"
R = TypeVar("R", bound=RateRow)
R_co = TypeVar("R_co", bound=RateRow, covariant=True)


@dataclass(frozen=True)
class Entry(Generic[R_co]):
    """One workload of a benchmark.

    Attributes:
        workload: what is measured.
        row: its row, not yet measured.
        may_fail: whether an exception of it is a result rather than the end of the benchmark.
    """

    workload: Workload
    row: R_co
    may_fail: bool = False


def environment_entry(
    workload: Workload, side: Side, *, may_fail: bool = False, **fields: Any
) -> Entry[EnvironmentRow]:
    """Return an entry of an environment without training; ``fields`` are its row's."""
    row = EnvironmentRow(name=workload.name, envs=workload.envs, unit=STEPS, side=side, **fields)
    return Entry(workload, row, may_fail)


def training_entry(
    workload: Workload, side: Side, epochs: int, *, may_fail: bool = False, **fields: Any
) -> Entry[TrainingRow]:
    """Return an entry of a trainer; ``fields`` are its row's."""
    row = TrainingRow(
        name=workload.name, envs=workload.envs, unit=STEPS, side=side, epochs=epochs, **fields
    )
    return Entry(workload, row, may_fail)


def measure_entries(entries: Sequence[Entry[R]], rounds: int, seconds_per_row: float) -> list[R]:
    """Measure workloads in interleaved rounds and return their rows, in order.

    Args:
        entries: at least one.
        rounds: samples per row.
        seconds_per_row: seconds of measuring per row, over all rounds.
    """
    timings = take_turns(
        [entry.workload for entry in entries],
        rounds=rounds,
        seconds_per_row=seconds_per_row,
        may_fail=[entry.workload for entry in entries if entry.may_fail],
    )
    return [with_timing(entry.row, timing) for entry, timing in zip(entries, timings, strict=True)]


def with_timing(row: R, timing: Timing) -> R:
    """Return a row with what was measured, or with the error."""
    failed = timing.error is not None
    return replace(
        row,
        error=timing.error,
        prepare_seconds=None if failed else timing.prepare_seconds,
        rate=timing.rate,
    )

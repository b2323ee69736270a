"""Sections of the benchmark report, and their measurements as one list of samples with units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.harness.reports import AnyReport, MergedReport, SectionReport
from benchmarks.harness.rows import LatencyRow, MachineRow, MemoryRow, RateRow, ReturnRow, Row

Better = Literal["more", "less"]


@dataclass(frozen=True)
class Section:
    """One benchmark of the report, run in a process of its own.

    Attributes:
        name: of the section.
        title: its heading.
        module: run with ``python -m``; takes ``--json FILE`` and ``--quick``.
        options: of a full run.
        seconds_per_row: measuring time per row of one block at 60 minutes; None if it takes
            no such option.
        blocks: whether it is repeated in every block; else it runs in the first only.
        minutes: that a block takes at 60 minutes, about; sets its limit.
    """

    name: str
    title: str
    module: str
    options: tuple[str, ...] = ()
    seconds_per_row: float | None = None
    blocks: bool = True
    minutes: float = 5.0


ENV_SIZES = "1,10,100,1000,10000,100000,1000000"
SECTIONS: tuple[Section, ...] = (
    Section(
        "env",
        "Environment steps",
        "benchmarks.suites.env_throughput",
        ("--sizes", ENV_SIZES, "--workers", "2,4,8", "--rounds", "3"),
        6.0,
    ),
    Section(
        "train",
        "Training steps",
        "benchmarks.suites.train_throughput",
        ("--epochs", "1,4", "--workers", "2,8", "--batches", "8192", "--rounds", "2"),
        8.0,
        minutes=10.0,
    ),
    Section(
        "roofline", "What the hardware allows", "benchmarks.suites.roofline", ("--rounds", "3"), 4.0
    ),
    Section("scaling", "Scaling", "benchmarks.suites.scaling", ("--rounds", "2"), 4.0, minutes=6.0),
    Section("latency", "One decision", "benchmarks.suites.latency", minutes=2.0),
    Section("memory", "Memory and utilisation", "benchmarks.suites.memory", (), 10.0, blocks=False),
    Section(
        "time_to_return",
        "Time to a fixed return",
        "benchmarks.suites.time_to_return",
        ("--limit-seconds", "300", "--seeds", "3"),
        blocks=False,
        minutes=30.0,
    ),
)
"""In the order in which they run within a block."""


@dataclass(frozen=True)
class Measured:
    """Measurement of one row, comparable between reports.

    Attributes:
        section: of the report; empty in the report of a single benchmark.
        name: of the row.
        unit: of the samples.
        better: whether more or less of it is better.
        blocks: samples by block, at least one in all.
        exact: counted rather than timed, so that one number is enough.
        machine: a rate of the machine itself, not of a program.
    """

    section: str
    name: str
    unit: str
    better: Better
    blocks: tuple[tuple[float, ...], ...]
    exact: bool = False
    machine: bool = False

    @property
    def samples(self) -> tuple[float, ...]:
        """The samples of all blocks."""
        return tuple(sample for block in self.blocks for sample in block)

    @property
    def full_name(self) -> str:
        """The row's name with its section's."""
        return f"{self.section}: {self.name}" if self.section else self.name


def measured_of(report: AnyReport) -> list[Measured]:
    """Return all that a report measured; rows that failed measured nothing."""
    if not isinstance(report, MergedReport):
        return list(_measured_rows(report, ""))
    return [
        measured
        for name, section in report.sections.items()
        if section.report
        for measured in _measured_rows(section.report, name)
    ]


def _measured_rows(report: SectionReport, section: str) -> Iterator[Measured]:
    for row in report.rows:
        measured = None if row.error else _measured(row)
        if measured is not None:
            yield replace(measured, section=section)


def _measured(row: Row) -> Measured | None:
    """Return what a row measured; None if that is nothing that can be compared."""
    match row:
        case RateRow(rate=rate) if rate is not None:
            blocks = tuple(block for block in rate.blocks if block)
            machine = isinstance(row, MachineRow)
            return Measured("", row.name, row.unit, "more", blocks, machine=machine)
        case MemoryRow(bytes=size) if size:
            return Measured("", row.name, "bytes", "less", ((size,),), exact=True)
        case LatencyRow(median_us=median) if median:
            blocks = tuple((x,) for x in row.block_medians_us) or ((median,),)
            return Measured("", row.name, "microseconds", "less", blocks)
        case ReturnRow(seconds=seconds) if seconds:  # else it did not get there, or was there untrained
            name = f"{row.name}, seed {row.seed}"
            return Measured("", name, "seconds", "less", ((seconds,),))
    return None

"""The sections of the benchmark report, and what is measured in each: one list of rows with samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Better = Literal["more", "less"]
REPORT = "report"
"""What a merged report calls its benchmark."""


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
    Section("floors", "What the hardware allows", "benchmarks.suites.roofline", ("--rounds", "3"), 4.0),
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
    """What one row measured.

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


def measured_of(report: Mapping[str, Any]) -> list[Measured]:
    """Return all that a report measured; rows that failed measured nothing.

    Args:
        report: of one benchmark, or merged.

    Raises:
        KeyError, TypeError, ValueError: it is not such a report.
    """
    if report["benchmark"] != REPORT:
        return list(_rows(report, ""))
    return [
        row
        for name, section in report["sections"].items()
        if section["report"]
        for row in _rows(section["report"], name)
    ]


def _rows(report: Mapping[str, Any], section: str) -> Iterator[Measured]:
    for row in report["rows"]:
        if row.get("error"):
            continue
        name, timed = row["name"], row.get("steps_per_second") or row.get("rate")
        if timed:
            unit = row.get("unit", "steps/s")
            machine = "rate" in row and unit != "steps/s"
            yield Measured(section, name, unit, "more", blocks_of(timed, "samples"), machine=machine)
        elif "bytes" in row:
            yield Measured(section, name, "bytes", "less", _positive([[row["bytes"]]]), exact=True)
        elif "median_us" in row:
            yield Measured(section, name, "microseconds", "less", blocks_of(row, "median_us"))
        elif "seconds" in row and "best_return" in row:
            if row["seconds"]:  # else it did not get there, or was there untrained
                name = f"{name}, seed {row['seed']}" if "seed" in row else name
                yield Measured(section, name, "seconds", "less", _positive([[row["seconds"]]]))
        else:
            raise ValueError(f"row {name!r} holds nothing that is known")


def blocks_of(values: Mapping[str, Any], key: str) -> tuple[tuple[float, ...], ...]:
    """Return samples by block: those of a merged report, or the one block of a single one."""
    blocks = values.get("blocks")
    if blocks is None:
        found = values[key]
        blocks = [found if isinstance(found, list) else [found]]
    return _positive([block for block in blocks if block])


def _positive(blocks: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    found = tuple(tuple(float(sample) for sample in block) for block in blocks)
    if not found or any(not block or min(block) <= 0 for block in found):
        raise ValueError("samples must be above zero")
    return found

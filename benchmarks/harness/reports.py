"""Reports of benchmarks: one type per benchmark, and reading and writing them as JSON.

A report's ``benchmark`` names its type. Reading checks every field against its declared type, so that
what is read can be used without a question.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from benchmarks.harness.machine_info import MachineInfo
from benchmarks.harness.record import Record
from benchmarks.harness.rows import (
    CompileRow,
    EnvironmentRow,
    LatencyRow,
    LoadingRow,
    MachineRow,
    MemoryRow,
    ReturnRow,
    ScalingRow,
    ShareRow,
    TrainingRow,
    UtilisationRow,
)
from benchmarks.harness.statistics import PairedRatio
from foundation.errors import InputError
from foundation.json_reading import read_json

SCHEMA = 3
"""Version of the format, of all benchmarks."""


class Report(Record, frozen=True, kw_only=True, tag_field="benchmark"):
    """What the reports of all benchmarks have.

    Attributes:
        schema: :data:`SCHEMA` of the version that wrote it.
        machine_info: what it was measured with.
        settings: the command's options, as text.
    """

    schema: int
    machine_info: MachineInfo
    settings: dict[str, str] = msgspec.field(default_factory=dict)


class MarketData(Record, frozen=True, kw_only=True):
    """Bars that were measured on.

    Attributes:
        source: file or generator.
        bars: prepared bars.
        digest: of their content.
        symbol: of the contract.
        starts: bars at which an episode may start.
        device_bytes: arrays of the market on the device.
    """

    source: str
    bars: int
    digest: str
    symbol: str = ""
    starts: int | None = None
    device_bytes: int | None = None


class LoadingTimes(Record, frozen=True, kw_only=True):
    """Loading one market's CSV, seconds: the first time, and each time from the cache."""

    days: int
    bars: int
    file_bytes: int
    cache_bytes: int
    first_seconds: float
    cached_seconds: tuple[float, ...]


class EnvReport(Report, frozen=True, kw_only=True, tag="env_throughput"):
    """Environment steps a second.

    Attributes:
        config: the environment's rules, as plain values.
        ratios: how many times as fast the port with observations is, by the other row's name.
        loading: if it was asked for.
    """

    data: MarketData
    config: dict[str, Any]
    rows: tuple[EnvironmentRow, ...]
    ratios: dict[str, PairedRatio] = msgspec.field(default_factory=dict)
    loading: LoadingTimes | None = None


class BaselineRatio(PairedRatio, frozen=True, kw_only=True):
    """How many times as fast the port's best row is as a baseline's best row, by their names."""

    port: str
    baseline: str


class TrainReport(Report, frozen=True, kw_only=True, tag="train_throughput"):
    """Training steps a second.

    Attributes:
        matrix_flops: operations a second of a matrix product, by library.
        rows: trainers, and environments alone.
        ratios: the port's best over the reference's, and Phase 2 over Phase 1, of medians.
        ahead: the port over each baseline, paired by rounds.
    """

    matrix_flops: dict[str, float]
    data: MarketData
    rows: tuple[TrainingRow | EnvironmentRow, ...]
    ratios: dict[str, float] = msgspec.field(default_factory=dict)
    ahead: dict[str, BaselineRatio] = msgspec.field(default_factory=dict)


class RooflineReport(Report, frozen=True, kw_only=True, tag="roofline"):
    """What the hardware allows and what is attained of it.

    Attributes:
        bytes_per_step: of one environment's step by what they are, counted from shapes.
        xla_per_step: XLA's own count of "flops" and "bytes".
        rows: rates of the machine and of both systems.
        shares: attained.
    """

    bytes_per_step: dict[str, int]
    xla_per_step: dict[str, float]
    rows: tuple[MachineRow | EnvironmentRow | TrainingRow, ...]
    shares: tuple[ShareRow, ...]


class ScalingReport(Report, frozen=True, kw_only=True, tag="scaling"):
    """Steps a second over sizes, compile times, and preparation over days of data."""

    rows: tuple[ScalingRow, ...]
    compile: tuple[CompileRow, ...]
    loading: tuple[LoadingRow, ...]


class LatencyReport(Report, frozen=True, kw_only=True, tag="decision_latency"):
    """Time of one decision: phase and network of the bundle, and a row for each way to run it."""

    phase: int
    network: dict[str, Any]
    rows: tuple[LatencyRow, ...]


class MemoryReport(Report, frozen=True, kw_only=True, tag="memory"):
    """Bytes per environment and market, and how busy each side keeps the machine."""

    data: MarketData
    rows: tuple[MemoryRow, ...]
    utilisation: tuple[UtilisationRow, ...]


class TimeRatio(Record, frozen=True, kw_only=True):
    """How many times as long as the port a trainer took.

    Attributes:
        ratio: of medians over seeds.
        at_least: the median run did not get there, so the ratio is the least it can be.
    """

    ratio: float
    at_least: bool


class ReturnReport(Report, frozen=True, kw_only=True, tag="time_to_return"):
    """Wall time to a fixed return.

    Attributes:
        trainer_settings: sizes and numbers of the port's trainer and of MaskablePPO, as plain values.
        ahead: by trainer.
    """

    trainer_settings: dict[str, Any]
    rows: tuple[ReturnRow, ...]
    ahead: dict[str, TimeRatio] = msgspec.field(default_factory=dict)


SectionReport = (
    EnvReport
    | TrainReport
    | RooflineReport
    | ScalingReport
    | LatencyReport
    | MemoryReport
    | ReturnReport
)
"""What one benchmark reports."""


class SectionRun(Record, frozen=True, kw_only=True):
    """Record of one run of one benchmark.

    Attributes:
        command: arguments after ``python -m``.
        digest: SHA-256 over all that the numbers depend on.
        code: SHA-256 over the code alone; empty in records that have none.
        when: UTC, ISO 8601.
        exit_code: None if it was stopped.
        seconds: how long it ran.
        output: the end of what it printed.
        stale: whether the code has changed since.
    """

    command: tuple[str, ...]
    digest: str
    code: str = ""
    when: str
    exit_code: int | None
    seconds: float
    output: str
    stale: bool = False


class SectionResult(Record, frozen=True, kw_only=True):
    """One section of a merged report.

    Attributes:
        title: its heading.
        status: "ok", "partly", "failed" or "not run".
        runs: one a block.
        report: with the samples of all blocks; None if it failed.
    """

    title: str
    status: str
    runs: tuple[SectionRun, ...]
    report: SectionReport | None


class Made(Record, frozen=True, kw_only=True):
    """How a merged report was made.

    Attributes:
        when: UTC, ISO 8601.
        command: that makes it again.
        seconds: that the last call took.
        quick: whether sizes were tiny, so that numbers mean nothing.
        blocks: rounds of all sections.
        minutes: asked for.
    """

    when: str
    command: str
    seconds: float
    quick: bool
    blocks: int
    minutes: float


class MergedReport(Report, frozen=True, kw_only=True, tag="report"):
    """All benchmarks in one: ``benchmarks.json``."""

    made: Made
    sections: dict[str, SectionResult]


AnyReport = SectionReport | MergedReport


def read_report(path: Path) -> AnyReport:
    """Read a report that a benchmark wrote, or a merged one.

    Raises:
        InputError: there is none, or it is not one.
    """
    report: AnyReport = read_json(
        path,
        AnyReport,  # type: ignore[arg-type]
        what=f"benchmark report of format {SCHEMA}",
        mend="give benchmarks.json, or what `--json FILE` of one benchmark wrote",
    )
    if report.schema != SCHEMA:
        raise InputError(
            f"{path}: its format is {report.schema}, and this version reads {SCHEMA}; measure again"
        )
    return report

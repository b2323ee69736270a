"""Performance targets: what was estimated, what is wanted, and what was measured on both sides.

Source: the migration plan's table of performance and its target metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from benchmarks.harness.reports import (
    EnvReport,
    MemoryReport,
    MergedReport,
    SectionReport,
    TrainReport,
)
from benchmarks.harness.rows import EnvironmentRow, MemoryRow, RateRow, TrainingRow
from benchmarks.harness.statistics import paired_ratio
from benchmarks.report.sections import SECTIONS
from foundation.report.format import byte_size, duration, percent_figures, short_rate

TWO_MILLION = 2_000_000
EPOCHS = 4
"""Passes over a rollout that the training time is read at, where they were measured."""
NOT_MEASURED = "not measured"
SIDES = ("reference", "port")
R = TypeVar("R", bound=RateRow)
S = TypeVar("S", bound=SectionReport)


@dataclass(frozen=True)
class Target:
    """One metric of the plan.

    Attributes:
        metric: its name.
        estimate: what the plan says of the old system; empty for nothing.
        target: what the plan wants of the new one.
        section: of the report that measures it.
        how: what the two numbers are.
        reference, port: measured, in words.
        ratio: how many times better the port is; of speeds the median of the rounds' own ratios.
        met: whether the target is met; None where it was not measured.
    """

    metric: str
    estimate: str
    target: str
    section: str
    how: str
    reference: str = NOT_MEASURED
    port: str = NOT_MEASURED
    ratio: float | None = None
    met: bool | None = None

    @property
    def command(self) -> str:
        """The command that measures it."""
        return command_of(self.section)


def targets(report: MergedReport) -> list[Target]:
    """Return every target with what a report measured."""
    environments = _environments(report)
    return [
        _environment_steps(environments),
        _at_size(environments, 1_000, 100_000),
        _at_size(environments, 10_000, 500_000),
        _training(report),
        _gpu_utilisation(report),
        _memory_per_environment(report),
        _memory_per_market(report),
    ]


def _section(report: MergedReport, name: str, kind: type[S]) -> S | None:
    section = report.sections.get(name)
    return section.report if section is not None and isinstance(section.report, kind) else None


def command_of(section: str) -> str:
    """Return the command that measures a section's rows."""
    one = next(known for known in SECTIONS if known.name == section)
    return " ".join(["python", "-m", one.module, *one.options])


def best(rows: Iterable[R]) -> R | None:
    """Return the row of the highest median; None if no row has one."""
    measured = [row for row in rows if row.median is not None]
    return max(measured, key=lambda row: row.median or 0.0, default=None)


def best_vectorised(rows: Iterable[R]) -> R | None:
    """Return the fastest ``SubprocVecEnv`` of the reference; None if none was measured."""
    return best(row for row in rows if "SubprocVecEnv" in row.name)


def with_observations(rows: Iterable[EnvironmentRow]) -> list[EnvironmentRow]:
    """Return the port's rows that write whole observations."""
    return [row for row in rows if row.side == "port" and row.form == "obs"]


def _environments(report: MergedReport) -> Sequence[EnvironmentRow]:
    section = _section(report, "env", EnvReport)
    return section.rows if section else ()


def _per_second(row: RateRow | None) -> str:
    return NOT_MEASURED if row is None or row.median is None else f"{short_rate(row.median)} steps/s"


def _gain(port: RateRow | None, reference: RateRow | None) -> float | None:
    ratio = paired_ratio(port.rate, reference.rate) if port and reference else None
    return None if ratio is None else ratio.median


def _with_speeds(target: Target, port: RateRow | None, reference: RateRow | None) -> Target:
    return replace(
        target,
        reference=_per_second(reference),
        port=_per_second(port),
        ratio=_gain(port, reference),
    )


def _environment_steps(rows: Sequence[EnvironmentRow]) -> Target:
    reference, port = best_vectorised(rows), best(with_observations(rows))
    how = "best SubprocVecEnv; the port's best, (N, 225) observations written in every step"
    if reference and port:
        how = f"{reference.name}; {port.name} at {port.envs:,} environments, all (N, 225) written"
    target = Target("Environment steps a second", "~5,000", "~2,000,000", "env", how)
    met = None if port is None else (port.median or 0) >= 2_000_000
    return replace(_with_speeds(target, port, reference), met=met)


def _at_size(rows: Sequence[EnvironmentRow], envs: int, steps_per_second: int) -> Target:
    reference = best_vectorised(rows)
    one_device = [row for row in with_observations(rows) if row.envs == envs and row.devices == 1]
    port = best(one_device)
    target = Target(
        f"{envs // 1000}k environments",
        "",
        f"> {steps_per_second // 1000}k steps/s",
        "env",
        f"the port with observations at {envs:,} environments, one device; best SubprocVecEnv",
    )
    met = None if port is None else (port.median or 0) > steps_per_second
    return replace(_with_speeds(target, port, reference), met=met)


def _training(report: MergedReport) -> Target:
    section = _section(report, "train", TrainReport)
    rows = [row for row in section.rows if isinstance(row, TrainingRow)] if section else []
    measured = sorted({row.epochs for row in rows if row.median is not None})
    epochs = EPOCHS if EPOCHS in measured or not measured else measured[0]
    same = [row for row in rows if row.epochs == epochs]
    reference, port = (best(row for row in same if row.side == side) for side in ("reference", "port"))
    target = Target(
        "Training, 2 million steps",
        "6-8 h",
        "15-30 min",
        "train",
        f"2,000,000 over the best rate of each side at {epochs} epochs, 225-(256, 256) twice",
    )
    seconds = [TWO_MILLION / row.median if row and row.median else None for row in (reference, port)]
    words = [NOT_MEASURED if value is None else duration(value) for value in seconds]
    return replace(
        target,
        reference=words[0],
        port=words[1],
        ratio=_gain(port, reference),
        met=None if seconds[1] is None else seconds[1] <= 30 * 60,
    )


def _gpu_utilisation(report: MergedReport) -> Target:
    target = Target(
        "GPU utilisation",
        "~20%",
        "~85%",
        "memory",
        "share of time with a kernel running, while training",
    )
    memory = _section(report, "memory", MemoryReport)
    if memory is None:
        return target
    training = [row for row in memory.utilisation if "epochs" in row.name]
    rows = {side: next((row for row in training if row.side == side), None) for side in SIDES}
    shares = {side: row.gpu_share if row else None for side, row in rows.items()}
    words = {}
    for side, row in rows.items():
        share = shares[side]
        why = (row.error or row.gpu_reason if row else "") or NOT_MEASURED
        words[side] = why if share is None else percent_figures(share)
    port, reference = shares["port"], shares["reference"]
    return replace(
        target,
        reference=words["reference"],
        port=words["port"],
        ratio=port / reference if port is not None and reference else None,
        met=None if port is None else port >= 0.85,
    )


def _memory_rows(report: MergedReport) -> Mapping[str, MemoryRow]:
    memory = _section(report, "memory", MemoryReport)
    return {row.name: row for row in memory.rows if row.bytes is not None} if memory else {}


def _memory_per_environment(report: MergedReport) -> Target:
    rows = _memory_rows(report).values()
    workers = [row.bytes for row in rows if "SubprocVecEnv" in row.name and row.bytes is not None]
    loops = [row.bytes for row in rows if row.form == "obs" and row.bytes is not None]
    reference, port = min(workers, default=None), (loops[-1] if loops else None)
    return Target(
        "Memory per environment",
        "~50 MB",
        "~0.1 MB",
        "memory",
        "PSS of a SubprocVecEnv worker, the smallest; the port's compiled loop with observations",
        reference=NOT_MEASURED if reference is None else byte_size(reference),
        port=NOT_MEASURED if port is None else byte_size(port),
        ratio=reference / port if reference is not None and port else None,
        met=None if port is None else port <= 100_000,
    )


def _memory_per_market(report: MergedReport) -> Target:
    target = Target(
        "Memory per market", "", "< 500 MB", "memory", "all arrays of one market on the device"
    )
    row = _memory_rows(report).get("port, market")
    if row is None or row.bytes is None:
        return target
    return replace(
        target,
        how=f"{target.how}, {row.bars or 0:,} bars; once for all environments",
        reference="in each worker",
        port=byte_size(row.bytes),
        met=row.bytes < 500e6,
    )

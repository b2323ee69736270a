"""Rows of benchmark reports: one type per kind of measurement, with declared fields and units.

Every row is written with its ``kind``. A row that could not be measured keeps what it is about and its
``error``; the measured field is then None.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from benchmarks.harness.record import Record
from benchmarks.harness.statistics import Samples, Summary

Side = Literal["port", "port, phase 2", "reference", "NumPy", "CartPole", "baseline", "machine"]
"""Which system a row belongs to: ours, the reference, or something they are compared with."""

Form = Literal["obs", "parts", "none"]
"""What an environment's step hands out: observations whole, in two parts, or not at all."""


class Row(Record, frozen=True, kw_only=True, tag_field="kind"):
    """What all rows have.

    Attributes:
        name: unique within the report.
        error: why it was not measured, in one sentence; None where it was.
        block_errors: why it failed in some blocks of a merged report.
    """

    name: str
    error: str | None = None
    block_errors: tuple[str, ...] = ()


class RateRow(Row, frozen=True, kw_only=True):
    """Throughput of one program.

    Attributes:
        side: the system.
        envs: environments stepped at once.
        unit: of the rate, such as "steps/s".
        prepare_seconds: compilation or start of workers; None where the row failed.
        rate: samples in that unit; None where the row failed.
    """

    side: Side
    envs: int
    unit: str
    prepare_seconds: float | None = None
    rate: Samples | None = None

    @property
    def median(self) -> float | None:
        """Median rate; None where the row failed."""
        return None if self.rate is None else self.rate.median


class EnvironmentRow(RateRow, frozen=True, kw_only=True, tag="environment steps"):
    """Environment steps a second without training.

    Attributes:
        form: what a step hands out.
        devices: over which the environments are split.
    """

    form: Form = "obs"
    devices: int = 1


class TrainingRow(RateRow, frozen=True, kw_only=True, tag="training steps"):
    """Environment steps a second of a trainer, rollout and update.

    Attributes:
        epochs: passes over a rollout.
        trained_steps: steps of training before it was measured.
        first_seconds: what the updates before it was measured took, but for the first, which compiles.
        baseline: name of the trainer it is, where it is neither the port's nor the reference's.
        masks: whether a baseline knows which actions are allowed.
        note: what sets a baseline apart from the port's trainer.
        flops_per_step: floating-point operations of matrix products per step, if none is left out.
    """

    epochs: int
    trained_steps: int = 0
    first_seconds: float | None = None
    baseline: str | None = None
    masks: bool | None = None
    note: str = ""
    flops_per_step: float | None = None

    @property
    def flops_per_second(self) -> float | None:
        """Operations of matrix products a second, if none is left out."""
        if self.rate is None or self.flops_per_step is None:
            return None
        return self.flops_per_step * self.rate.median


class MachineRow(RateRow, frozen=True, kw_only=True, tag="machine rate"):
    """Rate of the machine itself, such as a large copy in bytes/s."""


class ScalingRow(RateRow, frozen=True, kw_only=True, tag="scaling point"):
    """Steps a second of the port at one point of the scaling benchmark.

    Attributes:
        series: what is scaled, such as "training" or "environment over devices".
        axes: name of each size to its value.
    """

    series: str
    axes: dict[str, int]


class LatencyRow(Row, frozen=True, kw_only=True, tag="decision latency"):
    """Time of one decision: one observation and its mask in, one action out.

    Attributes:
        decisions: how many were timed.
        median_us: median, microseconds; of a merged report the median of its blocks.
        p99_us: 99th percentile, microseconds; likewise.
        block_medians_us: medians of the blocks of a merged report.
    """

    decisions: int = 0
    median_us: float | None = None
    p99_us: float | None = None
    block_medians_us: tuple[float, ...] = ()


class MemoryRow(Row, frozen=True, kw_only=True, tag="memory"):
    """Bytes of one environment or of one market.

    Attributes:
        side: the system.
        per: what the bytes are counted for.
        how: how they were counted.
        bytes: in all; None where the row failed.
        envs: environments, or workers, at which it was measured.
        form: what a step of the port's loop hands out.
        bars: of a market.
        parts: bytes by what they are: arguments, results, temporary arrays.
        shared_bytes: that are there once for all environments.
        worker_bytes: of each worker process; ``bytes`` is their mean.
    """

    side: Side
    per: Literal["environment", "market"]
    how: str = ""
    bytes: float | None = None
    envs: int | None = None
    form: Form | None = None
    bars: int | None = None
    parts: dict[str, float] = msgspec.field(default_factory=dict)
    shared_bytes: float | None = None
    worker_bytes: tuple[int, ...] = ()


class UtilisationRow(Row, frozen=True, kw_only=True, tag="utilisation"):
    """How busy a program keeps the machine.

    Attributes:
        side: the system.
        envs: environments stepped at once.
        steps: steps of single environments made while watched.
        wall_seconds: how long it was watched.
        cpu_seconds: of the process and all that descend from it; None where the row failed.
        cores: that the process may use.
        gpu_share: of the time in which a kernel ran on the GPU, 0 to 1; None if not readable.
        gpu_reason: why it is not.
    """

    side: Side
    envs: int
    steps: int = 0
    wall_seconds: float = 0.0
    cpu_seconds: float | None = None
    cores: int = 1
    gpu_share: float | None = None
    gpu_reason: str = ""

    @property
    def cpu_share(self) -> float | None:
        """Share of all cores, 0 to 1; None where the row failed."""
        if self.cpu_seconds is None:
            return None
        return self.cpu_seconds / self.wall_seconds / self.cores


class ReturnPoint(msgspec.Struct, frozen=True, array_like=True):
    """Judgement of a policy while it is trained: seconds of training, steps made, dollars earned."""

    seconds: float
    steps: int
    dollars: float


class ReturnRow(Row, frozen=True, kw_only=True, tag="time to return"):
    """Wall time of one training until its policy earns a fixed return.

    Attributes:
        trainer: who, by its name on the command line.
        seed: of the run.
        limit_seconds: of training, after which it is stopped.
        masks: whether the trainer knows which actions are allowed; None if it was never made.
        note: what sets it apart from the port's trainer.
        compile_seconds: preparation, not counted in ``seconds``.
        seconds: of training until the return was reached; None where it was not.
        steps: made by the end.
        curve: every judgement, untrained first.
        oracle_return_dollars: mean PnL of an episode of one who knows the pattern.
        target_return_dollars: the return to reach.
    """

    trainer: str
    seed: int
    limit_seconds: float
    masks: bool | None = None
    note: str = ""
    compile_seconds: float | None = None
    seconds: float | None = None
    steps: int = 0
    curve: tuple[ReturnPoint, ...] = ()
    oracle_return_dollars: float | None = None
    target_return_dollars: float | None = None

    @property
    def best_return_dollars(self) -> float | None:
        """The best judgement; None where there was none."""
        return max((point.dollars for point in self.curve), default=None)


class ShareRow(Row, frozen=True, kw_only=True, tag="attained share"):
    """Share of the machine's own rate that a program attains.

    Attributes:
        name: of the program's row.
        limit: name of the machine's row.
        needs_per_step: bytes, operations or windows that a step needs, in the unit of the limit.
        description: what is compared with what.
        share: needs times steps per second over the machine's rate, round by round; None where a row
            that it needs failed.
    """

    limit: str
    needs_per_step: float
    description: str
    share: Summary | None = None


class CompileRow(Record, frozen=True, kw_only=True):
    """XLA's compile time of the environment's loop: seconds of every repeat, over sizes."""

    environments: int
    steps: int
    seconds: tuple[float, ...]


class LoadingRow(Record, frozen=True, kw_only=True):
    """Preparation of a market: days, bars, bytes on the device, seconds."""

    days: int
    bars: int
    device_bytes: int
    prepare_seconds: float

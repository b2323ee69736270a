"""Takeaways are computed from the numbers; the wording of each is fixed here."""

from __future__ import annotations

from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.reports import SCHEMA, MarketData, MemoryReport, ReturnReport, ScalingReport
from benchmarks.harness.rows import CompileRow, MemoryRow, ReturnRow, ScalingRow
from benchmarks.harness.statistics import Samples
from benchmarks.report.takeaways import takeaway


def test_scaling() -> None:
    def point(devices: int, rate: float) -> ScalingRow:
        return ScalingRow(
            name=f"{devices}",
            side="port",
            envs=32,
            unit="steps/s",
            series="environment over devices",
            axes={"environments": 32, "devices": devices},
            rate=Samples.of([rate, rate]),
        )

    compiling = (
        CompileRow(environments=1, steps=10, seconds=(1.0, 2.0)),
        CompileRow(environments=1000, steps=10, seconds=(40.0, 40.0)),
    )
    report = ScalingReport(
        schema=SCHEMA,
        machine_info=machine_info(),
        rows=(point(1, 10.0), point(4, 30.0)),
        compile=compiling,
        loading=(),
    )
    assert takeaway(report) == (
        "4 devices step environments 3 times (3 to 3) as fast as one. Compiling takes 1.50 to 40.00 s "
        "over 1 to 1,000 environments and 10 to 10 steps."
    )


def test_memory_without_the_ports_loop() -> None:
    failed = MemoryRow(name="port", side="port", per="environment", form="obs", error="RuntimeError")
    report = MemoryReport(
        schema=SCHEMA,
        machine_info=machine_info(),
        data=MarketData(source="a test", bars=1, digest=""),
        rows=(failed,),
        utilisation=(),
    )
    assert takeaway(report) == "The port's loop could not be compiled. See the table for why."


def _returns(**seconds: tuple[float | None, ...]) -> str:
    rows = [
        ReturnRow(name=name, trainer=name, seed=seed, limit_seconds=60.0, seconds=took)
        for name, runs in seconds.items()
        for seed, took in enumerate(runs)
    ]
    return takeaway(
        ReturnReport(schema=SCHEMA, machine_info=machine_info(), trainer_settings={}, rows=tuple(rows))
    )


def test_time_to_return_takes_medians_over_seeds() -> None:
    port, quick = (5.0, 6.0, 3.0), (9.0, 5.5, 7.0)
    assert _returns(port=(5.0,), slow=(9.0,), lost=(None,)) == (
        "port is first, after 5 s of training. slow is the last to get there, after 9 s, and 1 did "
        "not within the limit."
    )
    assert _returns(port=port, quick=quick, lost=(None, 4.0, None)) == (
        "port is first, after 5 s of training, the median of 3 seeds (3 s to 6 s). quick is the last "
        "to get there, after 7 s, and 1 did not within the limit. With some seed quick came before the "
        "slowest of the first."
    )
    assert _returns(port=port) == (
        "port is first, after 5 s of training, the median of 3 seeds (3 s to 6 s). Nobody else "
        "got there."
    )
    assert _returns(port=(None,)).startswith("No trainer reached the return")

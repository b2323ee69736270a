"""Merged reports keep samples by block, and say which blocks a row failed in."""

from __future__ import annotations

from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.reports import (
    SCHEMA,
    LatencyReport,
    MarketData,
    RooflineReport,
    ScalingReport,
    TrainReport,
)
from benchmarks.harness.rows import (
    CompileRow,
    EnvironmentRow,
    LatencyRow,
    LoadingRow,
    MachineRow,
    MemoryRow,
    ShareRow,
    TrainingRow,
)
from benchmarks.harness.statistics import Samples
from benchmarks.report.merge import merge, merge_row


def _roofline(port: list[float] | None, copy: list[float]) -> RooflineReport:
    row = EnvironmentRow(
        name="port",
        side="port",
        envs=1,
        unit="steps/s",
        rate=Samples.of(port) if port else None,
        prepare_seconds=1.0 if port else None,
        error=None if port else "MemoryError",
    )
    machine = MachineRow(
        name="copy", side="machine", envs=1, unit="bytes/s", rate=Samples.of(copy), prepare_seconds=1.0
    )
    share = ShareRow(name="port", limit="copy", needs_per_step=10.0, description="bytes")
    return RooflineReport(
        schema=SCHEMA,
        machine_info=machine_info(),
        bytes_per_step={},
        xla_per_step={},
        rows=(row, machine),
        shares=(share,),
    )


def test_shares_pair_the_rounds_of_the_blocks_that_both_have() -> None:
    blocks = [_roofline([1.0, 2.0], [10.0, 10.0]), None, _roofline(None, [5.0, 5.0])]
    merged = merge([*blocks, _roofline([4.0, 4.0], [20.0, 10.0])])
    assert isinstance(merged, RooflineReport)
    port, copy = merged.rows
    assert port.rate is not None
    assert port.rate.blocks == ((1.0, 2.0), (), (), (4.0, 4.0))
    assert (port.error, port.block_errors) == (None, ("MemoryError",))
    assert copy.rate is not None
    assert copy.rate.blocks == ((10.0, 10.0), (), (5.0, 5.0), (20.0, 10.0))
    (share,) = merged.shares
    assert share.share is not None
    # 10 times 1/10, 2/10, 4/20 and 4/10.
    assert share.share.median == 2.0


def test_a_row_that_failed_in_all_blocks_says_why() -> None:
    merged = merge([_roofline(None, [1.0]), _roofline(None, [1.0])])
    assert isinstance(merged, RooflineReport)
    assert (merged.rows[0].rate, merged.rows[0].error) == (None, "MemoryError")
    assert merged.shares[0].share is None


def test_latencies_are_medians_of_the_blocks() -> None:
    def latency(median: float) -> LatencyReport:
        row = LatencyRow(name="torch", decisions=10, median_us=median, p99_us=2 * median)
        return LatencyReport(
            schema=SCHEMA, machine_info=machine_info(), phase=1, network={}, rows=(row,)
        )

    (row,) = merge([latency(1.0), latency(4.0), latency(3.0)]).rows
    assert isinstance(row, LatencyRow)
    assert (row.median_us, row.p99_us, row.block_medians_us) == (3.0, 6.0, (1.0, 4.0, 3.0))


def test_latencies_are_of_the_blocks_that_have_them() -> None:
    def row(median: float | None, p99: float | None) -> LatencyRow:
        error = None if median else "no runtime"
        return LatencyRow(name="torch", decisions=10, median_us=median, p99_us=p99, error=error)

    found = merge_row([row(None, None), row(4.0, 40.0), None, row(2.0, 10.0), row(3.0, 90.0)])
    assert (found.median_us, found.p99_us, found.error) == (3.0, 40.0, None)
    assert found.block_medians_us == (4.0, 2.0, 3.0)


def test_preparation_is_the_median_of_the_blocks_that_were_measured() -> None:
    def row(seconds: float | None) -> EnvironmentRow:
        return EnvironmentRow(
            name="port",
            side="port",
            envs=1,
            unit="steps/s",
            rate=Samples.of([seconds]) if seconds else None,
            prepare_seconds=seconds,
            error=None if seconds else "broke",
        )

    found = merge_row([row(9.0), row(None), row(1.0), row(2.0)])
    assert found.prepare_seconds == 2.0
    assert found.rate == Samples.of([9.0], [], [1.0], [2.0])
    assert found.block_errors == ("broke",)


def test_compiling_keeps_every_repeat_and_loading_is_the_median() -> None:
    def scaling(seconds: tuple[float, ...], loading: float) -> ScalingReport:
        return ScalingReport(
            schema=SCHEMA,
            machine_info=machine_info(),
            rows=(),
            compile=tuple(CompileRow(environments=n, steps=8, seconds=seconds) for n in (1, 10)),
            loading=(LoadingRow(days=5, bars=100, device_bytes=7, prepare_seconds=loading),),
        )

    merged = merge([scaling((1.0, 2.0), 5.0), None, scaling((3.0,), 1.0), scaling((4.0, 5.0), 2.0)])
    assert isinstance(merged, ScalingReport)
    assert [(row.environments, row.steps) for row in merged.compile] == [(1, 8), (10, 8)]
    assert {row.seconds for row in merged.compile} == {(1.0, 2.0, 3.0, 4.0, 5.0)}
    assert merged.loading == (LoadingRow(days=5, bars=100, device_bytes=7, prepare_seconds=2.0),)


def test_who_is_ahead_is_said_of_all_blocks_and_ratios_of_one_alone_go() -> None:
    def training(port: list[float], other: list[float]) -> TrainReport:
        rows = [
            TrainingRow(
                name=name,
                side=side,
                envs=8,
                unit="steps/s",
                epochs=4,
                baseline=baseline,
                rate=Samples.of(rate),
                prepare_seconds=1.0,
            )
            for name, side, baseline, rate in (
                ("port", "port", None, port),
                ("other", "baseline", "other", other),
            )
        ]
        return TrainReport(
            schema=SCHEMA,
            machine_info=machine_info(),
            data=MarketData(source="a test", bars=1, digest=""),
            matrix_flops={},
            rows=tuple(rows),
            ratios={"port over reference": 99.0},
        )

    one, two = training([4.0, 6.0], [2.0, 2.0]), training([8.0, 10.0], [2.0, 2.0])
    merged = merge([one, two])
    assert isinstance(merged, TrainReport)
    assert merged.ratios == {}
    (ahead,) = merged.ahead.values()
    assert (ahead.port, ahead.baseline, ahead.rounds) == ("port", "other", (2.0, 3.0, 4.0, 5.0))
    assert merge([two]) is two


def test_a_row_of_any_kind_keeps_why_it_failed_in_a_block() -> None:
    measured = {"decisions": 1, "median_us": 1.0, "p99_us": 2.0}
    memory = {"side": "port", "per": "market", "bytes": 5.0}
    for kind, values, missing in (
        (LatencyRow, measured, {}),
        (MemoryRow, memory, {"side": "port", "per": "market"}),
    ):
        rows = [
            kind(name="x", error="first", **missing),
            kind(name="x", **values),
            None,
            kind(name="x", error="last", **missing),
        ]
        merged = merge_row(rows)
        assert (merged.error, merged.block_errors) == (None, ("first", "last"))
        assert merge_row(rows[1:3]).block_errors == ()
        assert merge_row(rows[::3]).error == "first"

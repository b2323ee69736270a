"""Merged reports keep samples by block, and say which blocks a row failed in."""

from __future__ import annotations

from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.reports import SCHEMA, LatencyReport, RooflineReport
from benchmarks.harness.rows import EnvironmentRow, LatencyRow, MachineRow, ShareRow
from benchmarks.harness.statistics import Samples
from benchmarks.report.merge import merge


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

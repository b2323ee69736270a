"""Merging of several runs of one benchmark into one report that keeps samples by block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from msgspec.structs import replace

from benchmarks.harness.reports import RooflineReport, ScalingReport, SectionReport, TrainReport
from benchmarks.harness.rows import CompileRow, LatencyRow, LoadingRow, RateRow, Row
from benchmarks.harness.statistics import Samples
from benchmarks.suites.roofline import attained
from benchmarks.suites.train_throughput import ahead

R = TypeVar("R", bound=Row)


def merge(reports: Sequence[SectionReport | None]) -> SectionReport:
    """Return one report of a section's blocks.

    Args:
        reports: by block, at least one that is not None; None where the block failed.

    Returns:
        The first report there is, with the samples of all blocks in every row of rates and the medians
        of all in every row of latencies; a row of something else is that of the first block that
        measured it. A row that failed in some block keeps what the others measured, and its errors.
    """
    complete = [report for report in reports if report is not None]
    if len(reports) == 1:
        return complete[0]
    by_block = [{row.name: row for row in report.rows} if report else {} for report in reports]
    names = dict.fromkeys(row.name for report in complete for row in report.rows)
    rows: Any = tuple(merge_row([block.get(name) for block in by_block]) for name in names)
    first: Any = complete[0]
    if hasattr(first, "ratios"):
        first = replace(first, ratios={})  # of the first block alone
    merged = replace(first, rows=rows)
    if isinstance(merged, TrainReport):
        return replace(merged, ahead=ahead(rows))
    if isinstance(merged, RooflineReport):
        return replace(merged, shares=attained(merged.shares, rows))
    if isinstance(merged, ScalingReport):
        scaling = [report for report in complete if isinstance(report, ScalingReport)]
        compiled = zip(*(report.compile for report in scaling), strict=True)
        loaded = zip(*(report.loading for report in scaling), strict=True)
        return replace(
            merged,
            compile=tuple(_merge_compile(rows) for rows in compiled),
            loading=tuple(_merge_loading(rows) for rows in loaded),
        )
    result: SectionReport = merged
    return result


def merge_row(rows: Sequence[R | None]) -> R:
    """Return one row of its blocks; None where a block hasn't got it."""
    present = [row for row in rows if row is not None]
    measured = [row for row in present if not row.error]
    if not measured:
        return present[0]
    first = replace(measured[0], block_errors=tuple(row.error for row in present if row.error))
    if isinstance(first, RateRow):
        return _merge_rates(first, rows)
    if isinstance(first, LatencyRow):
        return _merge_latencies(first, rows)
    return first


def _merge_rates(first: Any, rows: Iterable[Any]) -> Any:
    rows = list(rows)
    blocks = [row.rate.samples if row is not None and row.rate else () for row in rows]
    prepared = [row.prepare_seconds for row in rows if row is not None and row.rate]
    return replace(
        first,
        rate=Samples.of(*blocks),
        prepare_seconds=float(np.median(prepared)),
    )


def _merge_latencies(first: Any, rows: Iterable[Any]) -> Any:
    measured = [row for row in rows if row is not None and not row.error]
    medians = tuple(row.median_us for row in measured)
    return replace(
        first,
        block_medians_us=medians,
        median_us=float(np.median(medians)),
        p99_us=float(np.median([row.p99_us for row in measured])),
    )


def _merge_compile(rows: Sequence[CompileRow]) -> CompileRow:
    return replace(rows[0], seconds=tuple(x for row in rows for x in row.seconds))


def _merge_loading(rows: Sequence[LoadingRow]) -> LoadingRow:
    return replace(rows[0], prepare_seconds=float(np.median([row.prepare_seconds for row in rows])))

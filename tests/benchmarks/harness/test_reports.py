"""Reports are read as they were written, the committed ones too, and nothing else is read."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks.harness.output import write_report
from benchmarks.harness.reports import MergedReport, read_report
from benchmarks.harness.statistics import Samples, paired_ratio
from benchmarks.report.page import render
from benchmarks.report.sections import measured_of
from foundation.import_closure import PACKAGES_ROOT
from tests.sentences import refuses

REPORTS = PACKAGES_ROOT / "reports" / "reference"
COMMITTED = sorted(
    path.relative_to(REPORTS).as_posix()
    for pattern in ("*/benchmarks.json", "*_throughput_cpu2/*.json", "export_chain/latency_*.json")
    for path in REPORTS.glob(pattern)
)


def test_there_are_committed_reports_of_every_kind() -> None:
    assert len(COMMITTED) >= 7


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_report_is_read_and_written_alike(name: str, tmp_path: Path) -> None:
    report = read_report(REPORTS / name)
    assert measured_of(report)
    again = tmp_path / "again.json"
    write_report(again, report)
    assert read_report(again) == report
    if isinstance(report, MergedReport):
        assert len(report.sections) == 7
        assert "<svg" in render(report)


@pytest.mark.parametrize(
    "change",
    [
        lambda report: report | {"schema": 2},
        lambda report: report | {"surroundings": {}},
        lambda report: {**report, "rows": [{**report["rows"][0], "kind": "memory"}]},
        lambda report: {**report, "rows": [{**report["rows"][0], "envs": "many"}]},
        lambda report: {k: v for k, v in report.items() if k != "machine_info"},
    ],
)
def test_what_no_version_wrote_is_refused(change: object, tmp_path: Path) -> None:
    values = msgspec.json.decode((REPORTS / "env_throughput_cpu2/throughput.json").read_bytes())
    path = tmp_path / "report.json"
    path.write_bytes(msgspec.json.encode(change(values)))  # type: ignore[operator]
    with refuses():
        read_report(path)


def test_samples_are_above_zero() -> None:
    with refuses(kind=ValueError):
        Samples.of([1.0, 0.0])


def test_ratios_pair_the_rounds_of_blocks_that_both_have() -> None:
    one, other = Samples.of([2.0, 8.0], [], [9.0]), Samples.of([1.0, 2.0], [5.0], [3.0, 3.0])
    ratio = paired_ratio(one, other)
    assert ratio is not None
    assert ratio.rounds == (2.0, 4.0)
    assert paired_ratio(Samples.of([1.0]), Samples.of([1.0, 2.0])) is None

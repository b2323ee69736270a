"""Every runtime decides as golden.json says, and the report holds a row of each."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from benchmarks.harness.reports import LatencyReport, read_report
from benchmarks.suites.decision_latency import MONO, RUNTIMES, golden_cases, main, time_decisions
from parity.export_chain.csharp import available
from tests.jax_port.export.made_bundle import bundle


@pytest.fixture(autouse=True)
def _threads() -> object:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_runtime_decides_as_it_must(name: str) -> None:
    obs, masks, golden_actions = golden_cases(bundle(2))
    times, actions = time_decisions(RUNTIMES[name](bundle(2)), obs, masks, len(obs))
    assert actions == golden_actions
    assert len(times) == len(obs)


def test_the_report_has_every_runtime(tmp_path: Path) -> None:
    path = tmp_path / "latency.json"
    arguments = [str(bundle(2)), "--decisions", "10", "--rounds", "1", "--json", str(path)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    report = read_report(path)
    assert isinstance(report, LatencyReport)
    assert {row.name for row in report.rows} == {*RUNTIMES, MONO}
    missing = [row.name for row in report.rows if row.error]
    assert missing == ([] if available() else [MONO])
    for row in report.rows:
        if row.median_us is not None and row.p99_us is not None:
            assert 0 < row.median_us <= row.p99_us
    assert report.machine_info.cores

"""Every runtime decides as golden.json says, and the report holds a row of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from rich.console import Console

from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.reports import LatencyReport, read_report
from benchmarks.harness.rows import LatencyRow
from benchmarks.suites import decision_latency
from benchmarks.suites.decision_latency import MONO, RUNTIMES, golden_cases, main, time_decisions
from foundation.errors import InputError
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


@pytest.mark.parametrize("mono", [True, False])
def test_runtimes_take_turns_on_the_same_cases_and_one_that_is_missing_says_so(
    mono: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    folder: Any = Path("bundle")

    def make(name: str) -> Any:
        return lambda place: (name, place)

    def time_decisions(run: Any, obs: Any, masks: Any, count: int) -> Any:
        told.append((run, obs, masks, count))
        number = float(len(told))
        return [number, number + 1], [1, 2, 0]

    class Checker:
        def __init__(self, program: Path, place: Path, scratch: Path) -> None:
            told.append(("checker", program.name, place))

        def latency(self, decisions: int) -> list[float]:
            told.append(("mono", decisions))
            return [100.0, 300.0]

    manifest = {"phase": 2, "network": {"pi": [4]}}
    monkeypatch.setattr(decision_latency, "read_manifest", lambda place: manifest)
    monkeypatch.setattr(decision_latency, "golden_cases", lambda place: ("obs", "masks", [1, 2, 0]))
    monkeypatch.setattr(decision_latency, "RUNTIMES", {"one": make("one"), "two": make("two")})
    monkeypatch.setattr(decision_latency, "time_decisions", time_decisions)
    monkeypatch.setattr(decision_latency, "available", lambda: mono)
    monkeypatch.setattr(decision_latency, "compile_checker", lambda place: place)
    monkeypatch.setattr(decision_latency, "Checker", Checker)
    report = decision_latency.measure(folder, 7, 2)
    runs = [(name, folder) for name in ("one", "two")]
    asked = [(run, "obs", "masks", 7) for run in runs]
    sharp = [("mono", 7)] if mono else []
    assert told == [
        *((run, "obs", "masks", 3) for run in runs),
        *([("checker", "ParityCheck.exe", folder)] if mono else []),
        *asked, *sharp, *asked, *sharp,
    ]  # fmt: skip
    first = 4.0 if mono else 3.0
    rows = {row.name: row for row in report.rows}
    assert list(rows) == ["one", "two", MONO]
    again = first + (3 if mono else 2)
    assert rows["one"].median_us == (first + first + 1 + again + again + 1) / 4
    assert rows["one"].decisions == 4
    if mono:
        assert (rows[MONO].decisions, rows[MONO].median_us) == (4, 200.0)
        assert rows[MONO].p99_us == 300.0
    else:
        assert (rows[MONO].error, rows[MONO].median_us) == (decision_latency.MISSING, None)
    assert (report.phase, report.network) == (2, {"pi": [4]})
    assert report.settings == {"decisions": "7", "rounds": "2"}
    monkeypatch.setattr(decision_latency, "golden_cases", lambda place: ("obs", "masks", [1, 2, 1]))
    with pytest.raises(InputError, match=r"^one decides otherwise than golden\.json says"):
        decision_latency.measure(folder, 7, 2)


def test_the_fastest_is_shown_first_and_failures_below(capsys: pytest.CaptureFixture[str]) -> None:
    row = decision_latency.latency_row("slow", [float(n) for n in range(101)])
    assert (row.decisions, row.median_us, row.p99_us) == (101, 50.0, 99.0)
    fast = decision_latency.latency_row("fast", [1.25])
    failed = LatencyRow(name="gone", error="not here")
    rows = (row, failed, fast)
    report = LatencyReport(
        schema=1, machine_info=machine_info(), settings={}, phase=1, network={}, rows=rows
    )
    decision_latency.show(report, Console(width=100))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "one decision, microseconds median 99th percentile", "fast 1.2 1.2", "slow 50.0 99.0",
        "gone: not here",
    ]  # fmt: skip

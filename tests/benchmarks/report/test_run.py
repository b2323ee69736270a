"""The page of all benchmarks, made of real quick runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.harness.reports import MergedReport, read_report
from benchmarks.report import blocks
from benchmarks.report import run as report
from benchmarks.report.compare import compare
from benchmarks.report.run import Request, gather, main
from benchmarks.report.sections import SECTIONS
from tests.sentences import refuses

NAMED = {section.name: section for section in SECTIONS}
LATENCY = NAMED["latency"]
BROKEN = replace(NAMED["roofline"], options=("--no-such-option",))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of one section that runs and of one that can't."""
    out = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "SECTIONS", (LATENCY, BROKEN))
        arguments = ["--quick", "--blocks", "1", "--sections", "latency,roofline", "--out", str(out)]
        run = CliRunner().invoke(main, arguments)
        assert run.exit_code == 1, run.output
        assert "roofline failed: error: no such option '--no-such-option'" in run.output
        again = CliRunner().invoke(main, arguments)
        assert again.exit_code == 1
    return out


def _read(folder: Path) -> MergedReport:
    merged = read_report(folder / "benchmarks.json")
    assert isinstance(merged, MergedReport)
    return merged


@pytest.mark.slow
def test_a_section_that_fails_is_a_notice_on_the_page(folder: Path) -> None:
    sections = _read(folder).sections
    assert {name: section.status for name, section in sections.items()} == {
        "latency": "ok",
        "roofline": "failed",
    }
    assert sections["roofline"].report is None
    page = (folder / "benchmarks.html").read_text()
    assert BROKEN.title in page
    assert "--no-such-option" in page
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


@pytest.mark.slow
def test_what_has_run_is_not_run_again(folder: Path) -> None:
    merged = _read(folder)
    (run,) = merged.sections["latency"].runs
    assert not run.stale
    assert merged.made.seconds < run.seconds  # the second call made only the page anew


@pytest.mark.slow
def test_only_code_that_has_changed_makes_a_run_stale(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale() -> bool:
        made = gather(Request(folder, [LATENCY], 1, 60.0, True))
        (run,) = made.sections["latency"].runs
        return run.stale

    monkeypatch.setenv("JAX_PLATFORMS", "cpu,other")
    assert not stale()
    monkeypatch.setattr(blocks, "code_of", lambda module: {module: "another"})
    assert stale()


@pytest.mark.slow
def test_a_report_is_the_same_as_itself(folder: Path) -> None:
    merged = _read(folder)
    comparison = compare(merged, merged)
    assert comparison.changes
    assert not comparison.regressed


def test_an_unknown_section_is_refused(tmp_path: Path) -> None:
    with refuses():
        main(["--sections", "nothing", "--out", str(tmp_path)], standalone_mode=False)

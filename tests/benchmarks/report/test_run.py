"""The page of all benchmarks, made of real quick runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.report import run as report
from benchmarks.report.compare import compare, read_report
from benchmarks.report.run import main
from benchmarks.report.sections import SECTIONS
from benchmarks.report.targets import plan_rows
from markets import InputError

NAMED = {section.name: section for section in SECTIONS}
LATENCY = NAMED["latency"]
BROKEN = replace(NAMED["floors"], options=("--no-such-option",))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of one section that runs and of one that can't."""
    out = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "SECTIONS", (LATENCY, BROKEN))
        arguments = ["--quick", "--blocks", "1", "--sections", "latency,floors", "--out", str(out)]
        run = CliRunner().invoke(main, arguments)
        assert run.exit_code == 1, run.output
        assert "floors failed: Error: No such option" in run.output
        again = CliRunner().invoke(main, arguments)
        assert again.exit_code == 1
    return out


def test_a_section_that_fails_is_a_notice_on_the_page(folder: Path) -> None:
    found = json.loads((folder / "benchmarks.json").read_text())["sections"]
    assert {name: part["status"] for name, part in found.items()} == {
        "latency": "ok",
        "floors": "failed",
    }
    page = (folder / "benchmarks.html").read_text()
    assert BROKEN.title in page
    assert "--no-such-option" in page
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_what_has_run_is_not_run_again(folder: Path) -> None:
    found = json.loads((folder / "benchmarks.json").read_text())
    (run,) = found["sections"]["latency"]["runs"]
    assert not run["stale"]
    assert found["made"]["seconds"] < run["seconds"]  # the second call made only the page anew


def test_only_code_that_has_changed_makes_a_run_stale(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale() -> bool:
        made = report.gather([LATENCY], folder, 1, {})
        (run,) = made["sections"]["latency"]["runs"]
        return bool(run["stale"])

    monkeypatch.setenv("JAX_PLATFORMS", "cpu,other")
    assert not stale()
    monkeypatch.setattr(report, "code_of", lambda module: {module: "another"})
    assert stale()


def test_the_plans_gains_are_medians_of_the_rounds_own_ratios() -> None:
    def row(name: str, side: str, samples: list[float], **about: object) -> dict[str, object]:
        return {"name": name, "side": side, "steps_per_second": {"samples": samples}, **about}

    rows = [
        row("reference, SubprocVecEnv(2)", "reference", [1.0, 2.0, 4.0]),
        row("port, obs", "port", [40.0, 10.0, 20.0], form="obs", envs=10_000, devices=1),
    ]
    found = plan_rows({"sections": {"env": {"report": {"rows": rows}}}})
    gains = {one["metric"]: one["ratio"] for one in found}
    assert gains["10k environments"] == 5.0  # of 40, 5 and 5; that of the medians is 10
    assert gains["Environment steps a second"] == 5.0
    assert gains["1k environments"] is None


def test_a_report_is_the_same_as_itself(folder: Path) -> None:
    found = read_report(folder / "benchmarks.json")
    comparison = compare(found, found)
    assert comparison.changes
    assert not comparison.regressed


def test_an_unknown_section_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'nothing' is no section; choose from env"):
        main(["--sections", "nothing", "--out", str(tmp_path)], standalone_mode=False)

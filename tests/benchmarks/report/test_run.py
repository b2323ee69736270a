"""The page of all benchmarks, made of real quick runs."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec.structs import replace as replace_run
from rich.console import Console

from benchmarks.harness.reports import MergedReport, SectionRun, read_report
from benchmarks.report import blocks
from benchmarks.report import run as report
from benchmarks.report.compare import compare
from benchmarks.report.run import Request, gather, main
from benchmarks.report.sections import SECTIONS
from foundation.errors import InputError
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


SEVERAL = next(section for section in SECTIONS if section.blocks)
ONCE = next(section for section in SECTIONS if not section.blocks)


def test_blocks_are_run_round_by_round_within_their_time_unless_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    ends = {"0": (0, ""), "1": (1, "first\nlast\n"), "2": (None, " ")}

    def run_block(command: Any, path: Path, limit: float) -> Any:
        asked.append((command, path.name, limit))
        code, output = ends[path.stem[-1]]
        return SimpleNamespace(exit_code=code, output=output)

    first = f"{SEVERAL.name}.0.json"
    monkeypatch.setattr(report, "run_block", run_block)
    monkeypatch.setattr(report, "is_done", lambda command, path: path.name == first)
    request = Request(tmp_path, [SEVERAL, ONCE], 3, 30.0, quick=False)
    several, once = (blocks.section_command(one, False, 30.0) for one in (SEVERAL, ONCE))
    limits = [60 * (3 * one.minutes / 2 + 15) for one in (SEVERAL, ONCE)]
    later = [(several, f"{SEVERAL.name}.{block}.json", pytest.approx(limits[0])) for block in (1, 2)]
    one = (once, f"{ONCE.name}.0.json", pytest.approx(limits[1]))
    report.run_all(Console(width=100), request, fresh=False)
    assert asked == [one, *later]
    said = " ".join(capsys.readouterr().out.split())
    assert f"{SEVERAL.name} failed: last" in said
    assert f"{SEVERAL.name} failed: it printed nothing" in said
    assert f"{ONCE.name} failed" not in said
    asked.clear()
    report.run_all(Console(width=100), replace(request, quick=True, minutes=6.0), fresh=True)
    least = [60 * (3 * one.minutes / 4 + 15) for one in (SEVERAL, ONCE)]
    quick = [blocks.section_command(one, True, 6.0) for one in (SEVERAL, ONCE)]
    assert asked == [
        (quick[0], first, pytest.approx(least[0])), (quick[1], one[1], pytest.approx(least[1])),
        *((quick[0], f"{SEVERAL.name}.{block}.json", pytest.approx(least[0])) for block in (1, 2)),
    ]  # fmt: skip


@pytest.mark.parametrize("more", [[], ["--page-only"], ["--fresh", "--quick"]])
@pytest.mark.parametrize("status", ["ok", "partly"])
def test_a_report_is_run_gathered_written_and_says_what_is_not_complete(
    more: list[str], status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    result = SimpleNamespace(sections={ONCE.name: SimpleNamespace(status=status)})
    monkeypatch.setattr(
        report, "run_all", lambda console, *given: told.append(given) or console.print("running")
    )
    monkeypatch.setattr(report, "gather", lambda *given: told.append(given) or result)
    monkeypatch.setattr(report, "write_report", lambda *given: told.append(given))
    monkeypatch.setattr("benchmarks.report.page.render", lambda report: f"<{report.sections}>")
    words = ["--out", str(tmp_path), "--sections", ONCE.name, "--blocks", "2", "--minutes", "20"]
    done = CliRunner().invoke(main, [*words, *more])
    assert done.exit_code == (0 if status == "ok" else 1)
    assert (f"not complete: {ONCE.name}; the page says why" in done.output) == (status != "ok")
    request = Request(tmp_path, [ONCE], 2, 20.0, "--quick" in more)
    ran = [] if "--page-only" in more else [(request, "--fresh" in more)]
    *before, (gathered, seconds), written = told
    assert before == ran
    assert gathered == request
    assert 0 <= seconds < 60
    assert written == (tmp_path / "benchmarks.json", result)
    assert (tmp_path / "benchmarks.html").read_text() == f"<{result.sections}>"


def test_a_report_s_command_makes_it_again() -> None:
    alone = Request(Path("some where"), [SEVERAL, ONCE], 2, 7.5, quick=True)
    names = f"{SEVERAL.name},{ONCE.name}"
    words = f"--out 'some where' --blocks 2 --minutes 7.5 --sections {names} --quick"
    assert alone.command == f"nox -s benchmark -- {words}"
    whole = Request(Path("out"), SECTIONS, 3, 60.0, quick=False)
    assert whole.command == "nox -s benchmark -- --out out --blocks 3 --minutes 60"
    made = alone.made(12.5)
    assert (made.command, made.seconds, made.quick, made.blocks, made.minutes) == (
        *(alone.command, 12.5),
        *(True, 2, 7.5),
    )


def kept(number: int, code: int | None, of: str = "code") -> SectionRun:
    return SectionRun(
        command=("some.module",), digest="0", code=of, when="then", exit_code=code,
        seconds=1.0 * number, output=f"said {number}",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("codes", "merged", "status"),
    [
        ((0, 0, 0), ["0", "1", "2"], "ok"),
        ((0, 1, 0), ["0", None, "2"], "partly"),
        ((1, None, 1), None, "failed"),
        ((), None, "not run"),
    ],
)
def test_a_section_is_merged_of_the_blocks_that_ended_well(
    codes: tuple[int | None, ...], merged: Any, status: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    runs = {str(number): kept(number, code) for number, code in enumerate(codes)}
    told: list[Any] = []
    whole = SimpleNamespace(machine_info="machine")
    monkeypatch.setattr(report, "read_run", lambda path: runs.get(path.stem[-1]))
    monkeypatch.setattr(report, "read_section", lambda path: path.stem[-1])
    monkeypatch.setattr(report, "merge", lambda reports: told.append(reports) or whole)
    monkeypatch.setattr(report, "code_digest", lambda module: f"{module}'s")
    found = report.gather_section(SEVERAL, tmp_path, 3)
    assert (found.title, found.status, told) == (SEVERAL.title, status, [merged] if merged else [])
    assert found.report == (whole if merged else None)
    assert [(run.output, run.stale) for run in found.runs] == [
        (f"said {number}", True) for number in range(len(codes))
    ]
    monkeypatch.setattr(report, "code_digest", lambda module: "code")
    assert [run.stale for run in report.gather_section(SEVERAL, tmp_path, 3).runs] == [False] * len(
        codes
    )
    if merged:
        monkeypatch.setattr(report, "MergedReport", lambda **values: SimpleNamespace(**values))
        whole_report: Any = gather(Request(tmp_path, [SEVERAL, ONCE], 3, 60.0, quick=False), 12.5)
        assert (whole_report.machine_info, whole_report.made.seconds) == ("machine", 12.5)
        assert list(whole_report.sections) == [SEVERAL.name, ONCE.name]
    else:
        reason = "said 0" if codes else "nothing was run"
        with pytest.raises(InputError) as refused:
            gather(Request(tmp_path, [SEVERAL], 3, 60.0, quick=False))
        assert str(refused.value).endswith(f"so there is no report to write: {reason}")


def test_sections_are_found_in_their_own_order() -> None:
    names = [section.name for section in SECTIONS]
    assert report.find_sections(f" {names[2]},{names[0]} ") == [SECTIONS[0], SECTIONS[2]]
    assert report.find_sections(",".join(reversed(names))) == list(SECTIONS)


def test_a_run_is_recorded_with_its_command_its_code_and_what_it_printed_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(blocks, "code_of", lambda module: {module: "1"})
    out = tmp_path / "sections" / "env.1.json"
    out.parent.mkdir()
    out.write_text("of an earlier run")

    def limited(arguments: list[str], limit: float) -> Any:
        asked.append((arguments[1:], limit, out.exists()))
        return 3, "x" * 4000 + "the end"

    monkeypatch.setattr(blocks, "_run_limited", limited)
    clock = iter([5.0, 12.5])
    monkeypatch.setattr(blocks, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr(blocks, "now", lambda: "now")
    run = blocks.run_block(["some.module", "--x"], out, 77.0)
    assert asked == [(["-m", "some.module", "--x", "--json", str(out)], 77.0, False)]
    assert blocks.read_run(out) == run
    assert json.loads((out.parent / "env.1.run.json").read_text())["exit_code"] == 3
    assert (run.command, run.when, run.seconds) == (("some.module", "--x"), "now", 7.5)
    assert run.output == "x" * 3993 + "the end"
    assert run.digest == blocks.digest_of(["some.module", "--x"])
    assert run.digest != blocks.digest_of(["some.module", "--y"])
    assert run.code == blocks.code_digest("some.module") != blocks.code_digest("other.module")
    monkeypatch.setattr(blocks, "read_section", lambda path: "report")
    command = ["some.module", "--x"]
    assert not blocks.is_done(command, out)  # it failed
    well = replace_run(run, exit_code=0)
    monkeypatch.setattr(blocks, "read_run", lambda path: well)
    assert blocks.is_done(command, out)
    assert not blocks.is_done([*command, "--more"], out)
    monkeypatch.setattr(blocks, "read_section", lambda path: None)
    assert not blocks.is_done(command, out)


@pytest.mark.parametrize("what", ["JAX_PLATFORMS", "XLA_FLAGS", "cpu_model", "versions", "code_of"])
def test_a_run_on_another_machine_or_of_other_code_is_another(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "code_of", lambda module: {module: "1"})
    before = blocks.digest_of(["some.module"])
    if what.isupper():
        monkeypatch.setenv(what, "another")
    else:
        monkeypatch.setattr(blocks, what, lambda *_: {"another": "one"})
    assert blocks.digest_of(["some.module"]) != before


def test_a_process_that_takes_too_long_is_stopped_with_what_it_printed() -> None:
    words = [sys.executable, "-u", "-c", "import sys; print('so far'); sys.stderr.write('and'); {}"]
    ends = [*words[:3], words[3].format("sys.exit(3)")]
    assert blocks._run_limited(ends, 60.0) == (3, "so far\nand")
    stays = [*words[:3], words[3].format("import time; time.sleep(60)")]
    code, output = blocks._run_limited(stays, 0.4)
    assert (code, output.splitlines()[-1]) == (None, "stopped after 0 s")


def test_a_section_s_command_has_its_options_and_its_share_of_the_time() -> None:
    timed = replace(SEVERAL, module="m", options=("--a", "1"), seconds_per_row=12.0)
    assert blocks.section_command(timed, False, 15.0) == ["m", "--a", "1", "--seconds-per-row", "3"]
    assert blocks.section_command(timed, True, 15.0) == ["m", "--quick", "--a", "1"]
    untimed = replace(timed, seconds_per_row=None)
    assert blocks.section_command(untimed, False, 15.0) == ["m", "--a", "1"]


def test_blocks_lie_beside_each_other_and_a_section_without_has_one(tmp_path: Path) -> None:
    folder = tmp_path / "sections"
    assert blocks.block_paths(SEVERAL, tmp_path, 2) == [
        folder / f"{SEVERAL.name}.{block}.json" for block in (0, 1)
    ]
    assert blocks.block_paths(ONCE, tmp_path, 2) == [folder / f"{ONCE.name}.0.json"]

"""The benchmark page from a committed report: its verdict, no request outside, nothing cut."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as replace_fields

from benchmarks.harness.reports import MergedReport, SectionResult, SectionRun, read_report
from benchmarks.report import page as page_module
from benchmarks.report.page import Notice, page_section, render, verdict
from benchmarks.report.targets import targets
from tests.foundation.report.layout import (
    REMAKE,
    layout_faults,
    needs_browser,
    outside_requests,
    words_of,
)

REPORTS = sorted(
    (Path(__file__).parents[3] / "reports" / "reference").glob("benchmarks_*/benchmarks.json")
)


def merged(path: Path) -> MergedReport:
    report = read_report(path)
    assert isinstance(report, MergedReport)
    return report


@pytest.mark.costly
def test_the_page_says_its_verdict_first() -> None:
    report = merged(REPORTS[0])
    page = render(report)
    assert page.index("6 of 6 measured targets met.") < page.index("The plan and what was measured")
    for section in report.sections.values():
        assert section.title in page
    for axis in ("environments stepped at once", "steps a second", "mean PnL of an episode ($)", "µs"):
        assert axis in page
    assert "A share above 100% means" in page
    assert outside_requests(page) == []
    assert render(report) == page


@needs_browser
def test_nothing_is_cut_on_a_screen_or_a_phone(tmp_path: Path) -> None:
    assert layout_faults(render(merged(REPORTS[0])), tmp_path) == []


@pytest.mark.costly
@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.parent.name)
def test_the_committed_page_is_this_one(path: Path) -> None:
    page = path.with_suffix(".html").read_text()
    assert words_of(page) == words_of(render(merged(path))), REMAKE


def texts_of(page: str) -> list[str]:
    """Return a page's texts in order, without its drawings, styles and scripts."""
    plain = re.sub(r"<(style|script).*?</\1>", "", words_of(page), flags=re.DOTALL)
    return [text.strip() for text in re.split(r"<[^>]*>", plain) if text.strip()]


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.parent.name)
def test_all_that_the_committed_page_says_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table, and every text in its order; drawings, which take long, are left out."""
    monkeypatch.setattr(page_module, "section_plots", lambda report: ())
    monkeypatch.setattr(page_module, "scaling_plots", lambda report: ())
    committed, made = path.with_suffix(".html").read_text(), render(merged(path))
    tables = [re.findall(r"<table.*?</table>", page, re.DOTALL) for page in (committed, made)]
    assert tables[0] == tables[1], REMAKE
    assert len(tables[0]) > 10
    texts = iter(texts_of(committed))
    missing = [text for text in texts_of(made) if text not in texts]
    assert missing == [], REMAKE


def run_of(code: int | None, output: str = "first\nlast", stale: bool = False) -> SectionRun:
    return SectionRun(
        command=("m",), digest="0", code="1", when="then", exit_code=code, seconds=2.5, output=output,
        stale=stale,
    )  # fmt: skip


def test_what_went_wrong_with_a_section_is_a_notice() -> None:
    long = "\n".join(f"line {number}" for number in range(40))
    runs = (run_of(0, stale=True), run_of(3, long), run_of(None), run_of(1, "  "))
    section = page_section("env", SectionResult(title="Steps", status="failed", runs=runs, report=None))
    assert (section.name, section.title, section.status) == ("env", "Steps", "failed")
    assert (section.seconds, section.runs, section.tables) == (10.0, 4, [])
    assert section.about == page_module.ABOUT["env"]
    last = "\n".join(f"line {number}" for number in range(10, 40))
    assert list(section.notices) == [
        Notice("A run ended with code 3: line 39", last),
        Notice("A run was stopped: last", "first\nlast"),
        Notice("A run ended with code 1: it printed nothing", "it printed nothing"),
        Notice("Measured by code that has changed since."),
    ]
    none = page_section("env", SectionResult(title="Steps", status="not run", runs=(), report=None))
    assert list(none.notices) == [Notice("This section was not run.")]


def test_the_verdict_is_of_what_was_measured_missed_and_left_out() -> None:
    report = merged(REPORTS[0])
    rows = targets(report)
    whole = verdict(report, rows)
    assert (whole.tone, whole.headline) == ("good", "6 of 6 measured targets met.")
    assert whole.reason == "1 of the plan's 7 rows could not be judged here."
    known = [number for number, row in enumerate(rows) if row.met is not None]
    missed = [replace(row, met=False) if n in known[1:3] else row for n, row in enumerate(rows)]
    bad = verdict(report, missed)
    names = ", ".join(rows[number].metric for number in known[1:3])
    assert (bad.tone, bad.headline) == ("bad", "4 of 6 measured targets met.")
    assert bad.reason == f"Not met: {names}. {whole.reason}"
    sections = {
        name: replace_fields(part, status="partly") if name in ("env", "latency") else part
        for name, part in report.sections.items()
    }
    partly = replace_fields(report, sections=sections)
    some = verdict(partly, rows)
    titles = f"{sections['env'].title}, {sections['latency'].title}"
    assert (some.tone, some.reason) == ("warn", f"{whole.reason} Not complete: {titles}.")
    assert verdict(partly, missed).tone == "bad"
    quick = verdict(replace_fields(report, made=replace_fields(report.made, quick=True)), missed)
    assert (quick.tone, quick.headline) == ("warn", "A quick run.")
    assert quick.reason.startswith("Tiny sizes: ")
    assert quick.reason.endswith(bad.reason)

"""The benchmark page from a committed report: its verdict, no request outside, nothing cut."""

from pathlib import Path

import pytest

from benchmarks.harness.reports import MergedReport, read_report
from benchmarks.report.page import render
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

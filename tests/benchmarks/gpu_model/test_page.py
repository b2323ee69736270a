import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.gpu_model.__main__ import PROGRAMS, REFERENCE, REPORT, main
from benchmarks.gpu_model.page import render, verdict
from foundation.files import write_json
from tests.foundation.report.layout import (
    REMAKE,
    layout_faults,
    needs_browser,
    outside_requests,
    words_of,
)
from tests.sentences import check_error

COMMITTED = REFERENCE / "gpu_model" / "gpu_model.json"


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    values: dict[str, Any] = json.loads(COMMITTED.read_text())
    return values


def test_the_committed_report_and_page_are_what_the_command_makes(tmp_path: Path) -> None:
    out, page = tmp_path / "new.json", tmp_path / "new.html"
    told = CliRunner().invoke(main, ["--json", str(out), "--html", str(page)])
    assert told.exit_code == 0, told.output
    again = "make it anew with python -m benchmarks.gpu_model --json ... --html ..."
    assert json.loads(out.read_text()) == json.loads(COMMITTED.read_text()), again
    assert words_of(page.read_text()) == words_of(COMMITTED.with_suffix(".html").read_text()), REMAKE


def test_a_point_beyond_the_bound_is_the_verdict_and_says_why(report: dict[str, Any]) -> None:
    beyond = deepcopy(report)
    beyond["points"][0] |= {"ratio": 2.5, "within": False, "reason": "Its <loop> is another."}
    beyond["checked_within"] -= 1
    assert verdict(beyond).tone == "warn"
    page = render(beyond)
    assert "measured time is 2.50 of the predicted. Its &lt;loop&gt; is another." in page
    assert "Beyond the bounds" not in render(report)


def test_the_page_says_what_was_fitted_what_checked_and_what_never_measured(
    report: dict[str, Any],
) -> None:
    page = render(report)
    assert outside_requests(page) == []
    for words in ("measured alone", "fitted", "check", "Never measured", "H200, RTX 4090"):
        assert words in page


@needs_browser
def test_nothing_is_cut_or_runs_over(report: dict[str, Any], tmp_path: Path) -> None:
    assert layout_faults(render(report), tmp_path) == []


@pytest.mark.parametrize(
    "change",
    [
        {"benchmark": "x"},
        {"machine": {"device": {"kind": "NVIDIA A100"}}},
        {"parts": {}},
        {"parts": {"environment": {"rows": [{"steps_per_second": {}}]}}},
        {"parts": {"environment": [3]}},
    ],
)
def test_a_report_that_cannot_be_used(change: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_json(path, {**json.loads(REPORT.read_text()), **change})
    told = CliRunner().invoke(main, ["--report", str(path), "--programs", str(PROGRAMS)])
    check_error(told.exception)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["--report", str(tmp_path / "none.json")])
    check_error(told.exception)
    (tmp_path / "broken.json").write_text("{")
    told = CliRunner().invoke(main, ["--report", str(tmp_path / "broken.json")])
    check_error(told.exception)

"""The study's page from the committed report: its verdict, no request outside, nothing cut."""

import json
from pathlib import Path
from typing import Any

import pytest

from parity.learning_study.page import render
from tests.foundation.report.layout import (
    REMAKE,
    layout_faults,
    needs_browser,
    outside_requests,
    words_of,
)

REPORT = Path(__file__).parents[3] / "reports" / "reference" / "learning" / "learning.json"


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    values: dict[str, Any] = json.loads(REPORT.read_text())
    return values


def test_the_page_says_its_verdict_first(report: dict[str, Any]) -> None:
    page = render(report)
    assert page.index("Both learn the same.") < page.index("Difference of the mean areas")
    assert page.index("−0.040 to +0.081, lies within the margin of ±0.155") < page.index(
        "Learning curves"
    )
    for words in ("thousands", "reward per 100 steps", "Every seed", "interquartile mean"):
        assert words in page
    assert outside_requests(page) == []
    assert render(report) == page


@needs_browser
def test_nothing_is_cut_on_a_screen_or_a_phone(report: dict[str, Any], tmp_path: Path) -> None:
    assert layout_faults(render(report), tmp_path) == []


def test_the_committed_page_is_this_one(report: dict[str, Any]) -> None:
    assert words_of(REPORT.with_suffix(".html").read_text()) == words_of(render(report)), REMAKE

"""The page of two trainers' comparison: its verdict first, nothing cut, nothing asked for outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.learning.compare import compare
from parity.learning.page import reason, render
from parity.learning.tables import Results
from tests.foundation.report.layout import layout_faults, needs_browser, outside_requests

FIRST, SECOND = "the reference's trainer", "a_port/of_the_same_trainer_with_a_long_name"


def results(name: str, columns: int, seed: int) -> Results:
    rng = np.random.default_rng(seed)
    scores = np.linspace(0.0, 1e5, columns) + 2e4 * rng.standard_normal((12, columns))
    names = tuple(f"{step}" for step in range(columns)) if columns > 1 else ("score",)
    return Results(name, tuple(map(str, range(12))), names, scores)


@pytest.fixture(scope="module", params=[1, 20], ids=["one number", "a curve"])
def report(request: pytest.FixtureRequest) -> dict[str, Any]:
    one, two = results(FIRST, request.param, 0), results(SECOND, request.param, 1)
    return dict(compare(one, two, margin=5e4))


def test_the_verdict_comes_first(report: dict[str, Any]) -> None:
    page = render(report)
    assert page.index(reason(report).split("'")[0]) < page.index("The difference against the margin")
    assert ("Learning curves" in page) == (len(report["columns"]) > 1)
    assert outside_requests(page) == []


@needs_browser
def test_nothing_is_cut_on_a_screen_or_a_phone(report: dict[str, Any], tmp_path: Path) -> None:
    assert layout_faults(render(report), tmp_path) == []

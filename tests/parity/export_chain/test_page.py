"""The chain's page from committed reports: its verdict, no request outside, nothing cut."""

import json
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from parity.export_chain.page import by_hop, render, share, small, tiles
from tests.foundation.report.layout import (
    REMAKE,
    layout_faults,
    needs_browser,
    outside_requests,
    words_of,
)
from tests.snapshots import Snapshot

REPORTS = Path(__file__).parents[3] / "reports" / "reference" / "export_chain"


@pytest.fixture(scope="module", params=["phase1", "phase2"])
def path(request: pytest.FixtureRequest) -> Path:
    return REPORTS / request.param / "chain.json"


@pytest.fixture(scope="module")
def report(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text())
    return values


def test_the_page_says_its_verdict_first(
    report: dict[str, Any], tmp_path: Path, snapshot: Snapshot
) -> None:
    page = render(report)
    assert page.index("Every hop decides the same.") < page.index("Decisions compared")
    assert "ONNX and C#" in page
    assert "A hop is one step" in page
    assert outside_requests(page) == []
    for hop in by_hop(report):
        assert escape(hop["hop"]) in page
    pnl = [tile for tile in tiles(report) if tile.label.startswith("PnL")]
    assert len(pnl) == 2
    assert all(tile.value.lstrip("−").startswith("$") for tile in pnl)
    place = tmp_path / "page.html"
    place.write_text(page)
    snapshot("page", place)


def test_a_hop_that_differs_is_the_verdict(report: dict[str, Any]) -> None:
    hops = [dict(stage) for stage in report["hops"]]
    hops[0] |= {"passed": False, "largest_difference": None, "share_of_limit": None}
    broken = {**report, "verdict": "different", "first_divergence": "files: <lost>", "hops": hops}
    page = render(broken)
    assert page.index("The chain comes apart.") < page.index("files: &lt;lost&gt;")
    assert "✕ fail" in page
    assert "no number" in page


@needs_browser
def test_nothing_is_cut_on_a_screen_or_a_phone(report: dict[str, Any], tmp_path: Path) -> None:
    assert layout_faults(render(report), tmp_path) == []


def test_the_committed_page_is_this_one(path: Path, report: dict[str, Any]) -> None:
    assert words_of(path.with_suffix(".html").read_text()) == words_of(render(report)), REMAKE


def test_differences_and_shares_in_words() -> None:
    assert [small(x) for x in (None, 0, 2.5e-7)] == ["no number", "0", "2.5e−7"]
    shares = [share(x) for x in (None, 0, 1e-4, 0.247, 1.37)]
    assert shares == ["beyond", "0", "below 0.1%", "24.7%", "137.0%, beyond"]

"""The page of a live replay: its verdict, what fills cost, no request outside, nothing cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from parity.export_chain.csharp import MISSING, available
from parity.live_replay.page import PAGE, render
from parity.live_replay.together import join_reports
from rltrader.live.replay import replay
from tests.foundation.report.layout import layout_faults, needs_browser, outside_requests
from tests.ninjatrader.hosting import live_files, live_log
from tests.snapshots import Snapshot

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)


def report(folder: Path, log: Path) -> dict[str, Any]:
    CliRunner().invoke(replay, [str(log), "--data", str(live_files()[0]), "--out", str(folder)])
    found: dict[str, Any] = json.loads((folder / "replay.json").read_text())
    return found


@pytest.fixture(scope="module")
def slipped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the report of a log whose entries were filled one tick worse, some of them later."""
    folder = tmp_path_factory.mktemp("page")
    lines = [json.loads(line) for line in live_log(1, "slip").read_text().splitlines()]
    for number, line in enumerate(lines):
        if line.get("order") == "RLTrader":
            line["latency_ms"] = 40.0 + number % 50
    log = folder / "log.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return report(folder / "out", log)


def test_a_log_that_agrees_says_so_first(tmp_path: Path, snapshot: Snapshot) -> None:
    found = report(tmp_path, live_log(1))
    page = (tmp_path / PAGE).read_text()
    assert page.index("Live and offline agree.") < page.index("Decisions compared")
    assert found["fill_costs"]["exact"] == found["fill_costs"]["count"] > 100
    assert found["fill_costs"]["worse_dollars"] == 0
    assert outside_requests(page) == []
    snapshot("out", tmp_path)


def test_what_fills_cost_is_told_with_units(slipped: dict[str, Any], snapshot: Snapshot) -> None:
    costs = slipped["fill_costs"]
    entries = [row for row in slipped["live_fills"] if row["fill"] == "entry"]
    assert {row["worse_ticks_mean"] for row in entries} == {1.0}
    assert costs["worse_dollars"] == sum(row["count"] for row in entries) * 12.5
    assert sum(row["count"] for row in costs["by_hour"]) == costs["count"]
    assert 40 <= costs["latency_ms_median"] < 90
    page = render(slipped)
    for words in (
        "Only fills differ.",
        "US dollars a contract",
        "New York time",
        " ms<",
        "(ticks)",
        "(ms)",
    ):
        assert words in page
    snapshot("slipped", slipped)


def test_shadow_modes_fills_are_not_taken_for_a_markets(tmp_path: Path) -> None:
    found = report(tmp_path, live_log(1, "shadow"))
    assert found["fill_costs"] is None
    assert "No fill on an account was compared" in (tmp_path / PAGE).read_text()


def test_a_difference_beside_fills_is_the_verdict(slipped: dict[str, Any]) -> None:
    other = {**slipped["first"], "stage": "feature", "name": "<rsi>"}
    page = render({**slipped, "first_beside_fills": other})
    assert page.index("Live and offline disagree.") < page.index("&lt;rsi&gt;")


@pytest.mark.parametrize(
    ("fusion", "said"),
    [
        (None, "its scores of the actions, of which the highest allowed one is taken."),
        (
            {"rule": "weighted"},
            "its scores of the actions, which before one is taken are fused with advice (rule "
            "weighted): 1,030 decisions had an answer of the service, 20 had none.",
        ),
        (
            [{"rule": "gated"}, None, {"rule": "alone"}, {"rule": "gated", "weight": 1.0}],
            "its scores of the actions, which before one is taken are fused with advice (rule alone or "
            "gated or none): 1,030 decisions had an answer of the service, 20 had none.",
        ),
    ],
    ids=["bare", "fused", "several"],
)
def test_the_page_says_how_an_action_is_taken(slipped: dict[str, Any], fusion: Any, said: str) -> None:
    log = {**slipped["log"], "fusion": fusion, "decisions": 1_050, "with_advice": 1_030}
    page = render({**slipped, "log": log})
    assert said in page
    assert ("of which the highest" in page) == (fusion is None)
    reports = [
        {**slipped, "log": {**log, "fusion": each}} for each in (fusion, fusion, {"rule": "veto"})
    ]
    assert join_reports(reports[:2])["log"]["fusion"] == fusion
    assert join_reports(reports)["log"]["fusion"] == [fusion, {"rule": "veto"}]


@needs_browser
def test_nothing_is_cut_on_a_screen_or_a_phone(slipped: dict[str, Any], tmp_path: Path) -> None:
    assert layout_faults(render(slipped), tmp_path) == []

"""Several logs in one replay: counts are sums, fills measured together, a verdict for each log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from parity.export_chain.csharp import MISSING, available
from parity.live_replay.page import PAGE
from parity.live_replay.together import join_reports
from rltrader.live.replay import replay
from tests.foundation.report.layout import layout_faults, needs_browser
from tests.ninjatrader.hosting import live_files, live_log
from tests.sentences import check_error, refuses
from tests.snapshots import Snapshot

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of logs: one agrees, one was filled worse, two hold no decision or no bar."""
    folder = tmp_path_factory.mktemp("week")
    (folder / "a.jsonl").write_bytes(live_log(1).read_bytes())
    (folder / "b.jsonl").write_bytes(live_log(1, "slip").read_bytes())
    lines = live_log(1).read_text().splitlines()[:4]
    (folder / "c.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "d.jsonl").write_text(lines[0] + "\n")
    return folder


def run(*arguments: object) -> Any:
    data = ("--data", str(live_files()[0]))
    return CliRunner().invoke(replay, [*map(str, arguments), *data])


@pytest.fixture(scope="module")
def joined(week: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    out = tmp_path_factory.mktemp("joined")
    return run(week, "--out", out), out


def one(log: Path, out: Path) -> dict[str, Any]:
    run(log, "--out", out)
    found: dict[str, Any] = json.loads((out / "replay.json").read_text())
    return found


@pytest.mark.costly
def test_counts_are_sums_and_fills_are_measured_together(
    week: Path, joined: tuple[Any, Path], tmp_path: Path, snapshot: Snapshot
) -> None:
    result, out = joined
    assert result.exit_code == 1
    assert "left out: " in result.stderr
    assert "c.jsonl: the strategy has decided nothing in its" in result.stderr
    assert "d.jsonl: it holds no bar" in result.stderr
    report = json.loads((out / "replay.json").read_text())
    a, b = (one(week / f"{name}.jsonl", tmp_path / name) for name in "ab")
    assert report["compared"] == {
        name: a["compared"][name] + b["compared"][name] for name in a["compared"]
    }
    assert report["fill_costs"]["count"] == a["fill_costs"]["count"] + b["fill_costs"]["count"]
    assert report["fill_costs"]["worse_dollars"] == b["fill_costs"]["worse_dollars"] > 0
    for row in report["fill_costs"]["by_hour"]:
        same = [x for part in (a, b) for x in part["fill_costs"]["by_hour"] if x["hour"] == row["hour"]]
        assert row["count"] == sum(x["count"] for x in same)
    assert [(log["file"], log["verdict"]) for log in report["logs"]] == [
        ("a.jsonl", "same"),
        ("b.jsonl", "different"),
    ]
    assert report["first"]["log"] == "b.jsonl"
    assert {name: report["first"][name] for name in b["first"]} == b["first"]
    assert "a.jsonl: same" in result.stdout
    assert "first difference: in b.jsonl, " in result.stdout
    snapshot("out", out)


def test_logs_of_two_contracts_are_not_mixed(joined: tuple[Any, Path]) -> None:
    report = json.loads((joined[1] / "replay.json").read_text())
    other = {**report, "log": {**report["log"], "symbol": "NQ"}}
    with refuses():
        join_reports([report, other])


def test_a_folder_without_logs_is_named(tmp_path: Path) -> None:
    check_error(run(tmp_path).exception)


@needs_browser
def test_nothing_is_cut_on_a_screen_or_a_phone(joined: tuple[Any, Path], tmp_path: Path) -> None:
    page = (joined[1] / PAGE).read_text()
    assert "b.jsonl" in page
    assert layout_faults(page, tmp_path) == []

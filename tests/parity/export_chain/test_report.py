"""A report's files, and a day's, as a user finds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from parity.export_chain.day import to_csv
from parity.export_chain.page import render
from parity.export_chain.report import write_day, write_report
from tests.jax_port.export.made_bundle import bars

REPORT = Path(__file__).parents[3] / "reports" / "reference" / "export_chain" / "phase1" / "chain.json"


def test_numbers_a_page_and_an_attestation_where_there_is_one(tmp_path: Path) -> None:
    report: dict[str, Any] = json.loads(REPORT.read_text())
    write_report(tmp_path / "bare", report)
    names = {"chain.json", "chain.html"}
    assert {path.name for path in (tmp_path / "bare").iterdir()} == names
    write_report(tmp_path / "with", report, {"payload": "signed"})
    found = tmp_path / "with"
    assert {path.name for path in found.iterdir()} == {*names, "chain.attestation.json"}
    assert json.loads((found / "chain.json").read_text()) == report
    assert (found / "chain.html").read_text() == render(report)
    assert json.loads((found / "chain.attestation.json").read_text()) == {"payload": "signed"}


def test_a_day_s_bars_end_with_its_last_one(tmp_path: Path) -> None:
    few = bars().select(np.arange(len(bars())) < 6)
    seconds = (few.timestamps_ns // 1_000_000_000).tolist()
    day = {"day": "2025-01-06", "features": [{"time": seconds[2]}, {"time": seconds[4]}]}
    write_day(tmp_path / "day", few, day)
    assert {path.name for path in (tmp_path / "day").iterdir()} == {"bars.csv", "day.json"}
    assert (tmp_path / "day" / "bars.csv").read_text() == to_csv(few, seconds[4])
    assert json.loads((tmp_path / "day" / "day.json").read_text()) == day

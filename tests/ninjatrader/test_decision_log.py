"""What the strategy writes down, for which accounts it trades, and a log that can't be written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available
from parity.live_replay.decision_log import read_log
from tests.ninjatrader.hosting import live_bars, live_bundle, live_files, live_log, run_host
from tests.snapshots import Snapshot

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)


@pytest.mark.parametrize("phase", [1, 2])
def test_every_bar_and_every_fill_is_written(phase: int, snapshot: Snapshot) -> None:
    log = read_log(live_log(phase))
    assert len(log) == len(live_bars().session("rth"))
    assert not log.torn
    fills = [fill for between in log.between for fill in between.fills]
    assert {fill.order for fill in fills} == {"RLTrader", "Stop loss", "Profit target", "RLTrader flat"}
    assert log.decided.sum() > 1000
    assert {"warming up", "closed on this bar", "flat by"} <= set(log.skipped)
    assert set(log.action.tolist()) == set(range(-1, 3 if phase == 1 else 6))
    lines = live_log(phase).read_text().splitlines()
    snapshot("log", [json.loads(line) for line in lines], "[[]].bundle*")


@pytest.mark.costly(keep=2)
@pytest.mark.parametrize("culture", ["de-DE", "fi-FI", "th-TH"])
def test_the_log_is_the_same_under_another_culture(tmp_path: Path, culture: str) -> None:
    """A German writes 1,5, a Finn 14.30.00, and a Thai counts 543 years more."""
    run_host(tmp_path, live_bundle(2), "ES", "fill", str(live_files()[1]), culture=culture)
    (other,) = (tmp_path / "rltrader").glob("*.jsonl")
    lines = [path.read_text(encoding="utf-8").splitlines() for path in (other, live_log(2))]
    assert len(lines[0]) > 1000
    assert lines[0][1:] == lines[1][1:]
    headers = [json.loads(found[0]) for found in lines]
    assert {name for name in headers[0] if headers[0][name] != headers[1][name]} <= {"opened"}
    opened = [re.sub(r"\D", "", header["opened"])[:8] for header in headers]
    assert opened[0] == opened[1] == other.name.split("-")[1]


def test_a_log_that_cannot_be_written_does_not_stop_trading(tmp_path: Path) -> None:
    (tmp_path / "rltrader").write_text("a file where the folder would be")
    trades, told = run_host(tmp_path, live_bundle(1), "ES", "fill", str(live_files()[1]))
    (tmp_path / "other").mkdir()
    logged, _ = run_host(tmp_path / "other", live_bundle(1), "ES", "fill", str(live_files()[1]))
    assert trades == logged != []
    assert told.count("Alert") == 1
    assert "the decision log can't be written" in told
    assert "trading goes on without it" in told


def test_a_disk_that_fills_up_does_not_stop_trading(tmp_path: Path) -> None:
    bars = str(live_files()[1])
    trades, told = run_host(tmp_path, live_bundle(1), "ES", "fill", bars, kilobytes=400)
    (tmp_path / "other").mkdir()
    logged, _ = run_host(tmp_path / "other", live_bundle(1), "ES", "fill", bars)
    # Mono itself prints a line about the error that it doesn't know.
    assert [line for line in trades if "w32error" not in line] == logged != []
    assert told.count("the decision log can't be written") == 1
    (cut,) = (tmp_path / "rltrader").glob("*.jsonl")
    (whole,) = (tmp_path / "other" / "rltrader").glob("*.jsonl")
    log = read_log(cut)
    assert cut.stat().st_size == 400 * 1024
    assert log.torn
    assert 300 < len(log) < len(read_log(whole))


def test_a_live_account_is_refused(tmp_path: Path) -> None:
    trades, told = run_host(tmp_path, live_bundle(1), "ES", "live", str(live_files()[1]))
    assert trades == []
    assert "log Alert RLTrader: this account is not a simulation" in told
    assert not list(tmp_path.rglob("*.jsonl"))


def test_a_live_account_is_traded_where_that_is_allowed(tmp_path: Path) -> None:
    trades, told = run_host(tmp_path, live_bundle(1), "ES", "LiveAllowed", str(live_files()[1]))
    assert len(trades) > 10
    assert "Alert" not in told
    (log,) = (tmp_path / "rltrader").glob("*.jsonl")
    assert read_log(log).header["provider"] == "Rithmic"

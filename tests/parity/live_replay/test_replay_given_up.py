"""Bars that live gave up for reasons of its account's are told apart from faults of its decisions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parity.export_chain.csharp import MISSING, available
from parity.live_replay.page import render, verdict
from tests.parity.live_replay.replayed_logs import Lines, lines_of, run, written

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

LATER = 40


def flat_bars(lines: Lines) -> Lines:
    """Return the lines in the midst that decide for nothing with no trade open."""
    found = [line for line in lines if line.get("number", 0) > 900 and line.get("action") == 0]
    return [line for line in found if not line["side"]]


def spoilt() -> tuple[Lines, Lines]:
    """Return the lines of a log of which three bars were given up, and its flat bars."""
    lines = lines_of(1)
    flat = flat_bars(lines)
    for line, why in zip(flat, ("halted", "an exit is on its way", "halted"), strict=False):
        line["skipped"] = why
    return lines, flat


def replayed(tmp_path: Path, lines: Lines) -> tuple[dict[str, Any], str]:
    """Return the report on a log, and what the command says."""
    done = run(written(tmp_path, lines), "--out", str(tmp_path))
    assert done.exit_code == 1
    return json.loads((tmp_path / "replay.json").read_text()), done.output


def test_bars_that_live_gave_up_are_told_apart_from_faults(tmp_path: Path) -> None:
    lines, flat = spoilt()
    found, said = replayed(tmp_path, lines)
    assert found["first"] == {
        "bar": flat[0]["number"],
        "stage": "action",
        "name": "whether something is decided",
        "live": "halted",
        "offline": "it decides",
        "apart": None,
        "allowed": 0.0,
        "time": flat[0]["time"],
    }
    assert found["first_beside_fills"] is None
    assert found["given_up"] == {"an exit is on its way": 1, "halted": 2}
    assert found["fills"]["differ"] == 0
    bars = [line for line in lines if line.get("event") == "bar"]
    decided = [line for line in bars if line.get("skipped") is None]
    fills = [line for line in lines if line.get("event") == "fill"]
    assert found["compared"] == {
        "bars": len(bars),
        "decisions": len(decided),
        "fills": len(fills),
    }
    reasons = "an exit is on its way (1 bar), halted (2 bars)"
    told = verdict(found)
    assert (told.tone, told.headline) == ("warn", "Live gave up 3 bars.")
    assert f"{reasons}. Every bar, " in told.reason
    assert "agrees; no fill differs from the rules." in told.reason
    assert f"Bars that live gave up: {reasons}." in render(found)
    assert f"bars that live gave up, for reasons of its account's: {reasons}" in said
    some = {**found, "fills": {**found["fills"], "differ": 2}}
    assert "agrees; 2 fills differ from the rules." in verdict(some).reason


def a_feature(line: dict[str, Any]) -> str:
    line["features"][5] += 1e-6
    return "feature"


def another_reason(line: dict[str, Any]) -> str:
    line["skipped"] = "closed on this bar"  # which the rules know of
    return "action"


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("plant", [a_feature, another_reason])
def test_a_fault_behind_them_is_found(tmp_path: Path, plant: Any) -> None:
    lines, flat = spoilt()
    stage = plant(flat[LATER])
    flat[LATER + 1]["skipped"] = "the account holds another position"
    found, said = replayed(tmp_path, lines)
    assert (found["first"]["bar"], found["first"]["live"]) == (flat[0]["number"], "halted")
    beside = found["first_beside_fills"]
    assert (beside["bar"], beside["stage"]) == (flat[LATER]["number"], stage)
    assert found["given_up"] == {"an exit is on its way": 1, "halted": 2}
    assert found["compared"]["bars"] == flat[LATER]["number"]
    assert verdict(found).headline == "Live and offline disagree."
    assert f"first difference beside these: bar {flat[LATER]['time']}, " in said

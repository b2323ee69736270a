"""Recordings are read in the order in which they were written."""

from __future__ import annotations

"""What the reference did is read as it was written: every scenario, in the order of trying them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from parity.mutants import learner, recordings


def test_more_than_ten_recordings_are_read_in_the_order_of_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is tried first is what finds most faults soonest."""
    for number in reversed(range(26)):
        for what in ("scenario", "learner"):
            (tmp_path / f"{what}-{number}").mkdir()
    assert len(recordings.AMOUNT) == 26
    for module, load, load_one in (
        (recordings, "load", "_load_scenario"),
        (learner, "load_learner", "_load"),
    ):
        monkeypatch.setattr(module, load_one, lambda place: int(place.name.rpartition("-")[2]))
        assert getattr(module, load)(tmp_path) == list(range(26))


from foundation.errors import InputError
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from parity.mutants.learner import load_learner
from parity.mutants.recordings import load, make
from parity.pairs.trading import World
from parity.suites.scenarios import Scenario


def test_more_than_ten_scenarios_are_read_in_the_order_in_which_they_were_made(tmp_path: Path) -> None:
    world = World("ES", synthetic_bars("ES", days=1, seed=0), "")
    config = replace(EnvConfig.phase1(), max_episode_bars=60)
    make(tmp_path, [Scenario(name, (world,), config, 1, 1) for name in ("b", "a")])
    for number in range(2, 12):
        copied = tmp_path / f"scenario-{number}"
        shutil.copytree(tmp_path / "scenario-1", copied)
        about = json.loads((copied / "scenario.json").read_text("utf-8"))
        (copied / "scenario.json").write_text(json.dumps({**about, "name": f"{number}"}), "utf-8")
    assert [one.name for one in load(tmp_path)] == ["b", "a", *(f"{number}" for number in range(2, 12))]


def test_learners_are_read_in_the_order_in_which_they_were_made(tmp_path: Path) -> None:
    for number in (10, 2, 11):
        (tmp_path / f"learner-{number}").mkdir()
        (tmp_path / f"learner-{number}" / "case.json").write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match="learner-2/case"):
        load_learner(tmp_path)

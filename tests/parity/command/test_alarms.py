"""``envparity alarms``: what is the same is called the same, seed after seed; a run goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from parity.command.alarms import Runs, against_itself, count_alarms
from parity.command.main import app
from parity.harness.places import load_pair
from tests.sentences import refuses

PAIRS = "tests.parity.command.small_pairs"
FEW = ["--transitions", "32", "--resets", "50", "--quiet"]


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["alarms", *(str(word) for word in words), *FEW])


@pytest.mark.costly
def test_a_side_against_itself_raises_no_alarm_and_a_run_goes_on(tmp_path: Path) -> None:
    first = run(f"{PAIRS}:honest", "--runs", "2", "--out", tmp_path)
    assert first.exit_code == 0, first.output
    assert "0 of 2 runs alarmed" in first.output
    lines = (tmp_path / "alarms.jsonl").read_text().splitlines()
    again = run(f"{PAIRS}:honest", "--runs", "3", "--out", tmp_path)
    assert again.exit_code == 0, again.output
    assert (tmp_path / "alarms.jsonl").read_text().splitlines()[:2] == lines
    numbers = json.loads((tmp_path / "alarms.json").read_text())
    assert (numbers["runs"], numbers["alarms"]) == (3, [])
    assert numbers["at_most"] == pytest.approx(1 - 0.05 ** (1 / 3))
    with refuses():
        count_alarms(Runs(f"{PAIRS}:heavy", runs=3, transitions=32, resets=50), tmp_path)


@pytest.mark.costly
def test_what_is_not_the_same_raises_an_alarm_with_every_seed(tmp_path: Path) -> None:
    result = run(f"{PAIRS}:heavy", "--against", "pair", "--runs", "2", "--out", tmp_path)
    assert result.exit_code == 1, result.output
    assert "2 of 2 runs alarmed" in result.output
    assert "seed 1: " in result.output


def test_both_sides_are_one_and_no_difference_is_accepted() -> None:
    pair = load_pair("examples.pairs.mountain_car_continuous:pair")
    for which in ("port", "reference"):
        same = against_itself(pair, which)  # type: ignore[arg-type]
        assert same.reference is same.port is getattr(pair, which)
        assert not same.accepted
    assert against_itself(pair, "pair") is pair


def test_a_damaged_line_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "alarms.jsonl").write_text("{\n{}\n")
    with refuses():
        count_alarms(Runs(f"{PAIRS}:honest", runs=1), tmp_path)

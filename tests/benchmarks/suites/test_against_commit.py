"""Speeds of two checkouts: a planted slowdown is found, noise is not, and this tree can be measured."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from benchmarks.suites import against_commit
from benchmarks.suites.against_commit import AgainstReport, interleave, main
from foundation.import_closure import PACKAGES_ROOT
from tests.benchmarks.refused import refused


class Noisy:
    """A checkout whose speed scatters by 2% about a level, on a machine that is slow at times."""

    def __init__(self, level: float, seed: int, turns: list[object]) -> None:
        self._level, self._turns = level, turns
        self._rng = np.random.default_rng(seed)

    def measure(self, workload: str, seconds: float) -> float:
        self._turns.append(self)
        slow = 0.5 if len(self._turns) // 6 % 2 else 1.0
        return float(slow * self._level * (1 + 0.02 * self._rng.normal()))


def _verdict(level: float) -> tuple[str, float]:
    turns: list[object] = []
    this, other, control = (Noisy(x, at, turns) for at, x in enumerate((level, 1e5, 1e5)))
    (row,) = interleave(this, other, control, rounds=15, seconds=0.0, workloads=["training"])
    assert {id(runner) for runner in turns[:3]} == {id(this), id(other), id(control)}
    assert [turns[at] for at in (0, 3, 6)] == [this, other, control]
    assert row.interval[0] <= row.ratio.median <= row.interval[1]
    return row.verdict, row.ratio.median


def test_a_planted_change_is_told_from_noise() -> None:
    assert _verdict(0.9e5)[0] == "slower"
    assert _verdict(1.1e5)[0] == "faster"
    verdict, ratio = _verdict(1e5)
    assert verdict == "within noise"
    assert ratio == pytest.approx(1.0, abs=0.02)


@pytest.mark.slow
def test_this_tree_is_measured_against_itself(tmp_path: Path) -> None:
    out = tmp_path / "against.json"
    result = CliRunner().invoke(main, [str(PACKAGES_ROOT), "--quick", "--json", str(out)])
    assert result.exit_code in (0, 1), result.output
    report = msgspec.json.decode(out.read_bytes(), type=AgainstReport)
    assert report.this_commit == report.other_commit
    assert [row.name for row in report.rows] == [
        "environment, phase 1",
        "training, phase 1",
        "training, phase 2",
    ]
    assert all(len(row.ratio.rounds) == 2 for row in report.rows)


def test_what_is_no_checkout_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(main, capsys, str(tmp_path))


@pytest.mark.parametrize(
    ("this", "control", "verdict"),
    [
        (80.0, 100.0, "slower"),
        (120.0, 100.0, "faster"),
        (80.0, 70.0, "within noise"),
        (120.0, 130.0, "within noise"),
        (100.0, 100.0, "within noise"),
    ],
)
def test_a_change_counts_beyond_one_and_beyond_what_the_control_shows(
    this: float, control: float, verdict: str
) -> None:
    row = against_commit.make_row("x", [this] * 9, [100.0] * 9, [control] * 9)
    assert (row.name, row.verdict) == ("x", verdict)
    assert row.ratio.rounds == pytest.approx([this / 100] * 9)
    assert row.control.rounds == pytest.approx([control / 100] * 9)
    assert (row.this.samples, row.other.samples) == ((this,) * 9, (100.0,) * 9)
    assert row.interval == pytest.approx((this / 100,) * 2)
    assert row.control_interval == pytest.approx((control / 100,) * 2)


def test_every_workload_is_measured_by_each_checkout_in_each_round_in_turn() -> None:
    turns: list[Any] = []

    class Tree:
        def __init__(self, number: int) -> None:
            self.number = number

        def measure(self, workload: str, seconds: float) -> float:
            turns.append((self.number, workload, seconds))
            return float(10**self.number * (len(turns) + 1))

    rows = interleave(
        Tree(0), Tree(1), Tree(2), rounds=2, seconds=0.5, workloads=["one", "two"]
    )  # fmt: skip
    order = [(0, 1, 2), (0, 1, 2), (1, 2, 0), (1, 2, 0)]
    names = ["one", "two", "one", "two"]
    assert turns == [
        (tree, name, 0.5) for name, trees in zip(names, order, strict=True) for tree in trees
    ]
    assert [row.name for row in rows] == ["one", "two"]
    assert [row.this.samples for row in rows] == [(2.0, 10.0), (5.0, 13.0)]
    assert [row.other.samples for row in rows] == [(30.0, 80.0), (60.0, 110.0)]


def test_a_process_of_each_checkout_and_a_control_are_measured_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[Any] = []

    class Tree:
        def __init__(self, tree: Path, sizes: list[str]) -> None:
            told.append((tree, sizes))

        def __enter__(self) -> Tree:
            return self

        def __exit__(self, *_: object) -> None:
            told.append("ended")

        def wait_ready(self) -> None:
            told.append("ready")

    row = against_commit.make_row("x", [2e6] * 9, [1e6] * 9, [1.25e6] * 9)

    def measured(*runners: Any, rounds: int, seconds: float) -> Any:
        told.append((len({id(one) for one in runners}), rounds, seconds))
        return [row]

    monkeypatch.setattr(against_commit, "TreeProcess", Tree)
    monkeypatch.setattr(against_commit, "interleave", measured)
    monkeypatch.setattr(against_commit, "commit_of", lambda tree: f"commit of {tree.name}")
    options = {"days": 5, "envs": 6, "steps": 7, "batch_size": 8, "rounds": 9, "seconds": 0.5}
    report = against_commit.measure(tmp_path, options)
    sizes = ["--days=5", "--envs=6", "--steps=7", "--batch-size=8"]
    trees = [part for tree in (PACKAGES_ROOT, tmp_path, tmp_path) for part in ((tree, sizes), "ready")]
    assert told == [*trees, (3, 9, 0.5), "ended", "ended", "ended"]
    assert report.this_commit == f"commit of {PACKAGES_ROOT.name}"
    assert (report.other_commit, report.rows) == (f"commit of {tmp_path.name}", (row,))
    against_commit.show(report, Console(width=200))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        f"this: commit of {PACKAGES_ROOT.name}; other: commit of {tmp_path.name}",
        "steps/s other this this / other 95% interval control verdict",
        "x 1M 2M 2.000 2.000 to 2.000 1.250 to 1.250 faster",
        "control: the same ratio of two processes of the other checkout, 95% interval",
    ]


@pytest.mark.parametrize(("verdicts", "code"), [(["faster", "slower"], 1), (["faster"], 0)])
def test_it_ends_by_what_is_slower(
    verdicts: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    rows = [SimpleNamespace(verdict=verdict) for verdict in verdicts]
    report = SimpleNamespace(rows=rows)
    monkeypatch.setattr(against_commit, "measure", lambda *given: asked.append(given) or report)
    monkeypatch.setattr(against_commit, "publish", lambda *given: asked.append(given))
    (tmp_path / "jax_port").mkdir()
    words = [str(tmp_path), "--days", "5", "--envs", "6", "--steps", "7", "--batch-size", "8"]
    words += ["--rounds", "9", "--seconds", "0.5", "--json", "o.json"]
    options = {"days": 5, "envs": 6, "steps": 7, "batch_size": 8, "rounds": 9, "seconds": 0.5}
    few = {"days": 4, "envs": 16, "steps": 8, "batch_size": 64, "rounds": 2, "seconds": 0.02}
    for more, sizes in (([], options), (["--quick"], few)):
        asked.clear()
        assert CliRunner().invoke(main, [*words, *more]).exit_code == code
        assert asked == [(tmp_path, sizes), (report, against_commit.show, Path("o.json"))]


def test_a_commit_is_none_where_git_knows_of_none(tmp_path: Path) -> None:
    assert against_commit.commit_of(tmp_path) == ""

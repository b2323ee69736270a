"""Speeds of two checkouts: a planted slowdown is found, noise is not, and this tree can be measured."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

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

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.baselines.learners import Greedy
from benchmarks.baselines.pattern_agents import HeldOutMarket
from benchmarks.harness.reports import ReturnReport, TimeRatio, read_report
from benchmarks.harness.rows import ReturnPoint, ReturnRow
from benchmarks.suites import time_to_return
from benchmarks.suites.time_to_return import (
    TrainingPlan,
    ahead,
    command,
    make_plan,
    run_in_process,
    run_row,
)
from tests.sentences import refuses

TINY: dict[str, Any] = {
    "days": 4,
    "starts": 64,
    "share": 0.5,
    "limit_seconds": 10.0,
    "every": 0.0,
    "envs": 8,
    "n_steps": 16,
    "batch_size": 64,
    "epochs": 1,
    "hidden": 16,
    "learning_rate": 1e-3,
    "workers": 1,
    "rollout": 64,
    "reference_batch": 32,
}


class Clockwork:
    """A trainer that earns 100 dollars more with every portion, each of which takes a second."""

    name, envs, masks, note = "clockwork", 1, True, "earns by the clock"

    def __init__(self, clock: list[float], fails_at: int = -1) -> None:
        self._clock, self._fails_at, self.closed, self.portions = clock, fails_at, False, 99

    def prepare(self) -> float:
        return 7.0

    def begin(self) -> None:
        self.portions = 0

    def run(self) -> int:
        if self.portions == self._fails_at:
            raise ValueError("NaN in the weights")
        self.portions += 1
        self._clock[0] += 1.0
        return 50

    def greedy(self) -> Greedy:
        return Greedy(lambda weights, obs, masks: weights, self.portions)

    def close(self) -> None:
        self.closed = True


def _row(
    monkeypatch: pytest.MonkeyPatch, plan: TrainingPlan, **kind: int
) -> tuple[ReturnRow, Clockwork]:
    clock = [0.0]
    learner = Clockwork(clock, **kind)

    def earned(greedy: Greedy, held_out: HeldOutMarket) -> float:
        clock[0] += 1000.0  # judging takes long, and must not count
        return 100.0 * greedy.weights

    monkeypatch.setattr(time_to_return, "make_held_out", lambda *args: None)
    monkeypatch.setattr(time_to_return, "oracle_pnl", lambda held_out: 800.0)
    monkeypatch.setattr(time_to_return, "make_learner", lambda *args: learner)
    monkeypatch.setattr(time_to_return, "greedy_return", earned)
    monkeypatch.setattr(time_to_return.time, "perf_counter", lambda: clock[0])
    return run_row("port", plan, 3), learner


def test_the_clock_stops_at_the_return_and_stands_while_judging(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row, learner = _row(monkeypatch, make_plan(TINY))
    assert row == ReturnRow(
        trainer="port",
        name="clockwork",
        masks=True,
        seed=3,
        compile_seconds=7.0,
        seconds=4.0,
        steps=200,
        limit_seconds=10.0,
        curve=tuple(ReturnPoint(float(n), 50 * n, 100.0 * n) for n in range(5)),
        note="earns by the clock",
        oracle_return_dollars=800.0,
        target_return_dollars=400.0,
    )
    assert row.best_return_dollars == 400.0
    assert learner.closed


def test_who_does_not_get_there_is_stopped_and_judged_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = replace(make_plan(TINY), share=1.0, limit_seconds=5.5, every=4.0)
    row, _ = _row(monkeypatch, plan)
    assert row.seconds is None
    assert row.best_return_dollars == 600.0
    points = ((0.0, 0, 0.0), (4.0, 200, 400.0), (6.0, 300, 600.0))
    assert row.curve == tuple(ReturnPoint(*point) for point in points)


def test_a_trainer_that_fails_is_a_row_with_the_judgements_until_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row, learner = _row(monkeypatch, make_plan(TINY), fails_at=2)
    assert row.error == "ValueError: NaN in the weights"
    assert row.seconds is None
    assert row.curve[-1] == ReturnPoint(2.0, 100, 200.0)
    assert learner.closed


def test_seconds_are_compared_by_medians() -> None:
    def row(trainer: str, seconds: float | None, error: str | None = None) -> ReturnRow:
        name = trainer
        return ReturnRow(
            name=name, trainer=trainer, seed=0, seconds=seconds, limit_seconds=60.0, error=error
        )

    rows = [row("port", 1.0), row("port", 3.0), row("port", 2.0), row("sbx", 10.0), row("sbx", 14.0)]
    rows += [
        row("rejax", None),
        row("rejax", 8.0),
        row("rejax", None),
        row("purejaxrl", None, error="x"),
    ]
    assert ahead(rows) == {
        "sbx": TimeRatio(ratio=6.0, at_least=False),
        "rejax": TimeRatio(ratio=30.0, at_least=True),
    }
    assert ahead(rows[3:]) == {}
    # what was good enough untrained took no time
    assert ahead([row("port", 2.0), row("sbx", 0.0)]) == {"sbx": TimeRatio(ratio=0.0, at_least=False)}
    assert ahead([row("port", 0.0), row("sbx", 2.0)]) == {}


@pytest.mark.slow
def test_the_port_and_a_baseline_run_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        time_to_return, "run_in_process", run_row
    )  # in this process, which has imported all
    out = tmp_path / "time.json"
    options = ["--quick", "--trainers", "port,purejaxrl", "--json", str(out)]
    result = CliRunner().invoke(command, options, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    report = read_report(out)
    assert isinstance(report, ReturnReport)
    assert [(row.trainer, row.masks) for row in report.rows] == [("port", True), ("purejaxrl", False)]
    for row in report.rows:
        assert row.error is None, row
        assert (row.compile_seconds or 0) > 0
        first, last = row.curve[0], row.curve[-1]
        assert (first.seconds, first.steps) == (0.0, 0)
        assert last.steps == row.steps > 0
        assert first.dollars != last.dollars
        assert row.target_return_dollars == (row.oracle_return_dollars or 0) / 2 > 100


class Bomb(str):
    """A name that ends the process that reads it."""

    def __reduce__(self) -> Any:
        return os._exit, (3,)


@pytest.mark.costly
def test_a_process_that_dies_is_a_row() -> None:
    row = run_in_process(Bomb("port"), make_plan(TINY), 0)
    assert row.error is not None
    assert row.error.startswith("BrokenProcessPool: A process in the process pool")
    assert (row.name, row.seconds, row.curve) == ("port", None, ())


def test_an_unknown_trainer_is_named() -> None:
    with refuses():
        CliRunner().invoke(command, ["--trainers", "trl"], catch_exceptions=False)

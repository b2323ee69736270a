"""Trainers on the way to a return: what each is given, when its clock runs, who was faster."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec.structs import replace as replace_fields
from rich.console import Console

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


def test_each_trainer_is_given_the_plan_s_market_and_its_own_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = {**TINY, "batch_size": 32, "epochs": 3, "learning_rate": 0.0125, "workers": 2}
    options |= {"rollout": 128, "reference_batch": 16, "every": 0.25, "days": 6, "hidden": 24}
    plan = make_plan(options)
    assert (plan.days, plan.starts, plan.share, plan.limit_seconds, plan.every) == (
        6,
        64,
        0.5,
        10.0,
        0.25,
    )
    ours, theirs = plan.settings, plan.reference
    assert (ours.n_envs, ours.n_steps, ours.batch_size, ours.n_epochs) == (8, 16, 32, 3)
    assert (ours.network.pi, ours.network.vf, ours.learning_rate) == ((24, 24), (24, 24), 0.0125)
    same = time_to_return.reference_settings(3, 2, 16, 128)
    assert theirs == replace(same, learning_rate=0.0125) != same
    monkeypatch.setattr(time_to_return, "make_params", lambda *given: ("params", *given))
    monkeypatch.setattr(time_to_return, "PortLearner", lambda *given: ("port", *given))
    monkeypatch.setattr(time_to_return, "ReferenceLearner", lambda *given: ("reference", *given))
    monkeypatch.setattr(time_to_return, "pattern_bars", lambda *given, **named: (*given, named))
    monkeypatch.setattr(time_to_return, "BASELINES", {"rejax": lambda *given: ("rejax", *given)})
    config = time_to_return.CONFIG
    params = ("params", config, 6, 1.0)
    made: Any = [time_to_return.make_learner(name, plan, 5) for name in ("port", "maskable", "rejax")]
    assert made == [
        ("port", params, config, replace(ours, seed=5)),
        ("reference", ("ES", {"days": 6, "seed": 1, "strength": 1.0}), config, replace(theirs, seed=5)),
        ("rejax", params, replace(ours, seed=5)),
    ]


def test_trainers_are_run_in_their_order_with_each_seed_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def run(name: str, plan: TrainingPlan, seed: int) -> ReturnRow:
        asked.append((name, plan, seed))
        row = time_to_return.blank_row(name, plan, seed)
        seconds = (2.0 if name == "port" else 8.0) + seed
        return replace_fields(row, seconds=seconds, curve=(ReturnPoint(seconds, 9, 70.0),), steps=9)

    monkeypatch.setattr(time_to_return, "run_in_process", run)
    out = tmp_path / "report.json"
    given = {**TINY, "share": 0.25, "limit_seconds": 20.0, "every": 0.125}
    words = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    words += ["--trainers", "maskable,port", "--seeds", "3", "--json", str(out)]
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0, done.exception
    plan = make_plan(given)
    assert asked == [(name, plan, seed) for seed in range(3) for name in ("maskable", "port")]
    report = json.loads(out.read_text())
    assert [(row["trainer"], row["seed"]) for row in report["rows"]] == [
        (name, seed) for name, _, seed in asked
    ]
    assert report["trainer_settings"]["port"]["n_envs"] == 8
    assert report["trainer_settings"]["maskable"]["learning_rate"] == 1e-3
    assert report["ahead"]["maskable"]["ratio"] == 3.0
    assert report["settings"]["share"] == "0.25"
    assert "port, seed 2: reached in 4.0 s, 9 steps" in done.output
    asked.clear()
    CliRunner().invoke(command, [*words, "--quick"])
    few = {"days": 4, "starts": 64, "limit_seconds": 0.05, "every": 0.02}
    assert asked[0][1] == make_plan({**given, **few})


def test_rows_are_shown_with_how_far_they_got(capsys: pytest.CaptureFixture[str]) -> None:
    curve = (ReturnPoint(1.0, 50, 20.0), ReturnPoint(1234.0, 100, -5.0))
    row = ReturnRow(
        name="ours", trainer="port", seed=3, limit_seconds=2000.0, masks=True, compile_seconds=2.25,
        seconds=1234.56, steps=98_765, curve=curve, target_return_dollars=4321.0,
    )  # fmt: skip
    late = replace_fields(row, name="late", seconds=None, masks=False, compile_seconds=None)
    failed = replace_fields(row, name="broken", seed=4, error="it broke")
    report = ReturnReport(
        schema=1, machine_info=time_to_return.machine_info(), settings={}, trainer_settings={},
        rows=(row, late, failed),
        ahead={
            "late": TimeRatio(ratio=2.5, at_least=True), "other": TimeRatio(ratio=0.5, at_least=False),
        },
    )  # fmt: skip
    time_to_return.show(report, Console(width=150))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "to a mean PnL of $4,321 an episode",
        "trainer masks seed compile seconds steps best of the limit",
        "ours yes 3 2.2 s 1,234.6 s 98,765 $20 1,234 of 2,000 s",
        "late no 3 0.0 s not reached 98,765 $20 1,234 of 2,000 s",
        "broken 4 failed",
        "late took at least 2.50x as long as the port",
        "other took 0.50x as long as the port",
        "broken, seed 4, failed: it broke",
    ]
    assert time_to_return.summary_line(late) == "late, seed 3: not reached, 98,765 steps"

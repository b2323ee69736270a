import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.baselines.learners import Greedy
from benchmarks.baselines.pattern_agents import Unseen
from benchmarks.report.takeaways import takeaway
from benchmarks.suites import time_to_return
from benchmarks.suites.time_to_return import Plan, ahead, alone, command, make_plan, run_row
from markets import InputError

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


def _row(monkeypatch: pytest.MonkeyPatch, plan: Plan, **kind: int) -> tuple[dict[str, Any], Clockwork]:
    clock = [0.0]
    learner = Clockwork(clock, **kind)

    def earned(greedy: Greedy, unseen: Unseen) -> float:
        clock[0] += 1000.0  # judging takes long, and must not count
        return 100.0 * greedy.weights

    monkeypatch.setattr(time_to_return, "make_unseen", lambda *args: None)
    monkeypatch.setattr(time_to_return, "oracle_pnl", lambda unseen: 800.0)
    monkeypatch.setattr(time_to_return, "make_learner", lambda *args: learner)
    monkeypatch.setattr(time_to_return, "judged", earned)
    monkeypatch.setattr(time_to_return.time, "perf_counter", lambda: clock[0])
    return run_row("port", plan, 3), learner


def test_the_clock_stops_at_the_return_and_stands_while_judging(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row, learner = _row(monkeypatch, make_plan(TINY))
    assert row == {
        "trainer": "port",
        "name": "clockwork",
        "masks": True,
        "seed": 3,
        "compile_seconds": 7.0,
        "seconds": 4.0,
        "steps": 200,
        "best_return": 400.0,
        "limit_seconds": 10.0,
        "curve": [[float(n), 50 * n, 100.0 * n] for n in range(5)],
        "note": "earns by the clock",
        "oracle_return": 800.0,
        "target_return": 400.0,
    }
    assert learner.closed


def test_who_does_not_get_there_is_stopped_and_judged_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = replace(make_plan(TINY), share=1.0, limit_seconds=5.5, every=4.0)
    row, _ = _row(monkeypatch, plan)
    assert row["seconds"] is None
    assert row["best_return"] == 600.0
    assert row["curve"] == [[0.0, 0, 0.0], [4.0, 200, 400.0], [6.0, 300, 600.0]]


def test_a_trainer_that_fails_is_a_row_with_what_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    row, learner = _row(monkeypatch, make_plan(TINY), fails_at=2)
    assert row["error"] == "ValueError: NaN in the weights"
    assert row["seconds"] is None
    assert row["curve"][-1] == [2.0, 100, 200.0]
    assert learner.closed


def test_seconds_are_compared_by_medians() -> None:
    def row(trainer: str, seconds: float | None, **more: Any) -> dict[str, Any]:
        return {"trainer": trainer, "seconds": seconds, "limit_seconds": 60.0, **more}

    rows = [row("port", 1.0), row("port", 3.0), row("port", 2.0), row("sbx", 10.0), row("sbx", 14.0)]
    rows += [
        row("rejax", None),
        row("rejax", 8.0),
        row("rejax", None),
        row("purejaxrl", None, error="x"),
    ]
    assert ahead(rows) == {
        "sbx": {"ratio": 6.0, "at_least": False},
        "rejax": {"ratio": 30.0, "at_least": True},
    }
    assert ahead(rows[3:]) == {}


def test_ours_and_a_rival_run_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_to_return, "alone", run_row)  # in this process, which has imported all
    out = tmp_path / "time.json"
    options = ["--quick", "--trainers", "port,purejaxrl", "--json", str(out)]
    result = CliRunner().invoke(command, options, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    rows = json.loads(out.read_text())["rows"]
    assert [(row["trainer"], row["masks"]) for row in rows] == [("port", True), ("purejaxrl", False)]
    for row in rows:
        assert "error" not in row, row
        assert row["compile_seconds"] > 0
        assert row["curve"][0][:2] == [0.0, 0]
        assert row["curve"][-1][1] == row["steps"] > 0
        assert row["curve"][0][2] != row["curve"][-1][2]
        assert row["target_return"] == row["oracle_return"] / 2 > 100


class Bomb(str):
    """A name that ends the process that reads it."""

    def __reduce__(self) -> Any:
        return os._exit, (3,)


def test_a_process_that_dies_is_a_row() -> None:
    row = alone(Bomb("port"), make_plan(TINY), 0)
    assert row["error"].startswith("BrokenProcessPool: A process in the process pool")
    assert (row["name"], row["seconds"], row["curve"]) == ("port", None, [])


def test_an_unknown_trainer_is_named() -> None:
    with pytest.raises(InputError, match="'trl' is no trainer; choose from port, maskable"):
        CliRunner().invoke(command, ["--trainers", "trl"], catch_exceptions=False)


def test_the_sentence_of_the_page_takes_medians_over_seeds() -> None:
    def runs(name: str, *seconds: float | None) -> list[dict[str, Any]]:
        return [{"name": name, "seconds": took} for took in seconds]

    def said(*rows: list[dict[str, Any]]) -> str:
        return takeaway("time_to_return", {"rows": [row for found in rows for row in found]})

    port, quick = runs("port", 5.0, 6.0, 3.0), runs("quick", 9.0, 5.5, 7.0)
    assert said(runs("port", 5.0), runs("slow", 9.0), runs("lost", None)) == (
        "port is first, after 5 s of training. slow is the last to get there, after 9 s, and 1 did "
        "not within the limit."
    )
    assert said(port, quick, runs("lost", None, 4.0, None)) == (
        "port is first, after 5 s of training, the median of 3 seeds (3 s to 6 s). quick is the last "
        "to get there, after 7 s, and 1 did not within the limit. With some seed quick came before the "
        "slowest of the first."
    )
    assert said(port) == (
        "port is first, after 5 s of training, the median of 3 seeds (3 s to 6 s). Nobody else "
        "got there."
    )
    assert said(runs("port", None)).startswith("No trainer reached the return")
